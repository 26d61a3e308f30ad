"""Benefits of a tier that give more points: what they add, when, for whom, and what becomes of it."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from loyalty.benefit_book import forget_benefit_book
from loyalty.benefit_rules import Cell
from loyalty.models import Benefit, LadderVersion, Tier, TierBenefit, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.services.benefits import GivesNoMorePoints, set_grid
from members.actors import SYSTEM
from members.models import Member
from rewards.earning import Caps, MorePoints, Quote
from rewards.explanation import explain
from rewards.models import Category, LedgerTransaction, PointsCurrency, Product, ProgrammeCap, Purchase
from rewards.queries import balance_of, forget_rules
from rewards.services.bulk import post_history
from rewards.services.missing_points import missing_points
from rewards.services.purchases import Order, PurchaseReceipt, record_purchase
from rewards.services.returns import Return, record_return
from rewards.services.rule_preview import preview_version
from rewards.services.rules import draft_version, write_draft
from tests.factories.benefits import a_benefit, given_by, holding
from tests.factories.orders import NOON, a_line, a_return, an_order
from tests.factories.people import TILL, a_member, a_store
from tests.factories.plans import a_floor
from tests.factories.rules import base_rule
from tests.harness.dumps import DUMPS, dump
from tests.rewards import earning_given as engine
from tests.rewards.earning_given import CAKE, COFFEE, COINS, a_rule, an_extra, in_force, line, purchase, refused, told

DAY = timedelta(days=1)
NAMES = {"name_zh_hans": "双倍日", "name_zh_hant": "雙倍日", "name_en": "Double days"}


# --- The engine ---------------------------------------------------------------------------------------------------------
def more(factor: str = "2", ref: str = "benefit:double", **limits: Any) -> MorePoints:
    return MorePoints(ref, {"en": "Double days"}, Decimal(factor), **limits)


def earn(*goods: Any, rules: Any = None, by: tuple[MorePoints, ...] = (more(),), **rest: Any) -> Quote:
    return engine.earn(purchase(*goods), rules or in_force(a_rule()), more_points=by, **rest)


class TestTheEngine:
    """The engine …"""

    def test_adds_to_the_tier_s_multiplier_without_compounding(self) -> None:
        assert told(earn("100", multiplier="1.25")) == [
            ("base", "1", 100), ("tier", "member", 25), ("benefit", "benefit:double", 100),
        ]  # fmt: skip

    def test_rounds_down_what_each_benefit_adds(self) -> None:
        quoted = earn("15", by=(more("1.5", "benefit:a"), more("1.25", "benefit:b")))
        assert told(quoted) == [("base", "1", 15), ("benefit", "benefit:a", 7), ("benefit", "benefit:b", 3)]

    @pytest.mark.parametrize(
        ("terms", "base", "extra"),
        [
            ({}, 30, 19),
            ({"step_amount": Decimal(10)}, 3, 1),  # alone, 19 of coffee are one step
            ({"step_amount": Decimal(10), "per_line": True}, 2, 1),
            ({"points_fixed": 40}, 40, 40),
            ({"caps": Caps(order_points=12)}, 12, 12),
        ],
    )
    def test_multiplies_what_the_goods_of_the_benefit_earn_alone(
        self, terms: dict[str, Any], base: int, extra: int
    ) -> None:
        goods = line("19", category=COFFEE), line("11", category=CAKE), line("50", category=COFFEE, earns=False)
        quoted = earn(*goods, rules=in_force(a_rule(**terms)), by=(more(category_ids=frozenset({COFFEE})),))
        assert told(quoted) == [("base", "1", base), ("benefit", "benefit:double", extra)]

    def test_multiplies_by_rules_that_the_tier_multiplies_in_each_currency(self) -> None:
        rules = in_force(a_rule(), a_rule(2, currency_id=COINS, points_fixed=3), an_extra(3, points_fixed=5))
        quoted = earn("10", rules=rules)
        assert [(one.currency_id, one.points) for one in quoted.lines if one.kind == "benefit"] == [(1, 10), (2, 3)]
        only_extra = earn("10", rules=in_force(a_rule(gets_tier_multiplier=False)))
        assert told(only_extra) == [("base", "1", 10)]
        assert refused(only_extra) == {"benefit:double": "benefit_too_few_points"}
        assert refused(earn("10", rules=in_force(a_rule(activity_kind="review")))) == {}

    def test_stays_within_the_cap_of_the_programme(self) -> None:
        quoted = earn("100", rules=in_force(a_rule(), caps=(engine.a_cap(day=150),)), multiplier="1.25")
        assert told(quoted) == [("base", "1", 100), ("tier", "member", 25), ("benefit", "benefit:double", 25)]
        assert [(hit.what, hit.cut) for hit in quoted.cap_hits] == [("programme_day", 75)]

    @pytest.mark.parametrize(
        ("limits", "code", "reason"),
        [
            ({"store_ids": frozenset({2})}, "rule_wrong_store", "not in this store"),
            ({"weekdays": frozenset({0, 6})}, "rule_wrong_weekday", "only on Monday and Sunday"),
            ({"hours": (time(14), time(17, 30))}, "benefit_wrong_time", "only from 14:00 to 17:30"),
            ({"hours": (time(9), time(12))}, "benefit_wrong_time", "only from 09:00 to 12:00"),  # it is noon
            ({"category_ids": frozenset({COFFEE})}, "rule_no_goods", "nothing that it counts was bought"),
            ({"category_ids": frozenset()}, "rule_no_goods", "nothing that it counts was bought"),
        ],
    )
    def test_says_why_a_benefit_adds_nothing(self, limits: dict[str, Any], code: str, reason: str) -> None:
        quoted = earn("10", by=(more(**limits),))
        assert told(quoted) == [("base", "1", 10)]
        with override("en"):
            (no,) = explain(quoted.trace()).not_applied
        assert (no.label, no.code, no.reason) == ("Double days", code, reason)

    def test_asks_days_hours_and_stores_and_lets_those_that_fit_add(self) -> None:
        fits = more(
            weekdays=frozenset({5}),
            hours=(time(12), time(13)),
            store_ids=frozenset({1}),
            category_ids=frozenset({CAKE}),
        )
        assert told(earn(line("10", category=CAKE), by=(fits,)))[-1] == ("benefit", "benefit:double", 10)

    def test_answers_the_same_without_benefits(self) -> None:
        facts, rules = purchase("15"), in_force(a_rule(), an_extra(2))
        plain = engine.earn(facts, rules, multiplier="1.1")
        assert plain.trace() == engine.earn(facts, rules, multiplier="1.1", more_points=()).trace()
        assert told(plain) == [("base", "1", 15), ("tier", "member", 1), ("extra", "2", 15)]


# --- Orders -------------------------------------------------------------------------------------------------------------
def doubling(tier: str = "gold", *, figure: str = "2", code: str = "double", **more: Any) -> Benefit:
    """A benefit of more points that a tier gives: on every order, unless told otherwise."""
    benefit = a_benefit(code, kind=Benefit.Kind.MULTIPLIER, quota=None, **{**NAMES, **more})
    given_by(tier, benefit, figure=Decimal(figure))
    return benefit


def a_gold_member() -> Member:
    return holding("gold", since=NOON - 9 * DAY)


def buy(order: Order) -> PurchaseReceipt:
    return record_purchase(order=order, by=TILL, at=order.ordered_at)


def lines_of(receipt: PurchaseReceipt) -> list[tuple[str, int]]:
    return [(one[0], one[2]) for one in receipt.trace["lines"]]


@pytest.mark.django_db
class TestAnOrder:
    """An order …"""

    def test_earns_more_by_a_benefit_of_the_tier_and_no_other(self) -> None:
        doubling("gold")
        assert lines_of(buy(an_order(a_gold_member(), "100"))) == [("base", 100), ("tier", 25), ("benefit", 100)]
        assert lines_of(buy(an_order(a_member(), "100"))) == [("base", 100)]

    def test_earns_by_the_tier_that_was_given_over_the_earned_one(self) -> None:
        doubling("gold")
        member = a_member()
        a_floor(member.pk, "gold", NOON - DAY, NOON + DAY)
        assert [buy(an_order(member, "100", ordered_at=moment)).points for moment in (NOON, NOON + DAY)] == [225, 100]

    def test_earns_by_the_version_of_its_moment(self) -> None:
        doubling("gold")
        begin = NOON + 5 * DAY
        LadderVersion.objects.update(valid_to=begin)
        version = LadderVersion.objects.create(number=2, valid_from=begin)
        for tier in Tier.objects.all():
            TierRule.objects.create(ladder=version, tier=tier, rise_credits=tier.rank * 500, keep_credits=0)
        TierBenefit.objects.create(
            ladder=version, tier=Tier.objects.get(code="gold"), benefit=Benefit.objects.get(), figure=3
        )
        forget_ladder_book()
        forget_benefit_book()
        member = a_gold_member()
        receipts = [buy(an_order(member, "100", ordered_at=moment)) for moment in (begin, begin - DAY)]
        assert [dict(lines_of(one))["benefit"] for one in receipts] == [200, 100]

    def test_earns_by_goods_days_hours_and_stores_of_the_benefit(self) -> None:
        shop = a_store("shop-1")
        bread = Category.objects.create(code="bread", name="Bread")
        Product.objects.create(sku="ROLL", name="Roll", category=bread)
        benefit = doubling(category_codes=["bread", "none-such"], weekdays=[5], hours_from=time(11), hours_to=time(13))
        benefit.stores.add(shop)
        forget_benefit_book()
        member, goods = a_gold_member(), (a_line("30", sku="ROLL"), a_line("70"))
        assert dict(lines_of(buy(an_order(member, lines=goods, store_id=shop.pk))))["benefit"] == 30
        for changes, code in (
            ({"lines": goods}, "rule_wrong_store"),
            ({"lines": goods, "store_id": shop.pk, "ordered_at": NOON + DAY}, "rule_wrong_weekday"),
            ({"lines": goods, "store_id": shop.pk, "ordered_at": NOON + timedelta(hours=1)}, "benefit_wrong_time"),
            ({"store_id": shop.pk}, "rule_no_goods"),
        ):
            receipt = buy(an_order(member, **changes))
            assert "benefit" not in dict(lines_of(receipt))
            assert [one[2] for one in receipt.trace["not"]] == [code]

    @pytest.mark.parametrize(
        ("benefit", "cell"),
        [({"is_on": False}, {}), ({"kind": "discount"}, {}), ({"quota": 2}, {}), ({}, {"quota": 2}), ({}, {"figure": 1}), ({}, {"figure": None})],
    )  # fmt: skip
    def test_earns_nothing_more_by_what_is_no_such_benefit(self, benefit: dict[str, Any], cell: dict[str, Any]) -> None:
        doubling("gold")
        Benefit.objects.update(**{"is_on": True, **benefit})
        TierBenefit.objects.update(**{"figure": 2, **cell})
        forget_benefit_book()
        receipt = buy(an_order(a_gold_member(), "100"))
        assert lines_of(receipt) == [("base", 100), ("tier", 25)]
        assert receipt.trace["not"] == []

    def test_stays_within_the_cap_of_the_programme(self) -> None:
        doubling("gold")
        points = PointsCurrency.objects.get(code="points")
        ProgrammeCap.objects.create(currency=points, day_points=150, valid_from=NOON - DAY)
        forget_rules()
        member = a_gold_member()
        assert [buy(an_order(member, "100")).points for _ in range(2)] == [150, 0]

    def test_gives_the_extra_back_by_share_with_its_goods(self) -> None:
        doubling("gold")
        member = a_gold_member()
        order = an_order(member, lines=(a_line("60", sku="A"), a_line("40", sku="B")))
        assert buy(order).points == 225
        taken = []
        for number in ("2", "1"):
            back = a_return(order, (int(number), "1"), number=f"R{number}")
            taken.append(record_return(ret=back, by=TILL, at=back.returned_at).points)
        assert taken == [90, 135]
        assert balance_of(member.pk, NOON + 2 * DAY).available == 0

    @pytest.mark.parametrize(
        ("language", "label"),
        [
            ("zh-hans", "双倍日：100 分 ×1.5"),
            ("zh-hant", "雙倍日：100 分 ×1.5"),
            ("en", "Double days: ×1.5 on 100 points"),
        ],
    )
    def test_names_the_benefit_years_later_as_it_was(self, language: str, label: str) -> None:
        doubling("gold", figure="1.50")
        buy(an_order(a_gold_member(), "100"))
        Benefit.objects.update(name_en="Renamed", name_zh_hans="改名", name_zh_hant="改名", is_on=False)
        TierBenefit.objects.update(figure=9)
        forget_benefit_book()
        with override(language):
            told = explain(LedgerTransaction.objects.latest("id").trace).lines[-1]
        assert (told.kind, told.points) == ("benefit", 50)
        assert told.label == label

    def test_of_which_points_are_missing_is_worked_out_with_them(self) -> None:
        doubling("gold")
        buy(an_order(None, "100", number="M-1"))
        assert missing_points(member_id=a_gold_member().pk, order_no="M-1").points == 225

    def test_costs_no_statement_for_them(self, django_assert_num_queries: Any) -> None:
        member = a_gold_member()
        bread = Category.objects.create(code="bread", name="Bread")
        Product.objects.create(sku="ROLL", name="Roll", category=bread)
        buy(an_order(member))
        with CaptureQueriesContext(connection) as plain:
            buy(an_order(member))
        doubling("gold", category_codes=["bread"])
        buy(an_order(member))  # reads the book, which is then kept for seconds
        with django_assert_num_queries(len(plain)):
            assert dict(lines_of(buy(an_order(member, lines=(a_line("30", sku="ROLL"),)))))["benefit"] == 30


# --- Live, imported, tried ----------------------------------------------------------------------------------------------
def a_history(member: Member) -> list[Order | Return]:
    """Orders over two weeks, into the next tiers, with goods of both kinds, and returns of some."""
    history: list[Order | Return] = []
    for number in range(14):
        goods = (a_line(f"{61 + number}.50", sku="ROLL"), a_line(f"{97 + 3 * number}.90", quantity="3"))
        moment = NOON + number * DAY + timedelta(hours=number % 5)
        order = an_order(member, number=f"H{number}", lines=goods, ordered_at=moment)
        history.append(order)
        if number % 3 == 1:
            items = [(1, "1")] if number % 2 else [(2, "2")]
            history.append(a_return(order, *items, number=f"HR{number}", returned_at=moment + timedelta(hours=2)))
    return history


@pytest.mark.django_db
class TestAnImport:
    """An import …"""

    def test_gives_what_live_traffic_gave(self) -> None:
        bread = Category.objects.create(code="bread", name="Bread")
        Product.objects.create(sku="ROLL", name="Roll", category=bread)
        doubling("member", code="bread", figure="1.50", category_codes=["bread"], weekdays=[0, 1, 5, 6])
        doubling("silver", code="all", figure="1.30")
        doubling("gold", code="lunch", figure="3", hours_from=time(12), hours_to=time(14))
        member = a_member()
        a_floor(member.pk, "gold", NOON + 2 * DAY, NOON + 4 * DAY)
        history = a_history(member)
        dumps: list[dict[str, list[Any]]] = []
        for is_live in (True, False):
            with transaction.atomic():
                _tell(history, is_live=is_live)
                dumps.append(dump())
                labels = {row[1] for posted in _earnings() for row in posted["lines"] if row[0] == "benefit"}
                transaction.set_rollback(True)
            assert labels == {"benefit:bread", "benefit:all", "benefit:lunch"}
        for name in DUMPS:
            assert dumps[0][name] == dumps[1][name], name

    def test_costs_no_statement_for_each_order(self) -> None:
        doubling("gold")
        members = [a_gold_member() for _ in range(6)]
        counts = []
        for few in (members[:1], members[1:]):
            forget_benefit_book()
            orders = [an_order(member) for member in few]
            with CaptureQueriesContext(connection) as captured:
                post_history(orders=orders, returns=[], by=SYSTEM, at=NOON + DAY, quiet=True)
            counts.append(sum("loyalty_tierbenefit" in one["sql"] for one in captured.captured_queries))
        assert counts[1] == counts[0]

    def test_is_tried_with_them_before_a_rule_is_published(self) -> None:
        doubling("gold")
        buy(an_order(a_gold_member(), "100"))
        draft = draft_version(rule_id=base_rule().pk, by=SYSTEM, at=NOON + DAY)
        write_draft(version_id=draft.pk, terms={"points_per_step": 2}, by=SYSTEM, at=NOON + DAY)
        draft.refresh_from_db()
        forget_rules()
        found = preview_version(version=draft, days=7, at=NOON + DAY)
        assert (found.before, found.after) == (225, 450)
        assert found.samples[0].trace_after["lines"][-1][:3] == ["benefit", "benefit:double", 200]
        assert Purchase.objects.count() == 1


def _tell(history: list[Order | Return], *, is_live: bool) -> None:
    if not is_live:
        orders = [fact for fact in history if isinstance(fact, Order)]
        returns = [fact for fact in history if isinstance(fact, Return)]
        assert not post_history(orders=orders, returns=returns, by=TILL, at=_end(history), quiet=True).refused
        return
    for fact in history:
        if isinstance(fact, Order):
            buy(fact)
        else:
            record_return(ret=fact, by=TILL, at=fact.returned_at)


def _end(history: list[Order | Return]) -> datetime:
    last = history[-1]
    return last.ordered_at if isinstance(last, Order) else last.returned_at


def _earnings() -> list[dict[str, Any]]:
    return [one.trace or {} for one in LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EARN)]


# --- The grid -----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
class TestTheGrid:
    """The grid …"""

    @pytest.mark.parametrize("cell", [Cell(), Cell(Decimal(1)), Cell(Decimal("0.5")), Cell(Decimal(2), 3)])
    def test_refuses_more_points_that_are_none(self, cell: Cell) -> None:
        benefit = a_benefit(kind=Benefit.Kind.MULTIPLIER, quota=None, **NAMES)
        ladder, gold = LadderVersion.objects.get(), Tier.objects.get(code="gold")
        with override("en"), pytest.raises(GivesNoMorePoints) as refusal:
            set_grid(ladder_id=ladder.pk, cells={(gold.pk, benefit.pk): cell}, by=SYSTEM, at=NOON)
        assert "Double days" in refusal.value.sentence()
        assert not TierBenefit.objects.exists()
        cells = {(gold.pk, benefit.pk): Cell(Decimal("1.5"))}
        assert set_grid(ladder_id=ladder.pk, cells=cells, by=SYSTEM, at=NOON) == 1
