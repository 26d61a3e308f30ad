"""Vouchers at the till and at their end: looked at, used, the use taken back, expired."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from members import timeline
from members.actors import Actor
from members.models import Member
from members.queries import family_ids, programme, status_sql
from rewards import events
from rewards.cart import CartLine, VoucherTerms, VoucherUse, below, elsewhere, too_little, untimely, used_alone
from rewards.events_vouchers import voucher_use_undone
from rewards.models import Voucher, VoucherTemplate
from rewards.services.orders import check_active
from rewards.services.voucher_budgets import give_back_budget
from rewards.services.voucher_codes import code_hmac, voucher_code
from rewards.services.voucher_holds import refuse_gone
from rewards.services.voucher_issue import VoucherNotIssued, check_may_issue, issue_vouchers
from rewards.services.voucher_moves import NOT_USED, end_lapsed_holds, move_vouchers
from rewards.services.voucher_refusals import (
    USE_REFUSALS,
    MinSpendNotReached,
    VoucherExpired,
    VoucherNotUsable,
    VoucherNotUsedHere,
    VoucherOfOrder,
    VoucherUndoTooLate,
    VoucherUsed,
    refusal_of,
)
from rewards.services.voucher_terms import lock_vouchers, terms_of, voucher_terms_of

__all__ = [
    "USE_REFUSALS",
    "Basket",
    "MinSpendNotReached",
    "VoucherExpired",
    "VoucherNotIssued",
    "VoucherNotUsable",
    "VoucherReceipt",
    "VoucherUsed",
    "check_may_issue",
    "code_hmac",
    "expire_due_vouchers",
    "issue_vouchers",
    "undo_voucher_use",
    "use_voucher",
    "voucher_code",
    "voucher_terms_of",
]

UNDO_FOR: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Basket:
    """What the till says of the order that a voucher is for. `lines` None: it says the sum at most."""

    spend_amount: Decimal | None = None
    lines: tuple[CartLine, ...] | None = None
    shipping_amount: Decimal = Decimal(0)
    channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class VoucherReceipt:
    """What a used voucher gives. `off_amount` is None where it is not money, or nobody said of how much it is taken off.

    `use` says how it is split over the lines, where the till gave them.
    """

    voucher: Voucher
    off_amount: Decimal | None
    already_used_here: bool
    use: VoucherUse | None = None


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Who uses a voucher: a merged member's vouchers are the survivor's."""

    voucher_id: int
    member_id: int
    member_no: str
    status: str


@transaction.atomic
def use_voucher(
    *,
    code: str,
    store_id: int | None,
    external_order_no: str,
    spend_amount: Decimal | None,
    by: Actor,
    at: datetime,
    source: str = "",
    basket: Basket | None = None,
) -> VoucherReceipt:
    """Use a voucher for an order. Using it again for the same order in the same store returns the first answer.

    `spend_amount` is the order's total before the voucher; None skips nothing: a voucher with a least spend then refuses.
    With the lines of the order in `basket` its goods are looked at too. Raises USE_REFUSALS, MemberFrozen, MemberClosed.
    """
    # The member first: an erasure ends the vouchers of a member whom it has locked.
    bearer = _hold_bearer_of(code_hmac(code))
    if bearer is None:
        raise VoucherNotUsable
    family = family_ids(bearer.member_id)
    (voucher,) = lock_vouchers([bearer.voucher_id], family)
    template = voucher.template
    if voucher.state == Voucher.State.USED and _was_used_for(voucher, store_id, external_order_no):
        return VoucherReceipt(voucher, voucher.used_off_amount, True)
    if voucher.state != Voucher.State.USED:
        check_active(bearer.member_no, bearer.status)
    refuse_gone(voucher, at)
    (terms,) = terms_of([voucher], family, at)
    use, off_amount = _worth(terms, store_id, basket or Basket(spend_amount), member_id=voucher.member_id, at=at)
    end_lapsed_holds([voucher], at=at, by=by)
    move_vouchers(
        [voucher], Voucher.State.USED, by=by, at=at, store_id=store_id, order_no=external_order_no, used_at=at,
        used_source=source, used_order_no=external_order_no, used_off_amount=off_amount,
    )  # fmt: skip
    timeline.record([
        events.voucher_used(
            voucher_id=voucher.pk, template_id=template.pk, member_id=voucher.member_id, store_id=store_id,
            order_no=external_order_no, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return VoucherReceipt(voucher, off_amount, False, use)


@transaction.atomic
def undo_voucher_use(
    *, code: str, store_id: int | None, external_order_no: str, by: Actor, at: datetime
) -> VoucherReceipt:
    """Take the use of a voucher for an order in a store back, within five minutes; again, the first answer is given.

    Raises VoucherNotUsable, VoucherNotUsedHere, VoucherUndoTooLate, VoucherOfOrder.
    """
    bearer = _hold_bearer_of(code_hmac(code))
    if bearer is None:
        raise VoucherNotUsable
    (voucher,) = lock_vouchers([bearer.voucher_id], family_ids(bearer.member_id))
    last = voucher.events.filter(to_state=Voucher.State.USED).order_by("-id").first()
    if last is None or (last.store_id, last.external_order_no) != (store_id, external_order_no):
        raise VoucherNotUsedHere
    if voucher.state != Voucher.State.USED:
        return VoucherReceipt(voucher, None, True)
    if last.from_state == Voucher.State.HELD:
        raise VoucherOfOrder(order_no=external_order_no)
    if at >= last.happened_at + UNDO_FOR:
        raise VoucherUndoTooLate(minutes=int(UNDO_FOR.total_seconds() // 60))
    off_amount = voucher.used_off_amount
    move_vouchers(
        [voucher], Voucher.State.ISSUED, by=by, at=at, reason="undone", store_id=store_id, order_no=external_order_no,
        **NOT_USED,
    )  # fmt: skip
    timeline.record([
        voucher_use_undone(
            voucher_id=voucher.pk, template_id=voucher.template_id, member_id=voucher.member_id, store_id=store_id,
            order_no=external_order_no, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return VoucherReceipt(voucher, off_amount, False)


@transaction.atomic
def expire_due_vouchers(*, at: datetime, by: Actor, limit: int = 2000) -> int:
    """Close at most `limit` vouchers whose end has come; return how many. Safe beside itself and beside a till.

    One that an order or a friend holds is closed once that is over. Budgets get back what was not used.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id FROM rewards_voucher WHERE state = 'issued' AND expires_at <= %s
                ORDER BY expires_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
            ), ended AS (
                UPDATE rewards_voucher v SET state = 'expired' FROM due WHERE v.id = due.id
                RETURNING v.id, v.member_id, v.expires_at, v.template_id
            ), noted AS (
                INSERT INTO rewards_voucherevent
                    (voucher_id, from_state, to_state, external_order_no, actor_kind, actor_id, happened_at)
                SELECT id, 'issued', 'expired', '', %s, %s, expires_at FROM ended
            )
            SELECT id, member_id, expires_at, template_id FROM ended
            """,
            [at, limit, by.kind, by.id],
        )
        ended = cursor.fetchall()
    give_back_budget(vouchers_by_template=Counter(template_id for *_others, template_id in ended))
    timeline.record_many(
        events.voucher_expired(voucher_id=pk, member_id=member_id, happened_at=expired_at, by=by)
        for pk, member_id, expired_at, _template_id in ended
    )
    return len(ended)


def _worth(
    terms: VoucherTerms, store_id: int | None, basket: Basket, *, member_id: int, at: datetime
) -> tuple[VoucherUse | None, Decimal | None]:
    """Return what a voucher gives on an order, by lines and in money; refuse it where it is not lawful there and then."""
    local = timezone.localtime(at, programme().tz)
    spend, lines = basket.spend_amount, basket.lines
    reason = (
        untimely(terms, at)
        or elsewhere(terms, store_id, basket.channel_id, local)
        or (below(terms, spend or Decimal(0)) if lines is None else too_little(terms, lines))
    )
    if reason is not None:
        raise refusal_of(*reason, member_id)
    if not terms.is_money:
        return None, None
    if lines is None and spend is None:
        return None, terms.off_amount if terms.kind == VoucherTemplate.Kind.AMOUNT else None
    if lines is None:  # only the sum is known: whoever stands at the till looks at the goods
        use = used_alone(replace(terms, category_ids=(), skus=()), [CartLine(1, "", Decimal(1), spend or Decimal(0))])
        return None, use.off_amount
    use = used_alone(terms, lines)
    if not use.off_amount:
        raise refusal_of("no_goods", {}, member_id)
    return use, use.off_amount


def _was_used_for(voucher: Voucher, store_id: int | None, external_order_no: str) -> bool:
    last = voucher.events.filter(to_state=Voucher.State.USED).order_by("-id").first()
    return last is not None and (last.store_id, last.external_order_no) == (store_id, external_order_no)


def _hold_bearer_of(key: bytes) -> _Bearer | None:
    """Keep the member of a voucher as it is until the end of the transaction; None where no voucher has this code.

    Returns the number, and the status as far as spending goes, of who uses it: a merged member's vouchers are the survivor's.
    """
    status = status_sql(Member.Act.SPEND)
    held = f"SELECT id, member_no, {status}, merged_into_id FROM members_member WHERE id = (%s) FOR SHARE"  # noqa: S608
    by_code = held % "SELECT member_id FROM rewards_voucher WHERE code_hmac = %s"
    voucher_id = Voucher.objects.filter(code_hmac=key).values_list("pk", flat=True).first()
    if voucher_id is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(by_code, [key])
        found = cursor.fetchone()
        if found is not None and found[3] is not None:
            cursor.execute(held, [found[3]])
            found = cursor.fetchone()
    return _Bearer(voucher_id, *found[:3]) if found else None
