"""Bulk posting gives what live posting gives: same rows, whatever the history."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Promotion
from loyalty.models import Benefit, LadderVersion
from members.actors import Actor
from members.models import Channel, Member
from rewards.models import Category, Product, PurchaseReturn
from rewards.queries import balance_of
from rewards.services.bulk import post_history
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.returns import Return, ReturnItem, record_return
from rewards.services.verification import verify
from tests.factories.benefits import a_benefit, given_by
from tests.factories.rules import rewrite_base_rule
from tests.harness.dumps import DUMPS, dump

START = datetime(2025, 1, 1, 4, tzinfo=UTC)
BY = Actor("import", 1)
AT = datetime(2027, 1, 1, tzinfo=UTC)


POSTAGE = OrderLine("POST", "邮费", Decimal(1), Decimal(8), Decimal(8))


class Fact:
    """One generated fact: a purchase of one or two lines, or a return of part of an earlier one."""

    def __init__(self, number: int, member: int, hours: int, cents: int, kind: str, quantity: int) -> None:
        self.number, self.member, self.at = number, member, START + timedelta(hours=hours)
        self.amount, self.kind, self.quantity = Decimal(cents) / 100, kind, quantity


facts = st.lists(
    st.builds(
        Fact,
        number=st.just(0),
        member=st.integers(0, 2),
        hours=st.integers(0, 24 * 600),
        cents=st.integers(1, 150_000),
        kind=st.sampled_from(["sale", "sale", "sale", "return", "unlinked", "guest"]),
        quantity=st.integers(1, 3),
    ),
    min_size=1,
    max_size=30,
)


def told(facts: list[Fact], members: list[Member], channel: Channel) -> list[Order | Return]:
    """Return orders and returns in order of time; a return takes up to what its purchase still has."""
    told: list[Order | Return] = []
    sales: list[tuple[Order, Decimal]] = []
    for number, fact in enumerate(sorted(facts, key=lambda fact: fact.at)):
        moment = fact.at + timedelta(seconds=number)
        line = OrderLine("LATTE", "拿铁", Decimal(fact.quantity), fact.amount / fact.quantity, fact.amount)
        if fact.kind in ("sale", "guest"):
            member_id = members[fact.member].pk if fact.kind == "sale" else None
            order = Order("shop", f"{number:04}", member_id, channel.pk, None, moment, (line, POSTAGE))
            told.append(order)
            sales.append((order, Decimal(fact.quantity)))
        elif fact.kind == "unlinked":
            told.append(
                Return(
                    "shop",
                    f"R{number:04}",
                    None,
                    channel.pk,
                    None,
                    moment,
                    member_id=members[fact.member].pk,
                    lines=(line, POSTAGE),
                )
            )
        elif sales:
            index = fact.member * 7 % len(sales)
            order, left = sales[index]
            if left > 0:
                back = min(left, Decimal(fact.quantity))
                sales[index] = (order, left - back)
                items = (ReturnItem(1, back),)
                told.append(Return("shop", f"R{number:04}", order.external_order_no, channel.pk, None, moment, items))
    return told


def live(history: list[Order | Return]) -> None:
    """Tell a history fact by fact."""
    for fact in history:
        if isinstance(fact, Order):
            record_purchase(order=fact, by=BY, at=fact.ordered_at)
        else:
            record_return(ret=fact, by=BY, at=fact.returned_at)


def bulk(history: list[Order | Return]) -> None:
    """Tell a history at once."""
    orders = [fact for fact in history if isinstance(fact, Order)]
    returns = [fact for fact in history if isinstance(fact, Return)]
    outcome = post_history(orders=orders, returns=returns, by=BY, at=AT, quiet=True)
    assert outcome.refused == []
    assert (outcome.orders_new, outcome.returns_new) == (len(orders), len(returns))


@pytest.mark.django_db
class TestBulk:
    """Bulk posting …"""

    @pytest.fixture
    def people(self) -> tuple[list[Member], Channel]:
        channel = Channel.objects.get(code="till")
        Product.objects.create(sku="POST", name="邮费", earns=False)
        Promotion.objects.create(
            name="周末双倍",
            state="live",
            factor=2,
            starts_at=START,
            ends_at=START + timedelta(days=200),
            weekdays=[5, 6],
            min_spend_amount=100,
        )
        return [Member.objects.create(joined_at=START, channel=channel) for _ in range(3)], channel

    @pytest.mark.parametrize("pending_days", [0, 7])
    def test_equals_live_posting_on_random_histories(
        self, people: tuple[list[Member], Channel], pending_days: int
    ) -> None:
        members, channel = people
        rewrite_base_rule(pending_days=pending_days)
        LadderVersion.objects.update(validity_months=6)
        coffee = Category.objects.create(code="coffee", name="咖啡")
        Product.objects.create(sku="LATTE", name="拿铁", category=coffee)
        for tier, figure, weekdays in (("member", "1.5", [0, 2, 4]), ("silver", "2", [])):
            benefit = a_benefit(kind=Benefit.Kind.MULTIPLIER, quota=None, category_codes=["coffee"], weekdays=weekdays)
            given_by(tier, benefit, figure=Decimal(figure))

        @settings(max_examples=12)
        @given(facts)
        def check(generated: list[Fact]) -> None:
            history = told(generated, members, channel)
            dumps = []
            for tell in (live, bulk):
                with transaction.atomic():
                    tell(history)
                    assert [str(finding) for finding in verify(at=START)] == []
                    dumps.append(dump())
                    transaction.set_rollback(True)
            for name in DUMPS:
                assert dumps[0][name] == dumps[1][name], name

        check()

    def test_changes_nothing_the_second_time(self, people: tuple[list[Member], Channel]) -> None:
        members, channel = people
        line = OrderLine("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30))
        order = Order("shop", "1", members[0].pk, channel.pk, None, START, (line,))
        ret = Return("shop", "R1", "1", channel.pk, None, START + timedelta(days=1))
        post_history(orders=[order], returns=[ret], by=BY, at=AT, quiet=True)
        before = dump()

        outcome = post_history(orders=[order], returns=[ret], by=BY, at=AT, quiet=True)

        assert (outcome.orders_new, outcome.orders_known, outcome.returns_new, outcome.returns_known) == (0, 1, 0, 1)
        assert dump() == before

    def test_refuses_a_known_number_with_another_content(self, people: tuple[list[Member], Channel]) -> None:
        members, channel = people
        line = OrderLine("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30))
        post_history(
            orders=[Order("shop", "1", members[0].pk, channel.pk, None, START, (line,))],
            returns=[],
            by=BY,
            at=AT,
            quiet=True,
        )
        before = dump()
        other = Order("shop", "1", members[1].pk, channel.pk, None, START, (line,))

        outcome = post_history(orders=[other], returns=[], by=BY, at=AT, quiet=True)

        assert [(number, refusal.code) for number, refusal in outcome.refused] == [("1", "order_conflict")]
        assert dump() == before

    def test_refuses_orders_of_a_frozen_member_and_records_the_others(
        self, people: tuple[list[Member], Channel]
    ) -> None:
        members, channel = people
        Member.objects.filter(pk=members[0].pk).update(status="frozen")
        line = OrderLine("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30))
        orders = [
            Order("shop", str(index), member.pk, channel.pk, None, START, (line,))
            for index, member in enumerate(members)
        ]

        outcome = post_history(orders=orders, returns=[], by=BY, at=AT, quiet=True)

        assert [(number, refusal.code) for number, refusal in outcome.refused] == [("0", "member_frozen")]
        assert outcome.orders_new == 2

    def test_takes_nothing_back_for_an_article_that_earns_nothing(self, people: tuple[list[Member], Channel]) -> None:
        members, channel = people
        bought = OrderLine("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30))
        ret = Return(
            "shop", "R1", None, channel.pk, None, START + timedelta(days=1), member_id=members[0].pk, lines=(POSTAGE,)
        )
        post_history(
            orders=[Order("shop", "1", members[0].pk, channel.pk, None, START, (bought,))],
            returns=[ret],
            by=BY,
            at=AT,
            quiet=True,
        )

        assert balance_of(members[0].pk, START + timedelta(days=1)).available == 30
        assert PurchaseReturn.objects.get().points == 0

    def test_equals_live_posting_for_a_return_dated_before_its_sale(self, people: tuple[list[Member], Channel]) -> None:
        """A file with dates only gives returns of midnight; the points were earned all the same, and are taken back."""
        members, channel = people
        line = OrderLine("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30))
        history: list[Order | Return] = [
            Order("shop", "1", members[0].pk, channel.pk, None, START + timedelta(hours=3), (line,)),
            Return("shop", "R1", "1", channel.pk, None, START),
        ]
        dumps = []
        for tell in (live, bulk):
            with transaction.atomic():
                tell(history)
                dumps.append(dump())
                assert balance_of(members[0].pk, AT).available == 0
                assert PurchaseReturn.objects.get().points == 30
                transaction.set_rollback(True)
        assert dumps[0] == dumps[1]
