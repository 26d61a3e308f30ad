"""What loyalty tells upward: facts about tiers, versioned, with the numbers they were decided on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from members.actors import Actor
from members.timeline import NewEntry

TIER_RAISED = "loyalty.tier_raised.v1"
TIER_KEPT = "loyalty.tier_kept.v1"
TIER_LOWERED = "loyalty.tier_lowered.v1"
TIER_RISE_UNDONE = "loyalty.tier_rise_undone.v1"
TIER_GRACE_GIVEN = "loyalty.tier_grace_given.v1"
TIER_PUT_BACK = "loyalty.tier_put_back.v1"
TIER_AT_RISK = "loyalty.tier_at_risk.v1"


@dataclass(frozen=True, slots=True)
class TierDecided:
    """A decision about a member's tier, of one of the six kinds; `credits` and `needed` in tier credits.

    Where more than tier credits decided, `figures` has [metric, had, needed, taken back by returns] of each threshold, of
    which `must` had to be reached.
    """

    kind: str
    member_id: int
    change: int
    from_tier: str
    to_tier: str
    credits: int
    needed: int
    valid_until: datetime | None
    happened_at: datetime
    figures: tuple[tuple[str, str, str, str], ...] = ()
    must: int = 0

    def entry(self, *, by: Actor, quiet: bool) -> NewEntry:
        """Return the entry for the timeline. `quiet` marks history, for which nobody is written to."""
        payload: dict[str, Any] = {
            "change": self.change,
            "from": self.from_tier,
            "to": self.to_tier,
            "credits": self.credits,
            "needed": self.needed,
            "valid_until": self.valid_until.isoformat() if self.valid_until else None,
        }
        if self.figures:
            payload |= {"figures": [list(figure) for figure in self.figures], "must": self.must}
        if quiet:
            payload["quiet"] = True
        return NewEntry(self.kind, self.member_id, self.happened_at, by, payload)
