"""The till's server is killed with -9 between hold and confirm, again and again: past their end, all holds are given back."""

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from members.actors import SYSTEM
from rewards.models import (
    Hold,
    LedgerEntry,
    LedgerTransaction,
    OrderDeduction,
    OrderHold,
    OrderSettlement,
    Purchase,
    Voucher,
)
from rewards.queries import balance_of
from rewards.services.orders import Order, OrderLine
from rewards.services.till_holds import hold_order
from rewards.services.till_orders import QuotedOrder, confirm_order_at_once
from rewards.services.till_quotes import CartRequest, TillQuote, quote_cart
from rewards.services.verification import verify
from rewards.tasks import release_due_holds
from tests.factories.api import make_channel, make_member, make_store, now
from tests.factories.catalogue import a_voucher
from tests.factories.till import points_pay, with_points
from tests.harness.results import Figures
from tests.proofs.killable import Fork

KILLS, MEMBERS = 8, 40
LINES = (OrderLine("SKU-1", "", Decimal(1), Decimal(100), Decimal("100.00")),)
NO_POSTAGE = Decimal("0.00")


def test_frees_everything_at_its_end(
    committed_db: str, tmp_path: Path, record_result: Callable[[str, Figures], None]
) -> None:
    points_pay()
    members = [make_member() for _ in range(MEMBERS)]
    store, channel = make_store().pk, make_channel().pk
    for member in members:
        with_points(member, 1_000)
        a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
    chance, paid = random.Random(7), 0
    cart = CartRequest("till", store, channel, LINES, NO_POSTAGE, None, 500)
    for kill in range(KILLS):
        quotes = [quote_cart(cart=cart, member=member, by=SYSTEM, at=now()) for member in members]

        def serve(quotes: list[TillQuote] = quotes, kill: int = kill) -> None:
            for number, quote in enumerate(quotes):
                hold = hold_order(
                    quote_ref=quote.quote_ref, source="till", store_id=store, key_id=None, points=None, voucher_refs=None, minutes=10,
                    by=SYSTEM, at=now(),
                ).hold  # fmt: skip
                if number % 8 == 0:
                    order = Order("till", f"N{kill}-{number}", None, channel, store, hold.created_at, LINES)
                    told = QuotedOrder(order, NO_POSTAGE, quote.quote_ref, hold)
                    confirm_order_at_once(told=told, by=SYSTEM, at=now())

        server = Fork(serve, url=committed_db, name="till", log=tmp_path / "log")
        held = OrderHold.objects.filter(quote_ref__in=[quote.quote_ref for quote in quotes])
        wanted = chance.randrange(3, 12)
        while held.count() < wanted and server.poll() is None:
            time.sleep(0.01)
        os.kill(server.pid, signal.SIGKILL)
        server.wait(30)
        _end_all_holds()
        release_due_holds()
        paid = Purchase.objects.count()
        assert not OrderHold.objects.filter(state=OrderHold.State.OPEN).exists()
        assert OrderHold.objects.filter(state=OrderHold.State.CAPTURED).count() == paid
        used = OrderDeduction.objects.filter(voucher__isnull=False).count()
        assert Voucher.objects.filter(state=Voucher.State.USED).count() == used
        assert not Voucher.objects.filter(state=Voucher.State.HELD).exists()
        assert not Hold.objects.filter(state=Hold.State.OPEN).exists()
    spent = 1_000 * MEMBERS - sum(balance_of(member.pk, now()).available for member in members)
    orders = LedgerEntry.objects.filter(transaction__kind=LedgerTransaction.Kind.EARN, transaction__source="till")
    earned = sum(orders.values_list("d_available", flat=True))
    assert spent == sum(OrderSettlement.objects.values_list("points", flat=True)) - earned
    assert [str(finding) for finding in verify(at=now())] == []
    holds = OrderHold.objects.count()
    record_result(
        "a till's server killed between hold and confirm",
        {"kills": f"{KILLS}", "holds": f"{holds}", "orders": f"{paid}", "given back": f"{holds - paid}"},
    )


def _end_all_holds() -> None:
    """Let the time of all holds be up."""
    begun, ended = now() - timedelta(minutes=20), now() - timedelta(minutes=1)
    OrderHold.objects.filter(state=OrderHold.State.OPEN).update(created_at=begun, expires_at=ended)
    Hold.objects.filter(state=Hold.State.OPEN).update(created_at=begun, expires_at=ended)
    Voucher.objects.filter(state=Voucher.State.HELD).update(held_until=ended)
