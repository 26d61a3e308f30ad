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
FLOOR_BEGAN = "loyalty.floor_began.v1"
FLOOR_ENDED = "loyalty.floor_ended.v1"
PLAN_ORDERED = "loyalty.plan_ordered.v1"
PLAN_TRIAL_BEGAN = "loyalty.plan_trial_began.v1"
PLAN_PAID = "loyalty.plan_paid.v1"
PLAN_ENDS_SOON = "loyalty.plan_ends_soon.v1"
PLAN_ENDED = "loyalty.plan_ended.v1"
PLAN_REFUNDED = "loyalty.plan_refunded.v1"
PLAN_RENEWAL_WISHED = "loyalty.plan_renewal_wished.v1"
#: A version of the ladder is scheduled, or is so no more: its number, when it begins, why.
LADDER_PUBLISHED = "loyalty.ladder_published.v1"
LADDER_WITHDRAWN = "loyalty.ladder_withdrawn.v1"
TIER_PUT_BACK = "loyalty.tier_put_back.v1"
TIER_AT_RISK = "loyalty.tier_at_risk.v1"
RULES_CHANGED = "loyalty.rules_changed.v1"


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


ENTITLEMENT_GRANTED = "loyalty.entitlement_granted.v1"
ENTITLEMENT_USED = "loyalty.entitlement_used.v1"
ENTITLEMENT_USE_UNDONE = "loyalty.entitlement_use_undone.v1"
ENTITLEMENT_EXPIRED = "loyalty.entitlement_expired.v1"
ENTITLEMENT_REVOKED = "loyalty.entitlement_revoked.v1"
BENEFIT_BUDGET_NOTED = "loyalty.benefit_budget_noted.v1"
BENEFIT_GRID_CHANGED = "loyalty.benefit_grid_changed.v1"


@dataclass(frozen=True, slots=True)
class VouchersDue:
    """Vouchers that are to be issued for uses of an entitlement: of which template, for which of its uses (1 is the first)."""

    template: str
    first: int
    count: int

    def payload(self) -> dict[str, Any]:
        """Return it as the timeline keeps it."""
        return {"template": self.template, "first": self.first, "count": self.count}


def entitlement_granted(
    *, entitlement_id: int, benefit_id: int, member_id: int, source: str, quota: int, added: int, until: datetime | None,
    vouchers: VouchersDue | None, happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """Return that a member was given a benefit: `quota` uses in all, `added` of them now, until a moment."""
    payload: dict[str, Any] = {
        "entitlement": entitlement_id,
        "benefit": benefit_id,
        "source": source,
        "quota": quota,
        "added": added,
        "until": until.isoformat() if until else None,
    }
    if vouchers:
        payload["vouchers"] = vouchers.payload()
    return NewEntry(ENTITLEMENT_GRANTED, member_id, happened_at, by, payload)


def entitlement_used(
    *, use_id: int, entitlement_id: int, benefit_id: int, member_id: int, units: int, left: int, store_id: int | None,
    vouchers: VouchersDue | None, happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """Return that a member used a benefit, `units` times at once, and what is left."""
    payload: dict[str, Any] = {
        "use": use_id,
        "entitlement": entitlement_id,
        "benefit": benefit_id,
        "units": units,
        "left": left,
        "store": store_id,
    }
    if vouchers:
        payload["vouchers"] = vouchers.payload()
    return NewEntry(ENTITLEMENT_USED, member_id, happened_at, by, payload)


def entitlement_ended(
    kind: str, *, entitlement_id: int, benefit_id: int, member_id: int, left: int, happened_at: datetime, by: Actor,
    **more: Any,
) -> NewEntry:  # fmt: skip
    """Return that uses of a benefit lapsed, were taken back, or came back; `left` is how many."""
    payload = {"entitlement": entitlement_id, "benefit": benefit_id, "left": left, **more}
    return NewEntry(kind, member_id, happened_at, by, payload)


def rules_changed(
    version: int, valid_from: datetime, changes: int, replaces: int | None, *, by: Actor, at: datetime
) -> NewEntry:
    """Return the entry that a version of the published rules was made: a fact of the programme, of no member.

    `changes` is the number of sentences of its notice; 0 for the first version, and where only words changed.
    """
    payload = {"version": version, "valid_from": valid_from.isoformat(), "changes": changes, "replaces": replaces}
    return NewEntry(RULES_CHANGED, None, at, by, payload, subject=f"rules:{version}")
