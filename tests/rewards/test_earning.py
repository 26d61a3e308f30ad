"""What a purchase or an activity earns, and why: the pure engine."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from members.conditions import parse
from rewards.earning import (
    BudgetWish,
    CapKey,
    Caps,
    CapUsage,
    EarnedLot,
    Goods,
    Needs,
    Origin,
    Period,
    RuleBook,
    apply_budget,
    cap_uses_in,
    share_of,
)
from tests.rewards.earning_given import (
    CAKE,
    COFFEE,
    COINS,
    DAY,
    NOON,
    POINTS,
    TEA,
    Double,
    a_cap,
    a_rule,
    activity,
    an_extra,
    earn,
    earn_activity,
    in_force,
    key,
    line,
    purchase,
    refused,
    told,
    used,
)

HOUR = timedelta(hours=1)


class TestBaseRule:
    """A base rule …"""

    @pytest.mark.parametrize(
        ("rounding", "amount", "points"),
        [
            ("floor", "59.99", 15), ("floor", "9.99", 0), ("nearest", "54.99", 15), ("nearest", "55.00", 18),
            ("up", "50.00", 15), ("up", "50.01", 18),
        ],
    )  # fmt: skip
    def test_gives_points_for_steps_rounded_as_it_says(self, rounding: str, amount: str, points: int) -> None:
        rule = a_rule(points_per_step=3, step_amount=Decimal(10), rounding=rounding)
        assert told(earn(purchase(amount), in_force(rule))) == [("base", "1", points)]

    def test_works_on_the_whole_order_unless_on_each_line(self) -> None:
        facts = purchase("5.50", "5.50")
        assert earn(facts, in_force(a_rule())).points == 11
        assert earn(facts, in_force(a_rule(per_line=True))).points == 10

    def test_counts_only_lines_that_earn(self) -> None:
        assert earn(purchase(line("50"), line("8", earns=False)), in_force(a_rule())).points == 50

    def test_that_finds_nothing_says_so(self) -> None:
        quoted = earn(purchase(line("8", earns=False)), in_force(a_rule()))
        assert (quoted.points, refused(quoted)) == (0, {"1": "rule_no_goods"})

    def test_takes_an_amount_alone_for_one_line(self) -> None:
        facts = purchase("50", lines=(), eligible_amount=Decimal("42.10"))
        assert earn(facts, in_force(a_rule())).points == 42

    def test_gives_fixed_points_once_an_order(self) -> None:
        assert earn(purchase("5", "5"), in_force(a_rule(points_fixed=30))).points == 30

    def test_never_gives_points_for_less_than_nothing(self) -> None:
        facts = purchase("5", "-9")
        assert earn(facts, in_force(a_rule())).points == 0
        assert earn(facts, in_force(a_rule(points_fixed=30))).points == 0

    def test_of_highest_priority_takes_the_goods_it_counts_and_leaves_the_rest(self) -> None:
        coffee = a_rule(2, points_per_step=3, priority=5, goods=Goods(category_ids=frozenset({COFFEE})))
        facts = purchase(line("20", category=COFFEE), line("30", category=TEA))
        quoted = earn(facts, in_force(a_rule(), coffee))
        assert told(quoted) == [("base", "2", 60), ("base", "1", 30)]
        assert [one.working.amount for one in quoted.lines if one.working] == [20, 30]

    def test_of_lower_priority_that_is_left_nothing_says_so(self) -> None:
        quoted = earn(purchase("50"), in_force(a_rule(), a_rule(2, priority=1)))
        assert (told(quoted), refused(quoted)) == ([("base", "2", 50)], {"1": "rule_goods_taken"})

    def test_of_equal_priority_gives_way_to_the_older_one(self) -> None:
        assert told(earn(purchase("50"), in_force(a_rule(2), a_rule(1)))) == [("base", "1", 50)]

    def test_that_asks_for_more_spend_leaves_its_goods_to_the_next(self) -> None:
        big = a_rule(2, priority=1, points_per_step=2, min_spend_amount=Decimal(100))
        quoted = earn(purchase("99.99"), in_force(a_rule(), big))
        assert told(quoted) == [("base", "1", 99)]
        (no,) = quoted.not_applied
        assert (no.ref, no.code, no.params) == ("2", "rule_min_spend", {"needed": "100", "amount": "99.99"})
        assert told(earn(purchase("100"), in_force(a_rule(), big))) == [("base", "2", 200)]

    def test_of_another_currency_counts_beside_the_points(self) -> None:
        coins = a_rule(2, currency_id=COINS, points_per_step=5)
        quoted = earn(purchase("10"), in_force(a_rule(), coins))
        assert (quoted.points, quoted.points_in(COINS), quoted.currency_ids) == (10, 50, (POINTS, COINS))
        assert [one[2] for one in quoted.trace(COINS)["lines"]] == [50]
        assert [one[2] for one in quoted.trace()["lines"]] == [10]


class TestGoods:
    """Goods are counted …"""

    @pytest.mark.parametrize(
        ("goods", "counted"),
        [
            (Goods(), {"A", "B", "C"}),
            (Goods(category_ids=frozenset({COFFEE})), {"A"}),
            (Goods(skus=frozenset({"B"})), {"B"}),
            (Goods(brands=frozenset({"house"})), {"C"}),
            (Goods(category_ids=frozenset({CAKE}), skus=frozenset({"A"})), {"A", "C"}),
        ],
    )
    def test_by_category_number_or_brand(self, goods: Goods, counted: set[str]) -> None:
        lines = [line("1", sku="A", category=COFFEE), line("1", sku="B", category=TEA), line("1", sku="C", category=CAKE, brand="HOUSE")]  # fmt: skip
        assert {one.sku for one in lines if a_rule(goods=goods).counts(one)} == counted
        assert {one.sku for one in lines if goods and not a_rule(excluded=goods).counts(one)} == (
            counted if goods else set()
        )

    def test_by_any_category_above_their_own(self) -> None:
        facts = purchase("5", lines=(line("5", category=COFFEE),))
        inner = facts.lines[0]
        outer = type(inner)(1, "A", Decimal(5), category_ids=(99, COFFEE))
        assert a_rule(goods=Goods(category_ids=frozenset({COFFEE}))).counts(outer)

    def test_unless_they_are_excluded_as_well(self) -> None:
        goods, excluded = Goods(category_ids=frozenset({COFFEE})), Goods(skus=frozenset({"A"}))
        assert not a_rule(goods=goods, excluded=excluded).counts(line("1", sku="A", category=COFFEE))


class TestObstacle:
    """A rule gives nothing …"""

    @pytest.mark.parametrize(
        ("terms", "met", "missed", "code", "params"),
        [
            ({"channel_ids": frozenset({1})}, {}, {"channel_id": 2}, "rule_wrong_channel", {}),
            ({"store_ids": frozenset({1})}, {}, {"store_id": None}, "rule_wrong_store", {}),
            ({"weekdays": frozenset({5})}, {}, {"moment": NOON + 24 * HOUR}, "rule_wrong_weekday", {"weekdays": [5]}),
            ({"hours": (12, 13)}, {}, {"moment": NOON + HOUR}, "rule_wrong_hour", {"from": 12, "to": 13}),
            ({"hours": (22, 6)}, {"moment": NOON + 17 * HOUR}, {"moment": NOON + 18 * HOUR}, "rule_wrong_hour", {"from": 22, "to": 6}),
            ({"first_order_only": True}, {"is_first_order": True}, {}, "rule_not_first_order", {}),
            ({"min_orders": 3, "within_days": 30}, {"orders_in": {30: 3}}, {"orders_in": {30: 2}}, "rule_too_few_orders",
             {"orders": 2, "needed": 3, "days": 30}),
        ],
    )  # fmt: skip
    def test_where_and_when_it_does_not_count(
        self, terms: dict[str, Any], met: dict[str, Any], missed: dict[str, Any], code: str, params: dict[str, Any]
    ) -> None:
        for rules in (in_force(a_rule(**terms)), in_force(a_rule(9, priority=-1), an_extra(1, **terms))):
            assert "1" in {one.ref for one in earn(purchase("50", **met), rules).lines}
            quoted = earn(purchase("50", **missed), rules)
            assert "1" not in {one.ref for one in quoted.lines}
            assert [(no.code, no.params) for no in quoted.not_applied] == [(code, params)]

    def test_to_members_who_miss_its_condition(self) -> None:
        condition = parse({"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]})
        rules = in_force(a_rule(condition=condition))
        assert earn(purchase("50"), rules, values={"members.status": "active"}).points == 50
        quoted = earn(purchase("50"), rules, values={"members.status": "frozen"})
        assert (quoted.points, refused(quoted)) == (0, {"1": "rule_condition"})
        (failed,) = quoted.not_applied[0].params["failed"]
        assert failed[:4] == ["members.status", "in", ["active"], "frozen"]

    def test_and_a_fact_that_was_not_loaded_is_an_error(self) -> None:
        condition = parse({"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]})
        with pytest.raises(KeyError):
            earn(purchase("50"), in_force(a_rule(condition=condition)))

    def test_for_less_than_a_step_of_an_extra_rule(self) -> None:
        rules = in_force(a_rule(), an_extra(2, step_amount=Decimal(100)))
        assert refused(earn(purchase("99"), rules)) == {"2": "rule_below_step"}

    def test_when_its_budget_is_empty_and_leaves_its_goods_to_the_next(self) -> None:
        rules = in_force(a_rule(), a_rule(2, priority=1, points_per_step=9, budget_id=4, budget_is_empty=True))
        quoted = earn(purchase("10"), rules)
        assert (told(quoted), refused(quoted)) == ([("base", "1", 10)], {"2": "rule_budget_empty"})


class TestOrder:
    """The lines of a receipt come in this order: …"""

    def test_base_tier_extra_promotion(self) -> None:
        rules = in_force(a_rule(), an_extra(2, points_fixed=100, first_order_only=True))
        quoted = earn(purchase("58.90", is_first_order=True), rules, multiplier="1.1", offers=(Double(),))
        assert told(quoted) == [("base", "1", 58), ("tier", "member", 5), ("extra", "2", 100), ("promotion", "7", 58)]
        assert quoted.points == 221

    def test_the_tier_multiplies_what_the_rules_let_it(self) -> None:
        rules = in_force(a_rule(), an_extra(2, gets_tier_multiplier=True), an_extra(3))
        assert told(earn(purchase("15"), rules, multiplier="1.5")) == [
            ("base", "1", 15), ("tier", "member", 15), ("extra", "2", 15), ("extra", "3", 15),
        ]  # fmt: skip

    def test_promotions_multiply_what_the_rules_let_them(self) -> None:
        rules = in_force(a_rule(gets_promotions=False), an_extra(2, points_fixed=8, gets_promotions=True))
        assert told(earn(purchase("15"), rules, offers=(Double(),)))[-1] == ("promotion", "7", 8)

    def test_promotions_are_not_asked_while_no_base_rule_is_in_force(self) -> None:
        quoted = earn(purchase("15"), in_force(an_extra(2, points_fixed=5)), offers=(Double(),))
        assert told(quoted) == [("extra", "2", 5)]

    def test_promotions_add_only_in_the_default_currency(self) -> None:
        rules = in_force(a_rule(), a_rule(2, currency_id=COINS))
        quoted = earn(purchase("10"), rules, multiplier="2", offers=(Double(),))
        assert (quoted.points, quoted.points_in(COINS)) == (30, 20)


class TestCaps:
    """A cap …"""

    @pytest.mark.parametrize(
        ("caps", "before", "points", "what"),
        [
            (Caps(order_points=30), {}, 30, "order"),
            (Caps(day_points=40), {}, 40, "day"),
            (Caps(day_points=40), used(1, Period.DAY, 25), 15, "day"),
            (Caps(month_points=100), used(1, Period.MONTH, 75), 25, "month"),
            (Caps(member_points=100), used(1, Period.LIFE, 60), 40, "life"),
            (Caps(order_points=45, day_points=40, month_points=100), used(1, Period.MONTH, 90), 10, "month"),
        ],
    )
    def test_cuts_a_rule_to_what_is_left_and_says_which(
        self, caps: Caps, before: dict[CapKey, CapUsage], points: int, what: str
    ) -> None:
        quoted = earn(purchase("50"), in_force(a_rule(caps=caps)), cap_used=before)
        assert told(quoted) == [("base", "1", points)]
        (hit,) = quoted.cap_hits
        assert (hit.what, hit.ref, hit.cut) == (what, "1", 50 - points)

    def test_that_leaves_nothing_is_why_the_rule_does_not_apply(self) -> None:
        quoted = earn(purchase("50"), in_force(a_rule(caps=Caps(day_points=40))), cap_used=used(1, Period.DAY, 41))
        assert (quoted.points, quoted.cap_uses, refused(quoted)) == (0, (), {"1": "rule_cap_reached"})
        assert quoted.not_applied[0].params == {"what": "day", "limit": 40, "used": 41, "currency": POINTS}

    def test_is_counted_in_each_of_its_periods_after_the_cuts(self) -> None:
        rule = a_rule(caps=Caps(day_points=40, member_points=500))
        uses = earn(purchase("50"), in_force(rule)).cap_uses
        assert [(use.key, use.points, use.times, use.limit) for use in uses] == [
            (key(1, Period.DAY), 40, 1, 40), (key(1, Period.LIFE), 40, 1, 500),
        ]  # fmt: skip

    def test_of_an_order_alone_is_not_counted(self) -> None:
        assert earn(purchase("50"), in_force(a_rule(caps=Caps(order_points=9)))).cap_uses == ()

    def test_of_a_rule_comes_before_the_tier_and_the_promotions(self) -> None:
        rules = in_force(a_rule(caps=Caps(day_points=40)))
        quoted = earn(purchase("50"), rules, multiplier="1.5", offers=(Double(),))
        assert told(quoted) == [("base", "1", 40), ("tier", "member", 20), ("promotion", "7", 40)]

    def test_of_the_programme_comes_last_and_cuts_the_last_line_first(self) -> None:
        rules = in_force(a_rule(), an_extra(2, points_fixed=30), caps=(a_cap(day=100),))
        quoted = earn(purchase("50"), rules, multiplier="1.2", offers=(Double(),), cap_used=used(0, Period.DAY, 25))
        assert told(quoted) == [("base", "1", 50), ("tier", "member", 10), ("extra", "2", 15), ("promotion", "7", 0)]
        (hit,) = quoted.cap_hits
        assert (hit.what, hit.limit, hit.used, hit.cut) == ("programme_day", 100, 25, 65)
        assert [(use.key, use.points) for use in quoted.cap_uses] == [(key(0, Period.DAY), 75)]

    def test_of_the_programme_looks_at_day_and_month(self) -> None:
        rules = in_force(a_rule(), caps=(a_cap(day=40, month=100),))
        before = used(0, Period.DAY, 0) | used(0, Period.MONTH, 90)
        quoted = earn(purchase("50"), rules, cap_used=before)
        assert quoted.points == 10
        assert [(hit.what, hit.cut) for hit in quoted.cap_hits] == [("programme_day", 10), ("programme_month", 30)]

    def test_of_the_programme_leaves_other_currencies_alone(self) -> None:
        rules = in_force(a_rule(), a_rule(2, currency_id=COINS), caps=(a_cap(day=5),))
        quoted = earn(purchase("50"), rules)
        assert (quoted.points, quoted.points_in(COINS)) == (5, 50)

    def test_lets_a_rule_that_the_programme_cut_count_only_what_it_gave(self) -> None:
        rules = in_force(a_rule(caps=Caps(day_points=40)), caps=(a_cap(day=10),))
        assert [(use.key.rule_id, use.points) for use in earn(purchase("50"), rules).cap_uses] == [(1, 10), (0, 10)]


class TestBudget:
    """A budget that all members share …"""

    RULES = in_force(
        a_rule(),
        an_extra(2, points_fixed=30, budget_id=7, caps=Caps(day_points=100)),
        caps=(a_cap(day=1_000),),
    )

    def test_is_wished_for_after_the_caps(self) -> None:
        quoted = earn(purchase("50"), self.RULES, cap_used=used(2, Period.DAY, 90))
        assert quoted.budget_wishes == (BudgetWish(7, "2", 10),)

    def test_that_gives_all_leaves_the_quote_as_it_was(self) -> None:
        quoted = apply_budget(earn(purchase("50"), self.RULES), {"2": 30})
        assert (quoted.points, [grant.granted for grant in quoted.budget_grants]) == (80, [30])

    @pytest.mark.parametrize("granted", [0, 12])
    def test_that_gives_less_cuts_the_line_and_what_caps_count(self, granted: int) -> None:
        quoted = apply_budget(earn(purchase("50"), self.RULES), {"2": granted})
        assert told(quoted) == [("base", "1", 50), ("extra", "2", granted)]
        counted = {use.key.rule_id: use.points for use in quoted.cap_uses}
        assert counted == ({2: granted} if granted else {}) | {0: 50 + granted}
        assert quoted.trace()["budgets"] == [[7, "2", 30, granted]]

    def test_is_not_asked_for_a_line_without_points(self) -> None:
        rules = in_force(a_rule(points_per_step=1, step_amount=Decimal(100), budget_id=7))
        assert earn(purchase("50"), rules).budget_wishes == ()


class TestActivity:
    """An activity …"""

    RULES = in_force(
        a_rule(),
        a_rule(
            2,
            activity_kind="review",
            points_fixed=20,
            gets_tier_multiplier=False,
            caps=Caps(day_times=2, month_points=50),
        ),
        a_rule(3, activity_kind="steps", points_per_step=1, step_amount=Decimal(1000)),
    )

    def test_earns_by_the_rules_for_its_kind(self) -> None:
        quoted = earn_activity(activity("review"), self.RULES)
        assert (told(quoted), quoted.points) == ([("activity", "2", 20)], 20)
        assert quoted.earned == (EarnedLot(POINTS, Origin.BEHAVIOUR, 20, 0, 12, 20),)

    def test_earns_by_its_figure(self) -> None:
        assert told(earn_activity(activity("steps", 8_400), self.RULES, multiplier="1.5")) == [
            ("activity", "3", 8), ("tier", "member", 4),
        ]  # fmt: skip

    def test_with_a_figure_below_a_step_earns_nothing(self) -> None:
        assert refused(earn_activity(activity("steps", 999), self.RULES)) == {"3": "rule_below_step"}

    def test_of_another_kind_earns_nothing(self) -> None:
        quoted = earn_activity(activity("share"), self.RULES)
        assert (quoted.points, quoted.lines, quoted.not_applied) == (0, (), ())

    def test_earns_only_so_many_times_a_day(self) -> None:
        once = earn_activity(activity(), self.RULES, cap_used=used(2, Period.DAY, 20, times=1))
        assert [(use.key.period, use.points, use.times) for use in once.cap_uses] == [
            (Period.DAY, 20, 1), (Period.MONTH, 20, 1),
        ]  # fmt: skip
        twice = earn_activity(activity(), self.RULES, cap_used=used(2, Period.DAY, 40, times=2))
        assert (twice.points, refused(twice)) == (0, {"2": "rule_cap_reached"})
        assert twice.not_applied[0].params["what"] == "day_times"

    def test_asks_only_for_what_its_rules_need(self) -> None:
        assert self.RULES.activity_needs(activity("review")).cap_keys == (key(2, Period.DAY), key(2, Period.MONTH))
        assert self.RULES.activity_needs(activity("steps")) == Needs()


class TestNeeds:
    """Before rules are asked there must be known …"""

    def test_nothing_for_plain_rules(self) -> None:
        rules = in_force(a_rule(min_spend_amount=Decimal(5), weekdays=frozenset({5})), an_extra(2, points_fixed=3))
        needs = rules.needs(purchase("50"))
        assert (needs, needs.looks_back) == (Needs(), False)

    def test_what_the_rules_ask(self) -> None:
        condition = parse({"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]})
        rules = in_force(
            a_rule(goods=Goods(skus=frozenset({"A"})), caps=Caps(day_points=5, order_points=3)),
            an_extra(2, first_order_only=True, budget_id=4),
            an_extra(3, min_orders=3, within_days=30, condition=condition),
            caps=(a_cap(month=9),),
        )
        needs = rules.needs(purchase("50"))
        assert needs == Needs(
            goods=True,
            first_order=True,
            order_days=frozenset({30}),
            fact_keys=frozenset({"members.status"}),
            cap_keys=(key(1, Period.DAY), key(0, Period.MONTH)),
            budgets=True,
        )
        assert needs.looks_back

    def test_nothing_for_rules_that_count_elsewhere(self) -> None:
        elsewhere = {"store_ids": frozenset({9}), "caps": Caps(day_points=5), "first_order_only": True}
        rules = in_force(a_rule(), an_extra(2, **elsewhere), an_extra(3, hours=(1, 2), caps=Caps(day_points=5)))
        assert rules.needs(purchase("50")) == Needs()

    def test_the_counters_of_the_local_day(self) -> None:
        rules = in_force(a_rule(caps=Caps(day_points=5, month_points=9)))
        late = datetime(2026, 11, 30, 16, tzinfo=UTC)  # midnight of 1 December in Shanghai
        starts = [one.start.isoformat() for one in rules.needs(purchase("50", moment=late)).cap_keys]
        assert starts == ["2026-12-01", "2026-12-01"]


class TestLots:
    """The points become lots …"""

    def test_by_origin(self) -> None:
        rules = in_force(a_rule(pending_days=7, expiry_months=24))
        quoted = earn(purchase("10"), rules, multiplier="1.5", offers=(Double(),))
        assert quoted.earned == (
            EarnedLot(POINTS, Origin.PURCHASE, 15, 7, 24, 10),
            EarnedLot(POINTS, Origin.PROMOTION, 10, 7, 24, 10),
        )
        assert quoted.earned[0].available_at(NOON) == NOON + timedelta(days=7)

    def test_by_pending_time_and_expiry_of_their_rule(self) -> None:
        rules = in_force(a_rule(), an_extra(2, points_fixed=5, pending_days=3), an_extra(3, points_fixed=6))
        assert [(lot.points, lot.pending_days) for lot in earn(purchase("10"), rules).earned] == [(16, 0), (5, 3)]

    def test_of_nothing_when_nothing_was_earned(self) -> None:
        quoted = earn(purchase("0.50"), in_force(a_rule()))
        assert (told(quoted), quoted.earned) == ([("base", "1", 0)], ())
        assert quoted.rule is not None
        assert earn(purchase("50"), in_force()).rule is None


class TestTrace:
    """The stored explanation …"""

    def test_keeps_figures_versions_and_what_was_used(self) -> None:
        condition = parse({"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]})
        rules = in_force(
            a_rule(
                number=3, points_per_step=2, step_amount=Decimal("10.00"), condition=condition, caps=Caps(day_points=6)
            ),
            a_rule(2, priority=-1),
        )
        trace = earn(
            purchase("58.90"), rules, values={"members.status": "active"}, cap_used=used(1, Period.DAY, 2)
        ).trace()
        assert trace == {
            "v": 2,
            "kind": "earn",
            "amount": "58.90",
            "tier": ["member", "1"],
            "lines": [
                ["base", "1", 4, {"en": "Rule 1"}, {"n": 3, "amount": "58.90", "step": [2, "10.00"], "wanted": 10}]
            ],
            "not": [["2", {"en": "Rule 2"}, "rule_goods_taken", {}]],
            "caps": [["day", "1", {"en": "Rule 1"}, 6, 2, 6]],
            "uses": [[1, POINTS, 1, DAY.isoformat(), 4, 1]],
            "facts": [["members.status", "active"]],
        }
        assert cap_uses_in(trace) == [(key(1, Period.DAY), 4, 1)]

    def test_is_small_for_a_plain_purchase(self) -> None:
        assert set(earn(purchase("50"), in_force(a_rule())).trace()) == {"v", "kind", "amount", "tier", "lines", "not"}

    def test_says_that_no_rule_was_in_force(self) -> None:
        assert earn(purchase("50"), in_force()).trace()["no_rule"] is True

    def test_is_cut_with_a_count(self) -> None:
        rules = in_force(a_rule(), *(an_extra(number, store_ids=frozenset({9})) for number in range(2, 30)))
        trace = earn(purchase("50"), rules).trace()
        assert (len(trace["not"]), trace["more"]) == (20, 8)


class TestBook:
    """The book of rules …"""

    def test_finds_the_versions_and_caps_of_a_moment(self) -> None:
        first, second = a_rule(valid_to=NOON), a_rule(number=2, valid_from=NOON)
        cap = a_cap(day=5)
        book = RuleBook(POINTS, (second, first), (cap,))
        assert book.at(NOON - timedelta(microseconds=1)).base == (first,)
        assert (book.at(NOON).base, book.at(NOON).caps) == ((second,), (cap,))
        assert book.at(datetime(2019, 1, 1, tzinfo=UTC)).base == ()

    def test_knows_the_points_of_a_bare_amount_by_the_rule_that_counts_everything(self) -> None:
        rules = in_force(a_rule(2), a_rule(3, priority=9, points_per_step=4, goods=Goods(skus=frozenset({"A"}))))
        assert rules.points_for(Decimal("12.90")) == 12
        assert in_force(a_rule(3, store_ids=frozenset({1}))).points_for(Decimal(5)) == 0
        assert in_force(a_rule(1, currency_id=COINS)).points_for(Decimal(5)) == 0


def test_shares_of_growing_parts_close_exactly() -> None:
    whole = Decimal(90)
    parts = [share_of(100, Decimal(30) * n, whole) for n in range(4)]
    assert parts == [0, 33, 67, 100]
