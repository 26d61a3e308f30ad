"""Vouchers: their codes, their use at the till, their end.

A code is 80 bits derived from a secret and the voucher's public id, so it is stored nowhere; a keyed hash finds it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.models import Member
from members.queries import status_sql
from rewards import events
from rewards.models import Voucher, VoucherEvent, VoucherTemplate
from rewards.refusals import RewardsRefusal
from rewards.services.orders import check_active

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


class VoucherNotUsable(RewardsRefusal):
    """No voucher that could be used has this code. One answer for every wrong code."""

    code = "voucher_not_usable"
    explains = True
    text = _("This voucher code can not be used.")


class VoucherUsed(RewardsRefusal):
    """The voucher was used before."""

    code = "voucher_used"
    explains = True
    text = _("This voucher was used before.")


class VoucherExpired(RewardsRefusal):
    """The voucher is past its end."""

    code = "voucher_expired"
    explains = True
    text = _("This voucher has expired.")


class MinSpendNotReached(RewardsRefusal):
    """The order is too small for the voucher."""

    code = "min_spend"
    explains = True
    text = _("This voucher needs an order of %(required)s or more; this one is %(spend)s.")


@dataclass(frozen=True, slots=True)
class VoucherReceipt:
    """What a used voucher gives. `off_amount` is None for an exchange voucher."""

    voucher: Voucher
    off_amount: Decimal | None
    already_used_here: bool


def voucher_code(public_id: UUID) -> str:
    """Return the code of a voucher, for its owner's eyes: four groups of four."""
    digest = hmac.digest(settings.CODE_SECRET.encode(), b"voucher-code:" + public_id.bytes, hashlib.sha256)
    number = int.from_bytes(digest[:10])
    code = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5))
    return "-".join(code[i : i + 4] for i in range(0, 16, 4))


def code_hmac(code: str) -> bytes:
    """Return the look-up key of a code; spaces, hyphens, case and easily misread letters do not matter."""
    plain = code.upper().translate(_MISREAD)
    return hmac.digest(settings.CODE_SECRET.encode(), b"voucher-lookup:" + plain.encode(), hashlib.sha256)


def new_voucher(*, public_id: UUID, member_id: int, template: VoucherTemplate, at: datetime) -> Voucher:
    """Return a voucher that is valid from `at`, not yet written: whoever issues it writes it with its first event."""
    return Voucher(
        public_id=public_id,
        member_id=member_id,
        template=template,
        code_hmac=code_hmac(voucher_code(public_id)),
        state=Voucher.State.ISSUED,
        issued_at=at,
        expires_at=at + timedelta(days=template.validity_days),
    )


@transaction.atomic
def use_voucher(
    *, code: str, store_id: int | None, external_order_no: str, spend_amount: Decimal | None, by: Actor, at: datetime
) -> VoucherReceipt:
    """Use a voucher for an order. Using it again for the same order in the same store returns the first answer.

    `spend_amount` is the order's total before the voucher; None skips nothing: a voucher with a least spend then refuses.
    Raises VoucherNotUsable, VoucherUsed, VoucherExpired, MinSpendNotReached, MemberFrozen, MemberClosed.
    """
    key = code_hmac(code)
    # The member first: an erasure ends the vouchers of a member whom it has locked.
    bearer = _hold_bearer_of(key)
    if bearer is None:
        raise VoucherNotUsable
    voucher = Voucher.objects.select_for_update(no_key=True, of=("self",)).select_related("template").get(code_hmac=key)
    template = voucher.template
    if voucher.state == Voucher.State.USED:
        last = voucher.events.filter(to_state=Voucher.State.USED).last()
        if last and (last.store_id, last.external_order_no) == (store_id, external_order_no):
            return VoucherReceipt(voucher, template.off_amount, True)
        raise VoucherUsed().about(voucher.member_id)
    check_active(*bearer)
    if voucher.state == Voucher.State.EXPIRED or voucher.expires_at <= at:
        raise VoucherExpired().about(voucher.member_id)
    if template.min_spend_amount and (spend_amount is None or spend_amount < template.min_spend_amount):
        refusal = MinSpendNotReached(required=str(template.min_spend_amount), spend=str(spend_amount or 0))
        raise refusal.about(voucher.member_id)
    voucher.state = Voucher.State.USED
    voucher.save(update_fields=["state"])
    VoucherEvent.objects.create(
        voucher=voucher, from_state=Voucher.State.ISSUED, to_state=Voucher.State.USED, store_id=store_id,
        external_order_no=external_order_no, actor_kind=by.kind, actor_id=by.id, happened_at=at,
    )  # fmt: skip
    timeline.record([
        events.voucher_used(
            voucher_id=voucher.pk, template_id=template.pk, member_id=voucher.member_id, store_id=store_id,
            order_no=external_order_no, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return VoucherReceipt(voucher, template.off_amount, False)


def _hold_bearer_of(key: bytes) -> tuple[str, str] | None:
    """Keep the member of a voucher as it is until the end of the transaction; None where no voucher has this code.

    Returns the number, and the status as far as spending goes, of who uses it: a merged member's vouchers are the survivor's.
    """
    status = status_sql(Member.Act.SPEND)
    held = f"SELECT member_no, {status}, merged_into_id FROM members_member WHERE id = (%s) FOR SHARE"  # noqa: S608
    by_code = held % "SELECT member_id FROM rewards_voucher WHERE code_hmac = %s"
    with connection.cursor() as cursor:
        cursor.execute(by_code, [key])
        found = cursor.fetchone()
        if found is not None and found[2] is not None:
            cursor.execute(held, [found[2]])
            found = cursor.fetchone()
    return (found[0], found[1]) if found else None


@transaction.atomic
def expire_due_vouchers(*, at: datetime, by: Actor, limit: int = 2000) -> int:
    """Close at most `limit` vouchers whose end has come; return how many. Safe beside itself and beside a till."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id FROM rewards_voucher WHERE state = 'issued' AND expires_at <= %s
                ORDER BY expires_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
            ), ended AS (
                UPDATE rewards_voucher v SET state = 'expired' FROM due WHERE v.id = due.id RETURNING v.id, v.member_id, v.expires_at
            ), noted AS (
                INSERT INTO rewards_voucherevent
                    (voucher_id, from_state, to_state, external_order_no, actor_kind, actor_id, happened_at)
                SELECT id, 'issued', 'expired', '', %s, %s, expires_at FROM ended
            )
            SELECT id, member_id, expires_at FROM ended
            """,
            [at, limit, by.kind, by.id],
        )
        ended = cursor.fetchall()
    timeline.record_many(
        events.voucher_expired(voucher_id=pk, member_id=member_id, happened_at=expired_at, by=by)
        for pk, member_id, expired_at in ended
    )
    return len(ended)
