"""Points given to a charity project: taken from the member, summed by project, taken back as a whole."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.translation import override

from members.admin.timeline import tell
from members.models import Member, TimelineEntry
from members.proposals import ProposalOutcome
from members.services.profile import ProfileChange, change_profile
from rewards.explanation import explain
from rewards.ledger import InsufficientPoints
from rewards.models import CharityProject, Donation, LedgerEntry, LedgerTransaction
from rewards.queries import balance_of
from rewards.services.corrections import RESTORE, propose_correction
from rewards.services.donations import (
    ProjectTakesNothing,
    ProjectTotals,
    points_given,
    propose_donation,
    running_projects,
    totals_of,
)
from rewards.services.orders import MemberFrozen
from rewards.services.transfers import TransferTooSoon
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.rewards.by_hand import actor, books, findings, staff

LATER = NOON + timedelta(days=2)


def a_project(**changes: Any) -> CharityProject:
    values = {"name": "Trees", "starts_at": NOON, "target_points": 10_000, **changes}
    return CharityProject.objects.create(**values)


def a_giver(points: int = 1_000) -> Member:
    member = a_member()
    give_points(member, points, moment=NOON)
    return member


def give(member: Member, project: CharityProject, points: int, at: datetime = LATER) -> ProposalOutcome:
    return propose_donation(
        member_id=member.pk, project_id=project.pk, points=points, reason="asked by phone", by=actor(staff()), at=at
    )


@pytest.mark.django_db
class TestADonation:
    def test_is_taken_from_the_member_and_counted_for_the_project(self) -> None:
        project, one, other = a_project(), a_giver(), a_giver()
        give(one, project, 100)
        give(one, project, 50)
        give(other, project, 30)
        assert balance_of(one.pk, LATER).available == 850
        assert totals_of(project.pk) == ProjectTotals(180, 2)
        assert points_given([project.pk]) == {project.pk: 180}
        assert {
            entry.contra for entry in LedgerEntry.objects.filter(transaction__kind=LedgerTransaction.Kind.DONATE)
        } == {7}
        assert TimelineEntry.objects.filter(kind="rewards.points_donated.v1").count() == 3
        assert findings(LATER) == []

    def test_that_is_taken_back_leaves_the_sum(self) -> None:
        project, member = a_project(), a_giver()
        give(member, project, 100)
        give(member, project, 50)
        first = Donation.objects.order_by("pk")[0]
        propose_correction(
            transaction_id=first.transaction_id, choice=RESTORE, reason="wrong member", by=actor(staff()), at=LATER
        )
        assert totals_of(project.pk) == ProjectTotals(50, 1)
        assert balance_of(member.pk, LATER).available == 950
        assert first.taken_back_by.points == -100
        assert findings(LATER) == []

    @pytest.mark.parametrize(
        "changes",
        [{"is_active": False}, {"starts_at": LATER + timedelta(seconds=1)}, {"ends_at": LATER}],
        ids=["off", "early", "over"],
    )
    def test_goes_only_to_a_project_that_runs(self, changes: Any) -> None:
        project, member = a_project(**changes), a_giver()
        assert running_projects(LATER) == []
        before = books()
        with pytest.raises(ProjectTakesNothing):
            give(member, project, 100)
        assert books() == before

    def test_of_more_than_there_is_changes_nothing(self) -> None:
        project, member = a_project(), a_giver(99)
        before = books()
        with pytest.raises(InsufficientPoints):
            give(member, project, 100)
        assert books() == before

    def test_of_a_frozen_member_changes_nothing(self) -> None:
        project, member = a_project(), a_giver()
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        before = books()
        with pytest.raises(MemberFrozen):
            give(member, project, 100)
        assert books() == before

    def test_waits_after_a_new_phone_number(self) -> None:
        project, member = a_project(), a_giver()
        change_profile(member_id=member.pk, change=ProfileChange(phone="13800138000"), by=actor(staff()), at=NOON)
        before = books()
        with pytest.raises(TransferTooSoon):
            give(member, project, 100, at=NOON + timedelta(hours=23))
        assert books() == before
        assert give(member, project, 100, at=NOON + timedelta(hours=24)).carried_out

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_told_in_every_language(self, language: str) -> None:
        project, member = a_project(name_en="Trees", name_zh_hans="植树", name_zh_hant="植樹"), a_giver()
        give(member, project, 77)
        with override(language):
            name = CharityProject.objects.get().name
            (told,) = tell(list(TimelineEntry.objects.filter(kind="rewards.points_donated.v1")))
            assert "77" in told.sentence
            assert name in told.sentence
            assert name in explain(LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.DONATE).trace).notes[0]
