"""为什么？ Stored traces in words, of today's rules and of those of years ago."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from members.conditions import parse
from rewards.earning import Caps, CapUsage, Goods, Period, apply_budget, matching
from rewards.explanation import Explanation, explain, in_active_language, register_note, weekday_names
from tests.rewards.earning_given import (
    COFFEE,
    NOON,
    Double,
    a_cap,
    a_rule,
    activity,
    an_extra,
    earn,
    earn_activity,
    in_force,
    key,
    purchase,
    used,
)

LANGUAGES = ("zh-hans", "zh-hant", "en")
NAMES = {"zh-hans": "消费得积分", "zh-hant": "消費得積分", "en": "Points on purchases"}
# As it was written before rules had versions of their own.
OLD = {
    "v": 1, "rule": 3, "step": [2, "10.00"], "amount": "58.90", "tier": ["gold", "1.50"],
    "lines": [["base", "3", 10, NAMES], ["tier", "gold", 5, {}], ["promotion", "7", 10, {"en": "Double points"}]],
    "not": [["8", {"en": "Big order"}, "nobody knows", {}]],
}  # fmt: skip


def told(trace: dict[str, Any] | None) -> Explanation:
    """The explanation in English of a trace that went through the database."""
    with override("en"):
        return explain(json.loads(json.dumps(trace)))


def why(rules: Any, **more: Any) -> dict[str, str]:
    """The reasons in English why rules gave nothing, by code."""
    facts = more.pop("facts", None) or purchase("50")
    return {no.code: no.reason for no in told(earn(facts, rules, **more).trace()).not_applied}


class TestLines:
    def test_of_years_ago_read_as_they_did(self) -> None:
        explained = told(OLD)
        assert [(one.kind, one.label, one.points) for one in explained.lines] == [
            ("base", "Points on purchases: 2 for each 10.00 of 58.90", 10),
            ("tier", "Tier multiplier ×1.50", 5),
            ("promotion", "Double points", 10),
        ]
        assert [(no.label, no.reason) for no in explained.not_applied] == [("Big order", "It did not apply.")]
        assert explained.notes == []

    def test_say_how_each_rule_came_to_its_points(self) -> None:
        rules = in_force(
            a_rule(names=NAMES, points_per_step=2, step_amount=Decimal("10.00")),
            an_extra(2, names={"en": "Coffee"}, per_line=True, step_amount=Decimal("1.00")),
            an_extra(3, names={"en": "Welcome"}, points_fixed=100),
        )
        explained = told(earn(purchase("40", "18.90"), rules, multiplier="1.5", offers=(Double(),)).trace())
        assert [(one.label, one.points) for one in explained.lines] == [
            ("Points on purchases: 2 for each 10.00 of 58.90", 10),
            ("Tier multiplier ×1.5", 5),
            ("Coffee: 1 for each 1.00 of each line, 58.90 in all", 58),
            ("Welcome: 100 points", 100),
            ("Double points", 10),
        ]

    def test_of_behaviour_are_its_rule_s_name(self) -> None:
        rules = in_force(a_rule(2, activity_kind="review", points_fixed=20, names={"en": "Reviews"}))
        explained = told(earn_activity(activity(), rules).trace())
        assert [(one.kind, one.label, one.points) for one in explained.lines] == [("activity", "Reviews", 20)]
        assert explained.notes == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_carry_the_rule_s_name_in_the_reader_s_language(self, language: str) -> None:
        trace = earn(purchase("50"), in_force(a_rule(names=NAMES))).trace()
        with override(language):
            assert NAMES[language] in explain(trace).lines[0].label

    def test_fall_back_to_a_language_that_is_there(self) -> None:
        with override("zh-hant"):
            assert in_active_language({"en": "Only English"}) == "Only English"
            assert in_active_language({}) == ""


class TestReasons:
    """Why a rule gave nothing …"""

    def test_is_said_with_the_figures(self) -> None:
        condition = parse({"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]})
        rules = in_force(
            a_rule(),
            an_extra(2, channel_ids=frozenset({9})), an_extra(3, store_ids=frozenset({9})),
            an_extra(4, weekdays=frozenset({0, 6})), an_extra(5, hours=(22, 6)), an_extra(6, first_order_only=True),
            an_extra(7, min_orders=3, within_days=30), an_extra(8, goods=Goods(category_ids=frozenset({COFFEE}))),
            a_rule(9, priority=-1), an_extra(10, min_spend_amount=Decimal("80.00")), an_extra(11, step_amount=Decimal("200.00")),
            an_extra(12, caps=Caps(day_points=40)), an_extra(13, budget_id=5, budget_is_empty=True), an_extra(14, condition=condition),
        )  # fmt: skip
        facts = replace(purchase("50"), orders_in={30: 1})
        reasons = why(
            rules, facts=facts, cap_used={key(12, Period.DAY): CapUsage(40, 2)}, values={"members.status": "frozen"}
        )
        condition_words = reasons.pop("rule_condition")
        assert reasons == {
            "rule_wrong_channel": "not by this channel",
            "rule_wrong_store": "not in this store",
            "rule_wrong_weekday": "only on Monday and Sunday",
            "rule_wrong_hour": "only from 22:00 to 6:00",
            "rule_not_first_order": "only on the first order",
            "rule_too_few_orders": "1 order within 30 days; 3 are needed",
            "rule_no_goods": "nothing that it counts was bought",
            "rule_goods_taken": "what it counts earned by another base rule",
            "rule_min_spend": "50 spent on what it counts; from 80.00 on",
            "rule_below_step": "50 is less than one step of 200.00",
            "rule_cap_reached": "it gives at most 40 points a day, and 40 were used up before",
            "rule_budget_empty": "its budget is used up",
        }
        assert "frozen" in condition_words
        assert "active" in condition_words

    def test_has_words_for_every_code(self) -> None:
        codes = {value for name, value in vars(matching).items() if name.isupper() and isinstance(value, str)}
        figures = {
            "weekdays": [1], "from": 1, "to": 2, "orders": 1, "needed": 2, "days": 3, "failed": [], "amount": "1", "step": "2",
            "what": "month_times", "limit": 3, "used": 3,
        }  # fmt: skip
        trace = {"v": 2, "lines": [], "not": [["1", {"en": "A"}, code, figures] for code in sorted(codes)]}
        assert len(codes) == 15
        assert "It did not apply." not in [no.reason for no in told(trace).not_applied]

    def test_of_more_rules_than_are_kept_is_counted(self) -> None:
        rules = in_force(a_rule(), *(an_extra(number, store_ids=frozenset({9})) for number in range(2, 30)))
        explained = told(earn(purchase("50"), rules).trace())
        assert len(explained.not_applied) == 20
        assert explained.notes == ["8 more rules did not apply."]


class TestLimits:
    """A limit that took points off …"""

    def test_is_said_with_what_it_is_and_what_was_used(self) -> None:
        rules = in_force(a_rule(names={"en": "Base"}, caps=Caps(day_points=1_040)), caps=(a_cap(month=2_000),))
        before = used(1, Period.DAY, 1_000) | used(0, Period.MONTH, 1_990)
        explained = told(earn(purchase("50", moment=NOON), rules, cap_used=before).trace())
        assert [(one.label, one.points) for one in explained.lines] == [
            ("Base: 1 for each 1 of 50 (50 before limits)", 10)
        ]
        assert explained.notes == [
            "Base gives at most 1,040 points a day; 1,000 were used up before, so 10 fewer were given.",
            "All rules together give at most 2,000 points a month; 1,990 were used up before, so 30 fewer were given.",
        ]

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(
        "what",
        ["order", "day", "month", "life", "day_times", "month_times", "programme_day", "programme_month"],
    )
    def test_has_words_in_every_language(self, language: str, what: str) -> None:
        trace = {"v": 2, "lines": [], "not": [], "caps": [[what, "1", {"en": "A"}, 5, 3, 2]]}
        with override(language):
            (note,) = explain(trace).notes
        assert "5" in note
        assert "%(" not in note

    def test_is_said_of_a_budget_too(self) -> None:
        rules = in_force(a_rule(), an_extra(2, names={"en": "Bonus"}, points_fixed=30, budget_id=7))
        explained = told(apply_budget(earn(purchase("50"), rules), {"2": 12}).trace())
        assert explained.notes == ["The budget of Bonus was nearly used up: it gave 12 of 30 points."]
        assert told(apply_budget(earn(purchase("50"), rules), {"2": 30}).trace()).notes == []


class TestNotes:
    def test_say_that_no_rule_was_in_force(self) -> None:
        note = ["No earn rule was in force on that day."]
        assert told(earn(purchase("50"), in_force()).trace()).notes == note
        assert told({"v": 1, "rule": 0, "lines": [], "not": []}).notes == note

    def test_say_what_a_return_took(self) -> None:
        trace = {"v": 1, "kind": "return", "amount": "20.00", "points": 8, "unlinked": False}
        assert told(trace).notes == ["Return of 20.00: its share of the points of the purchase, 8."]
        assert told({**trace, "unlinked": True}).notes == ["Return without a known sale, 20.00: base points only, 8."]

    def test_say_what_was_redeemed(self) -> None:
        assert told({"v": 1, "kind": "redemption", "label": {"en": "A mug"}}).notes == ["Redeemed for A mug."]

    @pytest.mark.parametrize(
        ("trace", "said"),
        [
            ({"kind": "hold", "points": 5}, "Set aside for a payment. What is not paid with comes back by itself."),
            ({"kind": "hold_release"}, "What was set aside for a payment came back."),
            ({"kind": "payment", "points": 5, "order": "A-1"}, "Paid on order A-1."),
            (
                {"kind": "payment_back", "points": 5, "order": "A-1"},
                "Goods of order A-1 came back; so do the points that paid for them.",
            ),
        ],
    )
    def test_say_what_points_paid_for(self, trace: dict[str, Any], said: str) -> None:
        assert told({"v": 2, **trace}).notes == [said]

    def test_are_given_by_those_who_post(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rewards.explanation._notes", {})
        register_note("gift", lambda trace: [f"{trace['points']} points for a friend."])
        assert told({"v": 2, "kind": "gift", "points": 5}).notes == ["5 points for a friend."]

    def test_of_nothing_are_none(self) -> None:
        assert told({}) == told(None) == Explanation([], [], [])


class TestWords:
    def test_name_the_days_of_the_week(self) -> None:
        with override("en"):
            assert weekday_names([6, 0]) == "Monday and Sunday"
