"""The rows of tiers. Import from here, not from the modules."""

from loyalty.models.floors import TierFloor
from loyalty.models.ladder import LadderVersion, Tier, TierRule
from loyalty.models.plans import Plan, PlanMembership, PlanOrder, PlanPayment, PlanPeriod, PlanTrial
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "LadderVersion",
    "Plan",
    "PlanMembership",
    "PlanOrder",
    "PlanPayment",
    "PlanPeriod",
    "PlanTrial",
    "QualificationEntry",
    "Tier",
    "TierChange",
    "TierFloor",
    "TierRule",
    "TierStanding",
]
