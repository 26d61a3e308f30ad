"""Caps and budgets under races: real threads, real connections, real commits."""

import random
from datetime import timedelta
from itertools import cycle

import pytest
from django.db import connection, transaction

from rewards.models import BudgetSlice, CapCounter
from rewards.services.caps import book_caps, give_back, rebalance_budgets, set_budget
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.factories.rules import a_budget, a_rule, rewrite_base_rule
from tests.harness.threads import spread, together
from tests.rewards import earning_given as given_

CONNECTIONS = 16
DAY = timedelta(days=1)


def taken(budget_id: int) -> int:
    return sum(one.used for one in BudgetSlice.objects.filter(budget=budget_id))


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def take(budget_id: int, member_id: int, points: int) -> int:
    """Take from a budget as a purchase does, in a transaction of its own."""
    rule = given_.a_rule(1, points_fixed=points, budget_id=budget_id)
    with transaction.atomic():
        quoted = given_.earn(given_.purchase("5", member_id=member_id), given_.in_force(rule))
        return book_caps(member_id=member_id, quote=quoted).points


class TestBudget:
    """A budget that many ask at once …"""

    @pytest.mark.parametrize(("total", "wish", "times"), [(1_000, 7, 400), (999, 100, 48), (5, 1, 64), (160, 10, 16)])
    def test_gives_what_is_asked_or_all_there_is_never_more(
        self, committed_db: str, total: int, wish: int, times: int
    ) -> None:
        budget = a_budget(total)
        granted = spread(lambda number: take(budget.pk, number, wish), times=times, threads=CONNECTIONS)
        assert sum(granted) == taken(budget.pk) == min(total, wish * times)
        assert all(0 <= given <= wish for given in granted)
        assert len([given for given in granted if 0 < given < wish]) <= 1
        assert deadlocks() == 0

    def test_of_one_slice_s_members_gives_all_there_is(self, committed_db: str) -> None:
        budget = a_budget(1_000)
        granted = spread(lambda _number: take(budget.pk, 32, 7), times=160, threads=CONNECTIONS)
        assert sum(granted) == taken(budget.pk) == 1_000

    def test_stays_within_itself_while_it_is_balanced_set_anew_and_given_back(self, committed_db: str) -> None:
        version = a_rule("Bonus", mode="extra", points_fixed=3, budget_points=400)
        budget_id = version.rule.budget_id
        assert budget_id is not None
        totals = cycle([300, 400, 350])
        dice = random.Random(7)

        def act(number: int) -> int:
            match number % 8:
                case 6:
                    return rebalance_budgets(at=NOON) * 0
                case 7:
                    with transaction.atomic():
                        set_budget(budget_id=budget_id, total_points=next(totals))
                    return 0
            points = dice.randint(1, 5)
            given = take(budget_id, number, points)
            if number % 5 == 0 and given:
                trace = {"budgets": [[budget_id, "1", points, given]]}
                with transaction.atomic():
                    give_back(member_id=number, traces=[trace], part=lambda whole: whole)
                return 0
            return given

        granted = spread(act, times=320, threads=CONNECTIONS)
        assert sum(granted) == taken(budget_id) <= 400
        assert deadlocks() == 0

    def test_is_never_passed_by_purchases_and_returns(self, committed_db: str) -> None:
        version = a_rule("Bonus", mode="extra", points_fixed=30, budget_points=1_000, cap_day_points=90)
        rewrite_base_rule(points_per_step=1)
        members = [a_member() for _ in range(8)]
        orders = [an_order(members[number % 8], "10") for number in range(64)]

        def act(number: int) -> int:
            order = orders[number]
            points = record_purchase(order=order, by=TILL, at=order.ordered_at).points - 10
            if number % 4:
                return points
            record_return(ret=a_return(order), by=TILL, at=order.ordered_at + DAY)
            return 0

        granted = spread(act, times=64, threads=CONNECTIONS)
        budget_id = version.rule.budget_id
        assert budget_id is not None
        assert sum(granted) == taken(budget_id) <= 1_000
        counted = {row.member_id: row.used for row in CapCounter.objects.filter(rule=version.rule)}
        assert sum(counted.values()) == taken(budget_id)
        assert all(used <= 90 for used in counted.values())
        assert deadlocks() == 0


class TestCap:
    def test_of_one_member_holds_whatever_he_buys_at_once(self, committed_db: str) -> None:
        rewrite_base_rule(cap_day_points=100, cap_month_points=150)
        member = a_member()
        orders = [an_order(member, "9") for _ in range(32)]
        points = spread(
            lambda number: record_purchase(order=orders[number], by=TILL, at=NOON).points, times=32, threads=CONNECTIONS
        )
        assert sum(points) == 100
        assert set(CapCounter.objects.values_list("period", "used")) == {(1, 100), (2, 100)}

    def test_of_the_first_order_gives_one_bonus(self, committed_db: str) -> None:
        a_rule("Welcome", mode="extra", points_fixed=100, first_order_only=True)
        member = a_member()
        orders = [an_order(member, "9") for _ in range(CONNECTIONS)]
        jobs = [lambda order=order: record_purchase(order=order, by=TILL, at=NOON).points for order in orders]
        assert sorted(together(jobs)) == [9] * (CONNECTIONS - 1) + [109]
