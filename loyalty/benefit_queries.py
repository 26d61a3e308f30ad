"""What a member has of benefits: those that simply hold with the tier, and those that are counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from loyalty.benefit_book import GivenBenefit, benefits_at
from loyalty.models import Entitlement, Tier
from loyalty.queries import standing_of, tiers
from loyalty.refusals import NoLadder

_SHOWN_AFTERWARDS = timedelta(days=90)
_MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class MyBenefits:
    """A member's tier (None where there is no ladder), what it gives without counting, and what is counted, what can be used first."""

    tier: Tier | None
    standing: tuple[GivenBenefit, ...]
    entitlements: tuple[Entitlement, ...]


def benefits_of_member(member_id: int, at: datetime) -> MyBenefits:
    """Return what a member has now, and what ended in the last 90 days."""
    found = entitlements_of(member_id).filter(valid_to__gt=at - _SHOWN_AFTERWARDS)
    is_open = Q(state=Entitlement.State.GRANTED, valid_to__gt=at)
    order = Case(When(is_open, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = tuple(found.prefetch_related("benefit__stores").order_by(order, "valid_to", "pk")[:_MOST_SHOWN])
    try:
        tier_id = standing_of(member_id, at).tier.tier_id
    except NoLadder:
        return MyBenefits(None, (), rows)
    tier = next((one for one in tiers() if one.pk == tier_id), None)
    return MyBenefits(tier, tuple(one for one in benefits_at(tier_id, at) if one.quota is None), rows)


def entitlements_of(member_id: int) -> QuerySet[Entitlement]:
    """Return all that a member was ever given, with benefit and tier."""
    return Entitlement.objects.filter(member_id=member_id).select_related("benefit", "tier")
