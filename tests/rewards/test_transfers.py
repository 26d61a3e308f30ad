"""Points from one member to another: within the policy's limits, counted under the sender's lock, told to both."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils.translation import override

from members.actors import SYSTEM
from members.admin.timeline import tell
from members.models import Member, Operator, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.proposals import ProposalOutcome, RequestUsedAgain, approve, sentence_of
from members.queries import MemberNotFound
from members.refusals import Refusal
from members.services.profile import ProfileChange, change_profile
from rewards import ledger
from rewards.explanation import explain
from rewards.ledger import InsufficientPoints, currency_id
from rewards.models import LedgerTransaction, Lot, PointsCurrency, PointsTransfer, TransferPolicy
from rewards.queries import balance_of
from rewards.services.adjustments import arrears_of
from rewards.services.orders import MemberClosed, MemberFrozen
from rewards.services.transfers import (
    TransferDayLimit,
    TransferMonthLimit,
    TransfersNotPossible,
    TransferTooLarge,
    TransferTooSmall,
    TransferTooSoon,
    TransferToSelf,
    find_receiver,
    propose_transfer,
    transfer_use,
)
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.factories.portal import a_named_member
from tests.harness.threads import spread
from tests.rewards.by_hand import actor, books, findings, staff
from tests.rewards.test_adjustments import in_arrears

LATER = NOON + timedelta(hours=1)


def allow(**changes: Any) -> TransferPolicy:
    values = {
        "is_enabled": True, "min_points": 10, "max_points": 200, "day_points": 300, "day_times": 3, "month_points": 500,
        "month_times": 5, "cooldown_hours": 24, **changes,
    }  # fmt: skip
    TransferPolicy.objects.update(**values)
    return TransferPolicy.objects.get()


def move(
    sender: Member, receiver: Member, points: int, maker: Operator, at: datetime = LATER, reason: str = "a gift"
) -> ProposalOutcome:
    return propose_transfer(
        sender_id=sender.pk, receiver_id=receiver.pk, points=points, reason=reason, by=actor(maker), at=at
    )


def two(points: int = 1_000) -> tuple[Member, Member]:
    sender, receiver = a_member(), a_member()
    give_points(sender, points, moment=NOON, expires_at=NOON + timedelta(days=90))
    return sender, receiver


def available(member: Member, at: datetime = LATER) -> int:
    return balance_of(member.pk, at).available


@pytest.mark.django_db
class TestATransfer:
    def test_is_not_possible_before_staff_allow_it(self) -> None:
        sender, receiver = two()
        before = books()
        with pytest.raises(TransfersNotPossible):
            move(sender, receiver, 100, staff())
        assert books() == before

    def test_moves_lots_with_their_expiry_and_tells_both(self) -> None:
        allow()
        (sender, receiver), maker = two(), staff()
        assert move(sender, receiver, 100, maker).carried_out
        assert (available(sender), available(receiver)) == (900, 100)
        lot = Lot.objects.get(member_id=receiver.pk)
        assert (lot.origin, lot.expires_at) == (Lot.Origin.TRANSFER, NOON + timedelta(days=90))
        row = PointsTransfer.objects.get()
        assert (row.sender, row.receiver, row.points, row.maker) == (sender, receiver, 100, maker)
        told = {entry.member_id: entry.kind for entry in TimelineEntry.objects.filter(subject=f"transfer:{row.pk}")}
        assert told == {sender.pk: "rewards.points_sent.v1", receiver.pk: "rewards.points_received.v1"}
        assert findings(LATER) == []

    def test_of_another_currency_says_so_on_both_timelines(self) -> None:
        coins = PointsCurrency.objects.create(code="coins", name="Coins")
        policy = allow()
        policy.pk, policy.currency = None, coins
        policy.save(force_insert=True)
        sender, receiver = a_member(), a_member()
        with transaction.atomic():
            ledger.accrue(
                member_id=sender.pk, source="gift", natural_key="coins", at=NOON, by=SYSTEM, trace={}, currency_id=coins.pk,
                lots=[ledger.NewLot(50, ledger.Origin.ADJUSTMENT, NOON, None)],
            )  # fmt: skip
        propose_transfer(
            sender_id=sender.pk, receiver_id=receiver.pk, points=20, reason="a gift", by=actor(staff()), at=LATER, currency_id=coins.pk
        )  # fmt: skip
        entries = list(
            TimelineEntry.objects.filter(kind__contains="points_", member__in=[sender, receiver]).order_by("id")
        )
        assert [entry.payload["currency"] for entry in entries] == [coins.pk, coins.pk]
        with override("en"):
            assert [entry.sentence for entry in tell(entries)] == [
                f"Gave 20 Coins to member {receiver.member_no}.",
                f"Got 20 Coins from member {sender.member_no}.",
            ]

    def test_asked_for_again_by_the_same_form_gives_the_first_answer(self) -> None:
        allow(day_times=1)
        (sender, receiver), by = two(), actor(staff())
        asked: dict[str, Any] = {
            "sender_id": sender.pk,
            "receiver_id": receiver.pk,
            "reason": "a gift",
            "by": by,
            "at": LATER,
            "request_id": "form",
        }
        first = propose_transfer(**asked, points=100)
        before = books()
        assert propose_transfer(**asked, points=100) == first
        with pytest.raises(RequestUsedAgain):
            propose_transfer(**asked, points=50)
        assert books() == before

    def test_repays_what_the_receiver_owes(self) -> None:
        allow()
        sender, receiver = two()
        in_arrears(receiver, 40)
        move(sender, receiver, 100, staff(), at=NOON + timedelta(days=2))
        assert (arrears_of(receiver.pk), available(receiver, NOON + timedelta(days=2))) == (0, 60)

    def test_above_the_operators_limit_waits_and_is_checked_again(self) -> None:
        allow(max_points=900, day_points=900, month_points=900)
        sender, receiver = two()
        waiting = move(sender, receiver, 600, staff())
        assert waiting.waiting
        move(sender, receiver, 400, staff())
        before = books()
        with pytest.raises(TransferDayLimit):
            approve(proposal_id=waiting.proposal_id, by=actor(staff()), at=LATER)
        assert books() == before

    @pytest.mark.parametrize(("points", "refusal"), [(9, TransferTooSmall), (201, TransferTooLarge)])
    def test_keeps_to_the_least_and_the_most(self, points: int, refusal: type[Refusal]) -> None:
        allow()
        sender, receiver = two()
        before = books()
        with pytest.raises(refusal):
            move(sender, receiver, points, staff())
        assert books() == before

    def test_keeps_to_points_and_times_of_the_day(self) -> None:
        allow()
        sender, receiver = two()
        move(sender, receiver, 200, staff())
        with pytest.raises(TransferDayLimit) as refused:
            move(sender, receiver, 101, staff())
        assert refused.value.params == {"limit": "day", "most": "300", "times": 3, "used": "200", "used_times": 1}
        move(sender, receiver, 50, staff())
        move(sender, receiver, 10, staff())
        with pytest.raises(TransferDayLimit):
            move(sender, receiver, 10, staff())
        assert transfer_use(member_id=sender.pk, currency_id=currency_id(), at=LATER).day_times == 3
        assert move(sender, receiver, 10, staff(), at=LATER + timedelta(days=1)).carried_out

    def test_keeps_to_points_and_times_of_the_month(self) -> None:
        allow()
        sender, receiver = two()
        for day in (0, 1):
            move(sender, receiver, 200, staff(), at=LATER + timedelta(days=day))
        with pytest.raises(TransferMonthLimit):
            move(sender, receiver, 101, staff(), at=LATER + timedelta(days=2))
        assert move(sender, receiver, 200, staff(), at=LATER + timedelta(days=31)).carried_out

    def test_of_more_than_there_is_changes_nothing(self) -> None:
        allow()
        sender, receiver = two(50)
        before = books()
        with pytest.raises(InsufficientPoints):
            move(sender, receiver, 60, staff())
        assert books() == before

    def test_to_oneself_is_refused(self) -> None:
        allow()
        sender, _receiver = two()
        with pytest.raises(TransferToSelf):
            move(sender, sender, 60, staff())
        move(sender, _receiver, 60, staff())
        known = PointsTransfer.objects.get()
        again = PointsTransfer(
            sender=sender, receiver=sender, currency_id=known.currency_id, points=1, maker_id=known.maker_id,
            proposal_id=known.proposal_id, transaction_id=known.transaction_id, happened_at=LATER,
        )  # fmt: skip
        with pytest.raises(IntegrityError, match="transfer_goes_to_another_member"), transaction.atomic():
            again.save()

    @pytest.mark.parametrize("who", [0, 1])
    @pytest.mark.parametrize(("status", "refusal"), [("frozen", MemberFrozen), ("closed", MemberClosed)])
    def test_needs_both_to_be_active(self, who: int, status: str, refusal: type[Refusal]) -> None:
        allow()
        pair = two()
        Member.objects.filter(pk=pair[who].pk).update(status=status)
        before = books()
        with pytest.raises(refusal):
            move(*pair, 60, staff())
        assert books() == before

    @pytest.mark.parametrize("who", [0, 1])
    def test_of_ones_own_account_is_refused(self, who: int) -> None:
        allow()
        pair, maker = two(), staff()
        OwnMembership.objects.create(operator=maker, member=pair[who])
        with pytest.raises(OwnAccount):
            move(*pair, 60, maker)

    def test_waits_after_a_new_phone_number(self) -> None:
        allow()
        sender, receiver = two()
        change_profile(member_id=sender.pk, change=ProfileChange(full_name="李"), by=actor(staff()), at=NOON)
        assert move(sender, receiver, 20, staff()).carried_out
        change_profile(member_id=sender.pk, change=ProfileChange(phone="13800138000"), by=actor(staff()), at=NOON)
        before = books()
        with pytest.raises(TransferTooSoon):
            move(sender, receiver, 20, staff())
        assert books() == before
        assert move(sender, receiver, 20, staff(), at=NOON + timedelta(hours=24)).carried_out

    def test_finds_the_receiver_by_exact_number_or_phone_only(self) -> None:
        member = a_named_member(phone="13900001234")
        assert find_receiver(member.member_no) == member
        assert find_receiver("139 0000 1234") == member
        with pytest.raises(MemberNotFound):
            find_receiver(member.member_no[:-1])

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_told_in_every_language(self, language: str) -> None:
        allow()
        sender, receiver = two()
        outcome = move(sender, receiver, 77, staff())
        with override(language):
            for member in (sender, receiver):
                kinds = ("rewards.points_sent.v1", "rewards.points_received.v1")
                (told,) = tell(list(TimelineEntry.objects.filter(member=member, kind__in=kinds)))
                assert "77" in told.sentence
            posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.TRANSFER)
            assert "77" in explain(posted.trace).notes[0]
            assert sender.member_no in sentence_of(Proposal.objects.get(pk=outcome.proposal_id))


class TestTransfersAtOnce:
    def test_never_pass_the_limits_under_16_threads(self, committed_db: str) -> None:
        allow(min_points=10, max_points=100, day_points=250, day_times=20, month_points=250, month_times=20)
        sender, receiver = two()
        makers = [staff() for _ in range(16)]

        def give(number: int) -> bool:
            try:
                return move(sender, receiver, 50, makers[number]).carried_out
            except (TransferDayLimit, TransferMonthLimit):
                return False

        assert sum(spread(give, times=16, threads=16)) == 5
        assert (available(sender), available(receiver)) == (750, 250)
        assert PointsTransfer.objects.count() == 5
        assert findings(LATER) == []

    def test_both_ways_do_not_stop_each_other(self, committed_db: str) -> None:
        allow(day_times=20, month_times=20)
        one, other = two()
        give_points(other, 1_000, moment=NOON)
        makers = [staff() for _ in range(12)]

        def give(number: int) -> bool:
            pair = (one, other) if number % 2 else (other, one)
            return move(*pair, 20, makers[number]).carried_out

        assert all(spread(give, times=12, threads=12))
        assert available(one) + available(other) == 2_000
        assert findings(LATER) == []
