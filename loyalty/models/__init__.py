"""The rows of tiers. Import from here, not from the modules."""

from loyalty.models.ladder import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.models.reviews import ReviewPolicy, ReviewRun, ReviewRunMember, TierWarning
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "ActivityScore",
    "LadderVersion",
    "QualificationEntry",
    "ReviewPolicy",
    "ReviewRun",
    "ReviewRunMember",
    "Tier",
    "TierChange",
    "TierRule",
    "TierStanding",
    "TierWarning",
]
