"""Work of loyalty in the background."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import review_runs, review_warnings, standing
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500


@shared_task(name="loyalty.review_due_tiers")
def review_due_tiers(chunk_size: int = 1000) -> None:
    """Every tier whose validity has ended is reviewed, unless a run is planned for it. Bounded; the rest, the next time."""
    standing.review_all_due(at=timezone.now(), by=SYSTEM, limit=chunk_size, chunks=CHUNKS_AT_ONCE, but_planned=True)


@shared_task(name="loyalty.warn_of_reviews")
def warn_of_reviews() -> None:
    """Members whose tier the next review would not keep are warned. Bounded; the rest, the next time."""
    review_warnings.warn_of_reviews(at=timezone.now(), by=SYSTEM, chunks=CHUNKS_AT_ONCE)


@shared_task(name="loyalty.forget_review_details")
def forget_review_details() -> None:
    """What undoing old runs of reviews would need is deleted. Bounded; the rest, the next time."""
    review_runs.forget_details(at=timezone.now())
