"""What benefits follow: for which span they are given, when they can be used, what fits a budget, what a grid lacks. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from loyalty.periods import add_months, business_date, day_bounds

MONTH, QUARTER, YEAR, TIER = "month", "quarter", "year", "tier"
#: From how much of a budget (percent) on somebody is told, once each.
WARNED_AT = (70, 90)


@dataclass(frozen=True, slots=True)
class Span:
    """A period with the key that names it for ever, half-open."""

    key: str
    from_at: datetime
    to_at: datetime


def period_span(period: str, at: datetime, tz: ZoneInfo) -> Span:
    """Return the month, quarter or year of the programme's calendar in which a moment lies.

    Of a tier without an end, the validity is counted in years.
    """
    day = business_date(at, tz)
    if period == MONTH:
        first, months, key = day.replace(day=1), 1, f"{day:%Y-%m}"
    elif period == QUARTER:
        quarter = (day.month - 1) // 3
        first, months, key = date(day.year, quarter * 3 + 1, 1), 3, f"{day.year}-Q{quarter + 1}"
    else:
        first, months, key = date(day.year, 1, 1), 12, f"{day.year}"
    return Span(key, day_bounds(first, tz)[0], day_bounds(add_months(first, months), tz)[0])


def birthday_span(at: datetime, tz: ZoneInfo) -> Span:
    """Return the month in which birthdays are kept now. Its key is the year: a birthday that is moved gives no second gift."""
    month = period_span(MONTH, at, tz)
    return Span(f"{business_date(at, tz).year}", month.from_at, month.to_at)


def is_in_window(
    *, weekdays: Collection[int], hours: tuple[time, time] | None, stores: Collection[int], store_id: int | None, at: datetime,
    tz: ZoneInfo,
) -> bool:  # fmt: skip
    """Whether a benefit can be used at a moment in a store (None: in no store). What is empty does not limit."""
    local = at.astimezone(tz)
    if weekdays and local.weekday() not in weekdays:
        return False
    if hours and not hours[0] <= local.time() < hours[1]:
        return False
    return not stores or store_id in stores


def multiplies(figure: Decimal | None, quota: int | None) -> bool:
    """Whether what a tier gives of "more points" gives any: more than once the points, on every order and not so many times."""
    return figure is not None and figure > 1 and quota is None


# --- Budgets ----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class BudgetLine:
    """A budget while something is reserved in it: what may be promised (None: without limit), and what is."""

    most_units: int | None
    most_amount: Decimal | None
    units: int
    amount: Decimal
    is_stopped: bool = False

    def fits(self, units: int, unit_cost: Decimal | None) -> bool:
        """Whether so many more uses can be promised. What has no known cost fits no budget in money."""
        if self.is_stopped or (self.most_amount is not None and unit_cost is None):
            return units <= 0
        return (self.most_units is None or self.units + units <= self.most_units) and (
            self.most_amount is None or self.amount + units * (unit_cost or 0) <= self.most_amount
        )

    def take(self, units: int, unit_cost: Decimal | None) -> None:
        """Reserve so many uses; below 0, give them back."""
        self.units += units
        self.amount += units * (unit_cost or Decimal(0))


def throttled(total: Decimal | int | None, percent: int) -> Decimal | None:
    """Return what of a budget may be promised."""
    return None if total is None else Decimal(total) * percent / 100


def percent_used(*, units: int, total_units: int | None, amount: Decimal, total_amount: Decimal | None) -> int:
    """Return how much of a budget is promised, in whole percent downward: of uses or money, whichever is further."""
    shares = [0]
    if total_units is not None:
        shares.append(100 * units // total_units if total_units else 100)
    if total_amount is not None:
        shares.append(int(100 * amount // total_amount) if total_amount else 100)
    return max(shares)


def line_passed(percent: int) -> int:
    """Return the highest line that a percentage has reached, of 70, 90 and 100; 0 below."""
    return max((line for line in (*WARNED_AT, 100) if percent >= line), default=0)


def runs_out_on(
    *, from_at: datetime, to_at: datetime, at: datetime, units: int, total_units: int | None, amount: Decimal,
    total_amount: Decimal | None, tz: ZoneInfo,
) -> date | None:  # fmt: skip
    """Return the day on which a budget is used up if things go on as on average since its beginning; None when it lasts."""
    elapsed = min(at, to_at) - from_at
    if elapsed <= timedelta(0):
        return None
    ends = [
        from_at + elapsed * float(total / done)
        for done, total in ((Decimal(units), total_units), (amount, total_amount))
        if total is not None and done > 0
    ]
    soonest = min((end for end in ends if end < to_at), default=None)
    return None if soonest is None else business_date(max(soonest, from_at), tz)


# --- The grid ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Cell:
    """What a tier gives of a benefit: a figure where the kind has one, and uses in a period (None: without limit)."""

    figure: Decimal | None = None
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A higher tier that gives less of a benefit than the one below it, or (without `higher`) nothing at all."""

    benefit_id: int
    lower_tier_id: int
    higher_tier_id: int
    lower: Cell
    higher: Cell | None


def falling_steps(
    grid: Mapping[tuple[int, int], Cell], tier_ids: Sequence[int], benefit_ids: Sequence[int]
) -> list[Step]:
    """Return where a higher tier gives less. `grid` is by (tier, benefit); tiers stand lowest first."""
    found = []
    for benefit_id in benefit_ids:
        for lower_id, higher_id in pairwise(tier_ids):
            lower, higher = grid.get((lower_id, benefit_id)), grid.get((higher_id, benefit_id))
            if lower is not None and (higher is None or _is_less(higher, lower)):
                found.append(Step(benefit_id, lower_id, higher_id, lower, higher))
    return found


def _is_less(one: Cell, other: Cell) -> bool:
    if (one.figure or 0) < (other.figure or 0):
        return True
    return one.quota is not None and (other.quota is None or one.quota < other.quota)
