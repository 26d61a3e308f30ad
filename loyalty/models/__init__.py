"""The rows of tiers and benefits. Import from here, not from the modules."""

from loyalty.models.benefits import Benefit, BenefitBudget, BenefitBudgetNote, TierBenefit
from loyalty.models.entitlements import Entitlement, EntitlementUse
from loyalty.models.ladder import LadderVersion, Tier, TierRule
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "Benefit",
    "BenefitBudget",
    "BenefitBudgetNote",
    "Entitlement",
    "EntitlementUse",
    "LadderVersion",
    "QualificationEntry",
    "Tier",
    "TierBenefit",
    "TierChange",
    "TierRule",
    "TierStanding",
]
