"""A rush on a voucher: a hundred tills at once, some to use it by its code, the others to set it aside for a quoted order."""

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.db import OperationalError
from psycopg import errors

from members.actors import SYSTEM
from members.models import Member
from members.refusals import Refusal
from rewards.models import OrderDeduction, OrderHold, Purchase, Voucher, VoucherEvent
from rewards.services.orders import Order, OrderLine
from rewards.services.till_holds import hold_order, release_order_hold
from rewards.services.till_orders import QuotedOrder, confirm_order_at_once
from rewards.services.till_quotes import CartRequest, TillQuote, quote_cart
from rewards.services.verification import verify
from rewards.services.vouchers import use_voucher, voucher_code
from tests.factories.api import make_channel, make_member, make_store, now
from tests.factories.catalogue import a_voucher
from tests.harness.results import Figures
from tests.harness.threads import spread

TILLS, THREADS = 100, 50
VOUCHERS = int(os.environ.get("PROOF_VOUCHERS", "12"))
LINES = (OrderLine("SKU-1", "", Decimal(1), Decimal(100), Decimal("100.00")),)
NO_POSTAGE = Decimal("0.00")
LOST = {"voucher_used", "voucher_held"}


def test_one_of_a_hundred_tills_gets_a_voucher(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    rush = Rush()
    began = time.monotonic()
    for number in range(VOUCHERS):
        rush.on_one_voucher(number)
    assert rush.won.total() == VOUCHERS
    assert Voucher.objects.filter(state=Voucher.State.USED).count() == VOUCHERS
    assert VoucherEvent.objects.filter(to_state=Voucher.State.USED).count() == VOUCHERS
    assert Purchase.objects.count() == OrderDeduction.objects.filter(voucher__isnull=False).count() == rush.won["held"]
    assert not OrderHold.objects.filter(state=OrderHold.State.OPEN).exists()
    assert [str(finding) for finding in verify(at=now())] == []
    record_result(
        f"{TILLS} tills at once for one voucher",
        {
            "vouchers": f"{VOUCHERS}", "tries": f"{rush.tries:,}", "used by code": f"{rush.won['used']}",
            "set aside and paid": f"{rush.won['held']}", "set aside, given back and tried for again": f"{rush.given_back}",
            "refusals": ", ".join(f"{code} {times:,}" for code, times in sorted(rush.lost.items())),
            "asked again, the member being busy": f"{rush.busy}",
            "seconds": f"{time.monotonic() - began:.1f}",
        },
    )  # fmt: skip


class Rush:
    """A member, and what became of all tries for the vouchers."""

    def __init__(self) -> None:
        self.member: Member = make_member()
        self.store, self.channel = make_store().pk, make_channel().pk
        self.won: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.tries = self.given_back = self.busy = 0

    def on_one_voucher(self, number: int) -> None:
        """Let all tills try for a new voucher; every other hold is given back first, and all try again."""
        voucher = a_voucher(self.member.pk, issued_at=now() - timedelta(hours=1))
        code = voucher_code(voucher.public_id)
        quotes = [self.quoted() for _till in range(TILLS)]
        every = (2, 25, TILLS + 1)[number % 3]  # setting aside takes longer: beside many codes it never comes first
        outcome = self.all_try(code, quotes, f"{number}", every)
        hold = OrderHold.objects.filter(state=OrderHold.State.OPEN).first()
        if outcome == "held" and hold is not None and number % 2:
            release_order_hold(hold_id=hold.pk, by=SYSTEM, at=now())
            self.given_back += 1
            outcome = self.all_try(code, [self.quoted() for _till in range(TILLS)], f"{number}-again", 2)
        if outcome == "held":
            self.paid(number)
        voucher.refresh_from_db()
        assert voucher.state == Voucher.State.USED
        self.won[outcome] += 1

    def all_try(self, code: str, quotes: list[TillQuote], name: str, every: int) -> str:
        """Return how the one till came to the voucher that did. One in `every` uses its code, all others want to hold it."""

        def attempt(till: int) -> str:
            by_code = till % every == every - 1
            while True:
                try:
                    return self.used(code, f"V{name}-{till}") if by_code else self.held(quotes[till])
                except Refusal as refusal:
                    return refusal.code
                except OperationalError as error:  # a till is told that the member is busy, and asks again
                    if not isinstance(error.__cause__, errors.LockNotAvailable):
                        raise
                    self.busy += 1

        outcomes = Counter(spread(attempt, times=TILLS, threads=THREADS, patience=300))
        self.tries += TILLS
        refused = {code: times for code, times in outcomes.items() if code in LOST}
        self.lost.update(refused)
        [winner] = outcomes.keys() - refused.keys()
        assert outcomes[winner] == 1, outcomes
        return winner

    def used(self, code: str, order_no: str) -> str:
        use_voucher(
            code=code, store_id=self.store, external_order_no=order_no, spend_amount=None, by=SYSTEM, at=now()
        )  # fmt: skip
        return "used"

    def held(self, quote: TillQuote) -> str:
        hold_order(
            quote_ref=quote.quote_ref, source="till", store_id=self.store, key_id=None, points=None, voucher_refs=None, minutes=10,
            by=SYSTEM, at=now(),
        )  # fmt: skip
        return "held"

    def quoted(self) -> TillQuote:
        cart = CartRequest("till", self.store, self.channel, LINES, NO_POSTAGE)
        quote = quote_cart(cart=cart, member=self.member, by=SYSTEM, at=now())
        assert quote.settled.payable == Decimal("95.00")
        return quote

    def paid(self, number: int) -> None:
        """Confirm the order for which the voucher is held."""
        hold = OrderHold.objects.get(state=OrderHold.State.OPEN)
        order = Order("till", f"N{number}", None, self.channel, self.store, hold.created_at, LINES)
        told = QuotedOrder(order, NO_POSTAGE, hold.quote_ref, hold)
        confirm_order_at_once(told=told, by=SYSTEM, at=now())
