"""Points that staff give and take: within limits at once, above them by two people; missing points as the rules of the day say."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import translation
from django.utils.translation import override

from members import proposals
from members.admin.timeline import tell
from members.models import LimitUsage, Member, Operator, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.proposals import (
    MakerCanNotDecide,
    NotAllowed,
    ProposalOutcome,
    approve,
    effect_now,
    my_limit,
    sentence_of,
)
from members.refusals import Refusal
from rewards import ledger
from rewards.explanation import explain
from rewards.ledger import ArrearsTooSmall, InsufficientPoints
from rewards.models import (
    Adjustment,
    EarnRule,
    EarnRuleVersion,
    LedgerTransaction,
    Lot,
    PointsAccount,
    PurchaseReturn,
    ReasonCode,
)
from rewards.queries import balance_of, forget_rules
from rewards.services.adjustments import (
    ADJUST,
    MissingPointsChanged,
    NoteMissing,
    ReasonDoesNotFit,
    ReasonNotOffered,
    arrears_of,
    propose_adjustment,
    propose_missing_points,
    propose_write_off,
    reasons,
)
from rewards.services.missing_points import (
    MissingPoints,
    OrderEarnsNothing,
    OrderIsCredited,
    OrderOfAnotherMember,
    OrderUnknown,
    missing_points,
)
from rewards.services.orders import MemberFrozen
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.histories import give_points
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.harness.threads import spread
from tests.rewards.by_hand import actor, books, findings, staff

LATER = NOON + timedelta(days=2)


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def give(
    member: Member,
    points: int,
    maker: Operator,
    *,
    reason: str = "goodwill",
    note: str = "",
    request_id: str = "",
    at: datetime = LATER,
) -> ProposalOutcome:
    return propose_adjustment(
        member_id=member.pk, points=points, reason_code=reason, note=note, by=actor(maker), at=at, request_id=request_id
    )


def available(member: Member, at: datetime = LATER) -> int:
    return balance_of(member.pk, at).available


@pytest.mark.django_db
class TestAnAdjustment:
    def test_within_the_limits_is_posted_at_once_with_its_record(self) -> None:
        maker, member = staff(), a_member()
        outcome = give(member, 300, maker, note="late delivery")
        assert outcome.carried_out
        assert available(member) == 300
        row = Adjustment.objects.get()
        assert (row.points, row.reason_code.code, row.note, row.maker) == (300, "goodwill", "late delivery", maker)
        assert (row.transaction.kind, row.transaction.natural_key) == (
            LedgerTransaction.Kind.ADJUST,
            f"proposal {outcome.proposal_id}",
        )
        lot = Lot.objects.get()
        assert lot.origin == Lot.Origin.ADJUSTMENT
        assert lot.expires_at is not None
        entry = TimelineEntry.objects.get(kind="rewards.points_adjusted.v1")
        assert entry.payload == {
            "points": 300, "reason_code": "goodwill", "adjustment": row.pk, "currency": ledger.currency_id(),
        }  # fmt: skip
        assert findings(LATER) == []

    def test_above_the_limit_waits_for_another_person_who_posts_it(self) -> None:
        maker, checker, member = staff(), staff(), a_member()
        outcome = give(member, 501, maker)
        assert outcome.waiting
        assert available(member) == 0
        with pytest.raises(MakerCanNotDecide):
            approve(proposal_id=outcome.proposal_id, by=actor(maker), at=LATER)
        assert available(member) == 0
        assert approve(proposal_id=outcome.proposal_id, by=actor(checker), at=LATER).carried_out
        assert available(member) == 501
        assert Adjustment.objects.get().maker == maker
        assert findings(LATER) == []

    def test_is_not_approved_by_its_maker_past_the_service_either(self) -> None:
        maker, member = staff(), a_member()
        outcome = give(member, 501, maker)
        with pytest.raises(IntegrityError, match="maker_is_not_the_first_checker"), transaction.atomic():
            Proposal.objects.filter(pk=outcome.proposal_id).update(first_checker=maker)
        with pytest.raises(DatabaseError), transaction.atomic():
            Proposal.objects.filter(pk=outcome.proposal_id).update(params={"points": 1})

    def test_says_what_is_left_of_the_limits(self) -> None:
        maker, member = staff(), a_member()
        give(member, 500, maker)
        limit = my_limit(operator=maker, kind=ADJUST, at=LATER)
        assert (limit.per_entry, limit.left_today) == (500, 4_500)

    def test_that_takes_points_counts_towards_the_limits_like_one_that_gives(self) -> None:
        maker, member = staff(), a_member()
        give_points(member, 1_000, moment=NOON)
        assert give(member, -400, maker, reason="misuse", note="shared card").carried_out
        assert available(member) == 600
        assert my_limit(operator=maker, kind=ADJUST, at=LATER).used_today == 400
        assert findings(LATER) == []

    def test_of_more_than_there_is_changes_nothing(self) -> None:
        maker, member = staff(), a_member()
        give_points(member, 100, moment=NOON)
        before = books()
        with pytest.raises(InsufficientPoints):
            give(member, -101, maker, reason="misuse", note="shared card")
        assert books() == before
        assert not LimitUsage.objects.exists()

    @pytest.mark.parametrize(
        ("points", "reason", "note", "refusal"),
        [
            (-5, "goodwill", "", ReasonDoesNotFit),
            (5, "misuse", "x", ReasonDoesNotFit),
            (5, "other", " ", NoteMissing),
            (5, "no-such-reason", "", ReasonNotOffered),
        ],
    )
    def test_names_a_reason_that_explains_it(self, points: int, reason: str, note: str, refusal: type[Refusal]) -> None:
        maker, member = staff(), a_member()
        give_points(member, 100, moment=NOON)
        before = books()
        with pytest.raises(refusal):
            give(member, points, maker, reason=reason, note=note)
        assert books() == before

    def test_of_a_frozen_member_changes_nothing(self) -> None:
        maker, member = staff(), a_member(status=Member.Status.FROZEN)
        before = books()
        with pytest.raises(MemberFrozen):
            give(member, 5, maker)
        assert books() == before

    def test_of_ones_own_account_is_refused(self) -> None:
        maker, member = staff(), a_member()
        OwnMembership.objects.create(operator=maker, member=member)
        before = books()
        with pytest.raises(OwnAccount):
            give(member, 5, maker)
        assert books() == before

    def test_needs_the_right(self) -> None:
        from tests.factories.portal import an_operator

        before = books()
        with pytest.raises(NotAllowed):
            give(a_member(), 5, an_operator("analyst"))
        assert books() == {**before, "timeline": before["timeline"]}

    def test_asked_twice_by_one_request_is_posted_once(self) -> None:
        maker, member = staff(), a_member()
        first = give(member, 50, maker, request_id="form-1")
        assert give(member, 50, maker, request_id="form-1") == first
        assert available(member) == 50

    def test_repays_arrears_first(self) -> None:
        maker, member = staff(), a_member()
        in_arrears(member, 40)
        give(member, 100, maker)
        assert (arrears_of(member.pk), available(member)) == (0, 60)
        assert findings(LATER) == []

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_explained_in_every_language_without_the_note(self, language: str) -> None:
        maker, member = staff(), a_member()
        outcome = give(member, 10, maker, note="secret of the colleagues")
        with override(language):
            notes = explain(LedgerTransaction.objects.get().trace).notes
            assert len(notes) == 1
            assert ReasonCode.objects.get(code="goodwill").member_text in notes[0]
            assert "secret" not in notes[0]
            told = [entry.sentence for entry in tell(list(TimelineEntry.objects.filter(member=member)))]
            assert any("10" in sentence for sentence in told)
            assert member.member_no in sentence_of(Proposal.objects.get(pk=outcome.proposal_id))

    def test_shows_the_approver_the_balance_before_and_after(self) -> None:
        maker, member = staff(), a_member()
        give_points(member, 100, moment=NOON)
        outcome = give(member, 600, maker)
        with override("en"):
            shown = effect_now(proposal=Proposal.objects.get(pk=outcome.proposal_id), at=LATER)
        assert [(line.before, line.after) for line in shown.lines] == [("–", "+600"), ("100", "700")]
        assert shown.cost_points == 600

    def test_offers_reasons_by_direction(self) -> None:
        assert "misuse" not in {reason.code for reason in reasons(giving=True)}
        assert "goodwill" not in {reason.code for reason in reasons(giving=False)}
        ReasonCode.objects.filter(code="goodwill").update(is_active=False)
        assert "goodwill" not in {reason.code for reason in reasons()}


def in_arrears(member: Member, points: int) -> None:
    """Let a member owe so many points: bought, spent, returned."""
    order = an_order(member, f"{points}.00")
    record_purchase(order=order, by=TILL, at=NOON)
    with transaction.atomic():
        ledger.burn(
            member_id=member.pk, points=points, source="t", natural_key=f"{member.pk}", at=NOON, by=TILL, trace={"v": 2}
        )
    record_return(ret=a_return(order), by=TILL, at=NOON + timedelta(days=1))
    assert arrears_of(member.pk) == points


def credit_missing(member: Member, missing: MissingPoints, maker: Operator, request_id: str = "") -> ProposalOutcome:
    return propose_missing_points(
        member_id=member.pk, order_no=missing.purchase.external_order_no, points=missing.points, reason_code="missing-points",
        note="", by=actor(maker), at=LATER, request_id=request_id,
    )  # fmt: skip


@pytest.mark.django_db
class TestMissingPoints:
    def test_of_an_order_without_a_member_are_what_the_rules_of_its_day_give(self) -> None:
        maker, member = staff(), a_member()
        record_purchase(order=an_order(None, "80.00", number="A-1"), by=TILL, at=NOON)
        missing = missing_points(member_id=member.pk, order_no="A-1")
        assert (missing.points, missing.due, missing.posted) == (80, 80, 0)
        first = credit_missing(member, missing, maker, request_id="form")
        assert first.carried_out
        assert credit_missing(member, missing, maker, request_id="form") == first
        assert available(member) == 80
        row = Adjustment.objects.get()
        assert row.purchase == missing.purchase
        with override("en"):
            explained = explain(row.transaction.trace)
        assert [line.points for line in explained.lines] == [80]
        assert "80 points for order A-1; 0 were credited before" in " ".join(explained.notes)
        assert findings(LATER) == []

    def test_are_credited_once_whoever_asks(self) -> None:
        maker, member, other = staff(), a_member(), a_member()
        record_purchase(order=an_order(None, "80.00", number="A-1"), by=TILL, at=NOON)
        missing = missing_points(member_id=member.pk, order_no="A-1")
        credit_missing(member, missing, maker)
        before = books()
        with pytest.raises(OrderIsCredited) as refused:
            credit_missing(member, missing, maker)
        assert refused.value.entry_id is not None
        with pytest.raises(OrderOfAnotherMember):
            missing_points(member_id=other.pk, order_no="A-1")
        assert books() == before

    def test_of_an_order_that_earned_by_its_rules_are_none(self) -> None:
        member = a_member()
        record_purchase(order=an_order(member, "80.00", number="A-1"), by=TILL, at=NOON)
        with pytest.raises(OrderIsCredited) as refused:
            missing_points(member_id=member.pk, order_no="A-1")
        assert refused.value.params == {"order_no": "A-1", "posted": 80, "due": 80}

    def test_are_the_difference_when_a_rule_of_that_day_was_recorded_late(self) -> None:
        maker, member = staff(), a_member()
        record_purchase(order=an_order(member, "80.00", number="A-1"), by=TILL, at=NOON)
        rule = EarnRule.objects.create(name="Double", currency_id=ledger.currency_id())
        EarnRuleVersion.objects.create(
            rule=rule, number=1, state=EarnRuleVersion.State.PUBLISHED, mode=EarnRuleVersion.Mode.EXTRA, valid_from=NOON, points_per_step=1,
        )  # fmt: skip
        forget_rules()
        missing = missing_points(member_id=member.pk, order_no="A-1")
        assert (missing.points, missing.due, missing.posted) == (80, 160, 80)
        credit_missing(member, missing, maker)
        assert available(member) == 160
        assert findings(LATER) == []

    def test_are_fewer_by_what_came_back(self) -> None:
        member = a_member()
        order = an_order(None, "80.00", number="A-1")
        record_purchase(order=order, by=TILL, at=NOON)
        record_return(ret=a_return(order, (1, "0.25")), by=TILL, at=LATER)
        assert PurchaseReturn.objects.get().total_amount == Decimal(20)
        missing = missing_points(member_id=member.pk, order_no="A-1")
        assert (missing.points, missing.due, missing.returned) == (60, 80, 20)

    def test_of_an_order_that_came_back_are_none(self) -> None:
        member = a_member()
        order = an_order(None, "80.00", number="A-1")
        record_purchase(order=order, by=TILL, at=NOON)
        record_return(ret=a_return(order), by=TILL, at=LATER)
        with pytest.raises(OrderEarnsNothing):
            missing_points(member_id=member.pk, order_no="A-1")

    def test_of_an_unknown_order_are_refused(self) -> None:
        with pytest.raises(OrderUnknown):
            missing_points(member_id=a_member().pk, order_no="A-404")

    def test_of_another_members_order_are_refused(self) -> None:
        record_purchase(order=an_order(a_member(), "80.00", number="A-1"), by=TILL, at=NOON)
        with pytest.raises(OrderOfAnotherMember):
            missing_points(member_id=a_member().pk, order_no="A-1")

    def test_that_are_another_figure_now_are_not_credited(self) -> None:
        maker, member = staff(), a_member()
        record_purchase(order=an_order(None, "80.00", number="A-1"), by=TILL, at=NOON)
        before = books()
        with pytest.raises(MissingPointsChanged):
            propose_missing_points(
                member_id=member.pk,
                order_no="A-1",
                points=90,
                reason_code="missing-points",
                note="",
                by=actor(maker),
                at=LATER,
            )
        assert books() == before


class TestMissingPointsAtOnce:
    def test_asked_by_many_are_credited_once(self, committed_db: str) -> None:
        makers, members = [staff() for _ in range(6)], [a_member() for _ in range(2)]
        record_purchase(order=an_order(None, "80.00", number="A-1"), by=TILL, at=NOON)
        missing = [missing_points(member_id=member.pk, order_no="A-1") for member in members]

        def ask(number: int) -> bool:
            try:
                return credit_missing(members[number % 2], missing[number % 2], makers[number]).carried_out
            except (OrderIsCredited, OrderOfAnotherMember):
                return False

        assert sum(spread(ask, times=6, threads=6)) == 1
        assert sum(PointsAccount.objects.values_list("available", flat=True)) == 80
        assert Adjustment.objects.count() == 1
        assert findings(LATER) == []


@pytest.mark.django_db
class TestForgivingArrears:
    def test_always_needs_a_second_person(self) -> None:
        maker, checker, member = staff(), staff(), a_member()
        in_arrears(member, 40)
        outcome = propose_write_off(member_id=member.pk, points=40, reason="moved away", by=actor(maker), at=LATER)
        assert outcome.waiting
        assert arrears_of(member.pk) == 40
        approve(proposal_id=outcome.proposal_id, by=actor(checker), at=LATER)
        assert arrears_of(member.pk) == 0
        assert TimelineEntry.objects.get(kind="rewards.arrears_forgiven.v1").payload == {
            "points": 40, "currency": ledger.currency_id(),
        }  # fmt: skip
        assert findings(LATER) == []

    def test_asked_for_again_by_the_same_form_gives_what_became_of_it(self) -> None:
        member = a_member()
        in_arrears(member, 40)
        asked: dict[str, Any] = {
            "member_id": member.pk,
            "points": 40,
            "reason": "moved",
            "by": actor(staff()),
            "at": LATER,
            "request_id": "form",
        }
        first = propose_write_off(**asked)
        approve(proposal_id=first.proposal_id, by=actor(staff()), at=LATER)
        again = propose_write_off(**asked)
        assert (again.proposal_id, again.carried_out) == (first.proposal_id, True)

    def test_of_more_than_is_owed_is_refused(self) -> None:
        maker, member = staff(), a_member()
        in_arrears(member, 40)
        before = books()
        with pytest.raises(ArrearsTooSmall):
            propose_write_off(member_id=member.pk, points=41, reason="moved away", by=actor(maker), at=LATER)
        assert books() == before

    def test_that_were_repaid_meanwhile_changes_nothing(self) -> None:
        maker, checker, member = staff(), staff(), a_member()
        in_arrears(member, 40)
        outcome = propose_write_off(member_id=member.pk, points=40, reason="moved away", by=actor(maker), at=LATER)
        give_points(member, 100, moment=LATER)
        proposal = Proposal.objects.get(pk=outcome.proposal_id)
        before = books()
        seen = effect_now(proposal=proposal, at=LATER)
        assert seen.has_changed
        with pytest.raises(ArrearsTooSmall):
            approve(proposal_id=outcome.proposal_id, by=actor(checker), at=LATER, seen=seen.digest)
        assert books() == before


def test_every_kind_is_known_to_those_who_approve() -> None:
    known = {kind.code for kind in proposals.kinds()}
    assert {
        "rewards.adjust_points", "rewards.adjust_batch", "rewards.correct_points", "rewards.correct_points_into_arrears",
        "rewards.write_off_arrears", "rewards.transfer_points", "rewards.donate_points", "rewards.convert_points",
    } <= known  # fmt: skip
