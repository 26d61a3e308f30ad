"""冲正: a wrong posting taken back by an opposite one that names it; what is spent is let go, taken elsewhere, or owed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils.translation import override

from members.models import LimitUsage, Member, Operator, Proposal, TimelineEntry
from members.proposals import ProposalOutcome, approve, sentence_of
from rewards import ledger
from rewards.explanation import explain
from rewards.models import Adjustment, LedgerEntry, LedgerTransaction, Lot, PointsCurrency
from rewards.policies import forget_policies
from rewards.queries import balance_of
from rewards.services.adjustments import arrears_of, propose_adjustment
from rewards.services.corrections import (
    ARREARS,
    LEAVE,
    OTHERS,
    RESTORE,
    ChoiceNotPossible,
    CorrectedAlready,
    PostingNotCorrectable,
    PurchaseNeedsReturn,
    RedemptionNeedsCancelling,
    correction_of,
    propose_correction,
)
from rewards.services.expiry import expire_due_lots
from rewards.services.orders import MemberClosed
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON, an_order
from tests.factories.people import TILL, a_member
from tests.harness.threads import spread
from tests.rewards.by_hand import actor, books, findings, staff

LATER = NOON + timedelta(days=2)
SOON = NOON + timedelta(days=1)


@pytest.fixture(autouse=True)
def policies_read_anew() -> None:
    forget_policies()


def given(member: Member, points: int, maker: Operator | None = None, at: datetime = NOON) -> int:
    """Give a member points by hand; return the transaction."""
    outcome = propose_adjustment(
        member_id=member.pk,
        points=points,
        reason_code="other",
        note="test",
        by=actor(maker or staff("service supervisor")),
        at=at,
    )
    assert outcome.carried_out
    return Adjustment.objects.get(proposal=outcome.proposal_id).transaction_id


def spend(member: Member, points: int, key: str = "s", at: datetime = SOON) -> ledger.Posting:
    with transaction.atomic():
        return ledger.burn(
            member_id=member.pk,
            points=points,
            source="t",
            natural_key=f"{member.pk}{key}",
            at=at,
            by=TILL,
            trace={"v": 2},
        )


def correct(
    transaction_id: int, choice: str, maker: Operator, at: datetime = LATER, reason: str = "wrong member"
) -> ProposalOutcome:
    return propose_correction(transaction_id=transaction_id, choice=choice, reason=reason, by=actor(maker), at=at)


@pytest.mark.django_db
class TestTakingACreditBack:
    def test_shows_what_is_left_and_what_is_spent(self) -> None:
        member = a_member()
        origin = given(member, 1_000)
        spend(member, 130)
        found = correction_of(transaction_id=origin, at=LATER)
        assert (found.points, found.own, found.spent, found.expired) == (1_000, 870, 130, 0)
        assert found.choices == (LEAVE, OTHERS, ARREARS)

    def test_leaves_what_is_spent(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        origin = given(member, 1_000)
        spend(member, 130)
        outcome = correct(origin, LEAVE, maker)
        assert outcome.carried_out
        assert balance_of(member.pk, LATER).available == 0
        assert arrears_of(member.pk) == 0
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CORRECT)
        assert (posted.reverses_id, posted.reason) == (origin, "wrong member")
        assert TimelineEntry.objects.get(kind="rewards.points_corrected.v1").payload == {
            "points": -870, "arrears": 0, "left": 130, "transaction": posted.pk, "origin": origin,
            "currency": ledger.currency_id(),
        }  # fmt: skip
        assert findings(LATER) == []

    def test_asked_for_again_by_the_same_form_gives_the_first_answer(self) -> None:
        by = actor(staff("service supervisor"))
        origin = given(a_member(), 1_000)
        asked: dict[str, Any] = {
            "transaction_id": origin,
            "choice": LEAVE,
            "reason": "wrong member",
            "by": by,
            "at": LATER,
            "request_id": "form",
        }
        first = propose_correction(**asked)
        assert first.carried_out
        assert propose_correction(**asked) == first

    def test_says_what_can_be_taken_from_other_points_of_any_currency(self) -> None:
        member, coins = a_member(), PointsCurrency.objects.create(code="coins", name="Coins").pk
        outcome = propose_adjustment(
            member_id=member.pk,
            points=100,
            reason_code="other",
            note="test",
            by=actor(staff()),
            at=NOON,
            currency_id=coins,
        )
        origin = Adjustment.objects.get(proposal=outcome.proposal_id).transaction_id
        with transaction.atomic():
            ledger.burn(
                member_id=member.pk,
                points=30,
                source="t",
                natural_key="coins",
                at=SOON,
                by=TILL,
                trace={},
                currency_id=coins,
            )
            ledger.accrue(
                member_id=member.pk, source="t", natural_key="more", at=SOON, by=TILL, trace={}, currency_id=coins,
                lots=[ledger.NewLot(20, ledger.Origin.PURCHASE, SOON, None)],
            )  # fmt: skip
        found = correction_of(transaction_id=origin, at=LATER)
        assert (found.spent, found.others, found.left(OTHERS), found.owed(ARREARS)) == (30, 20, 10, 10)

    def test_takes_spent_points_from_other_ones(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        origin = given(member, 1_000)
        spend(member, 130)
        give_points(member, 100, moment=SOON)
        assert correct(origin, OTHERS, maker).carried_out
        assert (balance_of(member.pk, LATER).available, arrears_of(member.pk)) == (0, 0)
        assert findings(LATER) == []

    def test_into_arrears_always_needs_a_second_person(self) -> None:
        maker, checker, member = staff("service supervisor"), staff(), a_member()
        origin = given(member, 1_000)
        spend(member, 130)
        outcome = correct(origin, ARREARS, maker)
        assert outcome.waiting
        assert arrears_of(member.pk) == 0
        approve(proposal_id=outcome.proposal_id, by=actor(checker), at=LATER)
        assert (balance_of(member.pk, LATER).available, arrears_of(member.pk)) == (0, 130)
        given(member, 200, at=LATER)
        assert (balance_of(member.pk, LATER).available, arrears_of(member.pk)) == (70, 0)
        assert findings(LATER) == []

    def test_into_arrears_is_not_offered_where_the_policy_knows_none(self) -> None:
        PointsCurrency.objects.update(arrears_policy="none")
        forget_policies()
        maker, member = staff("service supervisor"), a_member()
        origin = given(member, 1_000)
        spend(member, 130)
        assert ARREARS not in correction_of(transaction_id=origin, at=LATER).choices
        before = books()
        with pytest.raises(ChoiceNotPossible):
            correct(origin, ARREARS, maker)
        assert books() == before

    def test_forgives_what_has_expired(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        origin = given(member, 1_000)
        Lot.objects.update(expires_at=SOON)
        expire_due_lots(at=LATER, by=TILL)
        found = correction_of(transaction_id=origin, at=LATER)
        assert (found.points, found.own, found.expired, found.spent) == (1_000, 0, 1_000, 0)
        correct(origin, LEAVE, maker)
        assert findings(LATER) == []

    def test_is_done_once(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        origin = given(member, 100)
        correct(origin, LEAVE, maker)
        before = books()
        with pytest.raises(CorrectedAlready):
            correct(origin, LEAVE, maker)
        assert books() == before

    def test_proposed_twice_is_carried_out_once(self) -> None:
        maker, checker, member = staff(), staff(), a_member()
        origin = given(member, 1_000)
        first, second = correct(origin, LEAVE, maker), correct(origin, LEAVE, maker)
        approve(proposal_id=first.proposal_id, by=actor(checker), at=LATER)
        before = books()
        with pytest.raises(CorrectedAlready):
            approve(proposal_id=second.proposal_id, by=actor(checker), at=LATER)
        assert books() == before

    def test_works_on_a_frozen_member_and_not_on_one_who_left(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        first, second = given(member, 100), given(member, 50)
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        assert correct(first, LEAVE, maker).carried_out
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        before = books()
        with pytest.raises(MemberClosed):
            correct(second, LEAVE, maker)
        assert books() == before

    def test_counts_towards_the_limits(self) -> None:
        maker, member = staff(), a_member()
        origin = given(member, 501)
        assert correct(origin, LEAVE, maker).waiting
        assert not LimitUsage.objects.filter(operator=maker).exists()

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_says_why_in_every_language(self, language: str) -> None:
        maker, member = staff("service supervisor"), a_member()
        outcome = correct(given(member, 100), LEAVE, maker)
        with override(language):
            posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CORRECT)
            assert "100" in explain(posted.trace).notes[0]
            assert member.member_no in sentence_of(Proposal.objects.get(pk=outcome.proposal_id))


@pytest.mark.django_db
class TestWhatIsNotTakenBackByHand:
    def test_points_of_an_order(self) -> None:
        member = a_member()
        record_purchase(order=an_order(member, "80.00", number="A-1"), by=TILL, at=NOON)
        origin = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.EARN)
        before = books()
        with pytest.raises(PurchaseNeedsReturn) as refused:
            correct(origin.pk, LEAVE, staff())
        assert refused.value.params == {"order_no": "A-1"}
        assert books() == before

    def test_points_of_a_redemption(self) -> None:
        member = a_member()
        give_points(member, 100, moment=NOON)
        redeem_reward(member_id=member.pk, reward_id=a_reward(30).pk, request_id="r", by=TILL, at=SOON)
        origin = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.REDEEM)
        with pytest.raises(RedemptionNeedsCancelling):
            correct(origin.pk, RESTORE, staff())

    def test_a_correction(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        correct(given(member, 100), LEAVE, maker)
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CORRECT)
        with pytest.raises(PostingNotCorrectable):
            correct(posted.pk, LEAVE, maker)


@pytest.mark.django_db
class TestGivingBack:
    def test_what_staff_had_taken_fills_the_very_lots(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        give_points(member, 300, moment=NOON, expires_at=NOON + timedelta(days=40))
        lot = Lot.objects.get()
        origin = given(member, -200)
        assert correction_of(transaction_id=origin, at=LATER).choices == (RESTORE,)
        assert correct(origin, RESTORE, maker).carried_out
        lot.refresh_from_db()
        assert (lot.remaining, lot.expires_at) == (300, NOON + timedelta(days=40))
        assert LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.RESTORE).reverses_id == origin
        assert findings(LATER) == []

    def test_expired_points_come_back_for_a_while(self) -> None:
        maker, member = staff("service supervisor"), a_member()
        give_points(member, 300, moment=NOON, expires_at=SOON)
        expire_due_lots(at=LATER, by=TILL)
        origin = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.EXPIRE)
        correct(origin.pk, RESTORE, maker)
        lot = Lot.objects.get()
        assert (lot.remaining, lot.expires_at) == (300, LATER + timedelta(days=30))
        assert findings(LATER) == []
        with pytest.raises(CorrectedAlready):
            correct(origin.pk, RESTORE, maker)


class TestCorrectingAtOnce:
    def test_takes_back_once_beside_redemptions(self, committed_db: str) -> None:
        member, makers = a_member(), [staff("service supervisor") for _ in range(5)]
        origin = given(member, 1_000)

        def act(number: int) -> bool:
            try:
                if number % 2:
                    return bool(spend(member, 100, key=str(number), at=LATER))
                return correct(origin, LEAVE, makers[number // 2]).carried_out
            except (CorrectedAlready, ledger.InsufficientPoints):
                return False

        spread(act, times=10, threads=10)
        assert LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.CORRECT).count() == 1
        assert balance_of(member.pk, LATER).available == 0
        assert LedgerEntry.objects.order_by("-seq").first().debt_after == 0  # type: ignore[union-attr]
        assert findings(LATER) == []
