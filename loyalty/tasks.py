"""Work of loyalty in the background."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import badges, standing
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500


@shared_task(name="loyalty.review_due_tiers")
def review_due_tiers(chunk_size: int = 1000) -> None:
    """Every tier whose validity has ended is reviewed. Bounded; what is left over, the next run does."""
    standing.review_all_due(at=timezone.now(), by=SYSTEM, limit=chunk_size, chunks=CHUNKS_AT_ONCE)


@shared_task(name="loyalty.open_badges")
def open_badges() -> int:
    """Badges that can be earned from now on are given to whoever meets their rule already; return how many badges."""
    return badges.open_due_badges(at=timezone.now(), by=SYSTEM)
