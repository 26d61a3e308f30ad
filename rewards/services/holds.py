"""Points set aside while an order is paid: held, then redeemed or given back. A hold past its end gives back by itself."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.db import DatabaseError, connection, transaction

from members import timeline
from members.actors import SYSTEM, Actor
from members.models import Member
from members.services.phone_change import refuse_cooling
from rewards import events, ledger
from rewards.models import Hold, LedgerTransaction
from rewards.policies import ledger_policy, unless_default
from rewards.services.orders import OrderConflict, hold_active

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HoldReceipt:
    """A hold as it stands: points, its end, and what the member can still spend."""

    hold_id: int
    points: int
    expires_at: datetime
    available: int
    already_recorded: bool


@dataclass(frozen=True, slots=True)
class SpendingReceipt:
    """Points that were spent on an order, and what the member can spend after it."""

    points: int
    available: int
    already_recorded: bool


@transaction.atomic
def hold_points(
    *, member_id: int, points: int, source: str, external_ref: str, by: Actor, at: datetime, minutes: int | None = None,
    currency_id: int | None = None, store_id: int | None = None,
) -> HoldReceipt:  # fmt: skip
    """Set points aside for some minutes (those of the currency's policy; at most a day). `external_ref` names the wish for ever.

    A repeat returns the hold that was made. Raises InsufficientPoints, OrderConflict, MemberFrozen, MemberClosed, CoolingDown.
    """
    hold_active(member_id, Member.Act.SPEND)
    refuse_cooling(member_id=member_id, at=at)
    policy = ledger_policy(currency_id or ledger.currency_id())
    expires_at = at + min(timedelta(minutes=minutes or policy.hold_minutes), LONGEST)
    posting = ledger.hold(
        member_id=member_id, points=points, expires_at=expires_at, source=source, natural_key=external_ref, at=at, by=by,
        currency_id=currency_id, store_id=store_id, trace={"v": 2, "kind": "hold", "points": points},
    )  # fmt: skip
    hold = Hold.objects.get(pk=cast(int, posting.hold_id))  # a posting of a hold names it
    if posting.repeated and (hold.member_id, hold.points) != (member_id, points):
        raise OrderConflict(order_no=external_ref)
    if not posting.repeated:
        timeline.record([
            events.points_held(
                member_id=member_id, hold_id=hold.pk, points=points, currency_id=unless_default(currency_id), until=expires_at,
                happened_at=at, by=by,
            )
        ])  # fmt: skip
    return HoldReceipt(hold.pk, hold.points, hold.expires_at, posting.available, posting.repeated)


@transaction.atomic
def spend_hold(
    *, hold_id: int, source: str, external_order_no: str, by: Actor, at: datetime, points: int | None = None,
    store_id: int | None = None,
) -> SpendingReceipt:  # fmt: skip
    """Spend points that were set aside (None: all) on an order; the rest goes back. A return of the order gives them back.

    Raises HoldNotOpen, HoldTooSmall, OrderConflict, MemberFrozen, MemberClosed.
    """
    hold = Hold.objects.select_related("account").get(pk=hold_id)
    hold_active(hold.member_id, Member.Act.SPEND)
    spent = hold.points if points is None else points
    posting = ledger.capture(
        hold_id=hold_id, points=points, source=source, natural_key=external_order_no, at=at, by=by, store_id=store_id,
        trace={"v": 2, "kind": "payment", "points": spent, "order": external_order_no},
    )  # fmt: skip
    if posting.repeated:
        currency = hold.account.currency_id
        _refuse_another(LedgerTransaction.Kind.CAPTURE, source, external_order_no, currency, hold.member_id, spent)
    else:
        timeline.record([
            events.points_spent(
                member_id=hold.member_id, points=spent, currency_id=hold.account.currency_id, order_no=external_order_no,
                happened_at=at, by=by,
            )
        ])  # fmt: skip
    return SpendingReceipt(spent, posting.available, posting.repeated)


@transaction.atomic
def spend_on_order(
    *, member_id: int, points: int, source: str, external_order_no: str, by: Actor, at: datetime,
    currency_id: int | None = None, store_id: int | None = None,
) -> SpendingReceipt:  # fmt: skip
    """Spend points on an order at once, without a hold. A return of the order gives them back to their lots.

    Raises InsufficientPoints, OrderConflict, MemberFrozen, MemberClosed, CoolingDown.
    """
    hold_active(member_id, Member.Act.SPEND)
    refuse_cooling(member_id=member_id, at=at)
    posting = ledger.burn(
        member_id=member_id, points=points, source=source, natural_key=external_order_no, at=at, by=by,
        currency_id=currency_id, store_id=store_id, trace={"v": 2, "kind": "payment", "points": points, "order": external_order_no},
    )  # fmt: skip
    if posting.repeated:
        currency = currency_id or ledger.currency_id()
        _refuse_another(LedgerTransaction.Kind.REDEEM, source, external_order_no, currency, member_id, points)
    else:
        timeline.record([
            events.points_spent(
                member_id=member_id, points=points, currency_id=currency_id or ledger.currency_id(), order_no=external_order_no,
                happened_at=at, by=by,
            )
        ])  # fmt: skip
    return SpendingReceipt(points, posting.available, posting.repeated)


def _refuse_another(kind: int, source: str, order_no: str, currency_id: int, member_id: int, points: int) -> None:
    """Raise OrderConflict when what was posted under this order number is not what is told now."""
    known = LedgerTransaction.objects.prefetch_related("entries").get(
        kind=kind, source=source, natural_key=order_no, currency=currency_id
    )
    if (known.member_id, sum(entry.points_spent for entry in known.entries.all())) != (member_id, points):
        raise OrderConflict(order_no=order_no)


@transaction.atomic
def give_hold_back(*, hold_id: int, by: Actor, at: datetime, reason: str = "") -> None:
    """Give all points of an open hold back to their lots. Raises HoldNotOpen when they were redeemed."""
    hold = Hold.objects.select_related("account").get(pk=hold_id)
    posting = ledger.release_hold(hold_id=hold_id, expired=False, at=at, by=by, reason=reason)
    if not posting.repeated:
        timeline.record([_given_back(hold, expired=False, happened_at=at, by=by)])


def release_due_holds(*, at: datetime, limit: int = 10_000) -> int:
    """Give back the holds that are past their end, each by itself, and tell the timeline; return how many were open.

    Those that a posting of the account gave back before are told too. One that fails holds nobody up.
    """
    due = Hold.objects.filter(state=Hold.State.OPEN, expires_at__lte=at).order_by("expires_at")
    done = 0
    for hold_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '10s'")
                ledger.release_hold(hold_id=hold_id, expired=True, by=SYSTEM, at=at)
            done += 1
        except ledger.HoldNotOpen:
            continue  # spent or given back until we came to it
        except DatabaseError:
            if not connection.is_usable():  # the server is gone, not the hold wrong
                raise
            logger.exception("hold %s could not be given back", hold_id)
    _tell_of_expired(limit)
    return done


@transaction.atomic
def _tell_of_expired(limit: int) -> None:
    """Tell the timeline of holds that were given back because their time was up, whoever did it: each of them once."""
    untold = Hold.objects.filter(state=Hold.State.EXPIRED, is_told=False).order_by("pk")
    untold = untold.select_for_update(skip_locked=True, of=("self",), no_key=True)
    holds = list(untold.select_related("account", "closed_by")[:limit])
    if not holds:
        return
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(is_told=True)
    timeline.record_many(
        _given_back(hold, expired=True, happened_at=cast(LedgerTransaction, hold.closed_by).happened_at, by=SYSTEM)
        for hold in holds
    )


def _given_back(hold: Hold, *, expired: bool, happened_at: datetime, by: Actor) -> timeline.NewEntry:
    return events.hold_given_back(
        member_id=hold.member_id, hold_id=hold.pk, points=hold.points, currency_id=unless_default(hold.account.currency_id),
        expired=expired, happened_at=happened_at, by=by,
    )  # fmt: skip
