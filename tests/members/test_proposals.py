"""Changes that need a second person: within the limits at once, else decided by somebody else, once, in time, knowingly."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import translation
from django.utils.translation import override

from members import proposals
from members.actors import SYSTEM, Actor
from members.effects import Effect, EffectLine
from members.identifiers import NotFound
from members.models import Channel, LimitUsage, Operator, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.proposals import (
    LIFETIME,
    ApprovedAlready,
    EffectChanged,
    MakerCanNotDecide,
    NotAllowed,
    OnlyTheMakerWithdraws,
    ProposalExpired,
    ProposalIsDecided,
    ProposalOutcome,
    ProposalReasonMissing,
    RequestUsedAgain,
    approve,
    effect_now,
    expire_proposals,
    may_decide,
    my_limit,
    refuse,
    send_back,
    sentence_of,
    withdraw,
)
from members.refusals import Refusal
from tests.factories.people import a_member
from tests.factories.portal import an_operator
from tests.factories.times import at
from tests.factories.work import (
    BONUS,
    NotToday,
    a_proposal,
    a_proposal_kind,
    actor,
    an_approver,
    made_by,
)

NOON = at("2026-03-15 12:00")
LATER = NOON + timedelta(hours=1)
BEFORE_THE_END = NOON + LIFETIME - timedelta(seconds=1)


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "_kinds", {})
    a_proposal_kind()


def told(proposal_id: int) -> list[str]:
    entries = TimelineEntry.objects.filter(subject=f"proposal:{proposal_id}").order_by("id")
    return [entry.kind.removeprefix("members.proposal_").removesuffix(".v1") for entry in entries]


def everything() -> dict[str, Any]:
    """What a refusal must leave as it is."""
    return {
        "proposals": list(Proposal.objects.order_by("pk").values()),
        "usage": list(LimitUsage.objects.order_by("pk").values()),
        "channels": Channel.objects.count(),
        "timeline": TimelineEntry.objects.count(),
    }


def refused_without_a_trace(refusal: type[Refusal], act: Any, **arguments: Any) -> Any:
    before = everything()
    with pytest.raises(refusal) as raised:
        act(**arguments)
    assert everything() == before
    return raised.value


@pytest.mark.django_db
class TestProposing:
    def test_within_the_limits_is_carried_out_at_once(self) -> None:
        maker = an_operator("service")
        outcome = a_proposal(500, at=NOON, maker=maker)
        assert outcome.carried_out
        assert not outcome.waiting
        assert outcome.result == "500 points were given."
        assert made_by("bonus")
        proposal = Proposal.objects.get()
        assert (proposal.maker, proposal.decided_by, proposal.approvals_needed) == (maker, maker, 0)
        assert my_limit(operator=maker, kind=BONUS, at=NOON).used_today == 500
        assert told(proposal.pk) == ["carried_out"]

    @pytest.mark.parametrize(("points", "people"), [(501, 1), (200_000, 1), (200_001, 2)])
    def test_above_the_limits_waits_for_one_or_two_others(self, points: int, people: int) -> None:
        maker = an_operator("service")
        outcome = a_proposal(points, at=NOON, maker=maker)
        assert outcome == ProposalOutcome(outcome.proposal_id, Proposal.State.WAITING, "", people)
        assert not made_by("bonus")
        assert my_limit(operator=maker, kind=BONUS, at=NOON).used_today == 0
        proposal = Proposal.objects.get()
        assert proposal.expires_at == NOON + timedelta(hours=72)
        assert sentence_of(proposal) == f"Give {points} points"
        assert told(proposal.pk) == ["proposed"]

    def test_waits_once_the_day_is_used_up(self) -> None:
        maker = an_operator("service")
        states = [a_proposal(500, at=NOON, maker=maker, code=f"bonus-{n}").state for n in range(11)]
        assert states == [Proposal.State.CARRIED_OUT] * 10 + [Proposal.State.WAITING]

    def test_of_a_kind_that_always_waits_waits(self) -> None:
        a_proposal_kind(always_waits=True, amount=lambda params: 0)
        assert a_proposal(1, at=NOON).approvals_missing == 1

    def test_says_why(self) -> None:
        refused_without_a_trace(ProposalReasonMissing, a_proposal, points=1, at=NOON, reason=" \n", maker=self.maker())

    def test_needs_the_right_to_the_change_and_a_person(self) -> None:
        refused_without_a_trace(NotAllowed, a_proposal, points=1, at=NOON, maker=an_operator("analyst"))
        for nobody in (SYSTEM, Actor("device", self.maker().pk), Actor("operator", 0)):
            refused_without_a_trace(
                NotAllowed, proposals.propose, kind=BONUS, params={}, reason="x", by=nobody, at=NOON
            )

    def test_by_somebody_who_has_left_is_refused(self) -> None:
        maker = self.maker()
        Operator.objects.filter(pk=maker.pk).update(is_active=False)
        refused_without_a_trace(NotAllowed, a_proposal, points=1, at=NOON, maker=maker)

    def test_for_the_own_account_is_refused(self) -> None:
        maker, member = self.maker(), a_member()
        OwnMembership.objects.create(operator=maker, member=member)
        refused_without_a_trace(OwnAccount, a_proposal, points=1, at=NOON, maker=maker, members=[member.pk])
        assert a_proposal(1, at=NOON, maker=maker, members=[a_member().pk]).carried_out

    def test_what_is_refused_when_it_is_carried_out_leaves_nothing_not_even_a_count(self) -> None:
        refused_without_a_trace(NotToday, a_proposal, points=1, at=NOON, maker=self.maker(), closed=True)

    def test_the_same_request_again_gives_the_first_outcome(self) -> None:
        maker = self.maker()
        first = a_proposal(5, at=NOON, maker=maker, request_id="r1")
        assert a_proposal(5, at=LATER, maker=maker, request_id="r1") == first
        assert Proposal.objects.count() == 1
        refused_without_a_trace(
            RequestUsedAgain, a_proposal, points=6, at=LATER, maker=maker, request_id="r1", code="another"
        )
        assert a_proposal(5, at=NOON, request_id="r1", code="of-a-colleague").carried_out

    def maker(self) -> Operator:
        return an_operator("service")


@pytest.mark.django_db
class TestApproving:
    def test_carries_it_out_for_good(self) -> None:
        outcome, checker = a_proposal(501, at=NOON), an_approver()
        done = approve(proposal_id=outcome.proposal_id, by=actor(checker), at=LATER, reason="Checked")
        assert done == ProposalOutcome(outcome.proposal_id, Proposal.State.CARRIED_OUT, "501 points were given.")
        proposal = Proposal.objects.get()
        assert (proposal.first_checker, proposal.first_checked_at, proposal.decided_at) == (checker, LATER, LATER)
        assert proposal.decision_reason == "Checked"
        assert made_by("bonus")
        assert told(proposal.pk) == ["proposed", "carried_out"]
        assert not LimitUsage.objects.exists()

    def test_by_two_carries_it_out_with_the_second(self) -> None:
        proposal_id = a_proposal(200_001, at=NOON).proposal_id
        first, second = an_approver(), an_approver()
        outcome = approve(proposal_id=proposal_id, by=actor(first), at=LATER)
        assert (outcome.waiting, outcome.approvals_missing) == (True, 1)
        assert not made_by("bonus")
        refused_without_a_trace(ApprovedAlready, approve, proposal_id=proposal_id, by=actor(first), at=LATER)
        assert approve(proposal_id=proposal_id, by=actor(second), at=LATER).carried_out
        proposal = Proposal.objects.get()
        assert (proposal.first_checker, proposal.second_checker, proposal.decided_by) == (first, second, second)
        assert told(proposal_id) == ["proposed", "approved", "carried_out"]

    def test_is_not_for_the_maker(self) -> None:
        maker = an_approver()
        proposal_id = a_proposal(5_001, at=NOON, maker=maker).proposal_id
        refused_without_a_trace(MakerCanNotDecide, approve, proposal_id=proposal_id, by=actor(maker), at=LATER)
        refused_without_a_trace(
            MakerCanNotDecide, refuse, proposal_id=proposal_id, by=actor(maker), at=LATER, reason="no"
        )

    def test_needs_the_right_to_approve_and_to_the_change(self) -> None:
        proposal_id = a_proposal(501, at=NOON).proposal_id
        for other in (an_operator("service"), an_approver("analyst")):
            refused_without_a_trace(NotAllowed, approve, proposal_id=proposal_id, by=actor(other), at=LATER)
            assert not may_decide(Proposal.objects.get(), other)
        assert may_decide(Proposal.objects.get(), an_approver())

    def test_of_what_concerns_the_own_account_is_refused(self) -> None:
        member, checker = a_member(), an_approver()
        OwnMembership.objects.create(operator=checker, member=member)
        proposal_id = a_proposal(501, at=NOON, members=[member.pk]).proposal_id
        refused_without_a_trace(OwnAccount, approve, proposal_id=proposal_id, by=actor(checker), at=LATER)

    def test_after_three_days_is_too_late(self) -> None:
        proposal_id, checker = a_proposal(501, at=NOON).proposal_id, an_approver()
        refusal = refused_without_a_trace(
            ProposalExpired, approve, proposal_id=proposal_id, by=actor(checker), at=NOON + LIFETIME
        )
        assert "72 hours" in refusal.sentence()
        assert approve(proposal_id=proposal_id, by=actor(checker), at=BEFORE_THE_END).carried_out

    def test_twice_does_it_once(self) -> None:
        proposal_id = a_proposal(501, at=NOON).proposal_id
        approve(proposal_id=proposal_id, by=actor(an_approver()), at=LATER)
        refusal = refused_without_a_trace(
            ProposalIsDecided, approve, proposal_id=proposal_id, by=actor(an_approver()), at=LATER
        )
        assert refusal.sentence() == "This proposal is no longer waiting: carried out."

    def test_what_can_no_longer_be_done_leaves_it_waiting(self) -> None:
        proposal_id, checker = a_proposal(501, at=NOON, closed=True).proposal_id, an_approver()
        refused_without_a_trace(NotToday, approve, proposal_id=proposal_id, by=actor(checker), at=LATER)
        assert Proposal.objects.get().state == Proposal.State.WAITING

    def test_of_nothing_is_not_found(self) -> None:
        refused_without_a_trace(NotFound, approve, proposal_id=1, by=actor(an_approver()), at=LATER)


@pytest.mark.django_db
class TestTheEffect:
    def changed(self) -> Proposal:
        """A waiting proposal whose effect has changed since."""
        proposal_id = a_proposal(501, at=NOON).proposal_id
        Channel.objects.create(code="another-till", name="Another", kind=Channel.Kind.TILL)
        return Proposal.objects.get(pk=proposal_id)

    def test_is_shown_as_it_was_while_it_is_the_same(self) -> None:
        proposal = Proposal.objects.get(pk=a_proposal(1_501, at=NOON).proposal_id)
        effect = effect_now(proposal=proposal, at=LATER)
        tills = Channel.objects.filter(kind=Channel.Kind.TILL).count()
        assert [(line.label, line.before, line.after) for line in effect.lines] == [
            ("Points", str(tills), f"{tills + 1_501:,}")
        ]
        assert not effect.has_changed
        assert not effect.lines[0].has_changed
        assert effect.cost_points == 1_501

    def test_that_changed_is_shown_beside_what_it_was(self) -> None:
        proposal = self.changed()
        (line,) = effect_now(proposal=proposal, at=LATER).lines
        tills = Channel.objects.filter(kind=Channel.Kind.TILL).count()
        assert (line.before, line.before_then) == (str(tills), str(tills - 1))
        assert line.has_changed

    def test_that_changed_is_not_approved_unseen(self) -> None:
        proposal = self.changed()
        by = actor(an_approver())
        refused_without_a_trace(EffectChanged, approve, proposal_id=proposal.pk, by=by, at=LATER)
        seen = effect_now(proposal=proposal, at=LATER).digest
        Channel.objects.create(code="third-till", name="Third", kind=Channel.Kind.TILL)
        refused_without_a_trace(EffectChanged, approve, proposal_id=proposal.pk, by=by, at=LATER, seen=seen)
        seen = effect_now(proposal=proposal, at=LATER).digest
        assert approve(proposal_id=proposal.pk, by=by, at=LATER, seen=seen).carried_out

    def test_of_a_decided_proposal_stays_what_was_shown(self) -> None:
        proposal = self.changed()
        refuse(proposal_id=proposal.pk, by=actor(an_approver()), at=LATER, reason="No")
        proposal.refresh_from_db()
        effect = effect_now(proposal=proposal, at=LATER)
        assert effect.lines[0].before == str(Channel.objects.filter(kind=Channel.Kind.TILL).count() - 1)
        assert not effect.has_changed

    def test_is_kept_in_each_language(self) -> None:
        def effect(params: Any, moment: Any) -> Effect:
            line = EffectLine(Proposal.State.WAITING.label, None, 5, is_compared=False)
            return Effect((line,))

        a_proposal_kind(effect=effect)
        with override("zh-hans"):
            outcome = a_proposal(501, at=NOON)
        proposal = Proposal.objects.get(pk=outcome.proposal_id)
        assert proposal.effect["lines"].keys() == {"zh-hans", "zh-hant", "en"}
        with override("en"):
            (line,) = effect_now(proposal=proposal, at=LATER).lines
        assert (line.label, line.before, line.after) == ("waiting for approval", "–", "5")

    def test_may_hold_what_is_not_compared(self) -> None:
        amounts = iter(range(100))

        def effect(params: Any, moment: Any) -> Effect:
            return Effect((EffectLine("Asked", None, next(amounts), is_compared=False),))

        a_proposal_kind(effect=effect)
        outcome = a_proposal(501, at=NOON)
        assert approve(proposal_id=outcome.proposal_id, by=actor(an_approver()), at=LATER).carried_out


@pytest.mark.django_db
class TestTurningDown:
    @pytest.mark.parametrize(
        ("act", "state"), [(refuse, Proposal.State.REFUSED), (send_back, Proposal.State.SENT_BACK)]
    )
    def test_ends_it_with_a_reason_and_does_nothing_else(self, act: Any, state: Proposal.State) -> None:
        proposal_id, checker = a_proposal(501, at=NOON).proposal_id, an_approver()
        refused_without_a_trace(
            ProposalReasonMissing, act, proposal_id=proposal_id, by=actor(checker), at=LATER, reason=" "
        )
        act(proposal_id=proposal_id, by=actor(checker), at=LATER, reason="Too much")
        proposal = Proposal.objects.get()
        assert (proposal.state, proposal.decided_by, proposal.decision_reason) == (state, checker, "Too much")
        assert not made_by("bonus")
        assert told(proposal_id) == ["proposed", str(state)]
        refused_without_a_trace(ProposalIsDecided, approve, proposal_id=proposal_id, by=actor(an_approver()), at=LATER)

    def test_may_follow_a_first_approval(self) -> None:
        proposal_id = a_proposal(200_001, at=NOON).proposal_id
        approve(proposal_id=proposal_id, by=actor(an_approver()), at=LATER)
        refuse(proposal_id=proposal_id, by=actor(an_approver()), at=LATER, reason="Too much")
        assert Proposal.objects.get().state == Proposal.State.REFUSED

    def test_by_its_maker_is_withdrawing(self) -> None:
        maker = an_operator("service")
        proposal_id = a_proposal(501, at=NOON, maker=maker).proposal_id
        for other in (actor(an_approver()), SYSTEM):
            refused_without_a_trace(OnlyTheMakerWithdraws, withdraw, proposal_id=proposal_id, by=other, at=LATER)
        withdraw(proposal_id=proposal_id, by=actor(maker), at=LATER, reason="A slip")
        assert Proposal.objects.get().state == Proposal.State.WITHDRAWN
        assert told(proposal_id) == ["proposed", "withdrawn"]
        refused_without_a_trace(ProposalIsDecided, withdraw, proposal_id=proposal_id, by=actor(maker), at=LATER)


@pytest.mark.django_db
class TestExpiry:
    def test_ends_what_nobody_decided_in_time(self) -> None:
        old = a_proposal(501, at=NOON).proposal_id
        new = a_proposal(501, at=LATER).proposal_id
        decided = a_proposal(501, at=NOON, code="decided").proposal_id
        approve(proposal_id=decided, by=actor(an_approver()), at=LATER)
        assert expire_proposals(at=NOON + LIFETIME) == 1
        assert expire_proposals(at=NOON + LIFETIME) == 0
        assert Proposal.objects.get(pk=old).state == Proposal.State.EXPIRED
        assert Proposal.objects.get(pk=new).state == Proposal.State.WAITING
        assert told(old) == ["proposed", "expired"]


@pytest.mark.django_db
class TestTheDatabase:
    """The database …"""

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ("first_checker_id = maker_id", "maker_is_not_the_first_checker"),
            ("first_checker_id = %(other)s, second_checker_id = maker_id", "maker_is_not_the_second_checker"),
            ("first_checker_id = %(other)s, second_checker_id = %(other)s", "two_checkers_are_two_people"),
            ("second_checker_id = %(other)s", "two_checkers_are_two_people"),
            ("state = 'carried_out', decided_at = now()", "carried_out_proposal_has_its_approvals"),
            (
                "state = 'carried_out', decided_at = now(), first_checker_id = %(other)s",
                "carried_out_proposal_has_its_approvals",
            ),
            (
                "state = 'refused', decided_at = now(), decided_by_id = maker_id",
                "maker_does_not_decide_the_own_proposal",
            ),
            ("state = 'refused', decided_at = now()", "maker_does_not_decide_the_own_proposal"),
            (
                "state = 'withdrawn', decided_at = now(), decided_by_id = %(other)s",
                "proposal_is_withdrawn_by_its_maker",
            ),
            ("state = 'expired'", "decided_proposal_says_when"),
        ],
    )
    def test_itself_refuses_that_the_second_pair_of_eyes_is_missing(self, values: str, constraint: str) -> None:
        proposal_id, other = a_proposal(200_001, at=NOON).proposal_id, an_approver()
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE members_proposal SET {values} WHERE id = %(id)s", {"other": other.pk, "id": proposal_id}
            )

    def test_refuses_a_row_that_was_approved_by_its_maker(self) -> None:
        maker = an_operator("service")
        with pytest.raises(IntegrityError, match="maker_is_not_the_first_checker"), transaction.atomic():
            Proposal.objects.create(
                kind=BONUS, maker=maker, reason="x", family="points", approvals_needed=1, created_at=NOON,
                expires_at=LATER, first_checker=maker, first_checked_at=NOON,
            )  # fmt: skip

    @pytest.mark.parametrize(
        "values",
        ["params = '{\"points\": 1}'", "amount = 1", "approvals_needed = 0", "reason = 'y'", "expires_at = now()"],
    )
    def test_keeps_what_was_proposed_as_it_was(self, values: str) -> None:
        proposal_id = a_proposal(501, at=NOON).proposal_id
        with (
            pytest.raises(IntegrityError, match="does not change"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE members_proposal SET {values} WHERE id = %s", [proposal_id])

    def test_keeps_decisions_and_approvals(self) -> None:
        waiting = a_proposal(200_001, at=NOON).proposal_id
        approve(proposal_id=waiting, by=actor(an_approver()), at=LATER)
        done = a_proposal(1, at=NOON, code="done").proposal_id
        for proposal_id, values, message in (
            (waiting, "first_checker_id = NULL", "an approval does not change"),
            (done, "state = 'waiting', decided_at = NULL", "this proposal is decided"),
        ):
            with pytest.raises(IntegrityError, match=message), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE members_proposal SET {values} WHERE id = %s", [proposal_id])
        with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
            Proposal.objects.filter(pk=done).delete()
