"""Points set aside for an order: held, spent, given back; and what a return gives back of them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import translation

from members.actors import SYSTEM
from members.admin.timeline import tell
from members.models import Member, TimelineEntry
from rewards import ledger
from rewards.ledger import HoldNotOpen, HoldTooSmall, InsufficientPoints
from rewards.models import Hold, Lot, PointsCurrency
from rewards.policies import forget_policies
from rewards.queries import balance_of
from rewards.services.holds import give_hold_back, hold_points, release_due_holds, spend_hold, spend_on_order
from rewards.services.orders import MemberFrozen, OrderConflict
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from rewards.services.verification import verify
from tests.factories.histories import give_points, with_points
from tests.factories.orders import NOON, a_line, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.factories.times import at
from tests.harness.dumps import dump

LATER = NOON + timedelta(minutes=5)


def set_aside(member: Member, points: int, ref: str = "H1") -> int:
    """Set points aside for a quarter of an hour; return the hold's id."""
    return hold_points(member_id=member.pk, points=points, source="till", external_ref=ref, by=TILL, at=NOON).hold_id


def figures(member: Member) -> tuple[int, int]:
    """Return what is available and what is held."""
    balance = balance_of(member.pk, LATER)
    return balance.available, balance.held


def told(member: Member) -> list[str]:
    """Return the kinds of what the timeline was told."""
    kinds = TimelineEntry.objects.filter(member=member).order_by("id").values_list("kind", flat=True)
    return [kind.removeprefix("rewards.").removesuffix(".v1") for kind in kinds]


@pytest.fixture
def member() -> Member:
    """A member with 100 points until July and 50 until May."""
    member = with_points(100, moment=at("2026-01-01"), expires_at=at("2026-07-01"))
    give_points(member, 50, moment=at("2026-01-02"), expires_at=at("2026-05-01"))
    return member


def lots() -> list[int]:
    """Return what is left of the lots, the first to expire first."""
    return list(Lot.objects.order_by("expires_at").values_list("remaining", flat=True))


@pytest.mark.django_db
class TestHold:
    """A hold …"""

    def test_takes_points_out_of_reach_but_not_away(self, member: Member) -> None:
        set_aside(member, 120)
        assert figures(member) == (30, 120)
        assert told(member)[-1] == "points_held"
        with pytest.raises(InsufficientPoints):
            hold_points(member_id=member.pk, points=31, source="till", external_ref="H2", by=TILL, at=NOON)

    def test_is_made_once(self, member: Member) -> None:
        first = set_aside(member, 20)
        before = dump()
        assert set_aside(member, 20) == first
        assert dump() == before

    def test_under_a_known_number_with_other_points_is_refused(self, member: Member) -> None:
        set_aside(member, 20)
        before = dump()
        with pytest.raises(OrderConflict):
            set_aside(member, 21)
        assert dump() == before

    def test_of_a_frozen_member_is_refused_and_changes_nothing(self, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        before = dump()
        with pytest.raises(MemberFrozen):
            set_aside(member, 20)
        assert dump() == before

    def test_that_is_spent_takes_the_points_that_expire_first(self, member: Member) -> None:
        hold = set_aside(member, 120)
        receipt = spend_hold(hold_id=hold, source="till", external_order_no="O1", by=TILL, at=LATER, points=60)
        assert (receipt.points, receipt.available) == (60, 90)
        assert lots() == [0, 90]
        assert figures(member) == (90, 0)
        assert told(member)[-1] == "points_spent"
        assert [str(finding) for finding in verify(at=LATER)] == []

    def test_is_spent_once(self, member: Member) -> None:
        hold = set_aside(member, 20)
        spend_hold(hold_id=hold, source="till", external_order_no="O1", by=TILL, at=LATER)
        before = dump()
        again = spend_hold(hold_id=hold, source="till", external_order_no="O1", by=TILL, at=LATER)
        assert (again.already_recorded, again.points) == (True, 20)
        with pytest.raises(HoldNotOpen):
            spend_hold(hold_id=hold, source="till", external_order_no="O2", by=TILL, at=LATER)
        assert dump() == before

    def test_gives_no_more_than_it_holds(self, member: Member) -> None:
        hold = set_aside(member, 20)
        before = dump()
        with pytest.raises(HoldTooSmall) as refused:
            spend_hold(hold_id=hold, source="till", external_order_no="O1", by=TILL, at=LATER, points=21)
        assert refused.value.params == {"required": 21, "held": 20}
        assert dump() == before

    def test_past_its_end_can_not_be_spent_and_comes_back_by_itself(self, member: Member) -> None:
        hold = set_aside(member, 120)
        end = NOON + timedelta(minutes=15)
        before = dump()
        with pytest.raises(HoldNotOpen):
            spend_hold(hold_id=hold, source="till", external_order_no="O1", by=TILL, at=end)
        assert dump() == before
        assert release_due_holds(at=end - timedelta(microseconds=1)) == 0
        assert release_due_holds(at=end) == 1
        assert release_due_holds(at=end) == 0
        assert lots() == [50, 100]
        assert Hold.objects.get().state == Hold.State.EXPIRED
        assert told(member)[-1] == "hold_given_back"

    def test_past_its_end_stands_in_nobodys_way(self, member: Member) -> None:
        """The next payment frees it, even when the beat has not run."""
        set_aside(member, 120)
        end = NOON + timedelta(minutes=15)
        receipt = spend_on_order(
            member_id=member.pk, points=150, source="till", external_order_no="O1", by=TILL, at=end
        )
        assert receipt.available == 0
        assert [str(finding) for finding in verify(at=end)] == []

    @pytest.mark.parametrize("met_by", ["purchase", "payment", "hold", "transfer", "nobody"])
    def test_past_its_end_is_told_once_whoever_gave_it_back(self, member: Member, met_by: str) -> None:
        hold = set_aside(member, 20)
        end = NOON + timedelta(minutes=15)
        by_till: dict[str, Any] = {"member_id": member.pk, "source": "till", "by": TILL, "at": end}
        if met_by == "purchase":
            record_purchase(order=an_order(member, "8.00", ordered_at=end), by=TILL, at=end)
        elif met_by == "payment":
            spend_on_order(**by_till, points=10, external_order_no="O1")
        elif met_by == "hold":
            hold_points(**by_till, points=10, external_ref="H2", minutes=60)
        elif met_by == "transfer":
            with transaction.atomic():
                ledger.transfer(
                    from_member_id=member.pk, to_member_id=a_member().pk, points=10, source="t", natural_key="1", at=end, by=TILL,
                    trace={},
                )  # fmt: skip
        assert Hold.objects.get(pk=hold).state == (Hold.State.OPEN if met_by == "nobody" else Hold.State.EXPIRED)
        assert "hold_given_back" not in told(member)
        assert release_due_holds(at=end + timedelta(minutes=1)) == (met_by == "nobody")
        entry = TimelineEntry.objects.get(member=member, kind="rewards.hold_given_back.v1")
        assert entry.payload == {"hold": hold, "points": 20, "expired": True}
        assert (entry.subject, entry.actor_kind) == (f"hold:{hold}", "system")
        assert entry.happened_at == (end + timedelta(minutes=1) if met_by == "nobody" else end)
        before = dump()
        release_due_holds(at=end + timedelta(minutes=2))
        assert dump() == before

    def test_that_is_given_back_restores_its_lots(self, member: Member) -> None:
        hold = set_aside(member, 120)
        give_hold_back(hold_id=hold, by=TILL, at=LATER, reason="the customer left")
        give_hold_back(hold_id=hold, by=TILL, at=LATER)
        assert lots() == [50, 100]
        assert figures(member) == (150, 0)

    def test_is_no_way_around_arrears(self, member: Member) -> None:
        """Points come back to a member who owes: what is owed is repaid first."""
        order = an_order(member, "200.00")
        record_purchase(order=order, by=TILL, at=NOON)
        hold = set_aside(member, 350)
        ret = a_return(order, returned_at=LATER)
        record_return(ret=ret, by=TILL, at=LATER)
        assert balance_of(member.pk, LATER).debt == 200
        give_hold_back(hold_id=hold, by=TILL, at=LATER)
        balance = balance_of(member.pk, LATER)
        assert (balance.available, balance.held, balance.debt) == (150, 0, 0)
        assert [str(finding) for finding in verify(at=LATER)] == []


@pytest.mark.django_db
class TestPaymentWithPoints:
    """Points paid on an order …"""

    def test_come_back_to_their_lots_with_the_goods(self, member: Member) -> None:
        order = an_order(member, "80.00", number="O1")
        spend_on_order(member_id=member.pk, points=70, source="shop", external_order_no="O1", by=TILL, at=NOON)
        record_purchase(order=order, by=TILL, at=NOON)
        receipt = record_return(ret=a_return(order), by=TILL, at=NOON + timedelta(days=1))
        assert (receipt.points, receipt.points_back) == (80, 70)
        assert lots()[:2] == [50, 100]
        assert figures(member) == (150, 0)

    def test_come_back_in_parts_that_close(self, member: Member) -> None:
        order = an_order(member, number="O1", lines=tuple(a_line("10.00", sku=f"A{n}") for n in range(3)))
        hold = set_aside(member, 100)
        spend_hold(hold_id=hold, source="shop", external_order_no="O1", by=TILL, at=NOON)
        record_purchase(order=order, by=TILL, at=NOON)
        back = [
            record_return(ret=a_return(order, (line, "1")), by=TILL, at=NOON + timedelta(days=1)).points_back
            for line in (1, 2, 3)
        ]
        assert back == [33, 34, 33]
        assert lots()[:2] == [50, 100]

    def test_live_some_days_longer_where_the_currency_says_so(self, member: Member) -> None:
        PointsCurrency.objects.update(restored_days_min=30)
        forget_policies()
        order = an_order(member, "80.00", number="O1")
        spend_on_order(member_id=member.pk, points=50, source="shop", external_order_no="O1", by=TILL, at=NOON)
        record_purchase(order=order, by=TILL, at=NOON)
        late = at("2026-05-20")
        record_return(ret=a_return(order, returned_at=late), by=TILL, at=late)
        lot = Lot.objects.get(amount=50)
        assert (lot.remaining, lot.expires_at) == (50, late + timedelta(days=30))
        assert [str(finding) for finding in verify(at=late)] == []

    def test_are_refused_under_a_number_that_paid_something_else(self, member: Member) -> None:
        spend_on_order(member_id=member.pk, points=50, source="shop", external_order_no="O1", by=TILL, at=NOON)
        before = dump()
        with pytest.raises(OrderConflict):
            spend_on_order(member_id=member.pk, points=51, source="shop", external_order_no="O1", by=TILL, at=NOON)
        assert dump() == before


@pytest.mark.django_db
class TestMoneyBack:
    """Money paid back while the goods stay …"""

    def test_takes_its_share_of_the_points(self, member: Member) -> None:
        order = an_order(member, lines=(a_line("60.00"), a_line("40.00", sku="CAKE")))
        record_purchase(order=order, by=TILL, at=NOON)
        ret = replace(a_return(order), amount=Decimal("25.00"))
        receipt = record_return(ret=ret, by=TILL, at=NOON + timedelta(days=1))
        assert (receipt.amount, receipt.points) == (Decimal("25.00"), 25)

    def test_and_goods_in_any_order_close(self, member: Member) -> None:
        order = an_order(member, lines=(a_line("60.00", quantity="3"), a_line("40.00", sku="CAKE")))
        record_purchase(order=order, by=TILL, at=NOON)
        day = NOON + timedelta(days=1)
        parts = [
            replace(a_return(order), amount=Decimal("10.01")),
            a_return(order, (1, "1")),
            replace(a_return(order), amount=Decimal("0.99")),
            a_return(order),
        ]
        receipts = [record_return(ret=part, by=TILL, at=day) for part in parts]
        assert sum((receipt.amount for receipt in receipts), Decimal(0)) == Decimal("100.00")
        assert sum(receipt.points for receipt in receipts) == 100
        assert figures(member) == (150, 0)


@pytest.mark.django_db
class TestArrearsPolicy:
    """What can not be taken back …"""

    @pytest.mark.parametrize(
        ("policy", "limit", "debt"), [("future", 0, 80), ("none", 0, 0), ("limit", 30, 30), ("limit", 500, 80)]
    )
    def test_follows_the_currency(self, member: Member, policy: str, limit: int, debt: int) -> None:
        PointsCurrency.objects.update(arrears_policy=policy, arrears_limit_points=limit)
        forget_policies()
        order = an_order(member, "80.00")
        record_purchase(order=order, by=TILL, at=NOON)
        spend_on_order(member_id=member.pk, points=230, source="shop", external_order_no="X", by=TILL, at=NOON)
        receipt = record_return(ret=a_return(order, returned_at=LATER), by=TILL, at=LATER)
        assert (receipt.points, receipt.points_to_arrears) == (80, debt)
        assert balance_of(member.pk, LATER).debt == debt
        assert [str(finding) for finding in verify(at=LATER)] == []

    def test_leaves_other_points_where_the_currency_says_so(self, member: Member) -> None:
        PointsCurrency.objects.update(takes_other_lots=False)
        forget_policies()
        order = an_order(member, "80.00")
        record_purchase(order=order, by=TILL, at=NOON)
        give_points(member, 5, moment=NOON, expires_at=at("2028-04-01"))
        spend_on_order(member_id=member.pk, points=230, source="shop", external_order_no="X", by=TILL, at=NOON)
        record_return(ret=a_return(order, returned_at=LATER), by=TILL, at=LATER)
        balance = balance_of(member.pk, LATER)
        assert (balance.available, balance.debt) == (5, 80)


@pytest.mark.django_db
class TestPaymentInTwoCurrencies:
    """An order that is paid with points and with coins …"""

    @pytest.fixture
    def coins(self, member: Member) -> int:
        """Return the currency of coins, of which the member has 50."""
        coins = PointsCurrency.objects.create(code="coins", name="Coins").pk
        with transaction.atomic():
            ledger.accrue(
                member_id=member.pk, source="gift", natural_key="coins", at=NOON, by=SYSTEM, trace={}, currency_id=coins,
                lots=[ledger.NewLot(50, ledger.Origin.ADJUSTMENT, NOON, None)],
            )  # fmt: skip
        return coins

    def test_may_be_told_again(self, member: Member, coins: int) -> None:
        paid: dict[str, Any] = {
            "member_id": member.pk,
            "source": "shop",
            "external_order_no": "O1",
            "by": TILL,
            "at": NOON,
        }
        for _time in range(2):
            spend_on_order(**paid, points=10)
            spend_on_order(**paid, points=20, currency_id=coins)
        assert balance_of(member.pk, NOON).available == 140
        assert balance_of(member.pk, NOON, currency=coins).available == 30

    def test_says_on_the_timeline_which_points_were_set_aside(self, member: Member, coins: int) -> None:
        asked: dict[str, Any] = {"member_id": member.pk, "points": 20, "source": "till", "by": TILL, "at": NOON}
        hold = hold_points(**asked, external_ref="C", currency_id=coins).hold_id
        give_hold_back(hold_id=hold, by=TILL, at=LATER)
        hold_points(**asked, external_ref="P")
        entries = list(TimelineEntry.objects.filter(member=member, subject__startswith="hold:").order_by("id"))
        assert [entry.payload.get("currency") for entry in entries] == [coins, coins, None]
        with translation.override("en"):
            assert [entry.sentence for entry in tell(entries)] == [
                "20 Coins set aside for a payment.",
                "20 Coins that were set aside came back.",
                "20 points set aside for a payment.",
            ]

    def test_gets_both_back_and_tells_those_of_the_programme(self, member: Member, coins: int) -> None:
        order = an_order(member, "80.00", number="O1")
        record_purchase(order=order, by=TILL, at=NOON)
        paid: dict[str, Any] = {
            "member_id": member.pk,
            "source": "shop",
            "external_order_no": "O1",
            "by": TILL,
            "at": NOON,
        }
        spend_on_order(**paid, points=10)
        spend_on_order(**paid, points=20, currency_id=coins)
        ret = a_return(order, returned_at=LATER)
        receipt = record_return(ret=ret, by=TILL, at=LATER)
        assert receipt.points_back == 10
        assert balance_of(member.pk, LATER, currency=coins).available == 50
        assert record_return(ret=ret, by=TILL, at=LATER) == replace(receipt, already_recorded=True)
