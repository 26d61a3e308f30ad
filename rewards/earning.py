"""What a purchase earns, and why: pure figures, no database, no clock.

Order of the lines: base rule, tier multiplier, promotions. Every line carries its reason; every offer that did not
apply carries why not. The trace of a quote is stored with the posting, so the rules can be read as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, Protocol

Label = dict[str, str]


@dataclass(frozen=True, slots=True)
class BaseRule:
    """A version of the base earn rule as a plain value."""

    version: int
    names: Label
    points_per_step: int
    step_amount: Decimal
    pending_days: int
    expiry_months: int
    valid_from: datetime
    valid_to: datetime | None

    def points_for(self, amount: Decimal) -> int:
        """Return the base points of an amount: whole steps only."""
        return int((amount / self.step_amount).to_integral_value(ROUND_FLOOR)) * self.points_per_step


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All versions of the base rule; `at` finds the one in force."""

    rules: tuple[BaseRule, ...]

    def at(self, moment: datetime) -> BaseRule | None:
        """Return the rule in force at a moment, or None."""
        for rule in self.rules:
            if rule.valid_from <= moment and (rule.valid_to is None or moment < rule.valid_to):
                return rule
        return None


@dataclass(frozen=True, slots=True)
class PurchaseFacts:
    """What offers may look at. `local` is the moment of the order in the programme's zone."""

    member_id: int
    amount: Decimal
    eligible_amount: Decimal
    base_points: int
    store_id: int | None
    channel_id: int
    ordered_at: datetime
    local: datetime
    tier_rank: int


@dataclass(frozen=True, slots=True)
class EarnLine:
    """One line of the receipt: so many points, for this reason."""

    points: int
    kind: str
    ref: str
    label: Label


@dataclass(frozen=True, slots=True)
class NotApplied:
    """An offer that gave nothing, and why: a code with figures, put into words when it is read."""

    ref: str
    label: Label
    code: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfferUse:
    """Points that an offer gave to a purchase (or that a return took back)."""

    ref: str
    member_id: int
    source: str
    source_ref: str
    points: int
    happened_at: datetime


class Offer(Protocol):
    """One promotion as a pure function of a purchase."""

    def quote(self, facts: PurchaseFacts) -> EarnLine | NotApplied | None:
        """Return the line, why not, or None when the offer does not concern this purchase at all."""


class Contributor(Protocol):
    """A floor above that adds lines to purchases: promotions."""

    def offers(self, start: datetime, end: datetime) -> Sequence[Offer]:
        """Return the offers that may apply to purchases in [start, end]."""

    def commit(self, uses: Sequence[OfferUse]) -> None:
        """Book uses; a use that is booked already is passed over."""

    def reverse(self, uses: Sequence[OfferUse]) -> None:
        """Book uses taken back by returns."""

    def forget(self) -> None:
        """Read the offers again at the next purchase: they may be kept for seconds."""


_contributors: list[Contributor] = []


def register_contributor(contributor: Contributor) -> None:
    """Register a contributor, once, from `AppConfig.ready()`."""
    if contributor not in _contributors:
        _contributors.append(contributor)


def contributors() -> Sequence[Contributor]:
    """Return the registered contributors."""
    return _contributors


@dataclass(frozen=True, slots=True)
class Quote:
    """Points of a purchase with their reasons. `rule` is None when no base rule was in force."""

    rule: BaseRule | None
    tier_code: str
    multiplier: Decimal
    eligible_amount: Decimal
    lines: tuple[EarnLine, ...]
    not_applied: tuple[NotApplied, ...]

    @property
    def points(self) -> int:
        """All points of the purchase."""
        return sum(line.points for line in self.lines)

    def trace(self) -> dict[str, Any]:
        """The explanation in its stored form: compact, bounded, readable by `rewards.explanation`."""
        return {
            "v": 1,
            "rule": self.rule.version if self.rule else 0,
            "step": [self.rule.points_per_step, str(self.rule.step_amount)] if self.rule else None,
            "amount": str(self.eligible_amount),
            "tier": [self.tier_code, str(self.multiplier)],
            "lines": [[line.kind, line.ref, line.points, line.label] for line in self.lines],
            "not": [[no.ref, no.label, no.code, no.params] for no in self.not_applied[:20]],
        }


def quote(
    facts: PurchaseFacts, *, rule: BaseRule | None, tier_code: str, multiplier: Decimal, offers: Sequence[Offer]
) -> Quote:
    """Work out the points of a purchase. `facts.base_points` must be the rule's points for the eligible amount."""
    lines: list[EarnLine] = []
    not_applied: list[NotApplied] = []
    if rule is not None:
        lines.append(EarnLine(facts.base_points, "base", str(rule.version), rule.names))
        bonus = int((facts.base_points * multiplier).to_integral_value(ROUND_FLOOR)) - facts.base_points
        if bonus > 0:
            lines.append(EarnLine(bonus, "tier", tier_code, {}))
        for offer in offers:
            answer = offer.quote(facts)
            if isinstance(answer, EarnLine):
                lines.append(answer)
            elif answer is not None:
                not_applied.append(answer)
    return Quote(rule, tier_code, multiplier, facts.eligible_amount, tuple(lines), tuple(not_applied))


def share_of(whole: int, part_amount: Decimal, whole_amount: Decimal) -> int:
    """Return the part of `whole` that belongs to a part of an amount, half up; all of it when the part is the whole.

    Taking differences of this function over growing parts closes exactly: the last return takes what is left.
    """
    if part_amount >= whole_amount:
        return whole
    return int((whole * part_amount / whole_amount).to_integral_value(ROUND_HALF_UP))
