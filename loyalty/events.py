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
FLOOR_BEGAN = "loyalty.floor_began.v1"
FLOOR_ENDED = "loyalty.floor_ended.v1"
PLAN_ORDERED = "loyalty.plan_ordered.v1"
PLAN_TRIAL_BEGAN = "loyalty.plan_trial_began.v1"
PLAN_PAID = "loyalty.plan_paid.v1"
PLAN_ENDS_SOON = "loyalty.plan_ends_soon.v1"
PLAN_ENDED = "loyalty.plan_ended.v1"
PLAN_REFUNDED = "loyalty.plan_refunded.v1"
PLAN_RENEWAL_WISHED = "loyalty.plan_renewal_wished.v1"


@dataclass(frozen=True, slots=True)
class TierDecided:
    """A decision about a member's tier, of one of the four kinds; `credits` and `needed` in tier credits."""

    kind: str
    member_id: int
    change: int
    from_tier: str
    to_tier: str
    credits: int
    needed: int
    valid_until: datetime | None
    happened_at: datetime

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
        if quiet:
            payload["quiet"] = True
        return NewEntry(self.kind, self.member_id, self.happened_at, by, payload)
