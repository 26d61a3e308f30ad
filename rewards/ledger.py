"""The points ledger's only door: every posting is one call of a database function (rewards/migrations/sql).

Points are whole numbers. All functions run inside the caller's transaction and lock the member's account until its end.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.copying import copy_rows
from rewards.models import PointsCurrency
from rewards.refusals import RewardsRefusal


class InsufficientPoints(RewardsRefusal):
    """The member can not spend that many points now."""

    code = "insufficient_points"
    text = _("%(required)s points are needed, %(available)s are available.")


@dataclass(frozen=True, slots=True)
class Posting:
    """What one posting did: the changes it made and the balances after it, in points.

    `available` after earning or spending leaves out points past their expiry that are not yet booked as expired.
    `repeated` means the fact had been posted before and nothing changed now. `forgiven` are points of a return that had
    expired before they could be taken back.
    """

    repeated: bool
    transaction_id: int | None
    d_available: int
    d_pending: int
    d_debt: int
    available: int
    pending: int
    debt: int
    forgiven: int = 0


@dataclass(frozen=True, slots=True)
class BatchFact:
    """One fact for `post_batch`: points earned, or points taken back after a return (`origin` names the purchase)."""

    kind: Literal["earn", "return"]
    member_id: int
    points: int
    source: str
    natural_key: str
    happened_at: datetime
    available_at: datetime | None
    expires_at: datetime | None
    trace: dict[str, Any]
    origin: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What `post_batch` did for one fact, as in Posting."""

    repeated: bool
    d_available: int
    d_pending: int
    d_debt: int
    forgiven: int


_currency_ids: dict[str, int] = {}


def currency_id(code: str = "points") -> int:
    """Return the id of a points currency; ids never change, so they are looked up once per process."""
    if code not in _currency_ids:
        _currency_ids[code] = PointsCurrency.objects.values_list("id", flat=True).get(code=code)
    return _currency_ids[code]


def lock_account(*, member_id: int) -> None:
    """Lock the member's account (made when missing) until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (ledger_lock_account(%s, %s::smallint)).id", [member_id, currency_id()])


def lock_accounts(*, member_ids: Sequence[int]) -> None:
    """Lock the accounts of several members, ascending, until the end of the transaction; make those missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_pointsaccount (member_id, currency_id) "
            "SELECT m, %s FROM unnest(%s::bigint[]) AS m ORDER BY m ON CONFLICT DO NOTHING",
            [currency_id(), list(member_ids)],
        )
        cursor.execute(
            "SELECT 1 FROM rewards_pointsaccount WHERE member_id = ANY (%s) AND currency_id = %s ORDER BY id FOR NO KEY UPDATE",
            [list(member_ids), currency_id()],
        )


def lock_purchases(*, purchase_ids: Sequence[int]) -> None:
    """Lock purchases, ascending, until the end of the transaction, against other returns. Before any account."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_purchases(%s)", [list(purchase_ids)])


def accrue(
    *, member_id: int, points: int, source: str, natural_key: str, at: datetime,
    available_at: datetime, expires_at: datetime | None, by: Actor, trace: dict[str, Any],
) -> Posting:  # fmt: skip
    """Credit points as one lot that expires at `expires_at` (None: never). Points available at once repay arrears first."""
    return _call(
        "ledger_accrue", "%s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, %s, '', %s::jsonb",
        [member_id, currency_id(), points, source, natural_key, at, available_at, expires_at, by.kind, by.id, _compact(trace)],
    )  # fmt: skip


def burn(
    *, member_id: int, points: int, source: str, natural_key: str, at: datetime, by: Actor, trace: dict[str, Any]
) -> Posting:
    """Spend points, earliest expiry first. Raises InsufficientPoints; the caller's transaction must then roll back."""
    return _call(
        "ledger_burn", "%s, %s::smallint, %s, %s, %s, %s, %s, %s, '', %s::jsonb",
        [member_id, currency_id(), points, source, natural_key, at, by.kind, by.id, _compact(trace)],
    )  # fmt: skip


def take_back(
    *, member_id: int, points: int, source: str, natural_key: str, at: datetime, origin: tuple[str, str] | None,
    by: Actor, trace: dict[str, Any],
) -> Posting:  # fmt: skip
    """Take back points after a return: from the purchase's own lot, then other lots, the rest becomes arrears.

    `origin` is (source, order number) of the purchase, None when the sale is unknown.
    """
    origin_source, origin_key = origin or (None, None)
    return _call(
        "ledger_take_back", "%s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, %s, '', %s::jsonb",
        [member_id, currency_id(), points, source, natural_key, at, origin_source, origin_key, by.kind, by.id, _compact(trace)],
    )  # fmt: skip


def expire_accounts(*, account_ids: Sequence[int], at: datetime) -> list[tuple[int, int, int]]:
    """Expire what is due in these accounts; return (member id, lots, points) for each that lost points."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_id, lots, points FROM ledger_expire_accounts(%s, %s)", [at, list(account_ids)])
        return cursor.fetchall()


def release_account(*, account_id: int, at: datetime) -> int:
    """Make pending points available whose time has come; return how many points left the pending balance."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_release_account(%s, %s)", [at, account_id])
        return cursor.fetchone()[0]


def post_batch(facts: Iterable[BatchFact], *, by: Actor) -> list[BatchResult]:
    """Post many facts, in the order given within each member, set-based where that is possible; return their results in order.

    Same results as posting each one; the test tests/rewards/test_bulk.py holds the two equal.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE TEMP TABLE IF NOT EXISTS ledger_batch (
                ord int, kind smallint, member_id bigint, currency_id smallint, points bigint, source text, natural_key text,
                happened_at timestamptz, available_at timestamptz, expires_at timestamptz, origin_source text, origin_key text,
                actor_kind text, actor_id bigint, reason text, trace jsonb
            ) ON COMMIT DELETE ROWS
            """
        )
        cursor.execute("TRUNCATE ledger_batch")
        currency = currency_id()
        if not copy_rows("ledger_batch", (_batch_row(place, fact, currency, by) for place, fact in enumerate(facts))):
            return []
        cursor.execute("ANALYZE ledger_batch")
        cursor.execute(
            "SELECT ord, outcome, d_available, d_pending, d_debt, forgiven FROM ledger_post_batch() ORDER BY ord"
        )
        return [BatchResult(outcome == "repeated", a, p, d, f) for _, outcome, a, p, d, f in cursor.fetchall()]


def _batch_row(place: int, fact: BatchFact, currency: int, by: Actor) -> tuple[Any, ...]:
    kind = 1 if fact.kind == "earn" else 4
    return (
        place, kind, fact.member_id, currency, fact.points, fact.source, fact.natural_key, fact.happened_at, fact.available_at,
        fact.expires_at, *(fact.origin or (None, None)), by.kind, by.id, "", _compact(fact.trace),
    )  # fmt: skip


def _compact(trace: dict[str, Any]) -> str:
    return json.dumps(trace, separators=(",", ":"), ensure_ascii=False)


def _call(function: str, placeholders: str, params: list[Any]) -> Posting:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("The ledger is posted to inside the transaction of a service.")
    forgiven = "forgiven" if function == "ledger_take_back" else "0"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT outcome, transaction_id, d_available, d_pending, d_debt, available, pending, debt, {forgiven} "  # noqa: S608
            f"FROM {function}({placeholders})",
            params,
        )
        outcome, *figures = cursor.fetchone()
    if outcome == "insufficient":
        raise InsufficientPoints(required=params[2], available=figures[1])
    return Posting(outcome == "repeated", *figures)
