"""What loyalty tells upward of badges and stages: versioned, with codes and figures only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from members.actors import SYSTEM, Actor
from members.timeline import NewEntry

BADGE_AWARDED = "loyalty.badge_awarded.v1"
BADGE_TAKEN_BACK = "loyalty.badge_taken_back.v1"
STAGE_CHANGED = "loyalty.stage_changed.v1"
STAGE_RETIRED = "loyalty.stage_retired.v1"
STAGE_TASK_DONE = "loyalty.stage_task_done.v1"


@dataclass(frozen=True, slots=True)
class BadgeTold:
    """A badge came to a member, or was taken back; `cause` says how (rule, task, hand)."""

    kind: str
    member_id: int
    badge: str
    cause: str
    happened_at: datetime
    task: str = ""

    def entry(self, *, by: Actor, quiet: bool) -> NewEntry:
        """Return the entry for the timeline. `quiet` marks what nobody is written to for."""
        payload: dict[str, Any] = {"badge": self.badge, "cause": self.cause}
        if self.task:
            payload["task"] = self.task
        return NewEntry(self.kind, self.member_id, self.happened_at, by, _with_quiet(payload, quiet))


@dataclass(frozen=True, slots=True)
class StageChanged:
    """A member came from one stage to another; "" is the stage in which everybody begins, where there is none."""

    member_id: int
    from_stage: str
    to_stage: str
    happened_at: datetime

    def entry(self, *, quiet: bool) -> NewEntry:
        """Return the entry for the timeline."""
        payload = {"from": self.from_stage, "to": self.to_stage}
        return NewEntry(STAGE_CHANGED, self.member_id, self.happened_at, SYSTEM, _with_quiet(payload, quiet))


@dataclass(frozen=True, slots=True)
class StageTaskDoneTold:
    """A member did a task of a stage; `badge` and `benefit` are what it unlocks ("" for nothing)."""

    member_id: int
    task: str
    stage: str
    badge: str
    benefit: str
    happened_at: datetime

    def entry(self, *, quiet: bool) -> NewEntry:
        """Return the entry for the timeline."""
        payload = {"task": self.task, "stage": self.stage, "badge": self.badge, "benefit": self.benefit}
        return NewEntry(STAGE_TASK_DONE, self.member_id, self.happened_at, SYSTEM, _with_quiet(payload, quiet))


def _with_quiet(payload: dict[str, Any], quiet: bool) -> dict[str, Any]:
    return payload | ({"quiet": True} if quiet else {})
