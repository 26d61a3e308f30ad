"""Orders that were quoted: recorded as they are paid, with what was set aside for them.

Lock order: the hold, the purchase, member, points account, vouchers; then as every purchase.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.models import Member
from members.queries import survivors_of
from rewards import deductions, earning
from rewards.models import OrderDeduction, OrderHold, OrderSettlement, Purchase
from rewards.refusals import RewardsRefusal
from rewards.services.holds import spend_hold
from rewards.services.orders import Order, OrderConflict, hold_active, hold_bearer
from rewards.services.purchases import PurchaseReceipt, receipt_of, record_purchase_within
from rewards.services.till_holds import HoldCaptured, HoldExpired, lock_hold
from rewards.services.till_terms import QuoteDiffers, Settled, Terms, kept_quote, more_points_of_vouchers
from rewards.services.voucher_holds import use_held_vouchers


class HoldRequired(RewardsRefusal):
    """The quote uses vouchers or counted benefits, which have to be set aside first."""

    code = "hold_required"
    text = _("This quote uses points, vouchers or counted benefits. Please set them aside first.")


@dataclass(frozen=True, slots=True)
class QuotedOrder:
    """An order as the till tells it, before deductions, and the quote and hold under which it was paid."""

    order: Order
    postage: Decimal
    quote_ref: UUID | None
    hold: OrderHold | None

    def fingerprint(self) -> bytes:
        """SHA-256 of what the till says."""
        named = [self.quote_ref, self.hold.public_id if self.hold else None, self.postage.normalize()]
        # Whose it is follows from the quote; a till may leave it out.
        told = replace(self.order, member_id=None).fingerprint()
        return hashlib.sha256(told + "\x1f".join(str(part) for part in named).encode()).digest()


def confirm_order(*, told: QuotedOrder, by: Actor, at: datetime) -> PurchaseReceipt:
    """Record a quoted order in the caller's transaction: what is set aside pays it, the rest is what it earns on.

    The same order again changes nothing and returns what the first one did. Raises HoldExpired, HoldCaptured, HoldRequired,
    QuoteExpired, QuoteDiffers, NotFound, OrderConflict, OrderInFuture, MemberFrozen, MemberClosed.
    """
    known = _known(told, at)
    if known is not None:
        return known
    hold = lock_hold(told.hold.pk) if told.hold else None
    if hold is not None and hold.state != OrderHold.State.OPEN:
        known = _known(told, at)  # who recorded it at the same moment held the same row
        if known is not None:
            return known
        raise HoldCaptured if hold.state == OrderHold.State.CAPTURED else HoldExpired
    quote_ref, member_id, terms, points = _terms(told, hold, at)
    if told.order.member_id is not None and not _are_one(told.order.member_id, member_id):
        raise QuoteDiffers
    settled = terms.settle(told.order.lines, told.postage, points)
    order = replace(told.order, member_id=member_id, lines=settled.lines)

    def settle(purchase_id: int) -> Sequence[earning.MorePoints]:
        if hold is not None:
            _pay(hold, settled, order, by, at)
        _write(purchase_id, quote_ref, told, settled, hold)
        return more_points_of_vouchers(settled.deductions)

    receipt = record_purchase_within(order=order, by=by, at=at, settle=settle)
    # In flight with the same number, it became known while we waited: nothing was settled.
    return cast(PurchaseReceipt, _known(told, at)) if receipt.already_recorded else receipt


def _are_one(told_id: int, quoted_id: int | None) -> bool:
    """Whether the member whom a till names is the one of the quote: before or after a merge, they are one person."""
    if quoted_id is None or told_id == quoted_id:
        return told_id == quoted_id
    return len(set(survivors_of((told_id, quoted_id)).values())) == 1


def _known(told: QuotedOrder, at: datetime) -> PurchaseReceipt | None:
    """Return what the order did when it was recorded before. Raises OrderConflict where it was another one."""
    order = told.order
    found = Purchase.objects.select_related("settlement").filter(
        source=order.source, external_order_no=order.external_order_no
    )
    purchase = found.first()
    if purchase is None:
        return None
    settlement = settlement_of(purchase)
    if settlement is None or bytes(settlement.fingerprint) != told.fingerprint():
        raise OrderConflict(order_no=order.external_order_no)
    return receipt_of(purchase, at)


def settlement_of(purchase: Purchase) -> OrderSettlement | None:
    """Return how a purchase was settled; None for one that was not quoted. No query where it was selected with it."""
    return getattr(purchase, "settlement", None)


def _terms(told: QuotedOrder, hold: OrderHold | None, at: datetime) -> tuple[UUID, int | None, Terms, int]:
    """Return the quote with its member and terms, and the points that pay."""
    if hold is not None:
        if told.quote_ref not in (None, hold.quote_ref):
            raise QuoteDiffers
        if at >= hold.expires_at:
            raise HoldExpired
        return hold.quote_ref, hold.member_id, Terms.read(hold.terms), hold.points
    quote = kept_quote(cast(UUID, told.quote_ref), source=told.order.source, store_id=told.order.store_id, at=at)
    # Points that the quote applied pay only when they are set aside.
    if quote.terms.needs_hold or quote.points:
        raise HoldRequired
    return quote.ref, quote.member_id, quote.terms, 0


def _pay(hold: OrderHold, settled: Settled, order: Order, by: Actor, at: datetime) -> None:
    """Redeem what is set aside for the order. Raises MemberFrozen, MemberClosed where points or vouchers must not be spent."""
    if hold.vouchers:
        hold_active(hold_bearer(hold.member_id), Member.Act.SPEND)
    if hold.points_hold_id is not None:
        spend_hold(
            hold_id=hold.points_hold_id, source=order.source, external_order_no=order.external_order_no, by=by, at=at,
            store_id=order.store_id,
        )  # fmt: skip
    if hold.vouchers:
        off = {one.voucher_id: one.amount for one in settled.deductions if one.voucher_id is not None}
        use_held_vouchers(
            ref=hold.public_id, source=order.source, external_order_no=order.external_order_no, store_id=order.store_id,
            off_amounts=off, by=by, at=at,
        )  # fmt: skip
    hold.state, hold.closed_at, hold.external_order_no = OrderHold.State.CAPTURED, at, order.external_order_no
    hold.save(update_fields=["state", "closed_at", "external_order_no"])


def _write(purchase_id: int, quote_ref: UUID, told: QuotedOrder, settled: Settled, hold: OrderHold | None) -> None:
    settlement = OrderSettlement.objects.create(
        purchase_id=purchase_id,
        hold=hold,
        quote_ref=quote_ref,
        fingerprint=told.fingerprint(),
        goods_lines=settled.goods_lines,
        gross_amount=settled.gross_amount,
        benefits_amount=settled.taken_by(deductions.MEMBER_PRICE, deductions.DISCOUNT, deductions.SHIPPING),
        vouchers_amount=settled.taken_by(deductions.VOUCHER),
        points=settled.points,
        points_amount=settled.taken_by(deductions.POINTS),
    )
    uses = {entitlement: use for use, entitlement in (hold.terms.get("uses", ()) if hold else ())}
    used = _entitlements_of(settled, uses)
    OrderDeduction.objects.bulk_create(
        OrderDeduction(
            settlement=settlement, position=position, kind=one.kind, ref=one.ref, names=one.names, figure=one.figure,
            amount=one.amount, shares=list(one.shares), voucher_id=one.voucher_id, use_id=used.get(position),
        )
        for position, one in enumerate(settled.deductions, 1)
    )  # fmt: skip


def _entitlements_of(settled: Settled, uses: dict[int, int]) -> dict[int, int]:
    """Return by place of a deduction the use that was taken for it."""
    counted = [place for place, one in enumerate(settled.deductions, 1) if one.entitlement_id is not None]
    # Uses are kept in the order of their entitlements, as the deductions were asked for; another one of the same benefit
    # may have been taken than was quoted.
    by_quoted = sorted(counted, key=lambda place: settled.deductions[place - 1].entitlement_id or 0)
    return dict(zip(by_quoted, uses.values(), strict=True))


@transaction.atomic
def confirm_order_at_once(*, told: QuotedOrder, by: Actor, at: datetime) -> PurchaseReceipt:
    """Do what `confirm_order` does in a transaction of its own."""
    return confirm_order(told=told, by=by, at=at)
