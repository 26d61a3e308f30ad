"""Work of loyalty in the background."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import standing
from loyalty.services.floors import refresh_floors
from loyalty.services.plan_upkeep import end_due_plans, lapse_orders, remind_of_ends
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500
PLANS_AT_ONCE = 20


@shared_task(name="loyalty.review_due_tiers")
def review_due_tiers(chunk_size: int = 1000) -> None:
    """Every tier whose validity has ended is reviewed. Bounded; what is left over, the next run does."""
    standing.review_all_due(at=timezone.now(), by=SYSTEM, limit=chunk_size, chunks=CHUNKS_AT_ONCE)


@shared_task(name="loyalty.refresh_floors")
def refresh_tier_floors(chunk_size: int = 1000) -> None:
    """Every tier floor that began or ended is followed and told. Bounded; what is left over, the next run does."""
    refresh_floors(at=timezone.now(), limit=chunk_size)


@shared_task(name="loyalty.keep_plans")
def keep_plans(chunk_size: int = 1000) -> None:
    """Plans whose time is over have ended, ends that come near are told, unpaid orders have lapsed. Bounded."""
    at = timezone.now()
    for keep in (end_due_plans, remind_of_ends, lapse_orders):
        for _chunk in range(PLANS_AT_ONCE):
            if keep(at=at, limit=chunk_size) < chunk_size:
                break
