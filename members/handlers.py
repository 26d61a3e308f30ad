"""What members does when something happened: live segments are asked again about whom it happened to."""

from collections.abc import Container, Sequence

from members.models import TimelineEntry
from members.services.segment_keeping import NO_NEWS, follow_entries
from members.services.webhook_sending import plan_deliveries
from members.timeline import subscribe
from members.webhook_types import ToldKinds

READER = "members.segments"
WEBHOOKS = "members.webhooks"


class EveryKindBut(Container[str]):
    """All kinds of entries, of whichever floor, without some: facts of any floor may change an answer."""

    def __init__(self, without: frozenset[str]) -> None:
        self._without = without

    def __contains__(self, kind: object) -> bool:
        return kind not in self._without


def keep_segments_up(entries: Sequence[TimelineEntry]) -> None:
    """Ask live segments again about the members of the entries."""
    follow_entries(entries=entries, at=max(entry.recorded_at for entry in entries))


def tell_other_systems(entries: Sequence[TimelineEntry]) -> None:
    """Plan what is sent of the entries to the webhooks that want it."""
    plan_deliveries(entries, at=max(entry.recorded_at for entry in entries))


def register() -> None:
    """Subscribe to the timeline."""
    subscribe(READER, keep_segments_up, kinds=EveryKindBut(NO_NEWS))
    subscribe(WEBHOOKS, tell_other_systems, kinds=ToldKinds())
