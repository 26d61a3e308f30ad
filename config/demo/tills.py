"""What the demo's tills did with quotes and holds lately: orders paid with vouchers and points, voided, returned, left; an evening offline."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from config.demo.business import MENU
from config.demo.scenes import Scene, Scenes
from members.actors import Actor
from members.models import ApiKey, Member, MemberAtTill
from members.services.member_codes import let_spend
from rewards.models import OrderHold, Purchase, Voucher
from rewards.queries import outstanding
from rewards.services.offline_batches import SPENDING, ToldOrder, accept_batch, stored_order, work_off_batch
from rewards.services.purchases import Order, OrderLine
from rewards.services.returns import Return, ReturnItem, record_return
from rewards.services.till_holds import hold_order, release_due_order_holds, release_order_hold
from rewards.services.till_orders import QuotedOrder, confirm_order
from rewards.services.till_quotes import CartRequest, TillQuote, quote_cart
from rewards.services.voids import void_order

_BY_SKU: Final = {article.sku: article for article in MENU}
_BEANS: Final = ("R-BEA", "R-BEA", "C-LAT")
_BREAKFAST: Final = ("C-AME", "B-CRO", "B-SAN")
_AFTERNOON: Final = ("C-LAT", "K-CHE", "K-TIR", "T-JAS")


def lines_of(skus: Sequence[str]) -> tuple[OrderLine, ...]:
    """Return the lines of an order of some articles, one piece each time they are named."""
    return tuple(
        OrderLine(sku, article.name, Decimal(skus.count(sku)), article.price, article.price * skus.count(sku))
        for sku, article in _BY_SKU.items()
        if sku in skus
    )


class Tills(Scenes):
    """The till of the first store."""

    orders = 0
    beans: Sequence[Purchase] = ()

    def planned(self) -> list[Scene]:
        """Return the orders of the last days and what is open now."""
        return [
            Scene(self._when(2, 15), self._beans),
            Scene(self._when(1, 12, 20), self._part_comes_back),
            Scene(self._when(1, 11), self._paid),
            Scene(self._when(1, 17), self._voided),
            Scene(self._when(1, 21), self._offline),
            Scene(self.now - timedelta(hours=4), self._left),
            Scene(self.now - timedelta(hours=2), self._given_up),
            Scene(self.now - timedelta(minutes=6), self._at_the_till),
        ]

    @property
    def _key(self) -> ApiKey:
        return ApiKey.objects.select_related("store").get(name="Demo till", revoked_at=None)

    def _guests(self, at: datetime, count: int, *, points: int = 0) -> list[Member]:
        """Return buyers with so many points (with any, where nobody has), those who hold vouchers first."""
        found = self._buyers(at, 12, points=points) or self._buyers(at, 12)
        own = Voucher.objects.filter(outstanding(at), member__in=[one.pk for one in found])
        holders = set(own.values_list("member_id", flat=True))
        return sorted(found, key=lambda one: (one.pk not in holders, one.pk))[:count]

    def _quote(self, member: Member, skus: Sequence[str], points: int, at: datetime) -> TillQuote:
        key = self._key
        cart = CartRequest(
            source=key.source, store_id=key.store_id, channel_id=key.channel_id, lines=lines_of(skus), points=points
        )
        return quote_cart(cart=cart, member=member, by=Actor("device", key.pk), at=at)

    def _hold(self, member: Member, skus: Sequence[str], points: int, at: datetime, minutes: int = 10) -> OrderHold:
        """Quote a cart, let the member show their card, and set aside what the quote uses."""
        key, quote = self._key, self._quote(member, skus, points, at)
        let_spend(member_id=member.pk, key_id=key.pk, by=MemberAtTill.By.CARD, at=at)
        return hold_order(
            quote_ref=quote.quote_ref, source=key.source, store_id=key.store_id, key_id=key.pk, points=None, voucher_refs=None,
            minutes=minutes, by=Actor("device", key.pk), at=at + timedelta(seconds=20),
        ).hold  # fmt: skip

    def _buy(self, member: Member, skus: Sequence[str], points: int, at: datetime) -> Purchase:
        """Quote, hold and confirm an order; return it."""
        hold, key = self._hold(member, skus, points, at), self._key
        self.orders += 1
        paid_at = at + timedelta(minutes=1)
        order = Order(
            source=key.source, external_order_no=f"{key.store.code}-{paid_at.astimezone(self.tz):%y%m%d}-Q{self.orders:03}",
            member_id=member.pk, channel_id=key.channel_id, store_id=key.store_id, ordered_at=paid_at, lines=lines_of(skus),
        )  # fmt: skip
        told = QuotedOrder(order, Decimal("0.00"), hold.quote_ref, hold)
        with transaction.atomic():
            receipt = confirm_order(told=told, by=Actor("device", key.pk), at=paid_at)
        return Purchase.objects.get(pk=receipt.purchase_id)

    # --- Orders -----------------------------------------------------------------------------------------------------
    def _paid(self, at: datetime) -> None:
        for place, member in enumerate(self._guests(at, 3, points=300)):
            skus = (_BEANS, _BREAKFAST, _AFTERNOON)[place]
            self._buy(member, skus, (300, 0, 200)[place], at + timedelta(minutes=14 * place))

    def _beans(self, at: datetime) -> None:
        self.beans = [self._buy(member, _BEANS, 500, at) for member in self._guests(at, 1, points=500)]

    def _part_comes_back(self, at: datetime) -> None:
        """One of two bags of beans comes back the next day, and with it its part of the points that paid."""
        for bought in self.beans:
            line = bought.lines.get(sku="R-BEA")
            ret = Return(
                source=bought.source, external_return_no=f"R-{bought.external_order_no}",
                external_order_no=bought.external_order_no, channel_id=bought.channel_id, store_id=bought.store_id,
                returned_at=at, items=(ReturnItem(line.line_no, Decimal(1)),),
            )  # fmt: skip
            record_return(ret=ret, by=Actor("device", self._key.pk), at=at)

    def _voided(self, at: datetime) -> None:
        for member in self._guests(at, 1, points=200):
            bought = self._buy(member, _AFTERNOON, 200, at)
            void_order(purchase_id=bought.pk, by=Actor("device", self._key.pk), at=at + timedelta(minutes=6))

    # --- Holds ------------------------------------------------------------------------------------------------------
    def _left(self, at: datetime) -> None:
        """Somebody went without paying: ten minutes later all is theirs again."""
        for member in self._guests(at, 1, points=200):
            self._hold(member, _BREAKFAST, 100, at)
            release_due_order_holds(at=at + timedelta(minutes=11))

    def _given_up(self, at: datetime) -> None:
        for member in self._guests(at, 1, points=200):
            hold = self._hold(member, _AFTERNOON, 200, at)
            release_order_hold(hold_id=hold.pk, by=Actor("device", self._key.pk), at=at + timedelta(minutes=3))

    def _at_the_till(self, at: datetime) -> None:
        """Who is at the till just now."""
        for member in self._guests(at, 1, points=300):
            self._hold(member, _BEANS, 300, at, minutes=30)

    # --- Offline ----------------------------------------------------------------------------------------------------
    def _offline(self, at: datetime) -> None:
        """The line was down for an hour; what the till took meanwhile is told at once. Two orders are refused."""
        key = self._key
        told = []
        for place, member in enumerate([*self._buyers(at, 5), None]):
            number = f"{key.store.code}-{at.astimezone(self.tz):%y%m%d}-F{place + 1:03}"
            if place == 4:
                told.append(ToldOrder(number, code=SPENDING))
                continue
            order = stored_order(
                external_order_no=number, member_ref=member.public_id if member else None,
                ordered_at=at - timedelta(minutes=62 - 9 * place), lines=lines_of(_BREAKFAST[: 1 + place % 3]), payer=None,
            )  # fmt: skip
            told.append(ToldOrder(number, order))
        unknown = dict(order) | {"no": f"{key.store.code}-{at.astimezone(self.tz):%y%m%d}-F099", "member": "0" * 32}
        told.append(ToldOrder(unknown["no"], unknown))
        with transaction.atomic():
            batch = accept_batch(
                key=key,
                external_batch_no=f"OFF-{at.astimezone(self.tz):%y%m%d}",
                fingerprint=b"\0" * 32,
                told=told,
                at=at,
            )
        work_off_batch(batch_id=batch.pk, at=at)
