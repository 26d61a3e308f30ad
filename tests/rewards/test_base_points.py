"""Base points: what a preview of the ladder multiplies anew."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.models import Benefit, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.services.previews import knows_base_points
from members.actors import SYSTEM
from members.models import Member
from rewards.base_points import base_points_of
from rewards.models import LedgerTransaction
from rewards.services.purchases import Order, record_purchase
from rewards.services.returns import record_return
from tests.factories.benefits import a_benefit, given_by, holding
from tests.factories.orders import a_line, a_return, an_order
from tests.factories.people import a_member
from tests.factories.rules import a_rule
from tests.factories.times import at
from tests.loyalty.test_previews import draft_asking, figures, made

NOON = at("2026-03-15 12:00")
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def bought(member: Member, amount: str, days_ago: int = 1) -> Order:
    order = an_order(member, lines=(a_line(amount, quantity="4"),), ordered_at=NOON - days_ago * DAY)
    record_purchase(order=order, by=SYSTEM, at=NOON)
    return order


def points_of(*members: Member, days: int = 365) -> dict[int, int]:
    return dict(base_points_of([member.pk for member in members], NOON - days * DAY, NOON))


class TestBasePoints:
    """Base points …"""

    def test_are_those_before_the_multiplier_in_the_span(self) -> None:
        gold, plain, none = holding("gold", since=NOON - 90 * DAY), a_member(), a_member()
        bought(gold, "100.00")
        bought(gold, "40.00", days_ago=29)
        bought(gold, "7.00", days_ago=30)
        bought(plain, "11.00")
        with CaptureQueriesContext(connection) as queries:
            found = points_of(gold, plain, none, days=30)
        assert found == {gold.pk: 147, plain.pk: 11}
        assert len(queries) == 1
        assert points_of(gold, days=29) == {gold.pk: 140}
        assert points_of(gold, days=0) == {}

    def test_leave_out_rules_that_no_tier_multiplies(self) -> None:
        a_rule("Extra", mode="extra", gets_tier_multiplier=False, gets_promotions=False, points_per_step=3)
        a_rule("Double", mode="extra", points_per_step=2)
        member = holding("gold", since=NOON - 90 * DAY)
        bought(member, "10.00")
        assert points_of(member) == {member.pk: 30}

    def test_leave_out_what_benefits_of_the_tier_add(self) -> None:
        given_by("gold", a_benefit("double", kind=Benefit.Kind.MULTIPLIER, quota=None), figure=Decimal(2))
        member = holding("gold", since=NOON - 90 * DAY)
        bought(member, "10.00")
        trace = LedgerTransaction.objects.get(member=member).trace
        assert trace is not None
        assert [line[0] for line in trace["lines"]] == ["base", "tier", "benefit"]
        assert points_of(member) == {member.pk: 10}

    def test_are_less_what_came_back(self) -> None:
        member = holding("gold", since=NOON - 90 * DAY)
        order = bought(member, "100.00", days_ago=3)
        record_return(ret=a_return(order, (1, "1"), returned_at=NOON - 2 * DAY), by=SYSTEM, at=NOON)
        assert points_of(member) == {member.pk: 75}

    def test_of_who_was_merged_are_the_survivors(self) -> None:
        kept, merged = a_member(), a_member()
        bought(kept, "5.00")
        bought(merged, "6.00")
        Member.objects.filter(pk=merged.pk).update(merged_into=kept)
        assert points_of(kept) == {kept.pk: 11}

    def test_give_previews_a_cost(self) -> None:
        assert knows_base_points()
        forget_ladder_book()
        member = a_member()
        order = an_order(member, "450.00", ordered_at=at("2026-02-01 12:00"))
        record_purchase(order=order, by=SYSTEM, at=at("2026-02-01 12:00"))
        assert TierRule.objects.get(tier__code="silver").points_multiplier == Decimal("1.10")
        shown = figures(made(draft_asking(silver=(400, 300))))  # member ×1.00 → silver ×1.10
        assert (shown.tally.base_points, shown.more_points) == (450, 45)
