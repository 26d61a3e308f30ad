"""Work of loyalty in the background."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import badges, entitlements, standing, tier_benefits
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


@shared_task(name="loyalty.give_due_benefits")
def give_due_benefits(chunk_size: int = 1000) -> None:
    """Everybody has what the tier gives for the period of now. Bounded; what is left over, the next run does."""
    tier_benefits.grant_due(at=timezone.now(), by=SYSTEM, chunk=chunk_size)


@shared_task(name="loyalty.expire_due_entitlements")
def expire_due_entitlements(chunk_size: int = 2000) -> None:
    """What members were entitled to has ended where its span is over. Bounded."""
    at = timezone.now()
    for _ in range(CHUNKS_AT_ONCE):
        if entitlements.expire_due_entitlements(at=at, by=SYSTEM, limit=chunk_size) < chunk_size:
            break
