"""Badges and stages beside each other: whoever comes at once, each fact is written once; and at what cost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.models import BadgeAward, MemberStage, StageChange, StageTaskDone
from loyalty.refusals import BadgeHeld
from loyalty.services.badges import award_by_hand
from loyalty.services.identity_keeping import settle_range
from members.actors import SYSTEM, Actor
from members.models import TimelineEntry
from members.services.activities import record_activity
from members.services.segment_keeping import follow_entries, follow_time
from tests.factories.identity import a_badge, a_stage, a_task, did
from tests.factories.people import a_member
from tests.factories.times import at
from tests.harness.threads import together

NOON = at("2026-03-15 12:00")
STAFF = Actor("operator", 7)


class TestBesideEachOther:
    def test_a_badge_by_hand_is_given_once(self, committed_db: str) -> None:
        member, badge = a_member(), a_badge(at=NOON)

        def give() -> bool:
            try:
                award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="x", by=STAFF, at=NOON)
            except BadgeHeld:
                return False
            return True

        assert sum(together([give] * 8)) == 1
        assert BadgeAward.objects.count() == 1
        assert TimelineEntry.objects.filter(kind="loyalty.badge_awarded.v1").count() == 1

    def test_keepers_time_settling_and_staff_leave_one_history(self, committed_db: str) -> None:
        members = [a_member() for _ in range(12)]
        badge = a_badge(did("review", 1, days=30), at=NOON, is_losable=True)
        begun = a_stage(10, at=NOON)
        a_stage(20, did("review", 1, days=30), at=NOON)
        a_task(begun, did("review", 1, days=30), at=NOON, badge=a_badge(at=NOON, name="Other"))
        for member in members:
            record_activity(
                member_id=member.pk, kind="review", source="shop", external_ref=str(member.pk), happened_at=NOON, by=SYSTEM, at=NOON
            )  # fmt: skip
        entries = list(TimelineEntry.objects.filter(kind="members.activity_recorded.v1"))
        later = NOON + timedelta(minutes=1)

        def settle() -> None:
            with transaction.atomic():
                settle_range(badge_id=badge.pk, after=0, limit=100, at=later)

        def give() -> None:
            for member in members:
                try:
                    award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="x", by=STAFF, at=later)
                except BadgeHeld:
                    continue

        works: list[Callable[[], object]] = [
            lambda: follow_entries(entries=entries, at=later), lambda: follow_time(at=later), settle, give
        ]  # fmt: skip
        together(works * 2)
        together([lambda: follow_time(at=NOON + timedelta(days=31))] * 3)
        for member in members:
            rows = list(
                BadgeAward.objects.filter(member=member, badge=badge).order_by("number").values_list("kind", "cause")
            )
            assert rows in (
                [("awarded", "rule"), ("taken_back", "rule")],
                [("awarded", "hand")],
            )
            steps = (
                StageChange.objects.filter(member=member)
                .order_by("number")
                .values_list("from_stage", "to_stage__position")
            )
            assert [position for _from, position in steps] == [20, None]
        assert StageTaskDone.objects.count() == 12
        assert BadgeAward.objects.filter(cause="task").count() == 12
        assert TimelineEntry.objects.filter(kind="loyalty.stage_task_done.v1").count() == 12
        assert set(MemberStage.objects.values_list("stage", flat=True)) == {None}


@pytest.mark.django_db
class TestTheCost:
    def test_does_not_grow_with_the_members_of_a_batch(self) -> None:
        badge_task = a_badge(at=NOON, name="Other")
        a_badge(did("review", 1), at=NOON)
        begun = a_stage(10, at=NOON)
        a_stage(20, did("review", 1), at=NOON)
        a_task(begun, did("review", 1), at=NOON, badge=badge_task)

        def queries(members: int) -> int:
            last = TimelineEntry.objects.latest("pk").pk
            for member in [a_member() for _ in range(members)]:
                record_activity(
                    member_id=member.pk, kind="review", source="shop", external_ref=str(member.pk), happened_at=NOON, by=SYSTEM, at=NOON
                )  # fmt: skip
            entries = list(TimelineEntry.objects.filter(pk__gt=last))
            with CaptureQueriesContext(connection) as captured:
                follow_entries(entries=entries, at=NOON + timedelta(minutes=1))
            return len(captured)

        few, many = queries(1), queries(40)
        assert many <= few
        assert BadgeAward.objects.count() == 41 * 2

    def test_of_an_entry_that_no_rule_concerns_is_nothing(self) -> None:
        a_badge({"all": [{"fact": "loyalty.tier_rank", "op": "gte", "value": 1}]}, at=NOON)
        member = a_member()
        record_activity(
            member_id=member.pk, kind="review", source="shop", external_ref="1", happened_at=NOON, by=SYSTEM, at=NOON
        )  # fmt: skip
        entries = list(TimelineEntry.objects.filter(kind="members.activity_recorded.v1"))
        with CaptureQueriesContext(connection) as captured:
            follow_entries(entries=entries, at=NOON)
        assert len(captured) == 1
