"""Caps and budgets in the database: counted with the purchase, given back by returns, never passed."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from members.models import Member
from rewards.earning import CapUsage, Needs, Period, Quote, cap_key
from rewards.explanation import explain
from rewards.models import (
    BudgetSlice,
    CapCounter,
    Category,
    EarnRuleVersion,
    LedgerTransaction,
    PointsCurrency,
    Product,
)
from rewards.queries import forget_rules
from rewards.services.bulk import post_history
from rewards.services.caps import (
    SLICES,
    book_caps,
    cap_usage,
    forget_day_counters,
    give_back,
    rebalance_budgets,
    set_budget,
)
from rewards.services.earn_facts import OrderFacts, missing_facts
from rewards.services.purchases import Order, PurchaseReceipt, record_purchase
from rewards.services.returns import record_return
from rewards.services.rules import set_programme_cap
from tests.factories.orders import NOON, a_line, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.factories.rules import EVER, a_budget, a_rule, rewrite_base_rule
from tests.rewards import earning_given as given_

DAY = timedelta(days=1)


def buy(order: Order) -> PurchaseReceipt:
    return record_purchase(order=order, by=TILL, at=order.ordered_at)


def counters(member: Member) -> list[tuple[Any, ...]]:
    """What is counted: (whether by a rule, period, first day, points, times)."""
    rows = CapCounter.objects.filter(member=member).order_by("rule_id", "period", "period_start")
    return [(row.rule_id is not None, row.period, row.period_start.isoformat(), row.used, row.times) for row in rows]


def taken(version: EarnRuleVersion) -> int:
    return sum(one.used for one in BudgetSlice.objects.filter(budget=version.rule.budget_id))


def bonus(**terms: Any) -> EarnRuleVersion:
    """An extra rule of 30 points an order."""
    return a_rule("Bonus", **{"mode": "extra", "points_fixed": 30, **terms})


@pytest.mark.django_db
class TestCap:
    """A cap …"""

    def test_holds_over_the_purchases_of_a_day(self) -> None:
        rewrite_base_rule(cap_day_points=80)
        member = a_member()
        assert [buy(an_order(member, amount)).points for amount in ("50", "50", "50")] == [50, 30, 0]
        assert buy(an_order(member, "50", ordered_at=NOON + DAY)).points == 50
        assert counters(member) == [(True, 1, "2026-03-14", 80, 2), (True, 1, "2026-03-15", 50, 1)]

    def test_holds_over_a_month_and_for_ever(self) -> None:
        rewrite_base_rule(cap_month_points=80, cap_member_points=100)
        member = a_member()
        moments = [NOON, NOON + DAY, NOON + 30 * DAY]
        assert [buy(an_order(member, "50", ordered_at=moment)).points for moment in moments] == [50, 30, 20]

    def test_of_the_programme_holds_over_all_rules(self) -> None:
        bonus()
        points = PointsCurrency.objects.get(code="points").pk
        set_programme_cap(currency_id=points, day_points=100, month_points=None, by=TILL, at=EVER)
        forget_rules()
        member = a_member()
        first, second = buy(an_order(member, "50")), buy(an_order(member, "50"))
        assert (first.points, second.points) == (80, 20)
        assert counters(member) == [(False, 1, "2026-03-14", 100, 0)]
        with override("en"):
            assert explain(second.trace).notes == [
                "All rules together give at most 100 points a day; 80 were used up before, so 60 fewer were given."
            ]

    def test_is_each_member_s_own(self) -> None:
        rewrite_base_rule(cap_day_points=80)
        assert [buy(an_order(a_member(), "100")).points for _ in range(2)] == [80, 80]

    def test_costs_a_statement_and_nothing_where_no_rule_has_one(self) -> None:
        bonus(cap_day_points=40, store_ids=[999])
        member = a_member()
        buy(an_order(member))  # reads the rules
        with CaptureQueriesContext(connection) as plain:
            buy(an_order(member))
        rewrite_base_rule(cap_day_points=500)
        buy(an_order(member))
        with CaptureQueriesContext(connection) as capped:
            buy(an_order(member))

        def of_caps(captured: CaptureQueriesContext) -> list[str]:
            names = ("rewards_book_caps", "rewards_capcounter")
            return [name for one in captured.captured_queries for name in names if name in one["sql"]]

        assert of_caps(capped) == ["rewards_book_caps"]  # they are read with the purchase itself
        assert of_caps(plain) == []

    def test_writes_no_row_for_a_purchase_that_no_capped_rule_touches(self) -> None:
        bonus(cap_day_points=40, budget_points=100, store_ids=[999])
        buy(an_order(a_member()))
        assert CapCounter.objects.count() == BudgetSlice.objects.filter(used__gt=0).count() == 0

    def test_is_never_passed_whoever_counts(self) -> None:
        member = a_member()
        version = a_rule(cap_day_points=80)
        quoted = _quote_of(version, points=60, limit=80)
        book_caps(member_id=member.pk, quote=quoted)
        with pytest.raises(IntegrityError, match="a cap would be passed"), transaction.atomic():
            book_caps(member_id=member.pk, quote=quoted)
        assert counters(member) == [(True, 1, "2026-11-21", 60, 1)]

    def test_is_freed_by_returns_to_the_point(self) -> None:
        rewrite_base_rule(cap_day_points=80)
        member = a_member()
        order = an_order(member, lines=(a_line("100.00", quantity="3"),))
        buy(order)
        record_return(ret=a_return(order, (1, "1"), returned_at=NOON), by=TILL, at=NOON)
        assert counters(member) == [(True, 1, "2026-03-14", 53, 1)]
        assert buy(an_order(member, "100")).points == 27
        record_return(ret=a_return(order, returned_at=NOON), by=TILL, at=NOON)
        assert counters(member) == [(True, 1, "2026-03-14", 27, 1)]

    def test_of_days_long_past_is_forgotten(self) -> None:
        rewrite_base_rule(cap_day_points=80, cap_month_points=500)
        member = a_member()
        for days in range(3):
            buy(an_order(member, "50", ordered_at=NOON + days * DAY))
        assert forget_day_counters(before_date=date(2026, 3, 16)) == 2
        assert [row[1:3] for row in counters(member)] == [(1, "2026-03-16"), (2, "2026-03-01")]

    def test_reads_only_the_counters_it_is_asked_for(self) -> None:
        rewrite_base_rule(cap_day_points=80)
        member = a_member()
        buy(an_order(member, "50"))
        rule_id = CapCounter.objects.get().rule_id
        assert rule_id is not None
        day, other = (cap_key(rule_id, 1, Period.DAY, date(2026, 3, number)) for number in (14, 15))
        assert cap_usage(member_id=member.pk, keys=[day, other, cap_key(0, 1, Period.DAY, date(2026, 3, 14))]) == {
            day: CapUsage(50, 1)
        }
        assert cap_usage(member_id=member.pk, keys=[]) == {}


def _quote_of(version: EarnRuleVersion, *, points: int, limit: int) -> Quote:
    """A quote of so many points by a rule with a cap a day."""
    rule = given_.a_rule(version.rule_id, points_fixed=points, currency_id=version.rule.currency_id)
    rule = replace(rule, caps=replace(rule.caps, day_points=limit))
    return given_.earn(given_.purchase("5"), given_.in_force(rule))


@pytest.mark.django_db
class TestBudget:
    """A budget …"""

    def test_is_shared_by_all_members_to_the_last_point(self) -> None:
        version = bonus(budget_points=100)
        receipts = [buy(an_order(a_member(), "5")) for _ in range(5)]
        assert [receipt.points for receipt in receipts] == [35, 35, 35, 15, 5]
        assert taken(version) == 100
        with override("en"):
            assert explain(receipts[3].trace).notes == [
                "The budget of Bonus was nearly used up: it gave 10 of 30 points."
            ]
            assert explain(receipts[3].trace).lines[1].label == "Bonus: 30 points (30 before limits)"

    def test_that_is_used_up_is_why_the_rule_does_not_apply(self) -> None:
        bonus(budget_points=30)
        buy(an_order(a_member(), "5"))
        forget_rules()
        with override("en"):
            explained = explain(buy(an_order(a_member(), "5")).trace)
        assert [(no.label, no.reason) for no in explained.not_applied] == [("Bonus", "its budget is used up")]

    def test_that_gives_less_is_counted_so_by_caps(self) -> None:
        bonus(budget_points=40, cap_day_points=100)
        members = [a_member() for _ in range(3)]
        for member in members:
            buy(an_order(member, "5"))
        assert [counters(member) for member in members] == [
            [(True, 1, "2026-03-14", 30, 1)], [(True, 1, "2026-03-14", 10, 1)], [(True, 1, "2026-03-14", 0, 0)],
        ]  # fmt: skip

    def test_gets_back_what_returns_bring(self) -> None:
        version = bonus(budget_points=100)
        orders = [an_order(a_member(), lines=(a_line("50.00", quantity="2"),)) for _ in range(4)]
        for order in orders:
            buy(order)
        record_return(ret=a_return(orders[0], (1, "1")), by=TILL, at=NOON + DAY)
        assert taken(version) == 85
        record_return(ret=a_return(orders[0]), by=TILL, at=NOON + DAY)
        assert taken(version) == 70
        forget_rules()
        assert buy(an_order(a_member(), "5")).points == 35

    def test_spreads_over_its_slices(self) -> None:
        budget = a_budget(100)
        capacities = list(
            BudgetSlice.objects.filter(budget=budget).order_by("slice_no").values_list("capacity", flat=True)
        )
        assert (len(capacities), sum(capacities), set(capacities)) == (SLICES, 100, {6, 7})

    @pytest.mark.parametrize(("total", "capacity"), [(200, 200), (10, 48), (48, 48)])
    def test_that_is_set_anew_keeps_what_was_taken(self, total: int, capacity: int) -> None:
        budget = a_budget(100)
        BudgetSlice.objects.filter(budget=budget).update(used=3)
        set_budget(budget_id=budget.pk, total_points=total)
        slices = list(BudgetSlice.objects.filter(budget=budget))
        assert (sum(one.capacity for one in slices), sum(one.used for one in slices)) == (capacity, 48)

    def test_lowered_below_what_was_taken_gives_nothing_more_until_enough_came_back(self) -> None:
        version = bonus(budget_points=60)
        member = a_member()
        orders = [an_order(member, "5") for _ in range(2)]
        for order in orders:
            buy(order)
        assert version.rule.budget_id is not None
        set_budget(budget_id=version.rule.budget_id, total_points=40)
        record_return(ret=a_return(orders[0], returned_at=NOON), by=TILL, at=NOON)
        assert taken(version) == 30
        assert [buy(an_order(member, "5")).points for _ in range(2)] == [15, 5]
        assert taken(version) == 40

    def test_is_balanced_again_by_a_task(self) -> None:
        version = bonus(budget_points=160)
        slices = BudgetSlice.objects.filter(budget=version.rule.budget_id)
        slices.filter(slice_no=0).update(used=10)
        assert rebalance_budgets(at=NOON) == 1
        assert {one.capacity - one.used for one in slices} == {9, 10}
        assert rebalance_budgets(at=NOON) == 0

    def test_is_set_by_the_task_when_a_version_begins(self) -> None:
        version = bonus(budget_points=160, valid_to=NOON)
        EarnRuleVersion.objects.create(
            rule=version.rule, number=2, state="published", valid_from=NOON, mode="extra", points_fixed=30, budget_points=320,
            gets_tier_multiplier=False, gets_promotions=False,
        )  # fmt: skip
        slices = BudgetSlice.objects.filter(budget=version.rule.budget_id)
        assert rebalance_budgets(at=NOON - DAY) == 0
        assert rebalance_budgets(at=NOON) == 1
        assert sum(one.capacity for one in slices) == 320


@pytest.mark.django_db
class TestGivingBack:
    def test_nothing_costs_nothing(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            give_back(member_id=1, traces=[{"v": 1, "lines": []}], part=lambda whole: whole)
            give_back(member_id=1, traces=[None], part=lambda whole: whole)
            give_back(member_id=1, traces=[{"uses": [[1, 1, 1, "2026-03-14", 5, 1]]}], part=lambda _whole: 0)
        assert len(captured) == 0

    def test_never_takes_a_counter_below_nothing(self) -> None:
        rewrite_base_rule(cap_day_points=80)
        member = a_member()
        buy(an_order(member, "50"))
        trace = LedgerTransaction.objects.latest("id").trace
        for _ in range(2):
            give_back(member_id=member.pk, traces=[trace], part=lambda whole: whole)
        assert counters(member) == [(True, 1, "2026-03-14", 0, 0)]


@pytest.mark.django_db
class TestFirstOrder:
    """The bonus for the first order …"""

    def test_is_given_once(self) -> None:
        bonus(first_order_only=True)
        member = a_member()
        assert [buy(an_order(member, "5")).points for _ in range(2)] == [35, 5]

    def test_is_given_once_when_an_older_order_arrives_later(self) -> None:
        bonus(first_order_only=True)
        member = a_member()
        moments = [NOON, NOON - DAY]
        assert [buy(an_order(member, "5", ordered_at=moment)).points for moment in moments] == [35, 5]

    def test_is_given_again_when_everything_came_back(self) -> None:
        bonus(first_order_only=True)
        member = a_member()
        order = an_order(member, lines=(a_line("5.00", quantity="2"),))
        buy(order)
        record_return(ret=a_return(order, (1, "1")), by=TILL, at=NOON + DAY)
        assert buy(an_order(member, "5", ordered_at=NOON + DAY)).points == 5
        other = a_member()
        order = an_order(other, "5")
        buy(order)
        record_return(ret=a_return(order), by=TILL, at=NOON + DAY)
        assert buy(an_order(other, "5", ordered_at=NOON + DAY)).points == 35


@pytest.mark.django_db
class TestFrequency:
    def test_counts_the_orders_of_the_last_days(self) -> None:
        bonus(min_orders=3, within_days=30)
        member = a_member()
        moments = [NOON - 30 * DAY, NOON - 9 * DAY, NOON - DAY, NOON]
        assert [buy(an_order(member, "5", ordered_at=moment)).points for moment in moments] == [5, 5, 35, 35]
        with override("en"):
            receipt = buy(an_order(a_member(), "5"))
            (no,) = explain(receipt.trace).not_applied
        assert no.reason == "1 order within 30 days; 3 are needed"

    def test_is_read_for_all_spans_at_once_or_not_at_all(self) -> None:
        member = a_member()
        for days in range(4):
            buy(an_order(member, "5", ordered_at=NOON - days * DAY))
        needs = Needs(first_order=True, order_days=frozenset({1, 2, 30}))
        with CaptureQueriesContext(connection) as captured:
            facts = missing_facts(needs=needs, member_id=member.pk, purchase_id=0, ordered_at=NOON)
            assert missing_facts(needs=Needs(), member_id=member.pk, purchase_id=0, ordered_at=NOON) == OrderFacts()
        assert facts == OrderFacts(False, {1: 2, 2: 3, 30: 5})
        assert len(captured) == 1


@pytest.mark.django_db
class TestGoods:
    def test_are_known_from_the_catalogue(self) -> None:
        coffee, tea = (Category.objects.create(code=code, name=code) for code in ("coffee", "tea"))
        Product.objects.create(sku="LATTE", name="Latte", category=coffee)
        Product.objects.create(sku="OOLONG", name="Oolong", category=tea, brand="Mountain")
        bonus(category_ids=[coffee.pk], points_fixed=None, points_per_step=2)
        bonus(brands=["MOUNTAIN"], points_fixed=7)
        order = an_order(
            a_member(), lines=(a_line("10.00"), a_line("20.00", sku="OOLONG"), a_line("1.00", sku="WATER"))
        )
        assert buy(order).points == 31 + 20 + 7


@pytest.mark.django_db
class TestReturn:
    """The return of an order that had counted towards a cap and a budget …"""

    @pytest.mark.parametrize("in_bulk", [False, True])
    def test_frees_both_however_it_is_posted(self, in_bulk: bool) -> None:
        version = bonus(budget_points=100, cap_day_points=60)
        order = an_order(a_member())
        buy(order)
        ret = a_return(order)
        assert taken(version) == 30
        if in_bulk:
            post_history(orders=[], returns=[ret], by=TILL, at=ret.returned_at, quiet=True)
        else:
            record_return(ret=ret, by=TILL, at=ret.returned_at)
        assert (taken(version), set(CapCounter.objects.values_list("used", flat=True))) == (0, {0})
