"""Badges, stages and tasks with their rules, and members who did something."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from loyalty.models import Badge, Stage, StageTask
from loyalty.services.badges import save_badge
from loyalty.services.stages import save_stage, save_task
from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from members.services.activities import record_activity
from members.services.segment_keeping import follow_entries, follow_time
from tests.factories.segments import run_waiting_jobs

Condition = Mapping[str, Any]


def did(kind: str, least: int, days: int = 365) -> Condition:
    """Return the condition of a behaviour so often in so many days."""
    return {"all": [{"fact": f"members.activities?kind={kind}&days={days}", "op": "gte", "value": least}]}


def a_badge(condition: Condition | None = None, *, at: datetime, name: str = "First", **more: Any) -> Badge:
    """Return a badge in use, given to whoever meets its rule already."""
    badge = Badge(name=name, name_en=name, **more)
    save_badge(badge=badge, condition=condition, by=SYSTEM, at=at)
    run_waiting_jobs(at)
    return Badge.objects.select_related("rule").get(pk=badge.pk)


def a_stage(position: int, condition: Condition | None = None, *, at: datetime, name: str = "") -> Stage:
    """Return a stage in use, with those who are in it."""
    stage = Stage(name=name or f"Stage {position}", name_en=name or f"Stage {position}", position=position)
    save_stage(stage=stage, condition=condition, by=SYSTEM, at=at)
    run_waiting_jobs(at)
    return Stage.objects.select_related("rule").get(pk=stage.pk)


def a_task(stage: Stage, condition: Condition, *, at: datetime, name: str = "Task", **more: Any) -> StageTask:
    """Return a task of a stage."""
    task = StageTask(stage=stage, name=name, name_en=name, **more)
    save_task(task=task, condition=condition, by=SYSTEM, at=at)
    run_waiting_jobs(at)
    return StageTask.objects.select_related("rule", "stage").get(pk=task.pk)


def does(member: Member, kind: str, moment: datetime, times: int = 1) -> None:
    """Record a behaviour some times, and let the rules hear of it."""
    begun = TimelineEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for number in range(times):
        record_activity(
            member_id=member.pk, kind=kind, source="shop", external_ref=f"{begun}:{number}", happened_at=moment, by=SYSTEM, at=moment
        )  # fmt: skip
    hear(begun, moment + timedelta(seconds=1))


def hear(after: int, moment: datetime) -> None:
    """Let the rules hear of what was told after an entry, and of time."""
    entries = list(TimelineEntry.objects.filter(pk__gt=after).order_by("pk"))
    if entries:
        follow_entries(entries=entries, at=moment)
    follow_time(at=moment)
