"""Live segments: kept up by what happens and by time, with the reason of every coming and going."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from members import timeline
from members.actors import SYSTEM
from members.handlers import READER
from members.models import Job, Member, MemberPerson, SegmentDue, SegmentSpan, TimelineEntry
from members.services import segment_jobs, segment_keeping
from members.services.activities import record_activity
from members.services.jobs import run_job
from members.services.segment_keeping import begin_comparing, follow_entries, follow_time, go_on_comparing
from members.services.segments import make_segment, publish_segment, write_segment
from tests.factories.people import a_member
from tests.factories.segments import ACTIVE, a_live_segment, members_in, run_waiting_jobs
from tests.factories.times import SHANGHAI, at
from tests.harness.segment_story import Story

NOON = at("2026-03-15 12:00")


def told(kind: str, member: Member) -> TimelineEntry:
    return TimelineEntry.objects.filter(kind=kind, member_id=member.pk).latest("id")


def reviewed(member: Member, moment: datetime, ref: str) -> None:
    """Record a review and let segments hear of it."""
    record_activity(
        member_id=member.pk, kind="review", source="shop", external_ref=ref, happened_at=moment, by=SYSTEM, at=moment
    )  # fmt: skip
    follow_entries(entries=[told("members.activity_recorded.v1", member)], at=moment + timedelta(seconds=1))
    follow_time(at=moment + timedelta(seconds=1))


def reviews(days: int, least: int) -> dict[str, Any]:
    return {"fact": f"members.activities?kind=review&days={days}", "op": "gte", "value": least}


@pytest.mark.django_db
class TestALiveSegment:
    def test_is_filled_with_those_who_meet_it(self) -> None:
        active, frozen = a_member(), a_member(status="frozen")
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        assert members_in(segment) == {active.pk}
        assert segment.members_count == 1
        span = SegmentSpan.objects.get(segment=segment)
        assert (span.entered_cause, span.entered_number, span.entered_tests) == ("published", 1, 1)
        assert frozen.pk not in members_in(segment)

    def test_takes_in_whom_something_happened_to_and_says_what(self) -> None:
        member = a_member()
        segment = a_live_segment({"all": [ACTIVE, reviews(30, 2)]}, at=NOON)
        reviewed(member, NOON, "r1")
        assert members_in(segment) == set()
        reviewed(member, NOON + timedelta(minutes=1), "r2")
        assert members_in(segment) == {member.pk}
        span = SegmentSpan.objects.get(segment=segment)
        assert (span.entered_cause, span.entered_tests) == ("members.activity_recorded.v1", 0b11)
        segment.refresh_from_db()
        assert segment.members_count == 1

    def test_lets_go_when_time_has_passed_and_says_which_test_is_not_met(self) -> None:
        member = a_member()
        segment = a_live_segment({"all": [ACTIVE, reviews(30, 1)]}, at=NOON)
        reviewed(member, NOON, "r1")
        due = SegmentDue.objects.get(member=member)
        assert due.due_at == NOON + timedelta(days=30, microseconds=1)
        assert follow_time(at=NOON + timedelta(days=30)) == 0
        assert follow_time(at=NOON + timedelta(days=30, seconds=1)) == 1
        assert members_in(segment) == set()
        span = SegmentSpan.objects.get(segment=segment)
        assert (span.left_cause, span.left_number, span.left_tests) == ("time", 1, 0b01)
        assert not SegmentDue.objects.exists()

    def test_takes_in_whom_time_brings(self) -> None:
        member = a_member(joined_at=at("2026-03-01 09:00"))
        segment = a_live_segment({"all": [{"fact": "members.joined_days", "op": "gte", "value": 30}]}, at=NOON)
        assert members_in(segment) == set()
        assert SegmentDue.objects.get(member=member).due_at == at("2026-03-31 00:00")
        assert follow_time(at=at("2026-03-30 23:59")) == 0
        assert follow_time(at=at("2026-03-31 00:00")) == 1
        assert members_in(segment) == {member.pk}

    @pytest.mark.parametrize(
        ("birthday", "days"),
        [
            ("1990-03-16", ["2026-03-16"]),
            ("1992-02-29", ["2027-02-28"]),
            ("1991-02-28", ["2027-02-28"]),
            ("1990-12-31", ["2026-12-31"]),
            ("1990-03-15", ["2026-03-15", "2027-03-15"]),
        ],
    )
    def test_keeps_birthdays_over_a_year(self, birthday: str, days: list[str]) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, birthday=birthday)
        segment = a_live_segment({"all": [{"fact": "members.is_birthday", "op": "is", "value": True}]}, at=NOON)
        end = at("2027-03-15 23:59")
        days_in = {NOON.astimezone(SHANGHAI).date()} if member.pk in members_in(segment) else set()
        while (due_at := SegmentDue.objects.get(member=member).due_at) <= end:
            follow_time(at=due_at)
            if member.pk in members_in(segment):
                days_in.add(due_at.astimezone(SHANGHAI).date())
        assert [str(day) for day in sorted(days_in)] == days

    def test_follows_another_condition_from_its_publication_on(self) -> None:
        active, frozen = a_member(), a_member(status="frozen")
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        condition = {"all": [{**ACTIVE, "value": ["frozen"]}]}
        write_segment(segment_id=segment.pk, name="Other", note="", condition=condition, by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        assert members_in(segment) == {frozen.pk}
        gone = SegmentSpan.objects.get(segment=segment, member=active)
        assert (gone.left_cause, gone.left_number, gone.left_tests) == ("published", 2, 0)
        segment.refresh_from_db()
        assert (segment.state, segment.number, segment.members_count) == ("ready", 2, 1)

    @pytest.mark.parametrize("moment", ["before the lock", "after the chunk"])
    def test_written_anew_while_it_is_filled_is_filled_by_the_new_condition(
        self, moment: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        active, frozen = a_member(), a_member(status="frozen")
        segment = make_segment(name="Some", condition={"all": [ACTIVE]}, by=SYSTEM, at=NOON)
        publish_segment(segment_id=segment.pk, by=SYSTEM, at=NOON)
        frozen_only = {"all": [{**ACTIVE, "value": ["frozen"]}]}

        def write_anew() -> None:
            write_segment(segment_id=segment.pk, name="Other", note="", condition=frozen_only, by=SYSTEM, at=NOON)

        set_clock, compare_range = segment_keeping._set_clock, segment_jobs.compare_range

        def set_clock_late(moment: datetime) -> datetime:
            write_anew()
            return set_clock(moment)

        def compare_and_write(**asked: Any) -> tuple[int, int]:
            answer = compare_range(**asked)
            write_anew()
            return answer

        with monkeypatch.context() as patched:
            if moment == "before the lock":
                patched.setattr(segment_keeping, "_set_clock", set_clock_late)
            else:
                patched.setattr(segment_jobs, "compare_range", compare_and_write)
            old = Job.objects.get(state=Job.State.QUEUED)
            assert run_job(job_id=old.pk, worker="old", clock=lambda: NOON) == "done"
        segment.refresh_from_db()
        assert (segment.state, segment.number, segment.compared_at) == ("filling", 2, None)
        assert members_in(segment) == (set() if moment == "before the lock" else {active.pk})
        run_waiting_jobs(NOON)
        segment.refresh_from_db()
        assert (segment.state, segment.members_count) == ("ready", 1)
        assert members_in(segment) == {frozen.pk}

    def test_lets_go_of_those_who_were_merged_into_others(self) -> None:
        kept, merged = a_member(), a_member()
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept)
        entry = TimelineEntry(kind="members.merged_away.v1", member_id=merged.pk)
        follow_entries(entries=[entry], at=NOON)
        assert members_in(segment) == {kept.pk}

    def test_hears_of_what_happens_through_the_timeline(self) -> None:
        member = a_member()
        segment = a_live_segment({"all": [reviews(365, 1)]}, at=NOON)
        record_activity(
            member_id=member.pk, kind="review", source="shop", external_ref="x", happened_at=NOON, by=SYSTEM, at=NOON
        )  # fmt: skip
        entries = list(TimelineEntry.objects.filter(member_id=member.pk))
        timeline._subscribers[READER].handler(entries)
        assert members_in(segment) == {member.pk}

    def test_hears_of_all_that_happened_to_a_member_at_once(self) -> None:
        member = a_member()
        segment = a_live_segment({"all": [{"fact": "members.language", "op": "in", "value": ["en"]}]}, at=NOON)
        Member.objects.filter(pk=member.pk).update(language="en")
        kinds = ("members.profile_changed.v1", "members.activity_recorded.v1")  # of which the last changes no language
        follow_entries(entries=[TimelineEntry(kind=kind, member_id=member.pk) for kind in kinds], at=NOON)
        assert members_in(segment) == {member.pk}

    def test_never_answers_for_a_moment_before_one_that_was_answered(self) -> None:
        member = a_member()
        segment = a_live_segment({"all": [reviews(30, 1)]}, at=NOON)
        reviewed(member, NOON, "r1")
        assert follow_time(at=NOON + timedelta(days=31)) == 1
        follow_entries(entries=[told("members.activity_recorded.v1", member)], at=NOON + timedelta(seconds=2))
        assert members_in(segment) == set()

    def test_is_compared_with_the_truth_within_a_week(self) -> None:
        members = [a_member() for _ in range(5)]
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        Member.objects.filter(pk=members[0].pk).update(status="frozen")  # nobody told the timeline
        for day in range(7):
            moment = NOON + timedelta(days=day)
            begin_comparing(at=moment)
            while go_on_comparing(at=moment, limit=2):
                pass
        assert members_in(segment) == {member.pk for member in members[1:]}
        assert SegmentSpan.objects.get(member=members[0]).left_cause == "compared"
        segment.refresh_from_db()
        assert segment.sweep_from is None
        assert segment.compared_at is not None


@pytest.mark.django_db
class TestAStory:
    @pytest.mark.parametrize("seed", range(3))
    def test_leaves_the_same_members_as_asking_everybody_anew(self, seed: int) -> None:
        story = Story(random.Random(seed))
        story.begin(members=12, segments=25)
        assert story.differences() == []
        for _ in range(4):
            story.go_on(40)
            assert story.differences() == []
        assert SegmentSpan.objects.filter(left_at__isnull=False).exists()
