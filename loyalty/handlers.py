"""What loyalty does when something happened."""

from collections.abc import Sequence

from loyalty.events import (
    FLOOR_BEGAN,
    FLOOR_ENDED,
    TIER_GRACE_GIVEN,
    TIER_KEPT,
    TIER_LOWERED,
    TIER_PUT_BACK,
    TIER_RAISED,
    TIER_RISE_UNDONE,
)
from loyalty.identity_events import STAGE_TASK_DONE
from loyalty.services.tier_benefits import follow_tiers
from loyalty.services.unlocking import Unlocked, give_unlocked
from members.actors import SYSTEM
from members.models import TimelineEntry
from members.timeline import subscribe


def give_what_tiers_give(entries: Sequence[TimelineEntry]) -> None:
    """Give members what the tier they hold now gives, and take back what ended with a tier."""
    at = max(entry.recorded_at for entry in entries)
    follow_tiers(member_ids={entry.member_id for entry in entries if entry.member_id is not None}, by=SYSTEM, at=at)


def give_what_tasks_unlock(entries: Sequence[TimelineEntry]) -> None:
    """Give members the benefits that the tasks they have done unlock."""
    unlocked = [
        Unlocked(entry.member_id, entry.payload["task"], entry.payload["benefit"], entry.happened_at)
        for entry in entries
        if entry.member_id is not None and entry.payload["benefit"]
    ]
    if unlocked:
        give_unlocked(unlocked=unlocked, by=SYSTEM, at=max(entry.recorded_at for entry in entries))


def register() -> None:
    """Subscribe to the timeline."""
    decided = (TIER_RAISED, TIER_KEPT, TIER_LOWERED, TIER_RISE_UNDONE, TIER_GRACE_GIVEN, TIER_PUT_BACK)
    subscribe("loyalty.benefits", give_what_tiers_give, kinds=(*decided, FLOOR_BEGAN, FLOOR_ENDED))
    subscribe("loyalty.unlocks", give_what_tasks_unlock, kinds=(STAGE_TASK_DONE,))
