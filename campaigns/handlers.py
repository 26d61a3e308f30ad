"""What campaigns does when something happened."""

from collections.abc import Sequence

from campaigns.services.messages import queue_messages
from loyalty.events import TIER_RAISED
from members.models import TimelineEntry
from members.timeline import subscribe


def congratulate(entries: Sequence[TimelineEntry]) -> None:
    """Queue a congratulation for each member who rose to a tier."""
    queue_messages(entries=entries)


def register() -> None:
    """Subscribe to the timeline."""
    subscribe("campaigns.messages", congratulate, kinds=(TIER_RAISED,))
