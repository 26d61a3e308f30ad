"""Prove the ledger: every balance, lot and hash derived again from history. Each check names the rows that break it.

Checks are written as joins over grouped history (a correlated form is a hundred times slower after bulk work).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks an invariant."""

    check: str
    table: str
    row_id: int
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.table} row {self.row_id}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: the query returns (row id, detail) for each row that breaks it, and must return none."""

    name: str
    table: str
    sql: str


CHECKS = (
    Check("entry_hash", "rewards_ledgerentry", """
        SELECT e.id, 'the entry is not what was posted (member ' || e.member_id || ', number ' || e.seq || ')'
        FROM rewards_ledgerentry e JOIN rewards_ledgertransaction t ON t.id = e.transaction_id
        WHERE e.hash <> ledger_entry_hash(t.kind, t.source, t.natural_key, e.member_id, e.account_id, e.seq,
            e.d_available, e.d_pending, e.d_held, e.d_debt, e.available_after, e.pending_after, e.held_after, e.debt_after,
            e.contra, e.happened_at)"""),
    Check("balance_is_sum_of_entries", "rewards_pointsaccount", """
        SELECT a.id, format('member %%s: balance %%s/%%s/%%s/%%s, entries say %%s/%%s/%%s/%%s', a.member_id, a.available, a.pending, a.held,
            a.debt, coalesce(s.a, 0), coalesce(s.p, 0), coalesce(s.h, 0), coalesce(s.d, 0))
        FROM rewards_pointsaccount a LEFT JOIN (
            SELECT account_id, sum(d_available) AS a, sum(d_pending) AS p, sum(d_held) AS h, sum(d_debt) AS d
            FROM rewards_ledgerentry GROUP BY account_id) AS s ON s.account_id = a.id
        WHERE (a.available, a.pending, a.held, a.debt)
            IS DISTINCT FROM (coalesce(s.a, 0), coalesce(s.p, 0), coalesce(s.h, 0), coalesce(s.d, 0))"""),
    Check("balance_is_sum_of_lots", "rewards_pointsaccount", """
        SELECT a.id, format('member %%s: balance %%s/%%s/%%s, lots say %%s/%%s/%%s', a.member_id, a.available, a.pending, a.held,
            coalesce(s.live, 0), coalesce(s.pending, 0), coalesce(s.held, 0))
        FROM rewards_pointsaccount a LEFT JOIN (
            SELECT account_id, coalesce(sum(remaining) FILTER (WHERE state = 2), 0) AS live,
                   coalesce(sum(remaining) FILTER (WHERE state = 1), 0) AS pending, sum(held) AS held
            FROM rewards_lot GROUP BY account_id) AS s ON s.account_id = a.id
        WHERE (a.available, a.pending, a.held)
            IS DISTINCT FROM (coalesce(s.live, 0), coalesce(s.pending, 0), coalesce(s.held, 0))"""),
    Check("entries_are_numbered_without_gaps", "rewards_pointsaccount", """
        SELECT a.id, format('member %%s: %%s entries, last number %%s, account says %%s', a.member_id, coalesce(s.n, 0), coalesce(s.m, 0), a.seq)
        FROM rewards_pointsaccount a LEFT JOIN (
            SELECT account_id, count(*) AS n, max(seq) AS m FROM rewards_ledgerentry GROUP BY account_id) AS s ON s.account_id = a.id
        WHERE a.seq <> coalesce(s.n, 0) OR a.seq <> coalesce(s.m, 0)"""),
    Check("balance_after_follows_from_the_entry_before", "rewards_ledgerentry", """
        SELECT id, 'the balance after it does not follow from the entry before it' FROM (
            SELECT id,
                available_after - d_available - lag(available_after, 1, 0::bigint) OVER w AS a,
                pending_after - d_pending - lag(pending_after, 1, 0::bigint) OVER w AS p,
                held_after - d_held - lag(held_after, 1, 0::bigint) OVER w AS h,
                debt_after - d_debt - lag(debt_after, 1, 0::bigint) OVER w AS d
            FROM rewards_ledgerentry WINDOW w AS (PARTITION BY account_id ORDER BY seq)) AS x
        WHERE a <> 0 OR p <> 0 OR h <> 0 OR d <> 0"""),
    Check("lot_is_sum_of_moves", "rewards_lot", """
        SELECT l.id, format('member %%s: %%s left and %%s held, moves say %%s and %%s', l.member_id, l.remaining, l.held,
            coalesce(s.r, 0), coalesce(s.h, 0))
        FROM rewards_lot l LEFT JOIN (
            SELECT lot_id, sum(d_remaining) AS r, sum(d_held) AS h FROM rewards_lotmove GROUP BY lot_id) AS s ON s.lot_id = l.id
        WHERE (l.remaining, l.held) IS DISTINCT FROM (coalesce(s.r, 0), coalesce(s.h, 0))"""),
    Check("entry_is_sum_of_moves", "rewards_ledgerentry", """
        SELECT e.id, format('it moves %%s points, its lot moves say %%s', e.d_available + e.d_pending + e.d_held, coalesce(s.r, 0))
        FROM rewards_ledgerentry e LEFT JOIN (
            SELECT entry_id, sum(d_remaining + d_held) AS r FROM rewards_lotmove GROUP BY entry_id) AS s ON s.entry_id = e.id
        WHERE e.d_available + e.d_pending + e.d_held <> coalesce(s.r, 0)"""),
    Check("return_takes_no_more_than_was_earned", "rewards_ledgertransaction", """
        SELECT t.reverses_id, format('returns took back %%s of %%s points', sum(-(e.d_available + e.d_pending) + e.d_debt), max(l.amount))
        FROM rewards_ledgertransaction t
        JOIN rewards_ledgerentry e ON e.transaction_id = t.id
        JOIN rewards_lot l ON l.transaction_id = t.reverses_id
        WHERE t.kind = 4 AND t.reverses_id IS NOT NULL
        GROUP BY t.reverses_id HAVING sum(-(e.d_available + e.d_pending) + e.d_debt) > max(l.amount)"""),
    Check("hold_is_sum_of_its_lots", "rewards_hold", """
        SELECT h.id, format('it holds %%s, its lots say %%s', h.points, coalesce(s.p, 0))
        FROM rewards_hold h LEFT JOIN (SELECT hold_id, sum(points) AS p FROM rewards_holdlot GROUP BY hold_id) AS s ON s.hold_id = h.id
        WHERE h.points <> coalesce(s.p, 0)"""),
    Check("every_member_purchase_is_posted", "rewards_purchase", """
        SELECT p.id, 'order ' || p.external_order_no || ' has no posting'
        FROM rewards_purchase p LEFT JOIN rewards_ledgertransaction t
            ON t.kind = 1 AND t.source = p.source AND t.natural_key = p.external_order_no
        WHERE p.member_id IS NOT NULL AND (t.id IS NULL OR t.member_id <> p.member_id)"""),
    Check("every_redemption_is_paid", "rewards_redemption", """
        SELECT r.id, 'it cost ' || r.price_points || ', the ledger says ' || coalesce(-e.d_available, 0)
        FROM rewards_redemption r
        LEFT JOIN rewards_ledgertransaction t ON t.kind = 3 AND t.source = 'redemption' AND t.natural_key = r.request_id
        LEFT JOIN rewards_ledgerentry e ON e.transaction_id = t.id
        WHERE coalesce(-e.d_available, 0) <> r.price_points"""),
    Check("due_lots_are_expired", "rewards_lot", """
    SELECT id, format('member %%s: %%s points were due at %%s', member_id, remaining, expires_at)
    FROM rewards_lot WHERE remaining > 0 AND expires_at < %(at)s::timestamptz - interval '26 hours'"""),
)  # fmt: skip


def verify(*, at: datetime, limit: int = 20) -> Iterator[Finding]:
    """Run every check and yield what breaks, at most `limit` rows each; nothing when the ledger is sound.

    The last check asks whether expiry is on time: the daily run plus two hours of grace.
    """
    for check in CHECKS:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '30min'")  # a proof of millions of entries takes its time
            cursor.execute(f"{check.sql} ORDER BY 1 LIMIT %(limit)s", {"at": at, "limit": limit})
            for row_id, detail in cursor.fetchall():
                yield Finding(check.name, check.table, row_id, detail)
