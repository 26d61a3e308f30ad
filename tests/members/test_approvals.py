"""Deciding about several proposals: what touches the same is shown, and alike ones are approved in one go."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import InternalError, transaction
from django.db.utils import IntegrityError
from django.urls import reverse
from django.utils import timezone, translation

from members import proposals
from members.models import Channel, Operator, OperatorLimit, Proposal
from members.services.approvals import (
    NeedsTwoPeople,
    NotAlike,
    NothingChosen,
    TooManyTogether,
    TooMuchTogether,
    approve_together,
    conflicts_of,
)
from tests.factories.people import a_member
from tests.factories.portal import signed_in
from tests.factories.times import at
from tests.factories.work import a_proposal, a_proposal_kind, actor, an_approver, made_by

NOON = at("2026-03-15 12:00")


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "_kinds", {})
    a_proposal_kind()


@pytest.mark.django_db
class TestConflicts:
    def test_are_other_proposals_that_wait_for_the_same_member(self) -> None:
        one, two = a_member(), a_member()
        first = a_proposal(1_000, at=NOON, code="a", members=[one.pk]).proposal_id
        second = a_proposal(2_000, at=NOON, code="b", members=[one.pk, two.pk]).proposal_id
        other = a_proposal(3_000, at=NOON, code="c", members=[two.pk]).proposal_id
        decided = a_proposal(4_000, at=NOON, code="d", members=[one.pk]).proposal_id
        proposals.refuse(proposal_id=decided, by=actor(an_approver()), at=NOON, reason="No")
        found = {
            pk: [row.pk for row in conflicts_of(Proposal.objects.get(pk=pk))] for pk in (first, second, other, decided)
        }
        assert found == {first: [second], second: [first, other], other: [second], decided: []}

    def test_may_be_about_other_things_than_members(self) -> None:
        a_proposal_kind(touches=lambda params: ["ladder:1"])
        first = a_proposal(1_000, at=NOON, code="a").proposal_id
        second = a_proposal(2_000, at=NOON, code="b").proposal_id
        assert [row.pk for row in conflicts_of(Proposal.objects.get(pk=first))] == [second]

    def test_are_kept_as_they_were_said(self) -> None:
        made = a_proposal(1_000, at=NOON, members=[a_member().pk]).proposal_id
        with pytest.raises((InternalError, IntegrityError), match="does not change"), transaction.atomic():
            Proposal.objects.filter(pk=made).update(touches=[])

    def test_are_shown_on_the_card(self) -> None:
        member = a_member()
        first = a_proposal(1_000, at=NOON, code="a", members=[member.pk]).proposal_id
        second = a_proposal(2_345, at=NOON, code="b", members=[member.pk]).proposal_id
        client = signed_in(superuser=True)
        page = client.get(reverse("admin:members_proposal_card", args=[first])).text
        assert "touches the same" in page
        assert reverse("admin:members_proposal_change", args=[second]) in page


@pytest.mark.django_db
class TestApprovingTogether:
    def waiting(self, *amounts: int) -> list[int]:
        return [a_proposal(points, at=NOON, code=f"p{number}").proposal_id for number, points in enumerate(amounts)]

    def test_carries_each_out_in_a_transaction_of_its_own(self) -> None:
        ids = self.waiting(1_000, 2_000)
        ids.append(a_proposal(3_000, at=NOON, code="p9", closed=True).proposal_id)
        together = approve_together(proposal_ids=ids, by=actor(an_approver()), at=NOON)
        assert [outcome.proposal_id for outcome in together.done] == ids[:2]
        assert [(pk, refusal.code) for pk, refusal in together.left] == [(ids[2], "not_today")]
        assert [made_by(code) for code in ("p0", "p1", "p9")] == [True, True, False]
        assert Proposal.objects.get(pk=ids[2]).state == Proposal.State.WAITING

    def test_leaves_what_would_change_something_else_now(self) -> None:
        ids = self.waiting(1_000, 2_000)
        Channel.objects.create(code="new", name="New till", kind=Channel.Kind.TILL)
        together = approve_together(proposal_ids=ids, by=actor(an_approver()), at=NOON)
        assert together.done == ()
        assert {refusal.code for _pk, refusal in together.left} == {"effect_changed"}

    def test_leaves_the_own_ones_and_those_that_expired(self) -> None:
        approver = an_approver()
        own = a_proposal(6_000, at=NOON, maker=approver, code="own").proposal_id
        late = a_proposal(1_000, at=NOON - timedelta(hours=80), code="late").proposal_id
        together = approve_together(proposal_ids=[own, late], by=actor(approver), at=NOON)
        assert sorted(refusal.code for _pk, refusal in together.left) == ["maker_can_not_decide", "proposal_expired"]
        assert not made_by("own")

    def test_refuses_what_is_not_alike_too_many_or_nothing(self) -> None:
        ids = self.waiting(1_000)
        a_proposal_kind(code="test.other")
        other = proposals.propose(
            kind="test.other", params={"points": 900, "code": "x"}, reason="Why", by=actor(an_approver("service")), at=NOON
        ).proposal_id  # fmt: skip
        by = actor(an_approver())
        with pytest.raises(NotAlike):
            approve_together(proposal_ids=[*ids, other], by=by, at=NOON)
        with pytest.raises(NothingChosen):
            approve_together(proposal_ids=[], by=by, at=NOON)
        with pytest.raises(TooManyTogether):
            approve_together(proposal_ids=range(1, 60), by=by, at=NOON)
        assert not made_by("p0")

    def test_refuses_more_than_the_approver_could_do_alone_on_one_day(self) -> None:
        ids = self.waiting(30_000, 20_001)
        with pytest.raises(TooMuchTogether) as refusal:
            approve_together(proposal_ids=ids, by=actor(an_approver()), at=NOON)
        assert refusal.value.params == {"points": 50_001, "most": 50_000}
        OperatorLimit.objects.filter(role=Group.objects.get(name="service supervisor")).update(per_day_points=50_001)
        assert len(approve_together(proposal_ids=ids, by=actor(an_approver()), at=NOON).done) == 2

    def test_refuses_what_needs_two_people(self) -> None:
        ids = self.waiting(1_000, 200_001)
        with pytest.raises(NeedsTwoPeople):
            approve_together(proposal_ids=ids, by=actor(an_approver()), at=NOON)
        assert not made_by("p0")


@pytest.mark.django_db
class TestTheInbox:
    def test_offers_alike_ones_and_carries_out_those_that_are_ticked(self) -> None:
        client = signed_in(superuser=True)
        ids = [a_proposal(points, at=timezone.now(), code=f"p{points}").proposal_id for points in (600, 700, 800)]
        inbox = reverse("admin:members_proposal_changelist")
        assert client.get(inbox).text.count('name="proposal"') == 3
        OperatorLimit.objects.create(
            role=Group.objects.get(name="marketing"), family="points", per_entry_points=5_000, per_day_points=5_000
        )
        approver = Operator.objects.get(pk=client.session["_auth_user_id"])
        approver.groups.add(Group.objects.get(name="marketing"))
        answer = client.post(reverse("admin:members_proposal_approve_together"), {"proposal": ids[:2]}, follow=True)
        assert "2 proposals were approved and carried out." in answer.text
        assert [made_by(code) for code in ("p600", "p700", "p800")] == [True, True, False]

    def test_offers_a_single_one_by_itself_only(self) -> None:
        client = signed_in(superuser=True)
        a_proposal(600, at=timezone.now())
        assert 'name="proposal"' not in client.get(reverse("admin:members_proposal_changelist")).text

    def test_refuses_whoever_may_not_approve(self) -> None:
        client = signed_in("service")
        answer = client.post(reverse("admin:members_proposal_approve_together"), {"proposal": ["1"]})
        assert answer.status_code == 403
