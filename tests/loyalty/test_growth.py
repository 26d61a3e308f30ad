"""Stages and their tasks: kept up by what happens and by time, with the reason of every change, and what they unlock."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from loyalty.badge_queries import held_badges
from loyalty.growth_queries import growth_of, stage_counts
from loyalty.identity_words import change_words
from loyalty.models import Badge, BadgeAward, MemberStage, MemberTitle, Stage, StageChange, StageTask, StageTaskDone
from loyalty.refusals import RuleAsksForIdentity, StageIsRetired, StageNeedsRule, StagePlaceTaken, TaskNeedsRule
from loyalty.services.badges import award_by_hand, choose_title
from loyalty.services.stages import retire_stage, retire_task, save_stage, save_task
from members import lifecycle
from members.actors import SYSTEM, Actor
from members.conditions import evaluate, fact_keys, parse
from members.facts import values_for, values_for_many
from members.models import Member, Segment, TimelineEntry
from members.services.merging import merge_members, unmerge_members
from members.services.segment_keeping import follow_time
from tests.factories.identity import a_badge, a_stage, a_task, did, does, hear
from tests.factories.people import a_member
from tests.factories.portal import a_named_member
from tests.factories.segments import run_waiting_jobs
from tests.factories.times import at
from tests.harness.segment_story import Story

NOON = at("2026-03-15 12:00")
STAFF = Actor("operator", 7)
DAY = timedelta(days=1)


def stage_of(member: Member) -> str:
    """Return the code of the stage a member is in, by the row and by the fact, which agree."""
    now = growth_of(member, NOON + 400 * DAY).now
    code = now.code if now else ""
    fact = values_for(member.pk, ["loyalty.stage"], NOON + 400 * DAY)["loyalty.stage"]
    assert (fact or "") == code
    return code


def done_by(member: Member) -> list[str]:
    return list(StageTaskDone.objects.filter(member=member).order_by("pk").values_list("task__code", flat=True))


def told(kind: str) -> list[dict[str, Any]]:
    return [entry.payload for entry in TimelineEntry.objects.filter(kind=f"loyalty.{kind}.v1").order_by("pk")]


@pytest.fixture
def ladder(db: None) -> list[Stage]:
    """New, growing with two reviews in 30 days, core with four, and sleeping is not asked for."""
    return [
        a_stage(10, at=NOON, name="New"),
        a_stage(20, did("review", 2, days=30), at=NOON, name="Growing"),
        a_stage(30, did("review", 4, days=30), at=NOON, name="Core"),
    ]


@pytest.mark.django_db
class TestStages:
    def test_of_who_did_nothing_costs_no_row(self, ladder: list[Stage]) -> None:
        member = a_member()
        assert stage_of(member) == "new"
        assert not MemberStage.objects.exists()
        assert growth_of(member, NOON).since_at == member.joined_at

    def test_are_the_furthest_whose_rule_is_met_with_the_figures(self, ladder: list[Stage]) -> None:
        member = a_member()
        does(member, "review", NOON, times=2)
        assert stage_of(member) == "growing"
        does(member, "review", NOON + DAY, times=2)
        assert stage_of(member) == "core"
        assert told("stage_changed") == [{"from": "new", "to": "growing"}, {"from": "growing", "to": "core"}]
        with override("en"):
            words = change_words(StageChange.objects.latest("pk"), ladder[0])
        assert words == "From Growing to Core: “Review” in the last 30 days: at least 4 times (4 times)."
        assert stage_counts([stage.pk for stage in ladder]) == {ladder[0].pk: 0, ladder[1].pk: 0, ladder[2].pk: 1}

    def test_fall_back_with_time_and_say_what_is_missing(self, ladder: list[Stage]) -> None:
        member = a_member()
        does(member, "review", NOON, times=3)
        does(member, "review", NOON + 10 * DAY, times=2)
        assert stage_of(member) == "core"
        follow_time(at=NOON + 31 * DAY)
        assert stage_of(member) == "growing"
        change = StageChange.objects.latest("pk")
        assert change.unmet == [["members.activities?kind=review&days=30", "gte", 4, 2]]
        with override("en"):
            assert change_words(change, ladder[0]).startswith("From Core to Growing. No longer met:")
        follow_time(at=NOON + 41 * DAY)
        assert stage_of(member) == "new"
        row = MemberStage.objects.get(member=member)
        assert row.stage is None
        assert [one.number for one in StageChange.objects.order_by("pk")] == [1, 2, 3, 4]

    def test_have_places_of_their_own_and_one_beginning(self, ladder: list[Stage]) -> None:
        with pytest.raises(StagePlaceTaken):
            a_stage(20, did("review", 9), at=NOON)
        with pytest.raises(StageNeedsRule):
            a_stage(40, at=NOON)
        with pytest.raises(StageNeedsRule):
            save_stage(stage=ladder[1], condition=None, by=SYSTEM, at=NOON)
        with pytest.raises(RuleAsksForIdentity):
            a_stage(40, {"all": [{"fact": "loyalty.stage", "op": "in", "value": ["new"]}]}, at=NOON)
        assert Stage.objects.count() == Segment.objects.count() + 1 == 3

    def test_that_are_retired_are_left_by_a_job(self, ladder: list[Stage]) -> None:
        member, other = a_member(), a_member()
        does(member, "review", NOON, times=4)
        does(other, "review", NOON, times=2)
        retire_stage(stage_id=ladder[2].pk, reason="x", by=SYSTEM, at=NOON + DAY)
        run_waiting_jobs(NOON + DAY)
        assert stage_of(member) == stage_of(other) == "growing"
        change = StageChange.objects.latest("pk")
        with override("en"):
            assert change_words(change, ladder[0]) == "From Core to Growing: Core is not used any more."
        with pytest.raises(StageIsRetired):
            retire_stage(stage_id=ladder[2].pk, reason="x", by=SYSTEM, at=NOON + DAY)
        a_stage(30, did("review", 9), at=NOON, name="Core")  # its place is free
        assert Stage.objects.latest("pk").code == "core_2"

    def test_begin_when_they_are_made(self) -> None:
        member = a_member()
        does(member, "review", NOON, times=2)
        a_stage(20, did("review", 2), at=NOON + DAY)
        assert stage_of(member) == "stage_20"
        assert told("stage_changed") == [{"from": "", "to": "stage_20", "quiet": True}]


@pytest.mark.django_db
class TestTasks:
    def test_are_done_in_their_stage_once_and_unlock(self, ladder: list[Stage]) -> None:
        member = a_member()
        badge = a_badge(at=NOON, name="Starter")
        a_task(ladder[0], did("check_in", 1, days=5), at=NOON, name="Check in", badge=badge, benefit_code="coffee")
        does(member, "check_in", NOON)
        assert done_by(member) == ["check_in"]
        assert told("stage_task_done") == [
            {"task": "check_in", "stage": "new", "badge": "starter", "benefit": "coffee"}
        ]
        assert told("badge_awarded") == [{"badge": "starter", "cause": "task", "task": "check_in"}]
        award = BadgeAward.objects.get()
        assert (award.cause, award.task and award.task.code) == ("task", "check_in")
        follow_time(at=NOON + 6 * DAY)
        does(member, "check_in", NOON + 7 * DAY)
        assert done_by(member) == ["check_in"]
        assert BadgeAward.objects.count() == 1

    def test_of_a_stage_that_was_not_reached_wait_for_it(self, ladder: list[Stage]) -> None:
        member = a_member()
        a_task(ladder[1], did("check_in", 1), at=NOON, name="Check in")
        does(member, "check_in", NOON)
        assert done_by(member) == []
        does(member, "review", NOON + DAY, times=2)
        assert done_by(member) == ["check_in"]

    def test_count_at_the_very_step_that_leads_on_or_back(self, ladder: list[Stage]) -> None:
        on, back = a_member(), a_member()
        a_task(ladder[0], did("review", 2), at=NOON, name="Two reviews")
        does(on, "review", NOON, times=2)
        assert (done_by(on), stage_of(on)) == (["two_reviews"], "growing")
        # What brings a sleeper back is a task of those who sleep.
        quiet = {"all": [{"fact": "members.activities?kind=check_in&days=30", "op": "lte", "value": 0}]}
        asleep = a_stage(90, quiet, at=NOON, name="Asleep")
        a_task(asleep, did("check_in", 1), at=NOON, name="Come back")
        assert stage_of(back) == "asleep"
        does(back, "check_in", NOON + DAY)
        assert (done_by(back), stage_of(back)) == (["come_back"], "new")

    def test_made_later_are_done_by_who_meets_them(self, ladder: list[Stage]) -> None:
        member = a_member()
        does(member, "check_in", NOON)
        a_task(ladder[0], did("check_in", 1), at=NOON + DAY)
        assert done_by(member) == ["task"]

    def test_need_a_rule_and_do_not_come_back(self, ladder: list[Stage]) -> None:
        with pytest.raises(TaskNeedsRule):
            save_task(task=StageTask(stage=ladder[0], name="x"), condition=None, by=SYSTEM, at=NOON)
        task = a_task(ladder[0], did("check_in", 1), at=NOON)
        retire_task(task_id=task.pk, reason="x", by=SYSTEM, at=NOON)
        member = a_member()
        does(member, "check_in", NOON)
        assert done_by(member) == []
        with pytest.raises(StageIsRetired):
            save_task(task=task, condition=did("check_in", 2), by=SYSTEM, at=NOON)

    def test_show_how_far_they_are(self, ladder: list[Stage]) -> None:
        member = a_member()
        a_task(ladder[0], did("check_in", 4), at=NOON)
        a_task(ladder[2], did("check_in", 8), at=NOON)
        does(member, "check_in", NOON, times=3)
        with CaptureQueriesContext(connection) as queries:
            found = growth_of(member, NOON + DAY)
        assert len(queries) <= 8
        step = found.stages[0].tasks[0].steps[0]
        assert (step.is_met, step.current, step.needed, step.percent) == (False, 3, 4, 75)
        assert [one.is_reached for one in found.stages] == [True, False, False]
        assert found.stages[2].tasks[0].steps == ()


@pytest.mark.django_db
class TestAMerge:
    def test_unites_badges_and_tasks_with_the_earliest_date_and_comes_apart(self, ladder: list[Stage]) -> None:
        kept, merged = (Member.objects.get(pk=member.pk) for member in (a_named_member("王芳"), a_named_member("王芳")))
        good, lost = (
            a_badge(at=NOON, name="Good", title="Good"),
            a_badge(did("review", 3), at=NOON, name="Lost", is_losable=True),
        )
        a_task(ladder[0], did("check_in", 1), at=NOON)
        award_by_hand(member_id=merged.pk, badge_id=good.pk, reason="x", by=STAFF, at=NOON)
        choose_title(member_id=merged.pk, badge_code="good", at=NOON)
        does(merged, "check_in", NOON)
        does(merged, "review", NOON + DAY, times=3)
        award_by_hand(member_id=kept.pk, badge_id=good.pk, reason="x", by=STAFF, at=NOON + 2 * DAY)
        assert stage_of(merged) == "growing"
        preview = [
            line for part in lifecycle.parts() for line in part.merge_preview(kept.pk, merged.pk, NOON + 3 * DAY)
        ]
        assert any((line.kept, line.merged, line.result) == ("1", "2", "2") for line in preview)
        after = TimelineEntry.objects.latest("pk").pk
        merge = merge_members(kept_id=kept.pk, merged_id=merged.pk, reason="one person", by=STAFF, at=NOON + 3 * DAY)
        hear(after, NOON + 3 * DAY + timedelta(minutes=1))
        held = {one.badge.code: one.since_at for one in held_badges(kept.pk)}
        assert held["good"] == NOON
        assert MemberTitle.objects.get(member=kept).badge == good
        assert [task.done is not None for task in growth_of(kept, NOON + 3 * DAY).stages[0].tasks] == [True]
        assert not MemberStage.objects.filter(member=merged).exists()
        assert not [one for one in told("badge_awarded") if one.get("cause") == "hand"][2:]
        assert agrees(kept, lost)
        after = TimelineEntry.objects.latest("pk").pk
        unmerge_members(merge_id=merge.pk, reason="two persons", by=STAFF, at=NOON + 4 * DAY)
        hear(after, NOON + 4 * DAY + timedelta(minutes=1))
        assert [one.since_at for one in held_badges(kept.pk)] == [NOON + 2 * DAY]
        assert {one.badge.code for one in held_badges(merged.pk)} == {"good", "lost"}
        assert (stage_of(kept), stage_of(merged)) == ("new", "growing")
        assert not MemberTitle.objects.filter(member=kept).exists()

    def test_leaves_nothing_open_behind_an_erasure(self, ladder: list[Stage]) -> None:
        member = a_member()
        does(member, "review", NOON, times=2)
        (part,) = [one for one in lifecycle.parts() if one.name == "loyalty.identity"]
        (_badges, stages, _tasks) = part.export(member.pk, NOON + DAY)
        assert len(stages.rows) == 1
        assert part.erase(member.pk, STAFF, NOON + DAY)["memberstage"] == 1
        assert not MemberStage.objects.exists()


def agrees(member: Member, badge: Badge) -> bool:
    """Whether a badge that can be lost is held exactly where its rule is met."""
    met = badge.rule is not None and badge.rule.spans.filter(member=member, left_at=None).exists()
    return met == any(one.badge.pk == badge.pk for one in held_badges(member.pk))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.django_db
def test_after_whatever_happens_they_are_what_asking_everybody_says(seed: int) -> None:
    """Badges, stages and tasks kept up by events and time equal a full evaluation, however entries are batched."""
    story = Story(random.Random(seed))
    story.begin(members=14, segments=0)
    rules = [{"all": [{"fact": "rewards.orders?days=30", "op": "gte", "value": least}]} for least in (1, 2, 4)] + [
        did("review", 2, days=7),
        {"all": [{"fact": "rewards.spend?days=90", "op": "gte", "value": 300}]},
    ]
    badges = [
        a_badge(rule, at=story.now, name=f"B{number}{'L' if losable else ''}", is_losable=losable)
        for number, rule in enumerate(rules)
        for losable in (True, False)
    ]
    asleep = {"all": [{"fact": "rewards.orders?days=20", "op": "lte", "value": 0}, {"fact": "members.joined_days", "op": "gte", "value": 25}]}  # fmt: skip
    stages = [
        a_stage(10, at=story.now), a_stage(20, rules[0], at=story.now), a_stage(30, rules[2], at=story.now),
        a_stage(90, asleep, at=story.now),
    ]  # fmt: skip
    tasks = [a_task(stages[number % 4], rule, at=story.now, name=f"T{number}") for number, rule in enumerate(rules)]
    story.read_to = TimelineEntry.objects.latest("pk").pk
    ever: dict[int, set[int]] = {badge.pk: set() for badge in badges}
    did_once: dict[int, set[int]] = {task.pk: set() for task in tasks}
    for _round in range(12):
        story.go_on(18)
        _compare(story, badges, stages, ever)
        _compare_tasks(story, tasks, did_once)
    assert BadgeAward.objects.filter(kind="taken_back").exists()
    assert StageChange.objects.count() > 20
    assert StageTaskDone.objects.exists()


def _met(story: Story, rule: Segment | None) -> set[int]:
    if rule is None:
        return {member.pk for member in story.members}
    node = parse(rule.condition)
    found = values_for_many(fact_keys(node), [(member.pk, _moment(story)) for member in story.members])
    return {
        member.pk
        for member, values in zip(story.members, found, strict=True)
        if values is not None and evaluate(node, values).met
    }


def _moment(story: Story) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT at FROM members_segmentclock")
        return max(cursor.fetchone()[0], story.now)


def _compare(story: Story, badges: list[Badge], stages: list[Stage], ever: dict[int, set[int]]) -> None:
    holders: dict[int, set[int]] = {badge.pk: set() for badge in badges}
    for member in story.members:
        for held in held_badges(member.pk):
            holders[held.badge.pk].add(member.pk)
    for badge in badges:
        met = _met(story, badge.rule)
        ever[badge.pk] |= met
        if badge.is_losable:
            assert holders[badge.pk] == met, badge
        else:
            assert holders[badge.pk] >= ever[badge.pk], badge
            came_once = set(badge.rule.spans.values_list("member_id", flat=True)) if badge.rule else set()
            assert holders[badge.pk] == came_once, badge
    expected: dict[int, int] = {}
    for stage in stages:
        expected |= dict.fromkeys(_met(story, stage.rule), stage.pk)
    kept = dict(MemberStage.objects.values_list("member", "stage"))
    assert {member.pk: kept.get(member.pk) or stages[0].pk for member in story.members} == expected
    changes = StageChange.objects.order_by("member", "number").values_list("member", "from_stage", "to_stage")
    last: dict[int, int | None] = {}
    for member_id, from_id, to_id in changes:
        assert last.get(member_id) == from_id
        last[member_id] = to_id
    assert last == {member_id: kept[member_id] for member_id in last}


def _compare_tasks(story: Story, tasks: list[StageTask], did_once: dict[int, set[int]]) -> None:
    places = dict(MemberStage.objects.filter(stage__isnull=False).values_list("member", "stage__position"))
    for task in tasks:
        done = set(StageTaskDone.objects.filter(task=task).values_list("member", flat=True))
        due = {member for member in _met(story, task.rule) if places.get(member, 10) >= task.stage.position}
        assert done >= due | did_once[task.pk], task
        came = set(task.rule.spans.values_list("member_id", flat=True)) if task.rule else set()
        assert done <= came, task
        did_once[task.pk] |= done
