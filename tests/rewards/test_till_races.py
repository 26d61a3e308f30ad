"""Tills at the same moment: a quote is held once, a hold pays one order, an order is recorded once and voided once."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from members.actors import SYSTEM
from members.models import Member
from members.refusals import Refusal
from rewards.models import Hold, LedgerTransaction, OrderHold, Purchase, PurchaseReturn, Voucher
from rewards.queries import balance_of
from rewards.services.orders import Order, OrderLine
from rewards.services.till_holds import hold_order, release_due_order_holds, release_order_hold
from rewards.services.till_orders import QuotedOrder, confirm_order_at_once
from rewards.services.till_quotes import CartRequest, TillQuote, quote_cart
from rewards.services.verification import verify
from rewards.services.voids import void_order
from tests.factories.api import make_channel, make_member, make_store, now
from tests.factories.catalogue import a_voucher
from tests.factories.till import points_pay, with_points
from tests.harness.threads import spread

LINES = (OrderLine("SKU-1", "", Decimal(1), Decimal(100), Decimal("100.00")),)
NO_POSTAGE = Decimal("0.00")


def outcome_of(job: Any) -> str:
    try:
        job()
    except Refusal as refusal:
        return refusal.code
    return "done"


class TestTillsAtTheSameMoment:
    def test_hold_pay_and_void_once(self, committed_db: str) -> None:
        points_pay()
        member = make_member()
        with_points(member, 1_000)
        voucher = a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        store, channel = make_store().pk, make_channel().pk
        quotes = [self.quoted(member, store, channel) for _ in range(2)]

        def hold(number: int) -> OrderHold | None:
            try:
                return hold_order(
                    quote_ref=quotes[number % 2].quote_ref, source="till", store_id=store, key_id=None, points=None,
                    voucher_refs=None, minutes=10, by=SYSTEM, at=now(),
                ).hold  # fmt: skip
            except Refusal:
                return None

        # Both quotes want the same voucher: one of them has all, the other nothing.
        assert len({one.pk for one in spread(hold, times=8, threads=4) if one is not None}) == 1
        held = OrderHold.objects.get()
        assert (OrderHold.objects.count(), Hold.objects.count(), balance_of(member.pk, now()).available) == (1, 1, 500)

        def pay(number: int) -> str:
            order = Order("till", f"N{number % 2}", None, channel, store, held.created_at, LINES)
            told = QuotedOrder(order, NO_POSTAGE, held.quote_ref, held)
            return outcome_of(lambda: confirm_order_at_once(told=told, by=SYSTEM, at=now()))

        outcomes = Counter(spread(pay, times=8, threads=4))
        assert outcomes == {"done": 4, "hold_captured": 4}
        purchase = Purchase.objects.get()
        assert LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.CAPTURE).count() == 1

        def void(_number: int) -> str:
            return outcome_of(lambda: void_order(purchase_id=purchase.pk, by=SYSTEM, at=now()))

        assert Counter(spread(void, times=8, threads=3)) == {"done": 8}
        assert PurchaseReturn.objects.count() == 1
        voucher.refresh_from_db()
        assert (voucher.state, balance_of(member.pk, now()).available) == (Voucher.State.ISSUED, 1_000)

        # The till gives back while the beat does and an order comes in: all of it, or the order, once.
        last = self.quoted(member, store, channel)
        again = hold_order(
            quote_ref=last.quote_ref, source="till", store_id=store, key_id=None, points=None, voucher_refs=None, minutes=10,
            by=SYSTEM, at=now(),
        ).hold  # fmt: skip

        def end(number: int) -> str:
            if number % 3 == 0:
                return outcome_of(lambda: release_order_hold(hold_id=again.pk, by=SYSTEM, at=now()))
            if number % 3 == 1:
                return str(release_due_order_holds(at=now() + timedelta(minutes=11)))
            order = Order("till", "LAST", None, channel, store, again.created_at, LINES)
            told = QuotedOrder(order, NO_POSTAGE, again.quote_ref, again)
            return outcome_of(lambda: confirm_order_at_once(told=told, by=SYSTEM, at=now()))

        spread(end, times=6, threads=3)
        again.refresh_from_db()
        is_paid = again.state == OrderHold.State.CAPTURED
        assert Purchase.objects.filter(external_order_no="LAST").exists() == is_paid
        assert balance_of(member.pk, now()).available == (590 if is_paid else 1_000)
        assert [str(finding) for finding in verify(at=now())] == []

    def quoted(self, member: Member, store: int, channel: int) -> TillQuote:
        cart = CartRequest("till", store, channel, LINES, NO_POSTAGE, None, 500)
        return quote_cart(cart=cart, member=member, by=SYSTEM, at=now())
