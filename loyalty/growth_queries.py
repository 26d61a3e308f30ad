"""Reading the growth map: the stage of a member, the tasks of each stage, how far they are, and what they unlock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.utils.text import capfirst

from loyalty.met_figures import is_met
from loyalty.models import MemberStage, Stage, StageChange, StageTask, StageTaskDone
from loyalty.unlocks import benefit_names
from members.conditions import ConditionInvalid, Group, Node, Test, parse, sentence, tests_of
from members.conditions.words import value_words
from members.facts import MOST_FACTS, FactValues, choices_remembered, values_for
from members.models import Member
from members.queries import family_ids

#: Up to so many members are counted for lists.
MOST_COUNTED: Final = 10_000
_COUNTED: Final = frozenset({"number", "money", "count"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a task asks for: in words, what is found now, and how far that is; figures only where there are some."""

    words: str
    found: str
    is_met: bool
    current: Decimal | None = None
    needed: Decimal | None = None

    @property
    def percent(self) -> int | None:
        """How far it is, from 0 to 100; None where nothing can be measured."""
        if self.is_met:
            return 100
        if self.current is None or not self.needed:
            return None
        return int(max(Decimal(0), min(Decimal(99), self.current * 100 / self.needed)))


@dataclass(frozen=True, slots=True)
class TaskOfStage:
    """A task: done since when, or its steps as far as they were asked for. `is_any`: one of the steps is enough."""

    task: StageTask
    done: StageTaskDone | None
    steps: tuple[Step, ...] = ()
    is_any: bool = False
    benefit: str = ""


@dataclass(frozen=True, slots=True)
class StageOnMap:
    """A stage with its tasks: whether the member is in it, or has come further."""

    stage: Stage
    is_now: bool
    is_reached: bool
    tasks: list[TaskOfStage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GrowthMap:
    """All stages in their order; where the member is, since when, and the change that led there (None: from the beginning)."""

    stages: list[StageOnMap]
    now: Stage | None
    since_at: datetime
    change: StageChange | None


def stages() -> list[Stage]:
    """Return the stages in use, in their order."""
    return list(Stage.objects.filter(is_on=True).order_by("position"))


def growth_of(member: Member, at: datetime) -> GrowthMap:
    """Return a member's growth map in a fixed number of queries, with the steps of the open tasks of the stages reached.

    A task whose condition can not be read any more, because a fact is gone, shows no steps.
    """
    known = stages()
    kept = MemberStage.objects.filter(member=member.pk).select_related("stage").first()
    first = next((stage for stage in known if stage.rule_id is None), None)
    now = kept.stage if kept and kept.stage_id else first
    place = now.position if now else -1
    change = _last_change(member.pk) if kept else None
    tasks = list(StageTask.objects.filter(is_on=True, stage__in=known).select_related("stage", "rule", "badge"))
    done = done_by(member.pk, tasks)
    nodes = {
        task.pk: node
        for task in sorted(tasks, key=lambda one: -one.stage.position)
        if task.pk not in done and task.stage.position <= place and (node := _node(task)) is not None
    }
    values = _values(member.pk, nodes, at)
    benefits = benefit_names({task.benefit_code for task in tasks if task.benefit_code})
    by_stage: dict[int, list[TaskOfStage]] = {stage.pk: [] for stage in known}
    with choices_remembered():
        for task in tasks:
            node = nodes.get(task.pk)
            steps = _steps(node, values) if node else ()
            by_stage[task.stage_id].append(
                TaskOfStage(
                    task,
                    done.get(task.pk),
                    steps,
                    node is not None and node.mode == "any",
                    benefits.get(task.benefit_code, ""),
                )
            )
    shown = [
        StageOnMap(stage, now is not None and stage.pk == now.pk, stage.position <= place, by_stage[stage.pk])
        for stage in known
    ]
    return GrowthMap(shown, now, kept.since_at if kept else member.joined_at, change)


def done_by(member_id: int, tasks: Sequence[StageTask]) -> dict[int, StageTaskDone]:
    """Return what a member, or who was merged into them, has done of some tasks; the earliest counts."""
    rows = StageTaskDone.objects.filter(member__in=family_ids(member_id), task__in=tasks).order_by("happened_at", "pk")
    found: dict[int, StageTaskDone] = {}
    for row in rows:
        found.setdefault(row.task_id, row)
    return found


def stage_changes(member_id: int) -> Any:
    """Return a member's changes of stage, and of who was merged into them, with the stages."""
    changes = StageChange.objects.filter(member__in=family_ids(member_id))
    return changes.select_related("from_stage", "to_stage")


def stage_counts(stage_ids: Sequence[int]) -> dict[int, int]:
    """Return how many members are in each of some stages that have a rule; each is counted to one more than 10,000."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT g.id, h.number FROM unnest(%s::bigint[]) AS g (id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS number FROM (SELECT 1 FROM loyalty_memberstage s WHERE s.stage_id = g.id LIMIT %s) few
            ) h
            """,
            [list(stage_ids), MOST_COUNTED + 1],
        )
        return dict(cursor.fetchall())


def _last_change(member_id: int) -> StageChange | None:
    changes = StageChange.objects.filter(member=member_id).select_related("from_stage", "to_stage")
    return changes.order_by("-number").first()


def _node(task: StageTask) -> Node | None:
    try:
        return parse(task.rule.condition) if task.rule else None
    except ConditionInvalid:
        return None


def _values(member_id: int, nodes: dict[int, Node], at: datetime) -> FactValues:
    """Return the values that the open tasks ask for, those of the furthest stages first, as many as are asked at once."""
    keys = dict.fromkeys(test.key for node in nodes.values() for test in tests_of(node))
    return values_for(member_id, list(keys)[:MOST_FACTS], at)


def _steps(node: Node, values: FactValues) -> tuple[Step, ...]:
    return tuple(_step(test, values) for test in tests_of(node) if test.key in values)


def _step(test: Test, values: FactValues) -> Step:
    value = values[test.key]
    words = capfirst(sentence(Group("all", (test,))))
    found = value_words(test.use, value)
    if test.op != "gte" or test.use.fact.kind not in _COUNTED or not isinstance(test.expected, Decimal):
        return Step(words, found, is_met(test, values))
    current = Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)
    return Step(words, found, is_met(test, values), current, test.expected)
