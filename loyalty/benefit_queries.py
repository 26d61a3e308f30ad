"""What a member has of benefits: those that simply hold with the tier, and those that are counted; what plans cost by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Least

from loyalty.benefit_book import GivenBenefit, benefits_at
from loyalty.models import Benefit, Entitlement, EntitlementUse, PlanMembership, Tier, TierFloor
from loyalty.queries import change_in_force, ladder_book, standing_of, tiers
from loyalty.refusals import NoLadder
from members.queries import family_ids

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


def names_of_given(only: Collection[str] | None = None) -> Mapping[str, str]:
    """Return the names by code of the benefits that can be given for so many uses: all of them, or those asked for."""
    counted = Benefit.objects.filter(is_on=True, quota__isnull=False)
    rows = counted if only is None else counted.filter(code__in=only)
    return {row.code: row.name for row in rows.order_by("kind", "code")}


def cost_through_plan(member_id: int, membership: UUID, from_at: datetime, until: datetime) -> Decimal:
    """Return what uses over [from_at, until] cost that a member had through a plan; of uses without a known cost nothing.

    Given by the plan itself, or by its tier while nothing but the plan gave that tier. A use that was taken back is none.
    """
    plan = PlanMembership.objects.select_related("plan").get(public_id=membership)
    family = family_ids(member_id)
    uses = EntitlementUse.objects.filter(
        Q(entitlement__source=Entitlement.Source.PLAN, entitlement__source_ref=plan.public_id.hex)
        | Q(entitlement__source=Entitlement.Source.TIER, entitlement__granted_at__gte=from_at, tier=plan.plan.tier_id),
        entitlement__member__in=family, happened_at__gte=from_at, happened_at__lte=until, undoes__isnull=True,
        undone_by__isnull=True, cost_amount__isnull=False,
    )  # fmt: skip
    by_plan: dict[datetime, bool] = {}
    cost = Decimal("0.00")
    for use in uses.select_related("entitlement"):
        given = use.entitlement
        if given.source == Entitlement.Source.TIER and given.granted_at not in by_plan:
            by_plan[given.granted_at] = _only_plan_gave(plan, family, given.granted_at)
        if given.source == Entitlement.Source.PLAN or by_plan[given.granted_at]:
            cost += use.cost_amount or 0
    return cost


def _only_plan_gave(plan: PlanMembership, family: Sequence[int], moment: datetime) -> bool:
    """Whether a member had the tier of a plan at a moment by that plan alone: neither earned, nor by another floor."""
    ranks = ladder_book().ranks
    needed = ranks[plan.plan.tier_id]
    changes = (change_in_force(member_id, moment) for member_id in family)
    if any(change is not None and ranks[change.to_tier_id] >= needed for change in changes):
        return False
    floors = TierFloor.objects.annotate(ends_at=Least(F("valid_until"), F("ended_at"))).filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=moment),
        member__in=family,
        valid_from__lte=moment,
        tier__rank__gte=needed,
    )
    return not floors.exclude(source=TierFloor.Source.PLAN, source_ref__startswith=f"{plan.public_id.hex}:").exists()
