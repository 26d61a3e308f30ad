"""Plans that are sold, and floors under tiers."""

from datetime import datetime
from decimal import Decimal

from loyalty.models import Plan, Tier, TierFloor
from loyalty.services.floors import grant_floor
from members.actors import SYSTEM, Actor
from tests.factories.times import at

SALE_BEGAN = at("2024-01-01")


def a_tier(code: str) -> Tier:
    """Return a tier of the starter ladder."""
    return Tier.objects.get(code=code)


def a_plan(
    code: str = "gold_year", *, tier: str = "gold", price: str = "365.00", months: int = 12, trial_days: int = 0, can_renew: bool = True
) -> Plan:  # fmt: skip
    """Return a plan on sale with this code."""
    return Plan.objects.create(
        code=code, name=code.replace("_", " ").title(), name_en=code.replace("_", " ").title(), tier=a_tier(tier),
        price_amount=Decimal(price), period_months=months, trial_days=trial_days, can_renew=can_renew, sale_from=SALE_BEGAN,
        state=Plan.State.ON_SALE,
    )  # fmt: skip


def a_floor(
    member_id: int, tier: str, valid_from: datetime, valid_until: datetime | None, *, ref: str = "one", at: datetime | None = None,
    by: Actor = SYSTEM,
) -> TierFloor:  # fmt: skip
    """Return a floor set by hand."""
    return grant_floor(
        member_id=member_id, tier_id=a_tier(tier).pk, valid_from=valid_from, valid_until=valid_until, source="staff",
        source_ref=ref, reason="made up for a long wait", by=by, at=at or valid_from,
    )  # fmt: skip
