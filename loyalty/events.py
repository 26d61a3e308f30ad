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
RULES_CHANGED = "loyalty.rules_changed.v1"


@dataclass(frozen=True, slots=True)
class TierDecided:
    """A decision about a member's tier, of one of the five kinds; `credits` and `needed` in tier credits.

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


def rules_changed(
    version: int, valid_from: datetime, changes: int, replaces: int | None, *, by: Actor, at: datetime
) -> NewEntry:
    """Return the entry that a version of the published rules was made: a fact of the programme, of no member.

    `changes` is the number of sentences of its notice; 0 for the first version, and where only words changed.
    """
    payload = {"version": version, "valid_from": valid_from.isoformat(), "changes": changes, "replaces": replaces}
    return NewEntry(RULES_CHANGED, None, at, by, payload, subject=f"rules:{version}")
