"""The life of a quoted order, drawn by lot: bought with all that makes it cheaper, and given back wholly, in any pieces."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st

from loyalty.models import Benefit, QualificationEntry, TierStanding
from members.actors import SYSTEM
from members.models import Channel, Member, Store
from rewards.models import BudgetSlice, CapCounter, LedgerTransaction, OrderDeduction, Purchase
from rewards.queries import balance_of
from rewards.services.orders import Order, OrderLine
from rewards.services.purchases import record_purchase
from rewards.services.returns import Return, ReturnItem, record_return
from rewards.services.till_holds import hold_order
from rewards.services.till_orders import QuotedOrder, confirm_order_at_once
from rewards.services.till_quotes import CartRequest, TillQuote, quote_cart
from rewards.services.verification import verify
from rewards.services.voids import void_order
from tests.factories.api import make_channel, make_member, make_store, now
from tests.factories.benefits import a_benefit, an_entitlement, given_by, holding
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.rules import a_rule, follow_base_rule
from tests.factories.till import points_pay, with_points

POINTS = 12_345
_BESIDE = (OrderLine("SKU-9", "", Decimal(1), Decimal(40), Decimal("40.00")),)


@dataclass(frozen=True)
class Life:
    """What happens to one order. `lines` are (cents, pieces, parts of a piece); `parts` how many pieces come back each time.

    `amount_percent`: first so much of the money is paid back for the order as a whole. `ends`: by pieces, by all that is
    left, or by a void of an order of which nothing came back. `beside`: another order of the member comes in between.
    """

    lines: tuple[tuple[int, int, int], ...]
    points: int
    has_postage: bool
    seed: int
    parts: tuple[int, ...]
    amount_percent: int
    ends: str
    beside: bool

    @property
    def told(self) -> tuple[OrderLine, ...]:
        """The lines as the till tells them: pieces of a whole, a half or a quarter."""
        return tuple(
            OrderLine(f"SKU-{number}", "", Decimal(pieces) / of, Decimal(cents) / 100, Decimal(cents) / 100)
            for number, (cents, pieces, of) in enumerate(self.lines, 1)
        )


LINES = st.tuples(st.integers(0, 20_000), st.integers(1, 4), st.sampled_from([1, 2, 4]))
LIVES = st.builds(
    Life,
    lines=st.lists(LINES, min_size=1, max_size=4).map(tuple),
    points=st.integers(0, POINTS),
    has_postage=st.booleans(),
    seed=st.integers(0, 2**32),
    parts=st.lists(st.integers(1, 5), max_size=6).map(tuple),
    amount_percent=st.sampled_from([0, 0, 0, 10, 50, 99]),
    ends=st.sampled_from(["pieces", "pieces", "all left", "void"]),
    beside=st.booleans(),
)


class Shopper:
    """A member with points, a discount, a counted benefit and vouchers (one of them once a day); earning is limited in four ways."""

    def __init__(self) -> None:
        self.store: Store = make_store()
        self.channel: Channel = make_channel()
        self.member: Member = holding("gold", since=now() - timedelta(days=30), member=make_member())
        points_pay(step_points=1, min_points=1, money_per_point=Decimal("0.0125"))
        with_points(self.member, POINTS)
        given_by("gold", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(5))
        since = now() - timedelta(hours=1)
        an_entitlement(
            self.member, a_benefit("free", kind=Benefit.Kind.SHIPPING, quota=1), at=now() - timedelta(days=1), quota=1
        )
        percent = a_template(
            "free2", kind="percent", off_amount=None, off_percent=Decimal(7), stacking="free", most_used_per_day=1
        )
        double = a_template("free3", kind="multiplier", off_amount=None, multiplier=Decimal(2), stacking="free")
        for template in (a_template("free1", stacking="free"), percent, percent, double):
            a_voucher(self.member.pk, template, issued_at=since)
        follow_base_rule(valid_from=now() - timedelta(days=1), cap_day_points=500)
        a_rule("First", mode="extra", points_fixed=77, first_order_only=True)
        a_rule("Month", mode="extra", points_fixed=30, cap_month_points=40, min_spend_amount=Decimal(20))
        a_rule("Shared", mode="extra", points_fixed=25, budget_points=1_000)

    def lives(self, life: Life) -> None:
        """Let it happen; assert that at the end nothing but the other order is left of it."""
        before, offered = self.seen(), self.quoted(life)
        quote = self.quoted(life)
        self.buys(life, quote)
        purchase = Purchase.objects.get(external_order_no="ORDER")
        self.check_shares(purchase, life)
        earned_beside = self.buys_beside() if life.beside else None
        if life.ends == "void":
            void_order(purchase_id=purchase.pk, by=SYSTEM, at=now())
        else:
            self.gives_back(purchase, life)
        assert [str(finding) for finding in verify(at=now())] == []
        if earned_beside is None:
            assert self.seen() == before
            assert self.told(self.quoted(life)) == self.told(offered)
        else:
            self.check_beside(before, earned_beside)

    def quoted(self, life: Life) -> TillQuote:
        postage = Decimal("8.00") if life.has_postage else Decimal("0.00")
        cart = CartRequest("till", self.store.pk, self.channel.pk, life.told, postage, None, life.points)
        return quote_cart(cart=cart, member=self.member, by=SYSTEM, at=now())

    def told(self, quote: TillQuote) -> tuple[object, ...]:
        """Return all that a quote promises."""
        return quote.settled, quote.points, quote.earned, [(one.voucher_id, why.code) for one, why in quote.not_used]

    def buys(self, life: Life, quote: TillQuote) -> None:
        hold = hold_order(
            quote_ref=quote.quote_ref, source="till", store_id=self.store.pk, key_id=None, points=None, voucher_refs=None,
            minutes=10, by=SYSTEM, at=now(),
        ).hold  # fmt: skip
        order = Order("till", "ORDER", None, self.channel.pk, self.store.pk, now(), life.told)
        postage = Decimal("8.00") if life.has_postage else Decimal("0.00")
        receipt = confirm_order_at_once(told=QuotedOrder(order, postage, quote.quote_ref, hold), by=SYSTEM, at=now())
        assert receipt.points == quote.earned

    def buys_beside(self) -> int:
        """Record an order that was not quoted; return what it earned."""
        order = Order("till", "BESIDE", self.member.pk, self.channel.pk, self.store.pk, now(), _BESIDE)
        return record_purchase(order=order, by=SYSTEM, at=now()).points

    def check_shares(self, purchase: Purchase, life: Life) -> None:
        """What was taken off each line and what was paid for it add up to what it cost, to the cent."""
        gross = [line.amount for line in life.told] + ([Decimal("8.00")] if life.has_postage else [])
        taken = list(OrderDeduction.objects.filter(settlement=purchase.pk))
        paid = list(purchase.lines.order_by("line_no").values_list("amount", flat=True))
        assert [cost - sum(one.shares[place] for one in taken) for place, cost in enumerate(gross)] == paid
        assert all(one.amount == sum(one.shares) for one in taken)

    def gives_back(self, purchase: Purchase, life: Life) -> None:
        """Return the order in parts that add up to all of it; all points that paid it come back."""
        by_amount = (purchase.total_amount * life.amount_percent / 100).quantize(Decimal("0.01"))
        points_back = 0
        if life.ends == "all left" and by_amount:
            points_back += self.returned(purchase, "AMOUNT", amount=by_amount)
            parts: list[tuple[ReturnItem, ...]] = [()]
        else:
            parts = self.parts(purchase, life)
        for number, items in enumerate(parts):
            points_back += self.returned(purchase, f"R{number}", items=items)
        assert points_back == purchase.settlement.points

    def parts(self, purchase: Purchase, life: Life) -> list[tuple[ReturnItem, ...]]:
        """Return what comes back each time; the empty part at the end stands for all that is left."""
        of_goods = [
            (number, Decimal(1) / of) for number, (_cents, count, of) in enumerate(life.lines, 1) for _ in range(count)
        ]
        postage = [(len(life.lines) + 1, Decimal(1))] if life.has_postage else []
        pieces = [*of_goods, *postage]
        random.Random(life.seed).shuffle(pieces)
        found = []
        for many in life.parts:
            if many < len(pieces):
                found.append(self.items(pieces[:many]))
                pieces = pieces[many:]
        return [*found, ()] if life.ends == "all left" else [*found, *(self.items([piece]) for piece in pieces)]

    def items(self, pieces: list[tuple[int, Decimal]]) -> tuple[ReturnItem, ...]:
        quantities: Counter[int] = Counter()
        for line_no, quantity in pieces:
            quantities[line_no] += quantity  # type: ignore[assignment]
        return tuple(ReturnItem(line_no, Decimal(quantity)) for line_no, quantity in sorted(quantities.items()))

    def returned(
        self, purchase: Purchase, number: str, *, items: tuple[ReturnItem, ...] = (), amount: Decimal | None = None
    ) -> int:
        ret = Return(
            source="till", external_return_no=number, external_order_no="ORDER", channel_id=purchase.channel_id,
            store_id=purchase.store_id, returned_at=now(), items=items, amount=amount,
        )  # fmt: skip
        return record_return(ret=ret, by=SYSTEM, at=now()).points_back

    def seen(self) -> tuple[object, ...]:
        """Return all that an order may change: points, vouchers, uses, tier, limits, shared budgets."""
        balance, standing = balance_of(self.member.pk, now()), TierStanding.objects.get(member=self.member)
        counted = QualificationEntry.objects.filter(member=self.member).values_list("credits", "spend_amount", "orders")
        return (
            balance.available, balance.held, balance.debt, [part.points for part in balance.expiring],
            sorted(self.member.vouchers.values_list("template", "state", "used_order_no")),
            list(self.member.entitlements.values_list("used", "state")), standing.tier_id, standing.valid_until,
            [sum(column) for column in zip((0, 0, 0), *counted, strict=True)], self.counters(),
            sum(BudgetSlice.objects.values_list("used", flat=True)),
        )  # fmt: skip

    def counters(self) -> list[tuple[object, ...]]:
        rows = CapCounter.objects.filter(member=self.member).order_by("rule", "period", "period_start")
        return [row for row in rows.values_list("rule", "period", "used", "times") if row[2] or row[3]]

    def check_beside(self, before: tuple[object, ...], earned: int) -> None:
        """The other order keeps what it earned, and nothing is earned for it afterwards; the first one is gone."""
        after = self.seen()
        assert after[4:6] == before[4:6]
        [posted] = LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EARN, natural_key="BESIDE")
        assert posted.trace
        assert sum(line[2] for line in posted.trace["lines"]) == earned
        assert after[0] == before[0] + earned  # type: ignore[operator]
        assert after[1:3] == (0, 0)
        assert after[8][2] == before[8][2] + 1  # type: ignore[index]
        given = {int(line[1]): line[2] for line in posted.trace["lines"] if line[1].isdigit()}
        assert all(used <= given.get(rule, earned) for rule, _period, used, _times in self.counters())  # type: ignore[call-overload]
