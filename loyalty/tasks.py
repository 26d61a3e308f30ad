"""Work of loyalty in the background."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import standing
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500


@shared_task(name="loyalty.review_due_tiers")
def review_due_tiers(chunk_size: int = 1000) -> None:
    """Every tier whose validity has ended is reviewed. Bounded; what is left over, the next run does."""
    at = timezone.now()
    last_member_id = 0
    for _ in range(CHUNKS_AT_ONCE):
        chunk = standing.review_due_tiers(at=at, by=SYSTEM, after_member_id=last_member_id, limit=chunk_size)
        if chunk.done:
            return
        last_member_id = chunk.last_member_id
