"""The rows of tiers. Import from here, not from the modules."""

from loyalty.models.ladder import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.models.published import PublishedRules
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "ActivityScore",
    "LadderVersion",
    "PublishedRules",
    "QualificationEntry",
    "Tier",
    "TierChange",
    "TierRule",
    "TierStanding",
]
