"""The list of what a new member is invited to do, worked out from the facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from members.conditions import ConditionInvalid, evaluate, fact_keys, parse
from members.conditions.tree import Node
from members.facts import values_for
from members.models import Member, OnboardingTask


@dataclass(frozen=True, slots=True)
class TaskOf:
    """A task of a new member, whether it is done, and until when it is on the list."""

    task: OnboardingTask
    is_done: bool
    until: datetime


def tasks_of(member: Member, at: datetime) -> list[TaskOf]:
    """Return the tasks that are on a member's list at a moment, in their order: two queries.

    A task whose condition can not be read any more, because a fact is gone, is left out.
    """
    shown: list[tuple[OnboardingTask, Node, datetime]] = []
    for task in OnboardingTask.objects.filter(is_on=True):
        until = member.joined_at + timedelta(days=task.days)
        try:
            node = parse(task.condition)
        except ConditionInvalid:
            continue
        if at < until:
            shown.append((task, node, until))
    keys = {key for _task, node, _until in shown for key in fact_keys(node)}
    values = values_for(member.pk, keys, at)
    return [TaskOf(task, evaluate(node, values).met, until) for task, node, until in shown]
