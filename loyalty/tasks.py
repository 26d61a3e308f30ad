"""Work of loyalty in the background."""

import contextlib

from celery import shared_task
from django.utils import timezone

from loyalty.refusals import NoLadder
from loyalty.services import published_rules, standing
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500


@shared_task(name="loyalty.review_due_tiers")
def review_due_tiers(chunk_size: int = 1000) -> None:
    """Every tier whose validity has ended is reviewed. Bounded; what is left over, the next run does."""
    standing.review_all_due(at=timezone.now(), by=SYSTEM, limit=chunk_size, chunks=CHUNKS_AT_ONCE)


@shared_task(name="loyalty.publish_rules")
def publish_rules() -> None:
    """The public page of the programme says what the rules say, and what they will say. Without a ladder there is none."""
    with contextlib.suppress(NoLadder):
        published_rules.publish_rules(at=timezone.now(), by=SYSTEM)
