"""A second opinion on imported orders: points, tiers and days by the starter rules, in plain Python, without the project.

One point for each whole unit of money, times the tier's multiplier; tiers by the credits of the last twelve months; a
tier is reviewed at the end of the month twelve months on, and falls by one step at most. Written to be read, not fast.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
CODES = ["member", "silver", "gold", "diamond"]
RISE = [0, 500, 1500, 5000]
KEEP = [0, 400, 1200, 4000]
PERCENT = [100, 110, 125, 150]


@dataclass(frozen=True)
class Fact:
    """A sale or an unlinked return. `amount` is all money of it, `earning` that of its goods, in the programme's currency."""

    kind: str
    number: str
    member: str
    at: datetime
    amount: Decimal
    earning: Decimal


@dataclass
class Lot:
    """Points earned together that are left."""

    expires: datetime
    left: int


@dataclass
class Course:
    """What one member comes to."""

    points_earned: int = 0
    points_taken_back: int = 0
    available: int = 0
    debt: int = 0
    expired: int = 0
    rank: int = 0
    valid_until: datetime | None = None
    changes: list[tuple[datetime, str, str]] = field(default_factory=list)
    credits: list[tuple[datetime, int]] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    earned_by: dict[str, int] = field(default_factory=dict)


@dataclass
class Day:
    """What happened on a day of the programme."""

    members_joined: int = 0
    members_active: int = 0
    member_orders: int = 0
    guest_orders: int = 0
    member_sales_amount: Decimal = Decimal(0)
    guest_sales_amount: Decimal = Decimal(0)
    points_issued: int = 0
    points_taken_back: int = 0
    points_expired: int = 0
    tiers_raised: int = 0
    tiers_lowered: int = 0


def cents(number: Decimal) -> Decimal:
    """Return a number rounded to cents, halves away from zero."""
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)


def month_end(at: datetime, months: int) -> datetime:
    """Return the end of the month that lies so many months after the month of a moment."""
    local = at.astimezone(ZONE)
    month = local.year * 12 + local.month - 1 + months + 1
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=ZONE).astimezone(UTC)


def year_before(at: datetime) -> datetime:
    """Return the beginning of the same day a year earlier."""
    local = at.astimezone(ZONE)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return datetime(local.year - 1, local.month, day, tzinfo=ZONE).astimezone(UTC)


def in_order(facts: Iterable[Fact], number: Callable[[Fact], str]) -> list[Fact]:
    """Return facts by time; at one moment sales come before returns, then by number."""
    return sorted(facts, key=lambda fact: (fact.at, fact.kind != "sale", number(fact)))


def courses(facts: list[Fact], until: datetime) -> dict[str, Course]:
    """Return what each member comes to until a moment; facts stand in order."""
    found: dict[str, Course] = defaultdict(Course)
    for fact in facts:
        if fact.member:
            course = found[fact.member]
            review(course, fact.at)
            (sell if fact.kind == "sale" else take_back)(course, fact)
    for course in found.values():
        review(course, until)
        course.expired = sum(lot.left for lot in course.lots if lot.expires <= until)
        course.available -= course.expired
    return found


def sell(course: Course, fact: Fact) -> None:
    """Credit a sale: points by the tier held before it, then the rise it may bring."""
    base = int(fact.earning // 1)
    points = base * PERCENT[course.rank] // 100
    course.earned_by[fact.number] = points
    course.points_earned += points
    repaid = min(points, course.debt)
    course.debt -= repaid
    course.available += points - repaid
    course.lots.append(Lot(month_end(fact.at, 12), points - repaid))
    course.credits.append((fact.at, base))
    total = sum(credits for at, credits in course.credits if year_before(fact.at) <= at <= fact.at)
    reached = max(rank for rank in range(4) if total >= RISE[rank]) if total >= 0 else 0
    if base > 0 and reached > course.rank:
        course.changes.append((fact.at, CODES[course.rank], CODES[reached]))
        course.rank, course.valid_until = reached, month_end(fact.at, 12)


def take_back(course: Course, fact: Fact) -> None:
    """Take back the base points of an unlinked return: from live lots, the one that expires first first; the rest is owed."""
    points = rest = int(fact.earning // 1)
    course.points_taken_back += points
    for lot in sorted(course.lots, key=lambda lot: lot.expires):
        if lot.expires > fact.at:
            part = min(rest, lot.left)
            lot.left -= part
            rest -= part
    course.available -= points - rest
    course.debt += rest
    course.credits.append((fact.at, -points))


def review(course: Course, until: datetime) -> None:
    """Decide the reviews that are due until a moment."""
    while course.valid_until is not None and course.valid_until <= until:
        due = course.valid_until
        total = sum(credits for at, credits in course.credits if year_before(due) <= at < due)
        if total < KEEP[course.rank]:
            course.changes.append((due, CODES[course.rank], CODES[course.rank - 1]))
            course.rank -= 1
        course.valid_until = month_end(due - timedelta(microseconds=1), 12) if course.rank else None


def days(facts: list[Fact], found: dict[str, Course], until: datetime) -> dict[date, Day]:
    """Return the figures of the days of the programme."""
    result: dict[date, Day] = defaultdict(Day)
    buyers: dict[date, set[str]] = defaultdict(set)
    joined: set[str] = set()
    for fact in facts:
        day = result[fact.at.astimezone(ZONE).date()]
        sign = 1 if fact.kind == "sale" else -1
        if not fact.member:
            day.guest_orders += fact.kind == "sale"
            day.guest_sales_amount += sign * fact.amount
            continue
        day.members_joined += fact.member not in joined
        joined.add(fact.member)
        day.member_sales_amount += sign * fact.amount
        if fact.kind == "sale":
            day.member_orders += 1
            day.points_issued += found[fact.member].earned_by[fact.number]
            buyers[fact.at.astimezone(ZONE).date()].add(fact.member)
        else:
            day.points_taken_back += int(fact.earning // 1)
    for when, members in buyers.items():
        result[when].members_active = len(members)
    for course in found.values():
        for at, before, after in course.changes:
            day = result[at.astimezone(ZONE).date()]
            rises = CODES.index(after) > CODES.index(before)
            day.tiers_raised += rises
            day.tiers_lowered += not rises
    expired = sum(course.expired for course in found.values())
    if expired:
        result[until.astimezone(ZONE).date()].points_expired += expired
    return dict(result)


def converted(original: Decimal, rate: str) -> Decimal:
    """Return an amount in the programme's currency."""
    exact = Fraction(original) * Fraction(rate)
    return cents(Decimal(exact.numerator) / Decimal(exact.denominator))
