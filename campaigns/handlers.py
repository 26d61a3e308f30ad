"""What campaigns does when something happened."""

from collections.abc import Sequence

from campaigns.services.messages import queue_messages
from campaigns.services.occasions import OCCASIONS
from members.models import TimelineEntry
from members.timeline import subscribe


def tell_members(entries: Sequence[TimelineEntry]) -> None:
    """Queue a message for each member who is to be told: of a tier they rose to, of points that expire."""
    queue_messages(entries=entries)


def register() -> None:
    """Subscribe to the timeline."""
    subscribe("campaigns.messages", tell_members, kinds=[occasion.kind for occasion in OCCASIONS.values()])
