"""What rewards does when something happened."""

from collections.abc import Sequence

from members.actors import SYSTEM
from members.models import TimelineEntry
from members.timeline import subscribe
from rewards.services import behaviours, deadlines

# Each batch is one transaction, which holds the accounts of its members.
_ACTIVITIES_AT_ONCE = 50


def keep_points_alive(entries: Sequence[TimelineEntry]) -> None:
    """Push the inactivity deadlines of members who did something."""
    deadlines.keep_alive(entries)


def reward_activities(entries: Sequence[TimelineEntry]) -> None:
    """Give what the rules promise for what members did."""
    ids = [entry.payload["activity"] for entry in entries]
    at = max(entry.recorded_at for entry in entries)
    behaviours.award_activities(activity_ids=ids, by=SYSTEM, at=at)


def register() -> None:
    """Subscribe to the timeline."""
    subscribe("rewards.deadlines", keep_points_alive, kinds=deadlines.KINDS)
    subscribe(
        "rewards.behaviours",
        reward_activities,
        kinds=(behaviours.ACTIVITY_RECORDED,),
        batch_size=_ACTIVITIES_AT_ONCE,
    )
