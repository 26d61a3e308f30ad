"""What a source tells of an order, and the noes that orders and returns share."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.freeze_words import TellsFreeze
from members.models import Member
from members.queries import status_sql
from rewards.refusals import RewardsRefusal

CLOCK_TOLERANCE = timedelta(minutes=10)


class OrderConflict(RewardsRefusal):
    """The order number is known with another content."""

    code = "order_conflict"
    text = _("Order %(order_no)s was recorded before with another content.")


class OrderInFuture(RewardsRefusal):
    """The order claims to be from later than now."""

    code = "order_in_future"
    status = 422
    text = _("Order %(order_no)s is dated later than now.")


class MemberFrozen(TellsFreeze, RewardsRefusal):
    """The member is frozen."""

    code = "member_frozen"
    text = _("Member %(member_no)s is frozen and can not do this.")


class MemberClosed(RewardsRefusal):
    """The member has left the programme."""

    code = "member_closed"
    text = _("Member %(member_no)s has left the programme.")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order. Amount in the programme's currency after discounts; `earns` is off for postage, fees and the like."""

    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    earns: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its source tells it. `member_id` is None for people who are not members."""

    source: str
    external_order_no: str
    member_id: int | None
    channel_id: int
    store_id: int | None
    ordered_at: datetime
    lines: tuple[OrderLine, ...]
    original_currency: str = ""
    original_amount: Decimal | None = None
    exchange_rate: Decimal | None = None
    payer: bytes | None = None  # a keyed hash (rewards.services.payers); no part of what the order says

    @property
    def total_amount(self) -> Decimal:
        """Sum of the lines."""
        return sum((line.amount for line in self.lines), Decimal(0))

    def fingerprint(self) -> bytes:
        """SHA-256 of what the order says; the same order has the same one however it arrives."""
        parts = [str(self.member_id), str(self.store_id), self.ordered_at.astimezone(UTC).isoformat()]
        for line in self.lines:
            parts += [
                line.sku,
                format(line.quantity.normalize(), "f"),
                format(line.amount.normalize(), "f"),
                str(line.earns),
            ]
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


def hold_active(member_id: int, act: Member.Act) -> None:
    """Refuse unless the member may do this, and keep it so until the end of the transaction: a freeze waits for us, or we see it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT member_no, {status_sql(act)} FROM members_member WHERE id = %s FOR SHARE",  # noqa: S608
            [member_id],
        )
        check_active(*cursor.fetchone())


def hold_bearer(member_id: int) -> int:
    """Return `hold_bearers` of one member."""
    return hold_bearers([member_id])[member_id]


def hold_bearers(member_ids: Iterable[int]) -> dict[int, int]:
    """Return by id to whom what is told of members is posted (a survivor where one was merged), and keep it so until the end
    of the transaction.

    Survivors are held after those who were named: a merge that is waited for changes to whom a name leads.
    """
    return _hold_bearers(member_ids, "SHARE")


def hold_bearers_alone(member_ids: Iterable[int]) -> dict[int, int]:
    """Return `hold_bearers`, and let nobody else hold them meanwhile: for who counts what they have before giving more."""
    named = list(member_ids)
    merged = Member.objects.filter(pk__in=named, merged_into__isnull=False)
    # All ascending, as far as it is known before: those who hold alone would else wait for each other.
    return _hold_bearers([*named, *merged.values_list("merged_into_id", flat=True)], "NO KEY UPDATE")


def _hold_bearers(member_ids: Iterable[int], strength: str) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, coalesce(merged_into_id, id) FROM members_member WHERE id = ANY (%s) ORDER BY id FOR {strength}",  # noqa: S608
            [list(member_ids)],
        )
        bearers = dict(cursor.fetchall())
        others = sorted(set(bearers.values()) - bearers.keys())
        if others:
            cursor.execute(f"SELECT 1 FROM members_member WHERE id = ANY (%s) ORDER BY id FOR {strength}", [others])  # noqa: S608
    return bearers


def check_active(member_no: str, status: str) -> None:
    """Raise MemberFrozen or MemberClosed unless the status is active."""
    if status == Member.Status.FROZEN:
        raise MemberFrozen(member_no=member_no)
    if status == Member.Status.CLOSED:
        raise MemberClosed(member_no=member_no)
