"""Vouchers by hand: given, extended, reissued, voided within limits, taken back until used, never for oneself."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from members.models import LimitUsage, Member, Operator, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.personal_words import WordsNamePerson
from members.proposals import NotAllowed, ProposalOutcome, approve, sentence_of
from members.refusals import Refusal
from members.services.status import ReasonMissing
from rewards.models import Voucher, VoucherBudget, VoucherEvent, VoucherGoodwill
from rewards.services.orders import MemberClosed
from rewards.services.voucher_goodwill import (
    GoodwillCanNotBeUndone,
    VoucherCanNotBe,
    VoucherEndsNoLater,
    goodwill_of_month,
    propose_extension,
    propose_give,
    propose_reissue,
    undo_goodwill,
    void_voucher,
)
from rewards.services.vouchers import expire_due_vouchers
from rewards.vouchers_held import MostVouchersHeld
from tests.factories.catalogue import a_template
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.factories.portal import a_named_member
from tests.rewards.by_hand import actor
from tests.rewards.voucher_given import a_voucher, issuer, stand

pytestmark = pytest.mark.django_db
SOON = NOON + timedelta(hours=1)


def give(member: Member, by: Operator, **template: Any) -> ProposalOutcome:
    return propose_give(
        member_id=member.pk, template_id=a_template(**template).pk, reason="Waited long", by=actor(by), at=NOON
    )


def extend(voucher: Voucher, by: Operator, days: float = 10, at: datetime = NOON) -> ProposalOutcome:
    until = max(voucher.expires_at, at) + timedelta(days=days)
    return propose_extension(voucher_id=voucher.pk, until=until, reason="Was ill", by=actor(by), at=at)


def reissue(voucher: Voucher, by: Operator, at: datetime = NOON) -> ProposalOutcome:
    return propose_reissue(voucher_id=voucher.pk, reason="Code was seen", by=actor(by), at=at)


def void(voucher: Voucher, by: Operator, at: datetime = NOON) -> VoucherGoodwill:
    return void_voucher(voucher_id=voucher.pk, reason="Given by mistake", by=actor(by), at=at)


def undo(by: Operator, at: datetime = SOON) -> VoucherGoodwill:
    return undo_goodwill(
        goodwill_id=VoucherGoodwill.objects.latest("pk").pk, reason="Wrong member", by=actor(by), at=at
    )


def again(voucher: Voucher) -> Voucher:
    return Voucher.objects.select_related("template").get(pk=voucher.pk)


class TestGive:
    """A voucher given by hand …"""

    def test_is_issued_and_counts_towards_the_limit(self) -> None:
        member, by = a_member(), issuer()
        assert give(member, by).carried_out
        voucher = Voucher.objects.get(member=member)
        row = VoucherGoodwill.objects.get()
        assert (voucher.origin, row.what, row.voucher, row.cost_amount) == ("staff", "give", voucher, Decimal(5))
        assert LimitUsage.objects.get().used_points == 5
        assert goodwill_of_month(operator_id=by.pk, at=SOON).cost_amount == Decimal(5)

    def test_above_the_limit_waits_for_a_colleague(self) -> None:
        member = a_member()
        outcome = give(member, issuer(), code="dear", off_amount=Decimal(101))
        assert outcome.waiting
        with override("en"):
            words = sentence_of(Proposal.objects.get(pk=outcome.proposal_id))
        assert words == f"Give member {member.member_no} the voucher “5 off”; it costs ¥101.00 at most."
        assert approve(proposal_id=outcome.proposal_id, by=actor(issuer()), at=SOON).carried_out
        assert Voucher.objects.get().member == member

    def test_is_refused_to_who_has_left_or_holds_the_most(self) -> None:
        gone, full, by = a_member(status="closed"), a_member(), issuer()
        a_voucher(full, a_template(most_held=1))
        before = stand()
        with pytest.raises(MemberClosed):
            give(gone, by)
        with pytest.raises(MostVouchersHeld):
            give(full, by)
        assert stand() == before

    def test_is_taken_back_until_it_is_used(self) -> None:
        by = issuer()
        give(a_member(), by)
        undo(by)
        assert Voucher.objects.get().state == "voided"
        assert goodwill_of_month(operator_id=by.pk, at=SOON).vouchers == 0
        with pytest.raises(GoodwillCanNotBeUndone):
            undo_goodwill(goodwill_id=VoucherGoodwill.objects.earliest("pk").pk, reason="Again", by=actor(by), at=SOON)
        give(a_member(), by)
        Voucher.objects.filter(state="issued").update(state="used", used_at=SOON)
        before = stand()
        with pytest.raises(GoodwillCanNotBeUndone):
            undo(by)
        assert stand() == before


class TestExtend:
    """An extension …"""

    def test_up_to_thirty_days_is_done_at_once(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        assert extend(voucher, by, 30).carried_out
        assert again(voucher).expires_at == NOON + timedelta(days=60)
        entry = TimelineEntry.objects.get(kind="rewards.voucher_extended.v1")
        assert entry.payload["until"] == (NOON + timedelta(days=60)).isoformat()

    def test_beyond_that_always_waits(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        outcome = extend(voucher, by, 31)
        assert (outcome.waiting, again(voucher).expires_at) == (True, voucher.expires_at)
        approve(proposal_id=outcome.proposal_id, by=actor(issuer()), at=SOON)
        assert again(voucher).expires_at == NOON + timedelta(days=61)

    def test_lets_an_expired_voucher_live_again_and_is_taken_back(self) -> None:
        template = a_template(budget_amount=Decimal(50))
        voucher, by = a_voucher(a_member(), template), issuer()
        over = voucher.expires_at + timedelta(days=1)
        expire_due_vouchers(at=over, by=actor(by))
        assert (again(voucher).state, VoucherBudget.objects.get().used_amount) == ("expired", Decimal(0))
        extend(voucher, by, 5, over)
        assert (again(voucher).state, again(voucher).expires_at) == ("issued", over + timedelta(days=5))
        assert VoucherBudget.objects.get().used_amount == Decimal(5)
        undo(by, over + timedelta(hours=1))
        assert (again(voucher).state, again(voucher).expires_at) == ("expired", voucher.expires_at)
        assert VoucherBudget.objects.get().used_amount == Decimal(0)

    def test_is_taken_back_before_an_earlier_one(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        for _ in range(2):
            extend(again(voucher), by)
        first, second = VoucherGoodwill.objects.order_by("pk")
        before = stand()
        with pytest.raises(GoodwillCanNotBeUndone):
            undo_goodwill(goodwill_id=first.pk, reason="Wrong member", by=actor(by), at=SOON)
        assert stand() == before
        ends = []
        for one in (second, first):
            undo_goodwill(goodwill_id=one.pk, reason="Wrong member", by=actor(by), at=SOON)
            ends.append(again(voucher).expires_at)
        assert ends == [voucher.expires_at + timedelta(days=10), voucher.expires_at]

    def test_is_refused_backwards_too_far_and_for_used_ones(self) -> None:
        voucher, used, by = a_voucher(a_member()), a_voucher(a_member()), issuer()
        Voucher.objects.filter(pk=used.pk).update(state="used", used_at=NOON)
        before = stand()
        for days in (0, -1, 367):
            with pytest.raises(VoucherEndsNoLater):
                extend(voucher, by, days)
        with pytest.raises(VoucherCanNotBe):
            extend(used, by)
        assert stand() == before


class TestReissue:
    """A reissued voucher …"""

    def test_replaces_one_that_lives_with_its_end_and_costs_nothing(self) -> None:
        template = a_template(budget_amount=Decimal(5))
        voucher, by = a_voucher(a_member(), template), issuer()
        assert reissue(voucher, by, SOON).carried_out
        row = VoucherGoodwill.objects.get()
        assert (again(voucher).state, row.replaces, row.cost_amount) == ("voided", voucher, Decimal(0))
        assert (row.voucher.expires_at, row.voucher.origin) == (voucher.expires_at, "reissue")
        assert VoucherBudget.objects.get().used_amount == Decimal(5)
        assert not LimitUsage.objects.exists()
        with pytest.raises(VoucherCanNotBe):
            reissue(voucher, by, SOON)
        undo(by)
        assert (again(voucher).state, Voucher.objects.get(pk=row.voucher_id).state) == ("issued", "voided")
        assert VoucherBudget.objects.get().used_amount == Decimal(5)

    def test_in_place_of_one_that_is_over_has_days_of_its_own_and_costs(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        over = voucher.expires_at + timedelta(days=1)
        reissue(voucher, by, over)
        row = VoucherGoodwill.objects.get()
        assert (row.voucher.expires_at, row.cost_amount) == (over + timedelta(days=30), Decimal(5))


class TestVoid:
    """A voucher voided by hand …"""

    def test_can_not_be_used_until_that_is_taken_back(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        void(voucher, by)
        assert again(voucher).state == "voided"
        assert VoucherEvent.objects.filter(voucher=voucher).latest("pk").reason == "Given by mistake"
        with pytest.raises(VoucherCanNotBe):
            void(voucher, by)
        undo(by)
        assert again(voucher).state == "issued"

    def test_that_is_over_meanwhile_stays_so(self) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        void(voucher, by)
        with pytest.raises(GoodwillCanNotBeUndone):
            undo(by, voucher.expires_at)

    def test_needs_a_reason_that_names_nobody(self) -> None:
        voucher, by = a_voucher(a_named_member("张三丰")), actor(issuer())
        before = stand()
        for reason, refusal in ((" ", ReasonMissing), ("张三丰 asked", WordsNamePerson)):
            with pytest.raises(refusal):
                void_voucher(voucher_id=voucher.pk, reason=reason, by=by, at=NOON)
        assert stand() == before


class TestOneself:
    """Staff …"""

    @pytest.mark.parametrize("act", [lambda v, by: give(v.member, by), extend, reissue, void])
    def test_do_nothing_for_their_own_membership(self, act: Callable[[Voucher, Operator], object]) -> None:
        voucher, by = a_voucher(a_member()), issuer()
        OwnMembership.objects.create(operator=by, member=voucher.member)
        before = stand()
        with pytest.raises(OwnAccount):
            act(voucher, by)
        assert stand() == before

    @pytest.mark.parametrize("act", [lambda v, by: give(v.member, by), extend, reissue])
    def test_need_the_right(self, act: Callable[[Voucher, Operator], object]) -> None:
        voucher, by = a_voucher(a_member()), issuer("analyst")
        by.user_permissions.clear()
        refused: type[Refusal] = NotAllowed
        with pytest.raises(refused):
            act(voucher, Operator.objects.get(pk=by.pk))
