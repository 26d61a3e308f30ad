"""The values with which earning is worked out: what was bought or done, the rules, their limits, the answer's lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Any, NamedTuple

from members.conditions import Node

Label = dict[str, str]

ROUNDINGS = {"floor": ROUND_FLOOR, "nearest": ROUND_HALF_UP, "up": ROUND_CEILING}


class Period(IntEnum):
    """Over what a cap counts."""

    DAY = 1
    MONTH = 2
    LIFE = 3

    def start(self, day: date) -> date:
        """Return the first day of the period that holds a day."""
        if self is Period.LIFE:
            return date(1970, 1, 1)
        return day if self is Period.DAY else day.replace(day=1)


class Origin(IntEnum):
    """Where the points of a lot come from; the values are those of the ledger."""

    PURCHASE = 1
    PROMOTION = 2
    BEHAVIOUR = 3


class CapKey(NamedTuple):
    """One counter of a member: of a rule, or (rule 0) of all rules of a currency, over a period that begins on a day."""

    rule_id: int
    currency_id: int
    period: Period
    start: date


@dataclass(frozen=True, slots=True)
class CapUsage:
    """What a counter has counted so far."""

    points: int = 0
    times: int = 0


UNUSED = CapUsage()


@dataclass(frozen=True, slots=True)
class CapUse:
    """What a quote adds to a counter, and the limits that may not be passed."""

    key: CapKey
    points: int
    times: int
    limit: int | None
    times_limit: int | None


@dataclass(frozen=True, slots=True)
class CapHit:
    """A limit that took points off: `cut` of them. `what` names the limit; `label` is empty for the programme's own."""

    what: str
    ref: str
    label: Label
    limit: int
    used: int
    cut: int
    currency_id: int


@dataclass(frozen=True, slots=True)
class BudgetWish:
    """Points that a line wants from a budget that all members share."""

    budget_id: int
    ref: str
    points: int


@dataclass(frozen=True, slots=True)
class BudgetGrant:
    """What a budget gave of what was wished."""

    budget_id: int
    ref: str
    label: Label
    wished: int
    granted: int


# --- What was bought or done ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line of an order. `category_ids` are its category and those above it."""

    line_no: int
    sku: str
    amount: Decimal
    quantity: Decimal = Decimal(1)
    earns: bool = True
    category_ids: tuple[int, ...] = ()
    brand: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseFacts:
    """What rules and offers may look at. `local` is the moment of the order in the programme's zone.

    Without `lines` the order is one line of its eligible amount. `orders_in` tells for spans of days how many orders
    the member made in them, this one among them. `base_points` is filled in for the offers, which multiply it.
    """

    member_id: int
    amount: Decimal
    eligible_amount: Decimal
    store_id: int | None
    channel_id: int
    ordered_at: datetime
    local: datetime
    tier_rank: int
    base_points: int = 0
    lines: tuple[LineFacts, ...] = ()
    is_first_order: bool = False
    orders_in: Mapping[int, int] = field(default_factory=dict)

    @property
    def earning_lines(self) -> tuple[LineFacts, ...]:
        """The lines that earn."""
        if not self.lines:
            return (LineFacts(1, "", self.eligible_amount),)
        return tuple(line for line in self.lines if line.earns)


@dataclass(frozen=True, slots=True)
class ActivityFacts:
    """Something a member did other than buying: a check-in, a review, a birthday (kind `birthday`)."""

    member_id: int
    kind: str
    value: int | None
    store_id: int | None
    channel_id: int | None
    happened_at: datetime
    local: datetime


# --- Rules ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Goods:
    """A choice of goods: by category, by article number, by brand (in lower case). Empty means none are named."""

    category_ids: frozenset[int] = frozenset()
    skus: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.category_ids or self.skus or self.brands)

    def holds(self, line: LineFacts) -> bool:
        """Whether a line is one of these goods: one of the names is enough."""
        return (
            line.sku in self.skus
            or not self.category_ids.isdisjoint(line.category_ids)
            or (bool(line.brand) and line.brand.casefold() in self.brands)
        )


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits of a rule for one member, in points (and times); None is no limit."""

    order_points: int | None = None
    day_points: int | None = None
    month_points: int | None = None
    member_points: int | None = None
    day_times: int | None = None
    month_times: int | None = None

    def counted(self) -> list[tuple[Period, int | None, int | None]]:
        """Return (period, limit in points, limit in times) of each period that is limited."""
        found = [
            (Period.DAY, self.day_points, self.day_times),
            (Period.MONTH, self.month_points, self.month_times),
            (Period.LIFE, self.member_points, None),
        ]
        return [(period, points, times) for period, points, times in found if points is not None or times is not None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of an earn rule as a plain value. A base rule without goods, places and conditions counts everything."""

    rule_id: int
    version_id: int
    number: int
    names: Label
    currency_id: int
    valid_from: datetime
    valid_to: datetime | None
    activity_kind: str = ""
    is_extra: bool = False
    priority: int = 0
    points_fixed: int | None = None
    points_per_step: int = 1
    step_amount: Decimal = Decimal(1)
    per_line: bool = False
    rounding: str = "floor"
    min_spend_amount: Decimal = Decimal(0)
    goods: Goods = field(default_factory=Goods)
    excluded: Goods = field(default_factory=Goods)
    channel_ids: frozenset[int] = frozenset()
    store_ids: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    hours: tuple[int, int] | None = None
    first_order_only: bool = False
    min_orders: int | None = None
    within_days: int | None = None
    condition: Node | None = None
    gets_tier_multiplier: bool = True
    gets_promotions: bool = True
    pending_days: int = 0
    expiry_months: int = 12
    caps: Caps = field(default_factory=Caps)
    budget_id: int | None = None
    budget_is_empty: bool = False

    @property
    def ref(self) -> str:
        """The rule's name in lines and traces."""
        return str(self.rule_id)

    @property
    def place(self) -> tuple[int, int]:
        """Where the rule stands among base rules: the highest priority first, then the oldest."""
        return (-self.priority, self.rule_id)

    @property
    def counts_everything(self) -> bool:
        """Whether every purchase earns by this rule, whatever was bought, where, when and by whom."""
        limits = (self.goods, self.excluded, self.channel_ids, self.store_ids, self.weekdays)
        return not (
            any(limits)
            or self.hours
            or self.first_order_only
            or self.min_orders
            or self.condition
            or self.min_spend_amount
        )

    def is_in_force(self, moment: datetime) -> bool:
        """Whether the span [valid_from, valid_to) holds a moment."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

    def counts(self, line: LineFacts) -> bool:
        """Whether a line is among the goods of the rule."""
        return (not self.goods or self.goods.holds(line)) and not self.excluded.holds(line)

    def points_for(self, amount: Decimal) -> int:
        """Return the points of an amount (or of the value of an activity): steps, rounded as the rule says."""
        if amount <= 0:
            return 0
        return int((amount / self.step_amount).to_integral_value(ROUNDINGS[self.rounding])) * self.points_per_step


@dataclass(frozen=True, slots=True)
class ProgrammeCap:
    """The limits of all rules of a currency together for one member, in force over [valid_from, valid_to)."""

    currency_id: int
    day_points: int | None
    month_points: int | None
    valid_from: datetime
    valid_to: datetime | None

    def counted(self) -> list[tuple[Period, int]]:
        """Return (period, limit) of each period that is limited."""
        found = ((Period.DAY, self.day_points), (Period.MONTH, self.month_points))
        return [(period, points) for period, points in found if points is not None]

    def is_in_force(self, moment: datetime) -> bool:
        """Whether the span [valid_from, valid_to) holds a moment."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


# --- The answer ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Working:
    """How a rule came to its points: of `amount` it made `wanted`, before caps and budgets."""

    rule: Rule
    amount: Decimal
    wanted: int


@dataclass(frozen=True, slots=True)
class EarnLine:
    """One line of the receipt: so many points, for this reason. `currency_id` 0 is the programme's default currency.

    `multiplied` says of a benefit's line what it multiplied by how much: (factor, points).
    """

    points: int
    kind: str
    ref: str
    label: Label
    currency_id: int = 0
    working: Working | None = None
    multiplied: tuple[Decimal, int] | None = None


@dataclass(frozen=True, slots=True)
class NotApplied:
    """A rule or offer that gave nothing, and why: a code with figures, put into words when it is read."""

    ref: str
    label: Label
    code: str
    params: dict[str, Any] = field(default_factory=dict)
    currency_id: int = 0


@dataclass(frozen=True, slots=True)
class EarnedLot:
    """Points of one currency and origin that share their pending time and expiry. `version_id` is the rule that says so."""

    currency_id: int
    origin: Origin
    points: int
    pending_days: int
    expiry_months: int
    version_id: int

    def available_at(self, moment: datetime) -> datetime:
        """Return from when the points can be spent, if they were earned at a moment."""
        return moment + timedelta(days=self.pending_days)
