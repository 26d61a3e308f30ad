"""The answer of the engine: points line by line, what counters and budgets they use, lots, and the stored explanation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from members.facts import FactValue
from rewards.earning.book import RulesInForce
from rewards.earning.values import (
    BudgetGrant,
    BudgetWish,
    CapHit,
    CapKey,
    CapUse,
    EarnedLot,
    EarnLine,
    NotApplied,
    Origin,
    Period,
    Rule,
)

_NOT_APPLIED_KEPT = 20
_FACTS_KEPT = 20
_ORIGINS = {"promotion": Origin.PROMOTION, "activity": Origin.BEHAVIOUR}


@dataclass(frozen=True, slots=True)
class Quote:
    """Points with their reasons. `day` is the day, in the programme's zone, on which caps count them."""

    kind: str
    rules: RulesInForce
    day: date
    tier_code: str
    multiplier: Decimal
    amount: Decimal
    lines: tuple[EarnLine, ...]
    not_applied: tuple[NotApplied, ...]
    cap_hits: tuple[CapHit, ...] = ()
    cap_uses: tuple[CapUse, ...] = ()
    budget_wishes: tuple[BudgetWish, ...] = ()
    budget_grants: tuple[BudgetGrant, ...] = ()
    facts_used: Mapping[str, FactValue] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """All points in the programme's default currency."""
        return self.points_in(self.rules.currency_id)

    def points_in(self, currency_id: int) -> int:
        """Return all points in a currency."""
        return sum(line.points for line in self.lines if line.currency_id == currency_id)

    @property
    def currency_ids(self) -> tuple[int, ...]:
        """The currencies in which something was earned, or would have been: the default one first, always there."""
        others = {line.currency_id for line in self.lines} - {self.rules.currency_id}
        return (self.rules.currency_id, *sorted(others))

    @property
    def rule(self) -> Rule | None:
        """The rule that decides from when points count and when they expire where a line has none of its own."""
        return self._leading(self.rules.currency_id)

    @property
    def earned(self) -> tuple[EarnedLot, ...]:
        """The points as lots: one for each currency, origin, pending time and expiry; none without points."""
        lots: dict[tuple[int, Origin, int, int], tuple[int, int]] = {}
        for line in self.lines:
            rule = line.working.rule if line.working else self._leading(line.currency_id)
            if rule is None or not line.points:
                continue
            key = (line.currency_id, _ORIGINS.get(line.kind, Origin.PURCHASE), rule.pending_days, rule.expiry_months)
            points, version_id = lots.get(key, (0, rule.version_id))
            lots[key] = (points + line.points, version_id)
        return tuple(
            EarnedLot(currency_id, origin, points, pending_days, expiry_months, version_id)
            for (currency_id, origin, pending_days, expiry_months), (points, version_id) in lots.items()
        )

    def _leading(self, currency_id: int) -> Rule | None:
        worked = (line.working.rule for line in self.lines if line.working and line.currency_id == currency_id)
        in_force = (rule for rule in self.rules.base if rule.currency_id == currency_id)
        return next(worked, None) or next(in_force, None)

    def trace(self, currency_id: int | None = None) -> dict[str, Any]:
        """The explanation of one currency (the default one) in its stored form: compact, bounded, see `rewards.explanation`."""
        shown = self.rules.currency_id if currency_id is None else currency_id
        not_applied = [no for no in self.not_applied if no.currency_id == shown]
        trace: dict[str, Any] = {
            "v": 2,
            "kind": self.kind,
            "amount": str(self.amount),
            "tier": [self.tier_code, str(self.multiplier)],
            "lines": [_stored_line(line) for line in self.lines if line.currency_id == shown],
            "not": [[no.ref, no.label, no.code, no.params] for no in not_applied[:_NOT_APPLIED_KEPT]],
        }
        optional: dict[str, Any] = {
            "more": max(len(not_applied) - _NOT_APPLIED_KEPT, 0),
            "no_rule": self.kind == "earn" and not any(rule.currency_id == shown for rule in self.rules.base),
            "caps": [
                [hit.what, hit.ref, hit.label, hit.limit, hit.used, hit.cut]
                for hit in self.cap_hits
                if hit.currency_id == shown
            ],
            "uses": [_stored_use(use) for use in self.cap_uses if use.key.currency_id == shown],
            "budgets": [
                [grant.budget_id, grant.ref, grant.wished, grant.granted]
                for grant in self.budget_grants
                if any(line.ref == grant.ref and line.currency_id == shown and line.working for line in self.lines)
            ],
            "facts": [[key, _plain(value)] for key, value in list(self.facts_used.items())[:_FACTS_KEPT]],
        }
        return trace | {key: value for key, value in optional.items() if value}


def _stored_line(line: EarnLine) -> list[Any]:
    stored: list[Any] = [line.kind, line.ref, line.points, line.label]
    if line.multiplied is not None:
        factor, points = line.multiplied
        return [*stored, {"x": str(factor), "of": points}]
    if line.working is None:
        return stored
    rule = line.working.rule
    figures: dict[str, Any] = {"n": rule.number, "amount": str(line.working.amount)}
    if rule.points_fixed is not None:
        figures["fixed"] = rule.points_fixed
    else:
        figures["step"] = [rule.points_per_step, str(rule.step_amount)]
    if rule.rounding != "floor":
        figures["rounding"] = rule.rounding
    if rule.per_line:
        figures["per_line"] = True
    if line.working.wanted != line.points:
        figures["wanted"] = line.working.wanted
    return [*stored, figures]


def _stored_use(use: CapUse) -> list[Any]:
    key = use.key
    return [key.rule_id, key.currency_id, int(key.period), key.start.isoformat(), use.points, use.times]


def _plain(value: FactValue) -> str | int | bool | None:
    if value is None or isinstance(value, str | bool | int):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


# --- Reading a stored explanation back ------------------------------------------------------------------------------
def cap_uses_in(trace: Mapping[str, Any] | None) -> list[tuple[CapKey, int, int]]:
    """Return (counter, points, times) that a posting counted towards caps."""
    return [
        (CapKey(rule_id, currency_id, Period(period), date.fromisoformat(start)), points, times)
        for rule_id, currency_id, period, start, points, times in (trace or {}).get("uses", [])
    ]


def budget_uses_in(trace: Mapping[str, Any] | None) -> list[tuple[int, int]]:
    """Return (budget, points) that a posting took from shared budgets."""
    return [(budget_id, granted) for budget_id, _ref, _wished, granted in (trace or {}).get("budgets", []) if granted]


def share_of(whole: int, part_amount: Decimal, whole_amount: Decimal) -> int:
    """Return the part of `whole` that belongs to a part of an amount, half up; all of it when the part is the whole.

    Taking differences of this function over growing parts closes exactly: the last return takes what is left.
    """
    if part_amount >= whole_amount:
        return whole
    return int((whole * part_amount / whole_amount).to_integral_value(ROUND_HALF_UP))
