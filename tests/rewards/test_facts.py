"""Facts about orders and points."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from members.actors import SYSTEM
from members.conditions import compile, parse
from members.facts import values_for
from members.models import Member
from rewards.models import Lot
from rewards.queries import balance_of
from rewards.services.purchases import Order, record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import a_line, a_return, an_order
from tests.factories.people import a_member
from tests.factories.times import at

NOON = at("2026-03-15 12:00")


def value_of(member: Member, key: str, moment: datetime = NOON) -> object:
    return values_for(member.pk, [key], moment)[key]


def bought(member: Member, amount: str, ordered_at: datetime) -> Order:
    lines = (a_line(amount, quantity="2"),)
    order = an_order(member, lines=lines, ordered_at=ordered_at)
    record_purchase(order=order, by=SYSTEM, at=max(NOON, ordered_at))
    return order


def gave_back(order: Order, quantity: str, returned_at: datetime) -> None:
    record_return(ret=a_return(order, (1, quantity), returned_at=returned_at), by=SYSTEM, at=max(NOON, returned_at))


@pytest.mark.django_db
class TestOrders:
    def test_count_when_kept_and_before_the_moment(self) -> None:
        member, other = a_member(), a_member()
        half, whole = (bought(member, "100.00", NOON - timedelta(days=3)) for _order in range(2))
        bought(member, "7.00", NOON - timedelta(days=30))
        bought(member, "9.00", NOON - timedelta(days=30, seconds=1))
        bought(member, "11.00", NOON)
        bought(other, "13.00", NOON - timedelta(days=1))
        gave_back(half, "1", NOON - timedelta(days=1))
        gave_back(whole, "2", NOON - timedelta(days=1))
        assert value_of(member, "rewards.orders?days=30") == 2
        assert value_of(member, "rewards.spend?days=30") == Decimal("57.00")
        assert value_of(member, "rewards.spend?days=40") == Decimal("66.00")
        assert value_of(member, "rewards.orders?days=30", NOON - timedelta(days=2)) == 4
        assert value_of(member, "rewards.spend?days=30", NOON - timedelta(days=2)) == Decimal("216.00")
        assert value_of(a_member(), "rewards.spend?days=30") == 0

    def test_say_whether_there_was_one_before(self) -> None:
        member = a_member()
        assert value_of(member, "rewards.is_first_order") is True
        order = bought(member, "10.00", NOON)
        assert value_of(member, "rewards.is_first_order", NOON) is True
        assert value_of(member, "rewards.is_first_order", NOON + timedelta(seconds=1)) is False
        gave_back(order, "1", NOON + timedelta(hours=1))
        assert value_of(member, "rewards.is_first_order", NOON + timedelta(hours=2)) is False
        gave_back(order, "1", NOON + timedelta(hours=3))
        assert value_of(member, "rewards.is_first_order", NOON + timedelta(hours=4)) is True

    def test_name_the_day_of_the_last_one_in_the_zone_of_the_programme(self) -> None:
        member = a_member()
        assert value_of(member, "rewards.last_order_date") is None
        bought(member, "10.00", at("2026-03-02 00:30"))
        bought(member, "10.00", at("2026-02-02 00:30"))
        assert value_of(member, "rewards.last_order_date") == date(2026, 3, 2)

    def test_choose_members_as_well_as_they_tell_of_one(self) -> None:
        members = [a_member() for _member in range(3)]
        for number, member in enumerate(members):
            for order in range(number):
                bought(member, "80.00", NOON - timedelta(days=order + 1))
        asked = {"all": [
            {"fact": "rewards.orders?days=30", "op": "between", "value": [1, 5]},
            {"fact": "rewards.spend?days=30", "op": "gte", "value": "80.01"},
        ]}  # fmt: skip
        compiled = compile(parse(asked), at=NOON)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT m.id FROM members_member m WHERE {compiled.sql}", compiled.params)
            assert cursor.fetchall() == [(members[2].pk,)]


@pytest.mark.django_db
class TestTheBalance:
    def test_is_what_can_be_spent(self) -> None:
        member = a_member()
        assert value_of(member, "rewards.balance") == balance_of(member.pk, NOON).available == 0
        bought(member, "100.00", at("2025-03-15 12:00"))
        bought(member, "40.00", at("2026-03-01 12:00"))
        last = Lot.objects.filter(account__member=member, expires_at__isnull=False).order_by("expires_at").first()
        assert last is not None
        assert last.expires_at is not None
        for moment in (NOON, last.expires_at - timedelta(seconds=1), last.expires_at):
            assert value_of(member, "rewards.balance", moment) == balance_of(member.pk, moment).available
        assert value_of(member, "rewards.balance", NOON) == 140
        assert value_of(member, "rewards.balance", last.expires_at) == 40
