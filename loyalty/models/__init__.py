"""The rows of tiers and what comes with them. Import from here, not from the modules."""

from loyalty.models.badges import Badge, BadgeAward, MemberTitle
from loyalty.models.benefits import Benefit, BenefitBudget, BenefitBudgetNote, TierBenefit
from loyalty.models.entitlements import Entitlement, EntitlementUse
from loyalty.models.floors import TierFloor
from loyalty.models.growth import MemberStage, Stage, StageChange, StageTask, StageTaskDone
from loyalty.models.ladder import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.models.plans import Plan, PlanMembership, PlanOrder, PlanPayment, PlanPeriod, PlanTrial
from loyalty.models.previews import LadderPolicy, LadderPreview, LadderPreviewPart
from loyalty.models.published import PublishedRules
from loyalty.models.reviews import ReviewPolicy, ReviewRun, ReviewRunMember, TierWarning
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding
from loyalty.models.tier_images import TierImage

__all__ = [
    "ActivityScore",
    "Badge",
    "BadgeAward",
    "Benefit",
    "BenefitBudget",
    "BenefitBudgetNote",
    "Entitlement",
    "EntitlementUse",
    "LadderPolicy",
    "LadderPreview",
    "LadderPreviewPart",
    "LadderVersion",
    "MemberStage",
    "MemberTitle",
    "Plan",
    "PlanMembership",
    "PlanOrder",
    "PlanPayment",
    "PlanPeriod",
    "PlanTrial",
    "PublishedRules",
    "QualificationEntry",
    "ReviewPolicy",
    "ReviewRun",
    "ReviewRunMember",
    "Stage",
    "StageChange",
    "StageTask",
    "StageTaskDone",
    "Tier",
    "TierBenefit",
    "TierChange",
    "TierFloor",
    "TierImage",
    "TierRule",
    "TierStanding",
    "TierWarning",
]
