"""The rows of tiers, badges and stages. Import from here, not from the modules."""

from loyalty.models.badges import Badge, BadgeAward, MemberTitle
from loyalty.models.growth import MemberStage, Stage, StageChange, StageTask, StageTaskDone
from loyalty.models.ladder import LadderVersion, Tier, TierRule
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "Badge",
    "BadgeAward",
    "LadderVersion",
    "MemberStage",
    "MemberTitle",
    "QualificationEntry",
    "Stage",
    "StageChange",
    "StageTask",
    "StageTaskDone",
    "Tier",
    "TierChange",
    "TierRule",
    "TierStanding",
]
