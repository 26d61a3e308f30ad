"""The rows of tiers. Import from here, not from the modules."""

from loyalty.models.ladder import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.models.previews import LadderPolicy, LadderPreview, LadderPreviewPart
from loyalty.models.standing import QualificationEntry, TierChange, TierStanding

__all__ = [
    "ActivityScore",
    "LadderPolicy",
    "LadderPreview",
    "LadderPreviewPart",
    "LadderVersion",
    "QualificationEntry",
    "Tier",
    "TierChange",
    "TierRule",
    "TierStanding",
]
