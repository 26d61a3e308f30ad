"""A draft over real past orders: the same engine, before and after, in few queries and with nothing written."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.actors import SYSTEM
from members.models import Member
from members.services.activities import record_activity
from rewards.models import (
    Budget,
    CapCounter,
    Category,
    EarnRuleVersion,
    LedgerTransaction,
    PointsCurrency,
    PointsRate,
    Product,
    Purchase,
    PurchaseLine,
)
from rewards.queries import forget_rules
from rewards.services import rule_preview
from rewards.services.purchases import record_purchase
from rewards.services.rule_preview import Preview, preview_version
from rewards.services.rules import draft_version, write_draft
from tests.factories.orders import a_line, an_order
from tests.factories.people import a_channel, a_member
from tests.factories.portal import signed_in
from tests.factories.rules import a_rule, base_rule
from tests.factories.times import at

NOW = at("2026-11-21 12:00")
pytestmark = pytest.mark.django_db


def buy(member: Member, amount: str, moment: str, **more: Any) -> None:
    ordered_at = at(f"2026-11-{moment}")
    record_purchase(order=an_order(member, amount, ordered_at=ordered_at, **more), by=SYSTEM, at=ordered_at)


def a_draft_of_the_base_rule(**terms: Any) -> EarnRuleVersion:
    draft = draft_version(rule_id=base_rule().pk, by=SYSTEM, at=NOW)
    return write_draft(version_id=draft.pk, terms=terms, by=SYSTEM, at=NOW)


def an_extra_draft(**terms: Any) -> EarnRuleVersion:
    return a_rule("Extra", state="draft", mode="extra", gets_tier_multiplier=False, gets_promotions=False, **terms)


def preview(version: EarnRuleVersion, days: int = 7) -> Preview:
    forget_rules()
    return preview_version(version=version, days=days, at=NOW)


class TestFigures:
    """The figures …"""

    def test_are_those_of_the_engine_with_and_without_the_draft(self) -> None:
        one, other = a_member(), a_member()
        buy(one, "50.00", "20 10:00")
        buy(one, "30.00", "20 12:00")
        buy(other, "20.90", "21 09:00")
        buy(other, "50.00", "13 09:00")  # before the span
        found = preview(a_draft_of_the_base_rule(points_per_step=2))
        assert (found.occasions, found.members, found.members_affected, found.changed) == (3, 2, 2, 3)
        assert (found.before, found.after, found.difference) == (100, 200, 100)
        assert found.top_member == (one.pk, 80)
        assert [(sample.before, sample.after) for sample in found.samples] == [(50, 100), (30, 60), (20, 40)]
        assert (found.value, found.cost, found.is_whole) == (None, None, True)
        assert preview(a_draft_of_the_base_rule(points_per_step=2), 28).before == 150

    def test_are_worth_what_a_point_is_worth(self) -> None:
        PointsRate.objects.create(
            currency=PointsCurrency.objects.get(code="points"),
            valid_from=NOW - timedelta(days=1),
            money_per_point=Decimal("0.02"),
        )
        buy(a_member(), "50.00", "20 10:00")
        assert preview(an_extra_draft(points_fixed=100)).cost == Decimal("2.00")

    def test_stop_at_the_caps_of_each_member_in_the_order_of_the_orders(self) -> None:
        one, other = a_member(), a_member()
        for moment in ("20 10:00", "20 11:00", "20 12:00", "21 10:00"):
            buy(one, "10.00", moment)
        buy(other, "10.00", "20 10:30")
        found = preview(an_extra_draft(points_fixed=40, cap_day_points=100))
        assert (found.before, found.after) == (50, 50 + 100 + 40 + 40)
        assert [sample.after - sample.before for sample in found.samples] == [40, 40, 40, 20, 40]

    def test_stop_at_a_budget_that_all_share(self) -> None:
        for moment in ("20 10:00", "20 11:00", "20 12:00"):
            buy(a_member(), "10.00", moment)
        assert preview(an_extra_draft(points_fixed=40, budget_points=100)).difference == 100

    def test_know_the_first_order_and_how_many_there_were(self) -> None:
        old, new = a_member(), a_member()
        buy(old, "10.00", "01 10:00")
        for moment in ("20 10:00", "20 11:00", "20 12:00"):
            buy(old, "10.00", moment)
            buy(new, "10.00", moment)
        assert preview(an_extra_draft(points_fixed=7, first_order_only=True)).difference == 7
        assert preview(an_extra_draft(points_fixed=1, min_orders=3, within_days=2)).difference == 2

    def test_know_goods_and_days(self) -> None:
        coffee = Category.objects.create(code="coffee", name="Coffee")
        Product.objects.create(sku="LATTE", name="Latte", category=coffee, brand="Acme")
        member = a_member()
        buy(member, "0", "20 10:00", lines=(a_line("30.00", sku="LATTE"), a_line("20.00", sku="CAKE")))
        buy(member, "0", "21 10:00", lines=(a_line("5.00", sku="CAKE"),))
        assert preview(an_extra_draft(category_ids=[coffee.pk])).difference == 30
        assert preview(an_extra_draft(excluded_brands=["acme"])).difference == 25
        assert preview(an_extra_draft(weekdays=[5])).difference == 5

    def test_ask_conditions_as_they_were_at_the_time(self) -> None:
        member = a_member()
        for moment in ("18 10:00", "19 10:00", "20 10:00"):
            buy(member, "10.00", moment)
        wanted = {"all": [{"fact": "rewards.orders?days=30", "op": "gte", "value": 2}]}
        found = preview(an_extra_draft(points_fixed=5, condition=wanted))
        assert [sample.after - sample.before for sample in found.samples] == [5]

    def test_say_so_where_nobody_bought_anything(self) -> None:
        found = preview(an_extra_draft(points_fixed=5))
        assert (found.occasions, found.before, found.after, found.samples, found.top_member) == (0, 0, 0, [], None)

    def test_of_behaviour_are_those_of_past_activities(self) -> None:
        member = a_member()
        for number in range(3):
            record_activity(
                member_id=member.pk, kind="check_in", source="app", external_ref=str(number),
                happened_at=at("2026-11-20 10:00"), by=SYSTEM, at=NOW,
            )  # fmt: skip
        found = preview(a_rule("Check-in", activity_kind="check_in", state="draft", points_fixed=5, cap_day_count=2))
        assert (found.occasions, found.before, found.after) == (3, 0, 10)

    def test_take_the_newest_when_there_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rule_preview, "MOST", 2)
        member = a_member()
        for moment in ("18 10:00", "19 10:00", "20 10:00"):
            buy(member, "10.00", moment)
        found = preview(an_extra_draft(points_fixed=5))
        assert (found.occasions, found.is_whole, found.since) == (2, False, at("2026-11-19 10:00"))

    def test_change_nothing(self) -> None:
        buy(a_member(), "50.00", "20 10:00")
        draft = an_extra_draft(points_fixed=5, cap_day_points=4, budget_points=100)
        before = (LedgerTransaction.objects.count(), CapCounter.objects.count(), Budget.objects.count())
        assert preview(draft).difference == 4
        assert (LedgerTransaction.objects.count(), CapCounter.objects.count(), Budget.objects.count()) == before


class TestAgainstWhatWasPosted:
    def test_without_a_change_the_draft_gives_what_the_orders_got(self) -> None:
        a_rule("Extra", mode="extra", points_fixed=3, first_order_only=True)
        a_rule("Day", mode="extra", points_fixed=9, cap_day_points=20)
        for member in (a_member(), a_member(), a_member()):
            for moment, amount in (("19 10:00", "12.30"), ("20 10:00", "99.99"), ("20 15:00", "5"), ("20 18:00", "8")):
                buy(member, amount, moment)
        posted = sum(line[2] for row in LedgerTransaction.objects.all() for line in (row.trace or {}).get("lines", []))
        found = preview(a_draft_of_the_base_rule())
        assert (found.before, found.after, found.changed) == (posted, posted, 0)


class TestSpeed:
    def test_of_2000_orders_is_seconds_and_a_fixed_number_of_queries(self) -> None:
        members = [a_member() for _ in range(200)]
        channel = a_channel()
        rows = [
            Purchase(
                source="shop", external_order_no=f"P{number}", fingerprint=b"0" * 32, member=members[number % 200], channel=channel,
                ordered_at=NOW - timedelta(minutes=5 * number + 1), total_amount=Decimal(20), eligible_amount=Decimal(20),
            )
            for number in range(2_050)
        ]  # fmt: skip
        made = Purchase.objects.bulk_create(rows)
        PurchaseLine.objects.bulk_create(
            PurchaseLine(
                purchase=row,
                line_no=number,
                sku=f"A{number}",
                quantity=1,
                unit_price=Decimal(10),
                amount=Decimal(10),
                earns=True,
            )
            for row in made
            for number in (1, 2)
        )
        wanted = {"all": [{"fact": "rewards.orders?days=30", "op": "gte", "value": 2}]}
        draft = an_extra_draft(
            points_fixed=5, cap_day_points=20, first_order_only=False, min_orders=2, within_days=7, condition=wanted
        )
        forget_rules()
        started = time.monotonic()
        with CaptureQueriesContext(connection) as captured:
            found = preview_version(version=draft, days=28, at=NOW)
        took = time.monotonic() - started
        assert (found.occasions, found.is_whole) == (2_000, False)
        assert len(captured) <= 16, [query["sql"][:90] for query in captured]
        assert took < 6  # it takes less than one second on a machine that does nothing else


class TestPage:
    def test_shows_figures_samples_and_what_is_left_out(self) -> None:
        client = signed_in(superuser=True)
        member = a_member()
        record_purchase(order=an_order(member, "50.00", number="S-77", ordered_at=NOW), by=SYSTEM, at=NOW)
        draft = an_extra_draft(points_fixed=5)
        answer = client.get(reverse("admin:rewards_earnrule_preview", args=[draft.pk]), {"days": "28"})
        assert answer.status_code == 200
        assert "nobody has set what a point is worth" in answer.text or "No member bought" in answer.text
        for words in ("has no end", "Extra"):
            assert words in answer.text

    def test_of_birthdays_says_that_there_is_nothing_to_try_it_on(self) -> None:
        draft = a_rule("Birthday", activity_kind="birthday", state="draft", points_fixed=5)
        answer = signed_in(superuser=True).get(reverse("admin:rewards_earnrule_preview", args=[draft.pk]))
        assert "Birthdays come by themselves" in answer.text
