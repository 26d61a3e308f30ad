"""What ends when: open points by the moment they expire, which is their lot's or their account's, whichever is earlier."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from loyalty.periods import business_date, end_of_day, last_day_before
from members.queries import programme
from rewards.models import Lot, PointsAccount, PointsRate


@dataclass(frozen=True, slots=True)
class Scope:
    """Some of the points of a currency that end in (after, until]: those of one lot, of one member, or all."""

    currency_id: int
    after: datetime
    until: datetime
    member_id: int | None = None
    lot_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the queries below."""
        return {
            "currency": self.currency_id, "after": self.after, "until": self.until,
            "member": self.member_id, "lot": self.lot_id,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ending:
    """So many points in so many lots of so many members end on a day; `date` is the last day on which they can be spent."""

    date: date
    members: int
    lots: int
    points: int


@dataclass(frozen=True, slots=True)
class Total:
    """Points, lots and members of a scope."""

    members: int
    lots: int
    points: int


def day_scope(
    currency_id: int, day: date, *, at: datetime, member_id: int | None = None, lot_id: int | None = None
) -> Scope:
    """Return the scope of what can be spent through a day for the last time; of today, what has not ended yet."""
    tz = programme().tz
    until = end_of_day(day, tz)
    start = end_of_day(day.fromordinal(day.toordinal() - 1), tz)
    return Scope(currency_id, max(start, at), until, member_id, lot_id)


def month_scope(currency_id: int, month: date, *, at: datetime) -> Scope:
    """Return the scope of what ends with a day of the month of `month`; of this month, what has not ended yet."""
    tz = programme().tz
    first = month.replace(day=1)
    start = end_of_day(first.fromordinal(first.toordinal() - 1), tz)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    until = end_of_day(following.fromordinal(following.toordinal() - 1), tz)
    return Scope(currency_id, max(start, at), until)


# Where there is one currency and no account has a deadline, as in most programmes, lots alone say it all: a sum over a
# million of them then takes a fifth of the time.
_BY_LOT_ALONE = """
    SELECT l.id, l.account_id, l.remaining, l.expires_at AS ends_at FROM rewards_lot l
    WHERE l.remaining > 0 AND l.expires_at > %(after)s AND l.expires_at <= %(until)s
"""
# Else two branches, each along its index: lots that end by themselves (lot_due), and lots that end with their account
# (account_deadline, then lot_open). Where no account of the installation has a deadline, the second finds nothing at once.
_BY_LOT = """
    SELECT l.id, l.account_id, l.remaining, l.expires_at AS ends_at
    FROM rewards_lot l JOIN rewards_pointsaccount a ON a.id = l.account_id
    WHERE l.remaining > 0 AND l.expires_at > %(after)s AND l.expires_at <= %(until)s AND a.currency_id = %(currency)s
      AND (a.deadline_at IS NULL OR a.deadline_at >= l.expires_at)
"""
_BY_ACCOUNT = """
    SELECT l.id, l.account_id, l.remaining, a.deadline_at
    FROM rewards_pointsaccount a JOIN rewards_lot l ON l.account_id = a.id
    WHERE a.deadline_at > %(after)s AND a.deadline_at <= %(until)s AND a.currency_id = %(currency)s
      AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > a.deadline_at)
"""


def ending_lots_sql(scope: Scope) -> str:
    """Return the SQL of the lots of a scope: id, account_id, remaining, ends_at. Its parameters are `scope.params`.

    Asks first how the accounts are: one query.
    """
    narrowed = ""
    if scope.member_id is None and _lots_say_it_all(scope.currency_id):
        return f"{_BY_LOT_ALONE}{' AND l.id = %(lot)s' if scope.lot_id is not None else ''}"
    if scope.member_id is not None:
        narrowed += " AND a.member_id = %(member)s"
    if scope.lot_id is not None:
        narrowed += " AND l.id = %(lot)s"
    return f"{_BY_LOT}{narrowed} UNION ALL {_BY_ACCOUNT}{narrowed}"


def total_of(scope: Scope, *, kept_until: datetime | None = None) -> Total:
    """Return how much is in a scope: one query.

    With `kept_until`, also what ends later with the same accounts' deadlines, if those are moved to that moment.
    """
    lots = f"SELECT id, account_id, remaining FROM ({ending_lots_sql(scope)}) ending"  # noqa: S608
    if kept_until is not None and _has_deadlines(scope.currency_id):
        lots += f"""
            UNION SELECT l.id, l.account_id, l.remaining
            FROM (SELECT DISTINCT account_id FROM ({ending_lots_sql(scope)}) ending) kept
            JOIN rewards_pointsaccount a ON a.id = kept.account_id AND a.deadline_at < %(kept_until)s
            JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0
                AND (l.expires_at IS NULL OR l.expires_at > a.deadline_at)
        """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(
            # In two steps, since count(DISTINCT …) would sort every lot.
            "SELECT count(*), coalesce(sum(lots), 0)::bigint, coalesce(sum(points), 0)::bigint FROM ("  # noqa: S608
            f"SELECT account_id, count(*) AS lots, sum(remaining) AS points FROM ({lots}) lot GROUP BY account_id) AS account",
            {**scope.params, "kept_until": kept_until},
        )
        return Total(*cursor.fetchone())


def _lots_say_it_all(currency_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT 1 FROM rewards_pointscurrency WHERE id <> %s) "
            "AND NOT EXISTS (SELECT 1 FROM rewards_pointsaccount WHERE deadline_at IS NOT NULL)",
            [currency_id],
        )
        return bool(cursor.fetchone()[0])


def _has_deadlines(currency_id: int) -> bool:
    return PointsAccount.objects.filter(currency_id=currency_id, deadline_at__isnull=False).exists()


def endings_by_day(scope: Scope) -> list[Ending]:
    """Return what of a scope ends on each day, in order: one query."""
    tz = programme().tz
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ends_at, count(*), sum(lots)::bigint, sum(points)::bigint FROM ("  # noqa: S608
            "SELECT ends_at, account_id, count(*) AS lots, sum(remaining) AS points FROM "
            f"({ending_lots_sql(scope)}) ending GROUP BY ends_at, account_id) AS account GROUP BY ends_at ORDER BY ends_at",
            scope.params,
        )
        rows = cursor.fetchall()
    days: dict[date, Ending] = {}
    for ends_at, members, lots, points in rows:
        day = last_day_before(ends_at, tz)
        known = days.get(day, Ending(day, 0, 0, 0))
        # Ends within a day are rare; a member with two of them is then counted for each.
        days[day] = Ending(day, known.members + members, known.lots + lots, known.points + points)
    return list(days.values())


@dataclass(frozen=True, slots=True)
class EndingLot:
    """A lot that ends: whose it is, how much is left of how much, where from, and whether it ends for want of activity."""

    id: int
    member_id: int
    member_no: str
    points: int
    amount: int
    origin: str
    earned_at: datetime
    ends_with_account: bool


def largest_lots(scope: Scope, *, most: int = 100) -> list[EndingLot]:
    """Return the largest lots of a scope: one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT l.id, l.member_id, m.member_no, l.remaining, l.amount, l.origin, t.happened_at,
                   l.expires_at IS DISTINCT FROM top.ends_at
            FROM (SELECT * FROM ({ending_lots_sql(scope)}) ending ORDER BY remaining DESC, id LIMIT %(most)s) top
            JOIN rewards_lot l ON l.id = top.id JOIN members_member m ON m.id = l.member_id
            JOIN rewards_ledgertransaction t ON t.id = l.transaction_id
            ORDER BY l.remaining DESC, l.id
            """,  # noqa: S608
            {**scope.params, "most": most},
        )
        rows = cursor.fetchall()
    return [
        EndingLot(lot, member, number, points, amount, str(Lot.Origin(origin).label), earned_at, with_account)
        for lot, member, number, points, amount, origin, earned_at, with_account in rows
    ]


def points_by_month(currency_id: int, *, at: datetime, months: int = 13) -> dict[date, int]:
    """Return how many points end in each of the next months (by their first day), this one from now on: one query."""
    tz = programme().tz
    first = business_date(at, tz).replace(day=1)
    last = date(first.year + (first.month - 1 + months - 1) // 12, (first.month - 1 + months - 1) % 12 + 1, 1)
    scope = Scope(currency_id, at, month_scope(currency_id, last, at=at).until)
    found = {
        date(first.year + (first.month - 1 + step) // 12, (first.month - 1 + step) % 12 + 1, 1): 0
        for step in range(months)
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ends_at, sum(remaining)::bigint FROM ({ending_lots_sql(scope)}) ending GROUP BY ends_at",  # noqa: S608
            scope.params,
        )
        for ends_at, points in cursor.fetchall():
            found[last_day_before(ends_at, tz).replace(day=1)] += points
    return found


def money_per_point(currency_id: int, at: datetime) -> Decimal | None:
    """Return what a point of a currency is worth at a moment, in the programme's money; None when nobody has said."""
    return (
        PointsRate.objects.filter(currency_id=currency_id, valid_from__lte=at)
        .order_by("-valid_from")
        .values_list("money_per_point", flat=True)
        .first()
    )


def worth(points: int, rate: Decimal | None) -> Decimal | None:
    """Return what points are worth at a rate, to the cent; None without a rate."""
    return None if rate is None else (points * rate).quantize(Decimal("0.01"))


def rates_at(at: datetime) -> Mapping[int, Decimal]:
    """Return what a point of each currency is worth at a moment."""
    rows = PointsRate.objects.filter(valid_from__lte=at).order_by("currency_id", "valid_from")
    return {row.currency_id: row.money_per_point for row in rows}
