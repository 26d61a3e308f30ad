"""An earn rule in one sentence."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from members.models import ActivityKind
from rewards.models import Category, EarnRuleVersion
from rewards.rule_sentence import names_for, sentence
from tests.factories.people import a_channel, a_store
from tests.factories.rules import a_rule

END = "spendable at once."


def said(version: EarnRuleVersion) -> str:
    with override("en"):
        return sentence(version)


@pytest.mark.django_db
class TestSentence:
    """The sentence of a rule …"""

    @pytest.mark.parametrize(
        ("terms", "text"),
        [
            ({}, "1 point for each ¥1.00 spent"),
            ({"points_per_step": 3, "step_amount": Decimal(10)}, "3 points for each ¥10.00 spent"),
            ({"basis": "line"}, "1 point for each ¥1.00 of a line"),
            ({"rounding": "nearest"}, "1 point for each ¥1.00 spent, rounded to the nearest step"),
            ({"rounding": "up", "basis": "line"}, "1 point for each ¥1.00 of a line, a step begun counts"),
            ({"points_fixed": 1_000, "mode": "extra"}, "1,000 points for an order, on top of the other rules"),
            ({"min_spend_amount": Decimal(30)}, "1 point for each ¥1.00 spent, from a spend of ¥30.00"),
            ({"skus": ["A", "B", "C", "D", "E"]}, "1 point for each ¥1.00 spent, on A, B, C and 2 more"),
            ({"brands": ["House"], "excluded_skus": ["A"]}, "1 point for each ¥1.00 spent, on House, not on A"),
            ({"weekdays": [6, 5], "hour_from": 22, "hour_to": 6},
             "1 point for each ¥1.00 spent, on Saturday and Sunday, from 22:00 to 6:00"),
            ({"first_order_only": True}, "1 point for each ¥1.00 spent, on the first order"),
            ({"min_orders": 3, "within_days": 30}, "1 point for each ¥1.00 spent, from 3 orders within 30 days on"),
            ({"cap_order_points": 5, "cap_day_points": 5, "cap_month_points": 1_000, "cap_member_points": 6},
             "1 point for each ¥1.00 spent, at most 5 points an order, at most 5 points a member and day, "
             "at most 1,000 points a member and month, at most 6 points a member in all"),
            ({"budget_points": 90_000},
             "1 point for each ¥1.00 spent, at most 90,000 points to all members together, multiplied neither by tiers nor by promotions"),
            ({"gets_promotions": False}, "1 point for each ¥1.00 spent, not multiplied by promotions"),
            ({"gets_tier_multiplier": False}, "1 point for each ¥1.00 spent, not multiplied by tiers"),
            ({"condition": {"all": [{"fact": "gone.fact", "op": "is", "value": True}]}},
             "1 point for each ¥1.00 spent, for members with: a condition that can not be read any more"),
        ],
    )  # fmt: skip
    def test_says_what_it_says(self, terms: dict[str, Any], text: str) -> None:
        assert said(a_rule(**terms)) == f"{text}, {END}"

    def test_says_when_points_can_be_spent(self) -> None:
        assert said(a_rule(pending_days=7)).endswith(", spendable after 7 days.")

    def test_names_goods_stores_and_channels(self) -> None:
        coffee = Category.objects.create(code="coffee", name="Coffee")
        version = a_rule(category_ids=[coffee.pk, 9_999], store_ids=[a_store().pk], channel_ids=[a_channel().pk])
        assert said(version) == (
            f"1 point for each ¥1.00 spent, on Coffee and #9999, by way of Till, in Store S01, {END}"
        )

    def test_puts_the_condition_into_words(self) -> None:
        condition = {"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]}
        assert "active" in said(a_rule(condition=condition))

    def test_of_behaviour_names_it(self) -> None:
        ActivityKind.objects.get_or_create(code="walk", defaults={"name": "walk", "name_en": "walk"})
        reviews = a_rule(activity_kind="walk", points_fixed=20, cap_day_count=2, cap_month_count=5)
        assert said(reviews) == (
            f"20 points for each walk, at most 2 times a member and day, at most 5 times a member and month, {END}"
        )
        rarely = a_rule(activity_kind="walk", points_fixed=1, cap_day_count=1, cap_day_points=1)
        assert said(rarely) == (
            f"1 point for each walk, at most 1 point a member and day, at most 1 time a member and day, {END}"
        )
        steps = a_rule(activity_kind="walk", points_per_step=1, step_amount=Decimal(1_000))
        assert said(steps) == f"1 point for each 1000 of the figure of walk, {END}"
        assert (
            said(a_rule(activity_kind="birthday", points_fixed=88))
            == f"88 points for each birthday, once a year, {END}"
        )

    @pytest.mark.parametrize("language", ["zh-hans", "zh-hant", "en"])
    def test_leaves_no_placeholder(self, language: str) -> None:
        version = a_rule(
            mode="extra", points_fixed=5, skus=["A"], excluded_brands=["B"], weekdays=[1], hour_from=1, hour_to=2,
            min_orders=1, within_days=2, first_order_only=True, cap_day_points=5, budget_points=9, pending_days=1,
        )  # fmt: skip
        with override(language):
            assert "%" not in sentence(version)

    def test_of_many_rules_costs_a_query_for_each_sort_of_name(self) -> None:
        coffee = Category.objects.create(code="coffee", name="Coffee")
        terms: dict[str, Any] = {
            "category_ids": [coffee.pk],
            "store_ids": [a_store().pk],
            "channel_ids": [a_channel().pk],
        }
        versions = [a_rule(f"Rule {number}", **terms) for number in range(5)]
        sentence(versions[0])  # reads the programme
        with CaptureQueriesContext(connection) as captured:
            names = names_for(versions)
            assert len({sentence(version, names) for version in versions}) == 1
        assert len(captured) == 3
