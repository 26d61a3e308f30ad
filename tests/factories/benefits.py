"""Benefits, the tiers that give them, and members who hold such a tier."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from loyalty.benefit_book import forget_benefit_book
from loyalty.models import Benefit, BenefitBudget, Entitlement, LadderVersion, Tier, TierBenefit, TierStanding
from loyalty.services.granting import give_benefit
from members.actors import SYSTEM
from members.models import Member
from tests.factories.people import a_member

_numbers = count(1)


def a_benefit(code: str = "", *, kind: str = Benefit.Kind.VISITS, quota: int | None = 2, **more: Any) -> Benefit:
    """Return a new benefit: two lounge visits a year for 30.00 each, unless told otherwise."""
    values = {"name": "Lounge", "unit_cost_amount": Decimal(30), "period": Benefit.Period.YEAR, **more}
    return Benefit.objects.create(code=code or f"benefit{next(_numbers)}", kind=kind, quota=quota, **values)


def given_by(
    tier: str, benefit: Benefit, *, quota: int | None = None, figure: Decimal | None = None, ladder: int = 1
) -> TierBenefit:
    """Let a tier of the starter ladder give a benefit."""
    cell = TierBenefit.objects.create(
        ladder=LadderVersion.objects.get(number=ladder), tier=Tier.objects.get(code=tier), benefit=benefit, quota=quota, figure=figure
    )  # fmt: skip
    forget_benefit_book()
    return cell


def holding(tier: str, *, since: datetime, valid_until: datetime | None = None, member: Member | None = None) -> Member:
    """Return a member (a new one) who holds a tier, for two years unless told otherwise."""
    member = member or a_member()
    TierStanding.objects.update_or_create(
        member=member,
        defaults={
            "tier": Tier.objects.get(code=tier),
            "since_at": since,
            "valid_until": valid_until or since + timedelta(days=730),
        },
    )
    return member


def a_budget(benefit: Benefit, *, at: datetime, tier: str | None = None, **limits: Any) -> BenefitBudget:
    """Return a budget of a benefit for sixty days around a moment."""
    return BenefitBudget.objects.create(
        benefit=benefit, tier=Tier.objects.get(code=tier) if tier else None, valid_from=at - timedelta(days=30),
        valid_to=at + timedelta(days=30), **limits,
    )  # fmt: skip


def an_entitlement(
    member: Member, benefit: Benefit, *, at: datetime, quota: int = 2, days: int = 30, ref: str = "", source: str = "campaign"
) -> Entitlement:  # fmt: skip
    """Give a member a benefit on behalf of a campaign."""
    return give_benefit(
        member_id=member.pk, benefit_id=benefit.pk, source=source, source_ref=ref or f"grant {next(_numbers)}", quota=quota,
        valid_from=at, valid_to=at + timedelta(days=days), by=SYSTEM, at=at,
    )  # fmt: skip
