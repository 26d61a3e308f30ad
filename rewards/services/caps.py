"""Caps and shared budgets: read before a quote, booked with it in one statement, given back by returns.

A purchase to which no capped rule applies costs no statement here and writes no row. Counters of a member are read after
his points account was locked, so they stand until the end of the transaction; the database refuses to pass a limit all
the same. Budgets are rows that members share: taken last, ascending, from the slice the member falls to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from rewards.earning import (
    CapKey,
    CapUsage,
    Period,
    Quote,
    apply_budget,
    budget_uses_in,
    cap_uses_in,
)

_COUNTED = """
SELECT rule_id, currency_id, period, period_start, used, times FROM rewards_capcounter
WHERE member_id = %s AND period_start = ANY (%s)
"""
SLICES = 16
_DAYS_DELETED_AT_ONCE = 10_000
_BUDGETS_AT_ONCE = 500


def cap_usage(*, member_id: int, keys: Sequence[CapKey]) -> dict[CapKey, CapUsage]:
    """Return what these counters of a member have counted; those that counted nothing are left out. One statement, or none."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [member_id, list({key.start for key in keys})])
        counted = {
            CapKey(rule_id or 0, currency_id, Period(period), start): CapUsage(used, times)
            for rule_id, currency_id, period, start, used, times in cursor.fetchall()
        }
    return {key: counted[key] for key in keys if key in counted}


def book_caps(*, member_id: int, quote: Quote) -> Quote:
    """Count what a quote uses of caps, and take what it wishes from budgets; return it with what the budgets gave.

    One statement; none when nothing is capped. The caller's transaction has locked the member's account.
    """
    if not quote.cap_uses and not quote.budget_wishes:
        return quote
    uses, wishes = quote.cap_uses, sorted(quote.budget_wishes, key=lambda wish: wish.budget_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rewards_book_caps(%s, %s::bigint[], %s::smallint[], %s::smallint[], %s::date[], %s::bigint[], %s::int[], "
            "%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])",
            [
                member_id, *_columns([use.key for use in uses]), [use.points for use in uses], [use.times for use in uses],
                [use.limit for use in uses], [use.times_limit for use in uses],
                [wish.budget_id for wish in wishes], [wish.points for wish in wishes], [int(wish.ref) for wish in wishes],
            ],
        )  # fmt: skip
        granted: list[int] = cursor.fetchone()[0]
    return apply_budget(quote, {wish.ref: points for wish, points in zip(wishes, granted, strict=True)})


def give_back(*, member_id: int, traces: Sequence[Mapping[str, Any] | None], part: Callable[[int], int]) -> None:
    """Free what the postings of one fact, one for each currency, used of caps and budgets, as far as it comes back.

    All in one call, since budgets are locked in ascending order.
    `part` returns the share of a whole that comes back now, as for points. When nothing more is left, so are the times.
    One statement; none when nothing was capped.
    """
    caps = [(key, part(points), part(times)) for trace in traces for key, points, times in cap_uses_in(trace)]
    budgets = sorted((budget_id, part(points)) for trace in traces for budget_id, points in budget_uses_in(trace))
    caps = [use for use in caps if use[1] or use[2]]
    budgets = [use for use in budgets if use[1]]
    if not caps and not budgets:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rewards_give_back(%s, %s::bigint[], %s::smallint[], %s::smallint[], %s::date[], %s::bigint[], %s::int[], "
            "%s::bigint[], %s::bigint[])",
            [
                member_id, *_columns([key for key, _, _ in caps]), [points for _, points, _ in caps],
                [times for _, _, times in caps], [budget_id for budget_id, _ in budgets], [points for _, points in budgets],
            ],
        )  # fmt: skip


def lock_budgets(*, budget_ids: Iterable[int]) -> None:
    """Lock whole budgets, ascending, for a transaction that takes from them many times: the first thing it does."""
    ids = sorted(set(budget_ids))
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM rewards_budgetslice WHERE budget_id = ANY (%s) ORDER BY budget_id, slice_no FOR NO KEY UPDATE",
                [ids],
            )


def set_budget(*, budget_id: int, total_points: int) -> None:
    """Set what a budget gives in all, and spread what is left over its slices, within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rewards_set_budget(%s, %s)", [budget_id, total_points])


def rebalance_budgets(*, at: datetime) -> int:
    """Set budgets to what the versions in force at a moment say, and spread what is left; return how many were touched.

    Each budget in a transaction of its own: purchases wait for one at a time, and shortly.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.id, v.budget_points
            FROM rewards_earnruleversion v JOIN rewards_earnrule r ON r.id = v.rule_id JOIN rewards_budget b ON b.id = r.budget_id
                CROSS JOIN LATERAL (
                    SELECT max(capacity - used) - min(capacity - used) AS skew
                    FROM rewards_budgetslice WHERE budget_id = b.id) s
            WHERE v.state = 'published' AND v.valid_from <= %s AND (v.valid_to IS NULL OR v.valid_to > %s)
                AND v.budget_points IS NOT NULL AND (v.budget_points <> b.total_points OR s.skew > 1)
            ORDER BY b.id LIMIT %s
            """,
            [at, at, _BUDGETS_AT_ONCE],
        )
        due = cursor.fetchall()
    for budget_id, total_points in due:
        with transaction.atomic():
            set_budget(budget_id=budget_id, total_points=total_points)
    return len(due)


def forget_day_counters(*, before_date: date) -> int:
    """Delete counters of days before a date, a bounded number at once; return how many were deleted.

    A return of goods bought on such a day no longer frees that day's cap, which nobody can use any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM rewards_capcounter WHERE id IN (SELECT id FROM rewards_capcounter WHERE period = 1 "
            "AND period_start < %s ORDER BY period_start LIMIT %s FOR UPDATE SKIP LOCKED)",
            [before_date, _DAYS_DELETED_AT_ONCE],
        )
        return cursor.rowcount


def _columns(keys: Sequence[CapKey]) -> list[list[Any]]:
    return [
        [key.rule_id for key in keys],
        [key.currency_id for key in keys],
        [int(key.period) for key in keys],
        [key.start for key in keys],
    ]
