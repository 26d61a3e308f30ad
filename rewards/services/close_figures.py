"""The figures of a month from the ledger's history: a few grouped scans over the entries that belong to it.

Each month reads only what is its own: the entries of its days, and those recorded since the last lock that happened
earlier. What stood at its beginning is read from the month before it, never added up again.
"""

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from rewards.liability import Cell
from rewards.models import CloseLine, LedgerEntry, Movement, VoucherEvent
from rewards.refusals import RewardsRefusal

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.05


class LedgerIsBusy(RewardsRefusal):
    """Postings that had begun did not end in time."""

    code = "ledger_is_busy"
    text = _("Points are being posted by a long piece of work. Try again in a minute.")
    status = 503


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries a month takes: up to `mark` by number, in [starts_at, ends_at) by day or late (after `mark_before`).

    With no month before it, `begins` is true: what happened earlier is its opening balance.
    """

    currency_id: int
    month: date
    starts_at: datetime
    ends_at: datetime
    mark: int
    mark_before: int
    begins: bool
    zone: str


@dataclass(frozen=True, slots=True)
class Total:
    """A movement in all: points, their effect on the four balances, and how many entries. `early`: before the month."""

    early: bool
    movement: int
    points: int
    available: int
    pending: int
    held: int
    arrears: int
    entries: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A source, a store or a tier, or the arrears beside them."""

    part: int
    is_arrears: bool = False
    origin: int | None = None
    store_id: int | None = None
    tier_code: str = ""


@dataclass(frozen=True, slots=True)
class PartTotal:
    """A movement of one bucket, in points."""

    early: bool
    movement: int
    bucket: Bucket
    points: int


# What a transaction is in the roll-forward. What gives a debit back counts where the debit counted, except that
# redemptions and expiries given back have columns of their own; so has a wrong credit that was taken back.
_MOVEMENT = f"""
    CASE t.kind
        WHEN 1 THEN {Movement.EARNED} WHEN 3 THEN {Movement.REDEEMED} WHEN 7 THEN {Movement.REDEEMED}
        WHEN 4 THEN {Movement.RETURNED} WHEN 5 THEN {Movement.EXPIRED} WHEN 10 THEN {Movement.ADJUSTED}
        WHEN 9 THEN CASE r.kind WHEN 5 THEN {Movement.REINSTATED} WHEN 10 THEN {Movement.ADJUSTED}
                         WHEN 12 THEN {Movement.DONATED} WHEN 13 THEN {Movement.PARTNER_OUT} ELSE {Movement.RESTORED} END
        WHEN 15 THEN CASE r.kind WHEN 10 THEN {Movement.ADJUSTED} WHEN 14 THEN {Movement.PARTNER_IN} ELSE {Movement.CORRECTED} END
        WHEN 11 THEN {Movement.TRANSFERRED} WHEN 17 THEN {Movement.TRANSFERRED} WHEN 17 THEN {Movement.TRANSFERRED} WHEN 12 THEN {Movement.DONATED} WHEN 13 THEN {Movement.PARTNER_OUT}
        WHEN 14 THEN {Movement.PARTNER_IN} WHEN 16 THEN {Movement.WRITTEN_OFF} ELSE {Movement.INTERNAL} END"""

_COLLECT = f"""
    INSERT INTO close_entry
    SELECT e.id, t.id, e.happened_at < %(starts_at)s,
        CASE WHEN %(begins)s AND e.happened_at < %(starts_at)s
             THEN date_trunc('month', e.happened_at AT TIME ZONE %(zone)s)::date ELSE %(month)s END,
        {_MOVEMENT}, e.d_available, e.d_pending, e.d_held, e.d_debt
    FROM (
        SELECT * FROM rewards_ledgerentry WHERE happened_at >= %(starts_at)s AND happened_at < %(ends_at)s AND id <= %(mark)s
        UNION ALL
        SELECT * FROM rewards_ledgerentry WHERE id > %(mark_before)s AND id <= %(mark)s AND happened_at < %(starts_at)s
    ) AS e
    JOIN rewards_ledgertransaction t ON t.id = e.transaction_id AND t.currency_id = %(currency_id)s
    LEFT JOIN rewards_ledgertransaction r ON r.id = t.reverses_id AND t.kind IN (9, 15)"""  # noqa: S608

_TOTALS = """
    SELECT early, movement, sum(d_available + d_pending + d_held - d_debt), sum(d_available), sum(d_pending), sum(d_held),
        sum(d_debt), count(*)
    FROM close_entry GROUP BY early, movement ORDER BY early, movement"""

# A point belongs to the lot it lies in, and the lot to what issued it. Arrears lie in no lot.
_PARTS = """
    SELECT grouping(origin), grouping(store_id), grouping(tier_code), early, movement, is_arrears, origin, store_id, tier_code,
        vintage, month, sum(points), sum(points) FILTER (WHERE is_issue)
    FROM (
        SELECT c.early, c.movement, c.month, false AS is_arrears, l.origin, i.store_id, i.tier_code,
            date_trunc('month', i.happened_at AT TIME ZONE %(zone)s)::date AS vintage,
            c.transaction_id = l.transaction_id AS is_issue, m.d_remaining + m.d_held AS points
        FROM close_entry c
        JOIN rewards_lotmove m ON m.entry_id = c.entry_id
        JOIN rewards_lot l ON l.id = m.lot_id
        JOIN rewards_ledgertransaction i ON i.id = l.transaction_id
        WHERE m.d_remaining + m.d_held <> 0 AND m.entry_id BETWEEN %(lowest)s AND %(highest)s
        UNION ALL
        SELECT early, movement, month, true, NULL, NULL, '', NULL, false, -d_debt FROM close_entry WHERE d_debt <> 0
    ) AS moved
    GROUP BY GROUPING SETS (
        (early, movement, is_arrears, origin), (early, movement, is_arrears, store_id), (early, movement, is_arrears, tier_code),
        (movement, is_arrears, vintage, month))"""

# What the accounts would say had nothing come after this month: what they say now, less all that no close has taken.
_BALANCES = """
    SELECT (SELECT coalesce(sum(available + pending + held - debt), 0) FROM rewards_pointsaccount WHERE currency_id = %(currency_id)s)
        - (SELECT coalesce(sum(e.d_available + e.d_pending + e.d_held - e.d_debt), 0)
           FROM (SELECT * FROM rewards_ledgerentry WHERE happened_at >= %(ends_at)s AND id <= %(mark)s
                 UNION ALL SELECT * FROM rewards_ledgerentry WHERE id > %(mark)s) AS e
           JOIN rewards_pointsaccount a ON a.id = e.account_id AND a.currency_id = %(currency_id)s)"""

# Who has written rows, or is about to number one, holds this lock on the table until the end of the transaction.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"""

_USED = {Movement.REDEEMED, Movement.RESTORED, Movement.DONATED, Movement.PARTNER_OUT}
_EXPIRED = {Movement.EXPIRED, Movement.REINSTATED}


def settled_mark(
    *, patience_seconds: float = _PATIENCE_SECONDS, model: type[LedgerEntry | VoucherEvent] = LedgerEntry
) -> int:
    """Return the number of a history's latest row, once every row numbered up to it is either committed or will never be.

    Numbers are given before the commit, so an earlier number may commit later: the transactions under way are waited for,
    without keeping anybody from writing. Raises LedgerIsBusy when one of them takes longer than the patience.
    """
    mark: int = model.objects.aggregate(mark=Max("pk"))["mark"] or 0
    writers = _writers(model._meta.db_table)
    for _poll in range(int(patience_seconds / _POLL_SECONDS)):
        if not writers:
            break
        time.sleep(_POLL_SECONDS)
        writers &= _writers(model._meta.db_table)
    if writers:
        raise LedgerIsBusy
    return mark


def _writers(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [table])
        return {row[0] for row in cursor.fetchall()}


def collect(span: Span) -> None:
    """Put the entries of the month, each with its movement, into a temporary table of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '30min'")  # the first close of a long history takes its time
        # One month of a long history: look its rows up, do not read the whole tables to find them.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS close_entry (entry_id bigint, transaction_id bigint, early boolean, month date, "
            "movement smallint, d_available bigint, d_pending bigint, d_held bigint, d_debt bigint) ON COMMIT DELETE ROWS"
        )
        cursor.execute("TRUNCATE close_entry")
        cursor.execute(_COLLECT, _params(span))
        cursor.execute("ANALYZE close_entry")


def totals() -> list[Total]:
    """Return the collected entries by movement."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS)
        return [Total(*row) for row in cursor.fetchall()]


def parts(span: Span) -> tuple[list[PartTotal], list[Cell]]:
    """Return the collected entries by source, by store and by tier, without movements of 0; and by month of issue and age."""
    found: list[PartTotal] = []
    cells: list[Cell] = []
    with connection.cursor() as cursor:
        # Said as numbers, so that the planner sees how small a stretch of the moves the month is.
        cursor.execute("SELECT coalesce(min(entry_id), 0), coalesce(max(entry_id), 0) FROM close_entry")
        lowest, highest = cursor.fetchone()
        cursor.execute(_PARTS, {**_params(span), "lowest": lowest, "highest": highest})
        for (
            no_origin,
            no_store,
            no_tier,
            early,
            movement,
            arrears,
            origin,
            store,
            tier,
            vintage,
            month,
            points,
            issued,
        ) in cursor.fetchall():
            if no_origin and no_store and no_tier:
                if not arrears:
                    cells.append(_cell(movement, vintage, month, int(points), int(issued or 0)))
                continue
            part = (
                CloseLine.Part.STORE if not no_store else CloseLine.Part.TIER if not no_tier else CloseLine.Part.SOURCE
            )
            if points:
                bucket = Bucket(part.value, arrears, origin, store, tier or "")
                found.append(PartTotal(early, movement, bucket, int(points)))
    return found, cells


def _cell(movement: int, vintage: date, month: date, points: int, issued: int) -> Cell:
    age = max(0, (month.year - vintage.year) * 12 + month.month - vintage.month)
    others = points - issued
    if movement in _USED:
        return Cell(vintage, age, issued=issued, used=-others)
    if movement in _EXPIRED:
        return Cell(vintage, age, issued=issued, expired=-others)
    return Cell(vintage, age, issued=issued, withdrawn=-others)


def balance_by_accounts(span: Span) -> int:
    """Return what the accounts say stood at the end of the month, in points: one statement, so one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, _params(span))
        return int(cursor.fetchone()[0])


def first_fact_at(currency_id: int) -> datetime | None:
    """Return when the first entry of a currency happened; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.happened_at FROM rewards_ledgerentry e JOIN rewards_ledgertransaction t ON t.id = e.transaction_id "
            "WHERE t.currency_id = %s ORDER BY e.happened_at, e.id LIMIT 1",
            [currency_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _params(span: Span) -> dict[str, Any]:
    return {
        "currency_id": span.currency_id, "month": span.month, "starts_at": span.starts_at, "ends_at": span.ends_at,
        "mark": span.mark, "mark_before": span.mark_before, "begins": span.begins, "zone": span.zone,
    }  # fmt: skip
