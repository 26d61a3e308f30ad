"""Rules, purchases and activities as plain values, for the tests of what is earned."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from rewards.earning import (
    ActivityFacts,
    CapKey,
    CapUsage,
    EarnLine,
    LineFacts,
    NotApplied,
    Offer,
    Period,
    ProgrammeCap,
    PurchaseFacts,
    Quote,
    Rule,
    RulesInForce,
    quote,
    quote_activity,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)  # a Saturday, 12:00 in Shanghai
DAY = date(2026, 11, 21)
POINTS, COINS = 1, 2
COFFEE, TEA, CAKE = 11, 12, 13
_ids = count(1_000)


def a_rule(rule_id: int = 1, **changes: Any) -> Rule:
    """A point for each whole unit of money, on everything."""
    values: dict[str, Any] = {
        "rule_id": rule_id,
        "version_id": rule_id * 10,
        "number": 1,
        "names": {"en": f"Rule {rule_id}"},
        "currency_id": POINTS,
        "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
        "valid_to": None,
    }
    return Rule(**{**values, **changes})


def an_extra(rule_id: int, **changes: Any) -> Rule:
    """An extra rule that neither tiers nor promotions multiply."""
    return a_rule(rule_id, **{"is_extra": True, "gets_tier_multiplier": False, "gets_promotions": False, **changes})


def in_force(*rules: Rule, caps: tuple[ProgrammeCap, ...] = ()) -> RulesInForce:
    """The rules, in force; points are the default currency."""
    return RulesInForce.of(POINTS, rules, caps)


def a_cap(day: int | None = None, month: int | None = None, currency_id: int = POINTS) -> ProgrammeCap:
    """A cap of the programme."""
    return ProgrammeCap(currency_id, day, month, datetime(2020, 1, 1, tzinfo=UTC), None)


def line(amount: str, *, sku: str = "A", category: int | None = None, brand: str = "", earns: bool = True) -> LineFacts:
    """A line of an order."""
    return LineFacts(1, sku, Decimal(amount), Decimal(1), earns, (category,) if category else (), brand)


def purchase(*lines: LineFacts | str, moment: datetime = NOON, **changes: Any) -> PurchaseFacts:
    """A purchase of these lines, or amounts; ¥50 when there are none. By a member of the lowest tier, in store 1, at the till."""
    found = tuple(one if isinstance(one, LineFacts) else line(one) for one in lines or ("50",))
    amount = sum((one.amount for one in found), Decimal(0))
    eligible = sum((one.amount for one in found if one.earns), Decimal(0))
    values: dict[str, Any] = {
        "member_id": 1, "amount": amount, "eligible_amount": eligible, "store_id": 1, "channel_id": 1, "ordered_at": moment,
        "local": moment.astimezone(SHANGHAI), "tier_rank": 0, "lines": found,
    }  # fmt: skip
    return PurchaseFacts(**{**values, **changes})


def activity(kind: str = "review", value: int | None = None, moment: datetime = NOON) -> ActivityFacts:
    """Something a member did."""
    return ActivityFacts(1, kind, value, None, None, moment, moment.astimezone(SHANGHAI))


def key(rule_id: int, period: Period, currency_id: int = POINTS) -> CapKey:
    """The counter of a rule (0: of the programme) on the day of the tests."""
    return CapKey(rule_id, currency_id, period, period.start(DAY))


def used(rule_id: int, period: Period, points: int, times: int = 0) -> dict[CapKey, CapUsage]:
    """What a counter has counted."""
    return {key(rule_id, period): CapUsage(points, times)}


class Double:
    """An offer that doubles the base points."""

    def quote(self, facts: PurchaseFacts) -> EarnLine | NotApplied | None:
        return EarnLine(facts.base_points, "promotion", "7", {"en": "Double points"})


def earn(
    facts: PurchaseFacts, rules: RulesInForce, *, multiplier: str = "1", offers: tuple[Offer, ...] = (), **more: Any
) -> Quote:
    """What a purchase earns."""
    return quote(facts, rules=rules, tier_code="member", multiplier=Decimal(multiplier), offers=offers, **more)


def earn_activity(facts: ActivityFacts, rules: RulesInForce, *, multiplier: str = "1", **more: Any) -> Quote:
    """What an activity earns."""
    return quote_activity(facts, rules=rules, tier_code="member", multiplier=Decimal(multiplier), **more)


def told(quoted: Quote) -> list[tuple[str, str, int]]:
    """The lines as (kind, ref, points)."""
    return [(one.kind, one.ref, one.points) for one in quoted.lines]


def refused(quoted: Quote) -> dict[str, str]:
    """Why rules gave nothing: code by ref."""
    return {no.ref: no.code for no in quoted.not_applied}
