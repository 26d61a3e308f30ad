"""The points ledger's only door: every posting is one call of a database function (rewards/migrations/sql).

Points are whole numbers in the currency's minor unit. All functions run inside the caller's transaction and lock the
member's account until its end. Without `currency_id` they mean the default currency (积分).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import SYSTEM, Actor
from members.statements import Row, Statement, run
from rewards import events
from rewards.models import LedgerEntry, LedgerTransaction, Lot, PointsCurrency
from rewards.refusals import RewardsRefusal

Kind = LedgerTransaction.Kind
Contra = LedgerEntry.Contra
Origin = Lot.Origin


class InsufficientPoints(RewardsRefusal):
    """The member can not spend that many points now."""

    code = "insufficient_points"
    explains = True
    text = _("%(required)s points are needed, %(available)s are available.")


class NothingLeftToRestore(RewardsRefusal):
    """More is to be given back than is left of the posting."""

    code = "nothing_left_to_restore"
    text = _("%(required)s points were to be given back, %(left)s are left of this posting.")


class HoldNotOpen(RewardsRefusal):
    """The hold was redeemed, given back, or is past its end."""

    code = "hold_not_open"
    text = _("These points are not set aside any more.")


class HoldTooSmall(RewardsRefusal):
    """More is to be redeemed than was set aside."""

    code = "hold_too_small"
    text = _("%(required)s points were to be redeemed, %(held)s are set aside.")


class ArrearsTooSmall(RewardsRefusal):
    """More is to be forgiven than is owed."""

    code = "arrears_too_small"
    text = _("%(required)s points were to be forgiven, %(owed)s are owed.")


@dataclass(frozen=True, slots=True)
class NewLot:
    """Points that come in together: where they come from, from when they can be spent, when they expire (None: never)."""

    points: int
    origin: int
    available_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Posting:
    """What one posting did: the changes it made and the balances after it, in points.

    `available` leaves out points past their expiry that are not yet booked as expired. `repeated` means the fact had been
    posted before and nothing changed now. `forgiven` are points of a return that had expired before they could be taken
    back, `given_up` those that the policy of arrears lets go, `expired` what inactivity had ended before this posting.
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
    given_up: int = 0
    expired: int = 0
    hold_id: int | None = None


_POSTED = "SELECT outcome, transaction_id, d_available, d_pending, d_debt, available, pending, debt, forgiven, given_up, expired, hold_id"
_currency_ids: dict[str, int] = {}


def currency_id(code: str = "points") -> int:
    """Return the id of a points currency; ids never change, so they are looked up once per process."""
    if code not in _currency_ids:
        _currency_ids[code] = PointsCurrency.objects.values_list("id", flat=True).get(code=code)
    return _currency_ids[code]


def lock_account(*, member_id: int, currency: int | None = None) -> None:
    """Lock the member's account (made when missing) until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (ledger_lock_account(%s, %s::smallint)).id", [member_id, currency or currency_id()])


def lock_accounts(*, member_ids: Sequence[int], currency: int | None = None) -> None:
    """Lock the accounts of several members in one currency (the default one), ascending; make those missing."""
    points_currency = currency or currency_id()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_pointsaccount (member_id, currency_id) "
            "SELECT m, %s FROM unnest(%s::bigint[]) AS m ORDER BY m ON CONFLICT DO NOTHING",
            [points_currency, list(member_ids)],
        )
        cursor.execute(
            "SELECT 1 FROM rewards_pointsaccount WHERE member_id = ANY (%s) AND currency_id = %s ORDER BY id FOR NO KEY UPDATE",
            [list(member_ids), points_currency],
        )


def lock_purchases(*, purchase_ids: Sequence[int]) -> None:
    """Lock purchases, ascending, until the end of the transaction, against other returns. Before any account."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_purchases(%s)", [list(purchase_ids)])


def credit(
    *, kind: int, contra: int, member_id: int, lots: Sequence[NewLot], source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], now: datetime | None = None, currency_id: int | None = None, reason: str = "",
    store_id: int | None = None, tier_code: str = "", deadline_at: datetime | None = None,
) -> Posting:  # fmt: skip
    """Credit points as lots, in the order given. Points available at once repay arrears first.

    `deadline_at` pushes the inactivity deadline of the account. `now` is the moment for which the balance is told.
    """
    return run(
        credit_statement(
            kind=kind, contra=contra, member_id=member_id, lots=lots, source=source, natural_key=natural_key, at=at, by=by,
            trace=trace, now=now, currency_id=currency_id, reason=reason, store_id=store_id, tier_code=tier_code,
            deadline_at=deadline_at,
        )
    )  # fmt: skip


def credit_statement(
    *, kind: int, contra: int, member_id: int, lots: Sequence[NewLot], source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], now: datetime | None = None, currency_id: int | None = None, reason: str = "",
    store_id: int | None = None, tier_code: str = "", deadline_at: datetime | None = None,
) -> Statement[Posting]:  # fmt: skip
    """Return what credits points, for those who send it with others."""
    return _call_statement(
        "ledger_credit",
        "%s::smallint, %s::smallint, %s, %s::smallint, %s, %s, %s, %s, %s::bigint[], %s::smallint[], %s::timestamptz[], "
        "%s::timestamptz[], %s, %s, %s, %s, %s, %s, %s::jsonb",
        [
            kind, contra, member_id, currency_id or _default(), source, natural_key, at, now or at,
            [lot.points for lot in lots], [lot.origin for lot in lots], [lot.available_at for lot in lots],
            [lot.expires_at for lot in lots], deadline_at, by.kind, by.id, reason, store_id, tier_code, compact(trace),
        ],
        settled=(member_id, at),
    )  # fmt: skip


def accrue(
    *, member_id: int, lots: Sequence[NewLot], source: str, natural_key: str, at: datetime, by: Actor, trace: dict[str, Any],
    now: datetime | None = None, currency_id: int | None = None, store_id: int | None = None, tier_code: str = "",
    deadline_at: datetime | None = None,
) -> Posting:  # fmt: skip
    """Credit points that were earned, as `credit` does."""
    return credit(
        kind=Kind.EARN, contra=Contra.ISSUANCE, member_id=member_id, lots=lots, source=source, natural_key=natural_key, at=at,
        by=by, trace=trace, now=now, currency_id=currency_id, store_id=store_id, tier_code=tier_code, deadline_at=deadline_at,
    )  # fmt: skip


def debit(
    *, kind: int, contra: int, member_id: int, points: int, source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], currency_id: int | None = None, reason: str = "", store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Take points, earliest expiry first. Raises InsufficientPoints; the caller's transaction must then roll back."""
    return _call(
        "ledger_debit", "%s::smallint, %s::smallint, %s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb",
        [
            kind, contra, member_id, currency_id or _default(), points, source, natural_key, at, by.kind, by.id, reason,
            store_id, tier_code, compact(trace),
        ],
        asked=points,
    )  # fmt: skip


def burn(
    *, member_id: int, points: int, source: str, natural_key: str, at: datetime, by: Actor, trace: dict[str, Any],
    currency_id: int | None = None, store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Spend points on a reward or an order, as `debit` does."""
    return debit(
        kind=Kind.REDEEM, contra=Contra.REDEMPTION, member_id=member_id, points=points, source=source, natural_key=natural_key,
        at=at, by=by, trace=trace, currency_id=currency_id, store_id=store_id, tier_code=tier_code,
    )  # fmt: skip


def claw_back(
    *, kind: int, contra: int, member_id: int, points: int, origin_transaction_id: int | None, from_others: bool,
    debt_limit: int | None, source: str, natural_key: str, at: datetime, by: Actor, trace: dict[str, Any],
    currency_id: int | None = None, reason: str = "", store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Take back points of a credit: from its own lots, then (`from_others`) other lots, then arrears up to `debt_limit` in all.

    `debt_limit` None: no limit; 0: no arrears. Points of its lots that had expired are forgiven, the rest is given up.
    """
    return _call(
        "ledger_claw_back",
        "%s::smallint, %s::smallint, %s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb",
        [
            kind, contra, member_id, currency_id or _default(), points, origin_transaction_id, from_others, debt_limit, source,
            natural_key, at, by.kind, by.id, reason, store_id, tier_code, compact(trace),
        ],
    )  # fmt: skip


def restore(
    *, origin_transaction_id: int, points: int | None, days_min: int, source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], reason: str = "", store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Give points of a debit (None: all that is left of it) back to the very lots it ate; arrears are repaid before.

    A lot that would expire within `days_min` days lives that long; 0 leaves its expiry. Raises NothingLeftToRestore.
    """
    return _call(
        "ledger_restore", "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb",
        [
            origin_transaction_id, points, days_min, source, natural_key, at, by.kind, by.id, reason, store_id, tier_code,
            compact(trace),
        ],
        asked=points, settled=(None, at),
    )  # fmt: skip


def hold(
    *, member_id: int, points: int, expires_at: datetime, source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], currency_id: int | None = None, reason: str = "", store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Set points aside until `expires_at`, earliest expiry first; `hold_id` names the hold. Raises InsufficientPoints."""
    return _call(
        "ledger_hold", "%s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb",
        [
            member_id, currency_id or _default(), points, expires_at, source, natural_key, at, by.kind, by.id, reason, store_id,
            tier_code, compact(trace),
        ],
        asked=points,
    )  # fmt: skip


def capture(
    *, hold_id: int, points: int | None, source: str, natural_key: str, at: datetime, by: Actor, trace: dict[str, Any],
    reason: str = "", store_id: int | None = None, tier_code: str = "",
) -> Posting:  # fmt: skip
    """Redeem points that were set aside (None: all); the rest goes back to its lots. Raises HoldNotOpen, HoldTooSmall."""
    if points is not None and points < 1:
        raise ValueError("A capture redeems at least one point; release_hold gives all back.")
    return _close_hold(hold_id, points, False, source, natural_key, at, by, trace, reason, store_id, tier_code)


def release_hold(*, hold_id: int, expired: bool, at: datetime, by: Actor, reason: str = "") -> Posting:
    """Give all points of a hold back to their lots; arrears are repaid before. Raises HoldNotOpen when it was redeemed.

    Released twice, the second is `repeated`.
    """
    return _close_hold(
        hold_id, 0, expired, "hold", str(hold_id), at, by, {"v": 2, "kind": "hold_release"}, reason, None, ""
    )


def _close_hold(
    hold_id: int, points: int | None, expired: bool, source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], reason: str, store_id: int | None, tier_code: str,
) -> Posting:  # fmt: skip
    return _call(
        "ledger_close_hold", "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb",
        [hold_id, points, expired, source, natural_key, at, by.kind, by.id, reason, store_id, tier_code, compact(trace)],
        asked=points, too_much=HoldTooSmall, left_is="held",
    )  # fmt: skip


def transfer(
    *, from_member_id: int, to_member_id: int, points: int | None, source: str, natural_key: str, at: datetime, by: Actor,
    trace: dict[str, Any], currency_id: int | None = None, reason: str = "",
) -> Posting:  # fmt: skip
    """Move points (None: all that can be spent) to another member, lot by lot with their expiry.

    What the receiver owes is repaid first. Changes and balances told are the sender's. Raises InsufficientPoints.
    """
    if from_member_id == to_member_id:
        raise ValueError("Points are moved to another member.")
    return _call(
        "ledger_transfer", "%s, %s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, NULL, '', %s::jsonb",
        [
            from_member_id, to_member_id, currency_id or _default(), points, source, natural_key, at, by.kind, by.id, reason,
            compact(trace),
        ],
        asked=points, settled=(to_member_id, at),
    )  # fmt: skip


def write_off(
    *, member_id: int, points: int, source: str, natural_key: str, at: datetime, by: Actor, reason: str, trace: dict[str, Any],
    currency_id: int | None = None,
) -> Posting:  # fmt: skip
    """Forgive arrears. Raises ArrearsTooSmall."""
    return _call(
        "ledger_write_off", "%s, %s::smallint, %s, %s, %s, %s, %s, %s, %s, NULL, '', %s::jsonb",
        [member_id, currency_id or _default(), points, source, natural_key, at, by.kind, by.id, reason, compact(trace)],
        asked=points, too_much=ArrearsTooSmall, left_is="owed",
    )  # fmt: skip


def extend_lots(
    *, lots: Sequence[tuple[int, datetime]], source: str, natural_key: str, at: datetime, by: Actor, reason: str,
    trace: dict[str, Any],
) -> list[tuple[int, int, int]]:  # fmt: skip
    """Move the expiry of lots (id, new expiry) later; return (member id, lot id, points) of those moved.

    Lots that are empty, never expire, would be shortened, or were moved under this key already are passed over.
    """
    _inside_a_transaction()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, lot_id, points FROM ledger_extend_lots(%s::bigint[], %s::timestamptz[], %s, %s, %s, %s, %s, %s, %s::jsonb)",
            [
                [lot for lot, _ in lots], [moment for _, moment in lots], source, natural_key, at, by.kind, by.id, reason,
                compact(trace),
            ],
        )  # fmt: skip
        return cursor.fetchall()


def push_deadlines(*, account_ids: Sequence[int], deadline_at: datetime, happened_at: datetime) -> int:
    """Push the inactivity deadline of accounts after something their members did; return how many were pushed.

    Never back, and not when the deadline had passed by then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_push_deadlines(%s, %s, %s)", [list(account_ids), deadline_at, happened_at])
        return cursor.fetchone()[0]


def expire_accounts(*, account_ids: Sequence[int], at: datetime) -> list[tuple[int, int, int, int]]:
    """Expire what is due in these accounts; return (member id, lots, points, currency id) for each that lost points."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, lots, points, currency_id FROM ledger_expire_accounts(%s, %s)", [at, list(account_ids)]
        )
        return cursor.fetchall()


def release_account(*, account_id: int, at: datetime) -> int:
    """Make pending points available whose time has come; return how many points left the pending balance."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_release_account(%s, %s)", [at, account_id])
        return cursor.fetchone()[0]


def compact(trace: dict[str, Any]) -> str:
    """Return a trace as the JSON that is stored."""
    return json.dumps(trace, separators=(",", ":"), ensure_ascii=False)


def _default() -> int:
    return currency_id()


def _inside_a_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("The ledger is posted to inside the transaction of a service.")


def _call(function: str, placeholders: str, params: list[Any], **outcome: Any) -> Posting:
    return run(_call_statement(function, placeholders, params, **outcome))


def _call_statement(
    function: str, placeholders: str, params: list[Any], *, asked: int | None = None,
    too_much: type[RewardsRefusal] = NothingLeftToRestore, left_is: str = "left", settled: tuple[int | None, datetime] | None = None,
) -> Statement[Posting]:  # fmt: skip
    _inside_a_transaction()

    def read(rows: list[Row]) -> Posting:
        [(outcome, *figures)] = rows
        if outcome in ("posted", "repeated"):
            posting = Posting(outcome == "repeated", *figures)
            if posting.expired and settled is not None:
                _tell_expired(posting, *settled)
            return posting
        left = figures[1]
        if outcome == "insufficient":
            raise InsufficientPoints(required=asked or 1, available=left)
        if outcome in ("closed", "expired"):
            raise HoldNotOpen()
        raise too_much(required=asked or 0, **{left_is: left})

    return Statement(f"{_POSTED} FROM {function}({placeholders})", params, read)


def _tell_expired(posting: Posting, member_id: int | None, at: datetime) -> None:
    """Tell the timeline what inactivity had ended before this posting and was booked with it."""
    posted = LedgerTransaction.objects.get(pk=posting.transaction_id or 0)
    timeline.record([
        events.points_expired(
            member_id=member_id or posted.member_id, points=posting.expired, currency_id=posted.currency_id, lots=0,
            happened_at=at, by=SYSTEM,
        )
    ])  # fmt: skip
