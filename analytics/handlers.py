"""What analytics does when something happened."""

from collections.abc import Sequence

from analytics.projections import KINDS
from analytics.services.days import READER, add_to_days
from members.models import TimelineEntry
from members.timeline import subscribe


def count_days(entries: Sequence[TimelineEntry]) -> None:
    """Add the entries to the figures of their days."""
    add_to_days(entries=entries)


def register() -> None:
    """Subscribe to the timeline, in large batches: a batch costs two statements."""
    subscribe(READER, count_days, kinds=KINDS, batch_size=5_000)
