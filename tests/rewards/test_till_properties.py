"""Any quoted order that comes back wholly, in any pieces, leaves the member as if it had never been bought (DECISIONS 10)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.models import Benefit, TierStanding
from members.actors import SYSTEM
from members.models import Member
from rewards.models import CapCounter, OrderDeduction, Purchase
from rewards.queries import balance_of
from rewards.services.orders import Order, OrderLine
from rewards.services.returns import Return, ReturnItem, record_return
from rewards.services.till_holds import hold_order
from rewards.services.till_orders import QuotedOrder, confirm_order_at_once
from rewards.services.till_quotes import CartRequest, quote_cart
from rewards.services.voids import void_order
from tests.factories.api import make_channel, make_member, make_store, now
from tests.factories.benefits import a_benefit, an_entitlement, given_by, holding
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.rules import follow_base_rule
from tests.factories.till import points_pay, with_points

pytestmark = pytest.mark.django_db

CENTS = st.integers(min_value=0, max_value=20_000)
PIECES = st.integers(min_value=1, max_value=4)


def told_lines(bought: list[tuple[int, int]]) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(f"SKU-{number}", "", Decimal(pieces), Decimal(cents) / 100, Decimal(cents) / 100)
        for number, (cents, pieces) in enumerate(bought, 1)
    )


class TestAQuotedOrder:
    @pytest.fixture
    def member(self) -> Member:
        """A member with points, a discount, a counted benefit and two vouchers; what is earned is capped."""
        found = holding("gold", since=now() - timedelta(days=30), member=make_member())
        points_pay(step_points=1, min_points=1, money_per_point=Decimal("0.0125"))
        with_points(found, 12_345)
        given_by("gold", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(5))
        an_entitlement(
            found, a_benefit("free", kind=Benefit.Kind.SHIPPING, quota=1), at=now() - timedelta(days=1), quota=1
        )
        since = now() - timedelta(hours=1)
        a_voucher(found.pk, a_template("free1", stacking="free"), issued_at=since)
        percent = a_template("free2", kind="percent", off_amount=None, off_percent=Decimal(7), stacking="free")
        a_voucher(found.pk, percent, issued_at=since)
        follow_base_rule(valid_from=now() - timedelta(days=1), cap_day_points=500)
        return found

    @given(
        bought=st.lists(st.tuples(CENTS, PIECES), min_size=1, max_size=4),
        points=st.integers(min_value=0, max_value=12_345),
        has_postage=st.booleans(),
        order=st.randoms(use_true_random=False),
        is_voided=st.booleans(),
    )
    @settings(
        max_examples=12, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    def test_that_comes_back_wholly_leaves_everything_as_it_was(
        self,
        member: Member,
        bought: list[tuple[int, int]],
        points: int,
        has_postage: bool,
        order: object,
        is_voided: bool,
    ) -> None:
        # Not an atomic block: a quote is kept in a transaction of its own.
        before = transaction.savepoint()
        self.live(member, bought, points, Decimal("8.00") if has_postage else Decimal("0.00"), order, is_voided)
        transaction.savepoint_rollback(before)

    def live(
        self,
        member: Member,
        bought: list[tuple[int, int]],
        points: int,
        postage: Decimal,
        order: object,
        is_voided: bool,
    ) -> None:
        before = self.seen(member)
        store, channel, lines = make_store(), make_channel(), told_lines(bought)
        cart = CartRequest("till", store.pk, channel.pk, lines, postage, None, points)
        quote = quote_cart(cart=cart, member=member, by=SYSTEM, at=now())
        hold = hold_order(
            quote_ref=quote.quote_ref, source="till", store_id=store.pk, key_id=None, points=None, voucher_refs=None, minutes=10,
            by=SYSTEM, at=now(),
        ).hold  # fmt: skip
        told = Order("till", "ORDER", None, channel.pk, store.pk, now(), lines)
        receipt = confirm_order_at_once(told=QuotedOrder(told, postage, quote.quote_ref, hold), by=SYSTEM, at=now())
        assert receipt.points == quote.earned
        purchase = Purchase.objects.get(pk=receipt.purchase_id)
        self.check_shares(purchase, lines, postage)
        if is_voided:
            void_order(purchase_id=purchase.pk, by=SYSTEM, at=now())
        else:
            self.give_all_back(purchase, order)
        assert self.seen(member) == before

    def check_shares(self, purchase: Purchase, lines: tuple[OrderLine, ...], postage: Decimal) -> None:
        """What was taken off each line and what was paid for it add up to what it cost, to the cent."""
        gross = [line.amount for line in lines] + ([postage] if postage else [])
        taken = list(OrderDeduction.objects.filter(settlement=purchase.pk))
        paid = list(purchase.lines.order_by("line_no").values_list("amount", flat=True))
        assert [cost - sum(one.shares[place] for one in taken) for place, cost in enumerate(gross)] == paid
        assert all(one.amount == sum(one.shares) for one in taken)

    def give_all_back(self, purchase: Purchase, order: object) -> None:
        pieces = [line.line_no for line in purchase.lines.order_by("line_no") for _piece in range(int(line.quantity))]
        order.shuffle(pieces)  # type: ignore[attr-defined]
        points_back = 0
        for number, line_no in enumerate(pieces):
            ret = Return(
                source="till", external_return_no=f"R{number}", external_order_no="ORDER", channel_id=purchase.channel_id,
                store_id=purchase.store_id, returned_at=now(), items=(ReturnItem(line_no, Decimal(1)),),
            )  # fmt: skip
            points_back += record_return(ret=ret, by=SYSTEM, at=now()).points_back
        assert points_back == purchase.settlement.points

    def seen(self, member: Member) -> tuple[object, ...]:
        balance = balance_of(member.pk, now())
        standing = TierStanding.objects.get(member=member)
        return (
            balance.available, balance.held, balance.debt, [part.points for part in balance.expiring],
            sorted(member.vouchers.values_list("state", "used_order_no")),
            list(member.entitlements.values_list("used", "state")), standing.tier_id,
            [used for used in CapCounter.objects.filter(member=member).values_list("used", flat=True) if used],
        )  # fmt: skip
