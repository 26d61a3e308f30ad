"""Work of loyalty in the background."""

import contextlib

from celery import shared_task
from django.utils import timezone

from loyalty.refusals import NoLadder
from loyalty.services import (
    badges,
    entitlements,
    published_rules,
    review_runs,
    review_warnings,
    standing,
    tier_benefits,
)
from loyalty.services.floors import refresh_floors
from loyalty.services.plan_upkeep import end_due_plans, lapse_orders, remind_of_ends
from members.actors import SYSTEM

CHUNKS_AT_ONCE = 500
PLANS_AT_ONCE = 20


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


@shared_task(name="loyalty.publish_rules")
def publish_rules() -> None:
    """The public page of the programme says what the rules say, and what they will say. Without a ladder there is none."""
    with contextlib.suppress(NoLadder):
        published_rules.publish_rules(at=timezone.now(), by=SYSTEM)
