"""Vouchers for friends: offered, locked meanwhile, taken back, accepted once, returned when the time is up."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.utils.translation import override

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import Member, TimelineEntry
from members.services.phone_change import CoolingDown
from rewards.models import Voucher, VoucherBudget, VoucherGift, VoucherTemplate
from rewards.refusals import RewardsRefusal
from rewards.services.orders import MemberClosed, MemberFrozen
from rewards.services.voucher_codes import voucher_code
from rewards.services.voucher_gifts import (
    AcceptedGift,
    GiftNotOpen,
    GiftToOneself,
    VoucherNotGiftable,
    accept_gift,
    cancel_gift,
    gift_token,
    offer_gift,
    return_due_gifts,
)
from rewards.services.voucher_goodwill import propose_give
from rewards.services.voucher_privacy import erase, export
from rewards.services.voucher_voiding import void_vouchers
from rewards.vouchers_held import MostVouchersHeld
from tests.factories.catalogue import a_template
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member
from tests.harness.threads import together
from tests.rewards.by_hand import actor
from tests.rewards.test_races import outcome_of
from tests.rewards.test_voucher_batches import drawn_up, work
from tests.rewards.test_voucher_batches import issued as batch_job
from tests.rewards.voucher_given import a_voucher, issuer, stand

SOON = NOON + timedelta(hours=1)
OVER = NOON + timedelta(hours=24)


def giftable(**changes: object) -> VoucherTemplate:
    return a_template("giftable", is_giftable=True, **changes)


def offer(voucher: Voucher, at: datetime = NOON) -> VoucherGift:
    by = Actor("member", voucher.member_id)
    return offer_gift(member_id=voucher.member_id, voucher_id=voucher.pk, by=by, at=at)


def accept(gift: VoucherGift, friend: Member, at: datetime = SOON) -> AcceptedGift:
    return accept_gift(member_id=friend.pk, token=gift_token(gift), by=Actor("member", friend.pk), at=at)


def cancel(voucher: Voucher, at: datetime = SOON) -> VoucherGift:
    return cancel_gift(member_id=voucher.member_id, voucher_id=voucher.pk, by=Actor("member", voucher.member_id), at=at)


def state(voucher: Voucher) -> str:
    return Voucher.objects.get(pk=voucher.pk).state


@pytest.mark.django_db
class TestOffer:
    """An offer to a friend …"""

    def test_locks_the_voucher_for_a_while_and_keeps_no_token(self) -> None:
        voucher = a_voucher(a_member(), giftable())
        gift = offer(voucher)
        voucher.refresh_from_db()
        assert (voucher.state, voucher.held_until, gift.expires_at) == ("offered", OVER, OVER)
        assert gift_token(gift).replace("-", "") not in str(list(VoucherGift.objects.values()))
        with pytest.raises(VoucherNotGiftable):
            offer(voucher, SOON)
        assert void_vouchers(voucher_ids=[voucher.pk], by=SYSTEM, at=SOON, reason="") == []

    def test_waits_while_the_phone_number_is_new(self) -> None:
        voucher = a_voucher(a_member(), giftable())
        Member.objects.filter(pk=voucher.member_id).update(cooling_until=SOON)
        with pytest.raises(CoolingDown):
            offer(voucher)
        assert (state(voucher), VoucherGift.objects.count()) == ("issued", 0)
        assert offer(voucher, SOON).giver_id == voucher.member_id

    def test_lasts_no_longer_than_the_voucher(self) -> None:
        voucher = a_voucher(a_member(), giftable(validity_days=1), at=NOON - timedelta(hours=20))
        assert offer(voucher).expires_at == voucher.expires_at == NOON + timedelta(hours=4)

    def test_is_refused_for_others_vouchers_and_for_those_that_stay(self) -> None:
        mine, stays = a_voucher(a_member(), giftable()), a_voucher(a_member())
        used = a_voucher(a_member(), giftable())
        Voucher.objects.filter(pk=used.pk).update(state="used", used_at=NOON)
        before = stand()
        with pytest.raises(NotFound):
            offer_gift(member_id=a_member().pk, voucher_id=mine.pk, by=TILL, at=NOON)
        for voucher, moment in ((stays, NOON), (used, NOON), (mine, NOON + timedelta(days=31))):
            with pytest.raises(VoucherNotGiftable):
                offer(voucher, moment)
        assert stand() == before

    @pytest.mark.parametrize(("status", "refusal"), [("frozen", MemberFrozen), ("closed", MemberClosed)])
    def test_is_refused_to_members_who_may_not_spend(self, status: str, refusal: type[RewardsRefusal]) -> None:
        voucher = a_voucher(a_member(status=status), giftable())
        with pytest.raises(refusal):
            offer(voucher)

    def test_is_taken_back(self) -> None:
        voucher = a_voucher(a_member(), giftable())
        gift = offer(voucher)
        assert cancel(voucher).state == cancel(voucher).state == "cancelled"
        assert state(voucher) == "issued"
        with pytest.raises(GiftNotOpen):
            accept(gift, a_member())
        assert offer(voucher, SOON).pk != gift.pk


@pytest.mark.django_db
class TestAcceptedGift:
    """A gift that is accepted …"""

    def test_is_a_new_voucher_with_the_same_end_and_another_code(self) -> None:
        template = giftable(budget_amount=Decimal(5))
        voucher, friend = a_voucher(a_member(), template), a_member()
        accepted = accept(offer(voucher), friend)
        received = accepted.voucher
        assert (received.member_id, received.origin, received.expires_at) == (friend.pk, "gift", voucher.expires_at)
        assert voucher_code(received.public_id) != voucher_code(voucher.public_id)
        assert (state(voucher), received.state, accepted.gift.state) == ("voided", "issued", "accepted")
        assert VoucherBudget.objects.get().used_amount == Decimal(5)
        kinds = Counter(TimelineEntry.objects.values_list("member_id", "kind"))
        assert kinds[voucher.member_id, "rewards.voucher_given.v1"] == 1
        assert kinds[friend.pk, "rewards.voucher_issued.v1"] == 1

    def test_told_again_is_the_same_answer(self) -> None:
        voucher, friend = a_voucher(a_member(), giftable()), a_member()
        gift = offer(voucher)
        first, second = accept(gift, friend), accept(gift, friend, NOON + timedelta(days=3))
        assert (first.already_accepted, second.already_accepted) == (False, True)
        assert first.voucher == second.voucher
        with pytest.raises(VoucherNotGiftable):
            cancel(voucher)

    def test_is_passed_on_as_often_as_its_template_says(self) -> None:
        once = accept(offer(a_voucher(a_member(), giftable())), a_member()).voucher
        with pytest.raises(VoucherNotGiftable):
            offer(once, SOON)
        VoucherTemplate.objects.update(most_gifts=2)
        once = Voucher.objects.get(pk=once.pk)
        twice = accept(offer(once, SOON), a_member()).voucher
        with pytest.raises(VoucherNotGiftable):
            offer(twice, SOON)

    def test_is_refused_alike_to_whoever_comes_wrong_or_too_late_and_changes_nothing(self) -> None:
        gift, other = (offer(a_voucher(a_member(), giftable())) for _ in range(2))
        accept(other, a_member())
        friend = a_member()
        before = stand()
        told = set()
        for moment, token in ((OVER, gift_token(gift)), (SOON, gift_token(other)), (SOON, "AAAA-BBBB-CCCC-DDDD")):
            with pytest.raises(GiftNotOpen) as refused:
                accept_gift(member_id=friend.pk, token=token, by=TILL, at=moment)
            told.add(refused.value.sentence())
        assert (stand(), len(told)) == (before, 1)

    def test_is_refused_to_its_giver_and_to_who_holds_the_most(self) -> None:
        template = giftable(most_held=1)
        voucher, full = a_voucher(a_member(), template), a_member()
        a_voucher(full, template)
        gift = offer(voucher)
        before = stand()
        with pytest.raises(GiftToOneself):
            accept(gift, Member.objects.get(pk=voucher.member_id))
        with pytest.raises(MostVouchersHeld):
            accept(gift, full)
        assert stand() == before

    def test_waits_while_its_giver_may_not_spend(self) -> None:
        voucher, friend = a_voucher(a_member(), giftable()), a_member()
        gift = offer(voucher)
        giver = Member.objects.filter(pk=voucher.member_id)
        giver.update(status="frozen", frozen_but_earns=True)
        before = stand()
        with pytest.raises(GiftNotOpen):
            accept(gift, friend)
        assert stand() == before
        giver.update(frozen_but_spends=True)
        first = accept(gift, friend)
        giver.update(frozen_but_spends=False)
        assert accept(gift, friend).voucher == first.voucher  # told again

    def test_of_a_retired_template_stays_a_gift(self) -> None:
        gift = offer(a_voucher(a_member(), giftable()))
        VoucherTemplate.objects.update(is_retired=True)
        assert accept(gift, a_member()).voucher.state == "issued"


@pytest.mark.django_db
class TestReturn:
    """A gift that nobody took …"""

    def test_is_its_owners_again_at_once_and_noted_by_a_task(self) -> None:
        voucher = a_voucher(a_member(), giftable())
        offer(voucher)
        voucher.refresh_from_db()
        assert (voucher.state_at(SOON), voucher.state_at(OVER)) == ("offered", "issued")
        assert return_due_gifts(at=OVER - timedelta(microseconds=1), by=SYSTEM) == 0
        assert return_due_gifts(at=OVER + timedelta(days=1), by=SYSTEM) == 1
        assert return_due_gifts(at=OVER + timedelta(days=1), by=SYSTEM) == 0
        gift = VoucherGift.objects.get()
        assert (state(voucher), gift.state, gift.closed_at) == ("issued", "expired", OVER)
        assert TimelineEntry.objects.filter(kind="rewards.voucher_released.v1").get().payload["expired"] is True

    def test_may_be_offered_or_taken_back_before_that_is_noted(self) -> None:
        again, back = (a_voucher(a_member(), giftable()) for _ in range(2))
        offer(again)
        offer(back)
        offer(again, OVER)
        assert cancel(back, OVER).state == "expired"
        assert [state(again), state(back)] == ["offered", "issued"]


@pytest.mark.django_db
class TestPerson:
    """Of one person …"""

    def test_gifts_are_copied_out_and_taken_back_at_an_erasure(self) -> None:
        voucher, friend = a_voucher(a_member(), giftable()), a_member()
        accept(offer(voucher), friend)
        opened = a_voucher(Member.objects.get(pk=voucher.member_id), giftable())
        offer(opened)
        with override("en"):
            sections = {section.name: section for section in export(voucher.member_id, SOON)}
        assert [row[1:3] for row in sections["voucher_gifts"].rows] == [
            ["out", "accepted"], ["out", "waiting for the friend"],
        ]  # fmt: skip
        assert [row[1] for row in {s.name: s for s in export(friend.pk, SOON)}["voucher_gifts"].rows] == ["in"]
        assert erase(voucher.member_id, SYSTEM, SOON) == {"voucher_gifts": 1}
        assert state(opened) == "issued"


class TestRaces:
    """A gift …"""

    def test_is_accepted_by_one_of_many_friends(self, committed_db: str) -> None:
        gift = offer(a_voucher(a_member(), giftable()))
        friends = [a_member() for _ in range(8)]
        jobs = [partial(outcome_of, partial(accept, gift, friend)) for friend in friends]
        outcomes = together(jobs)
        assert Counter(outcomes) == {"done": 1, "gift_not_open": 7}
        assert Voucher.objects.filter(member__in=friends).count() == 1

    def test_never_passes_how_many_one_may_hold_whoever_else_gives(
        self, committed_db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)
        template, friend = giftable(most_held=1), a_member()
        gifts = [offer(a_voucher(a_member(), template)) for _ in range(3)]
        batches = [batch_job(drawn_up([friend], template, duplicates="again", name=name)) for name in ("A", "B")]
        jobs = [partial(outcome_of, partial(accept, gift, friend)) for gift in gifts]
        jobs += [
            partial(
                outcome_of,
                partial(
                    propose_give, member_id=friend.pk, template_id=template.pk, reason="Waited", by=actor(by), at=SOON
                ),
            )
            for by in (issuer(), issuer())
        ]
        jobs += [partial(work, job) for job in batches]
        outcomes = Counter(together(jobs))
        assert outcomes["most_vouchers_held"] >= 4
        assert Voucher.objects.filter(member=friend, state="issued").count() == 1
