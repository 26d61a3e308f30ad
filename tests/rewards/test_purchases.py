"""Purchases: what they earn and why, once and for ever."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from campaigns.models import Promotion, PromotionUse
from campaigns.services.promotions import contributor
from loyalty.models import Tier, TierStanding
from members.models import Member, TimelineEntry
from rewards.explanation import explain
from rewards.models import EarnRule, LedgerTransaction, Lot, PointsCurrency, Product, Purchase
from rewards.queries import balance_of
from rewards.services.expiry import release_pending_lots
from rewards.services.purchases import (
    MemberClosed,
    MemberFrozen,
    Order,
    OrderConflict,
    OrderInFuture,
    PurchaseReceipt,
    record_purchase,
)
from rewards.services.returns import record_return
from tests.factories.histories import with_points
from tests.factories.orders import NOON, a_line, a_return_of_an_unknown_sale, an_order
from tests.factories.people import TILL, a_member, a_store
from tests.factories.rules import a_rule, follow_base_rule, rewrite_base_rule
from tests.factories.times import SHANGHAI, at
from tests.harness.dumps import dump


def buy(order: Order) -> PurchaseReceipt:
    """Record an order at the moment it was made."""
    return record_purchase(order=order, by=TILL, at=order.ordered_at)


def lines_of(receipt: PurchaseReceipt) -> list[tuple[str, int]]:
    """Return the kinds and points of the receipt's lines."""
    return [(line[0], line[2]) for line in receipt.trace["lines"]]


def a_promotion(**changes: object) -> Promotion:
    """Return a live promotion of double points around noon of the test."""
    values: dict[str, object] = {
        "name_en": "Double points", "name_zh_hans": "双倍积分", "name_zh_hant": "雙倍積分", "state": Promotion.State.LIVE,
        "factor": Decimal(2), "starts_at": NOON - timedelta(days=5), "ends_at": NOON + timedelta(days=5),
    }  # fmt: skip
    return Promotion.objects.create(**{**values, **changes})


def a_silver_member() -> Member:
    """Return a member who rose to silver by a purchase of ¥600 the day before."""
    member = a_member()
    assert buy(an_order(member, "600.00", ordered_at=NOON - timedelta(days=1))).tier_changed_to == "silver"
    return member


@pytest.mark.django_db
class TestPurchase:
    """A purchase …"""

    def test_earns_one_point_for_each_whole_unit_of_money(self) -> None:
        receipt = buy(an_order(a_member(), "58.90"))
        assert (receipt.points, receipt.credits, receipt.pending) == (58, 58, False)
        assert (receipt.available, receipt.pending_points) == (58, 0)
        assert (receipt.tier_code, receipt.tier_changed_to, receipt.already_recorded) == ("member", "", False)
        assert lines_of(receipt) == [("base", 58)]

    def test_earns_whole_steps_of_its_rule(self) -> None:
        rewrite_base_rule(points_per_step=3, step_amount=10)
        assert buy(an_order(a_member(), "59.99")).points == 15

    def test_gives_points_that_expire_at_the_end_of_the_month(self) -> None:
        buy(an_order(a_member()))
        lot = Lot.objects.get()
        assert (lot.available_at, lot.expires_at) == (NOON, at("2027-04-01"))

    def test_gives_points_that_are_pending_while_the_rule_says_so(self) -> None:
        rewrite_base_rule(pending_days=7)
        member = a_member()
        receipt = buy(an_order(member))
        assert (receipt.pending, receipt.available, receipt.pending_points) == (True, 0, 50)
        release_pending_lots(at=NOON + timedelta(days=7), by=TILL)
        balance = balance_of(member.pk, NOON + timedelta(days=7))
        assert (balance.available, balance.pending) == (50, 0)

    def test_earns_nothing_while_no_rule_is_in_force(self) -> None:
        rewrite_base_rule(valid_from=NOON + timedelta(days=1))
        receipt = buy(an_order(a_member()))
        assert (receipt.points, receipt.credits) == (0, 50)
        with override("en"):
            assert explain(receipt.trace).notes == ["No earn rule was in force on that day."]

    def test_earns_by_the_rule_of_its_own_day(self) -> None:
        follow_base_rule(valid_from=NOON, points_per_step=2)
        member = a_member()
        assert buy(an_order(member, "10.00", ordered_at=NOON - timedelta(microseconds=1))).points == 10
        assert buy(an_order(member, "10.00")).points == 20

    @pytest.mark.parametrize("how", ["the line", "the product"])
    def test_earns_nothing_for_what_does_not_earn(self, how: str) -> None:
        Product.objects.create(sku="POST", name="邮费", earns=how == "the line")
        order = an_order(a_member(), lines=(a_line("50.00"), a_line("8.00", sku="POST", earns=how == "the product")))
        receipt = buy(order)
        assert (receipt.points, receipt.credits) == (50, 50)
        purchase = Purchase.objects.get()
        assert (purchase.total_amount, purchase.eligible_amount) == (58, 50)
        assert list(purchase.lines.order_by("line_no").values_list("sku", "earns")) == [
            ("LATTE", True),
            ("POST", False),
        ]

    def test_earns_more_in_a_higher_tier(self) -> None:
        receipt = buy(an_order(a_silver_member(), "58.90"))
        assert receipt.tier_code == "silver"
        assert lines_of(receipt) == [("base", 58), ("tier", 5)]
        assert receipt.points == 63

    def test_that_lifts_the_member_earns_by_the_tier_before_it(self) -> None:
        member = a_member()
        receipt = buy(an_order(member, "500.00"))
        assert (receipt.tier_code, receipt.tier_changed_to, receipt.points) == ("member", "silver", 500)
        assert TierStanding.objects.get(member=member).tier.code == "silver"

    def test_earns_what_a_promotion_adds_on_its_base_points(self) -> None:
        promotion = a_promotion()
        receipt = buy(an_order(a_silver_member(), "50.00"))
        assert lines_of(receipt) == [("base", 50), ("tier", 5), ("promotion", 50)]
        use = PromotionUse.objects.filter(points=50).get()
        assert (use.promotion_id, use.source_ref) == (promotion.pk, Purchase.objects.latest("id").external_order_no)

    def test_repays_what_the_member_owes(self) -> None:
        member = a_member()
        record_return(ret=a_return_of_an_unknown_sale(member, "30.00"), by=TILL, at=NOON)
        receipt = buy(an_order(member))
        assert (receipt.points, receipt.available) == (50, 20)

    def test_leaves_points_past_their_expiry_out_of_what_is_available(self) -> None:
        member = with_points(30, moment=NOON - timedelta(days=9), expires_at=NOON)
        order = an_order(member)
        assert buy(order).available == 50
        assert buy(order).available == 50

    def test_is_told_on_the_timeline(self) -> None:
        store = a_store()
        member = a_member()
        receipt = buy(an_order(member, "50.00", number="A1", store_id=store.pk))
        (entry,) = TimelineEntry.objects.filter(member=member)
        assert (entry.kind, entry.happened_at) == ("rewards.purchase_recorded.v1", NOON)
        assert entry.payload == {
            "purchase": receipt.purchase_id, "store": store.pk, "channel": Purchase.objects.get().channel_id, "amount": "50.00",
            "points": 50, "pending": False, "credits": 50, "order_no": "A1",
        }  # fmt: skip

    def test_of_nobody_we_know_is_recorded_without_points(self) -> None:
        receipt = buy(an_order(None))
        assert (receipt.points, receipt.credits, receipt.trace, receipt.tier_code) == (0, 0, {}, "")
        assert Purchase.objects.get().member_id is None
        assert LedgerTransaction.objects.count() == 0
        assert TimelineEntry.objects.filter(kind="rewards.purchase_recorded.v1", member=None).count() == 1

    def test_may_be_dated_a_little_later_than_our_clock(self) -> None:
        order = an_order(a_member())
        assert record_purchase(order=order, by=TILL, at=NOON - timedelta(minutes=10)).points == 50


@pytest.mark.django_db
class TestRepeat:
    """A purchase told again …"""

    def test_gets_the_first_answer_and_changes_nothing(self) -> None:
        a_promotion()
        order = an_order(a_silver_member(), "50.00")
        first = buy(order)
        before = dump()
        again = record_purchase(order=order, by=TILL, at=NOON + timedelta(hours=1))
        assert again == replace(first, already_recorded=True)
        assert dump() == before

    def test_that_had_lifted_the_member_says_so_again(self) -> None:
        order = an_order(a_member(), "500.00")
        first = buy(order)
        assert record_purchase(order=order, by=TILL, at=NOON) == replace(first, already_recorded=True)

    def test_says_again_what_it_earned_in_every_currency_and_what_was_pending(self) -> None:
        coins = PointsCurrency.objects.create(code="coins", name="Coins")
        a_rule("Coin", mode="extra", points_fixed=3, currency=coins)
        rewrite_base_rule(pending_days=2)
        order = an_order(a_member())
        first = buy(order)
        assert (first.others, first.pending) == ({coins.pk: 3}, True)
        release_pending_lots(at=NOON + timedelta(days=2), by=TILL)
        again = buy(order)
        assert (again.others, again.pending) == (first.others, first.pending)

    def test_of_nobody_gets_the_first_answer(self) -> None:
        order = an_order(None)
        first = buy(order)
        assert buy(order) == replace(first, already_recorded=True)

    def test_gets_the_first_answer_when_the_member_is_frozen_since(self) -> None:
        member = a_member()
        order = an_order(member)
        buy(order)
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        assert buy(order).points == 50

    def test_is_the_same_in_another_time_zone(self) -> None:
        order = an_order(a_member())
        buy(order)
        for zone in (SHANGHAI, ZoneInfo("America/New_York")):
            assert buy(replace(order, ordered_at=NOON.astimezone(zone))).already_recorded

    def test_is_the_same_with_numbers_written_otherwise(self) -> None:
        order = an_order(a_member(), "50.00")
        buy(order)
        line = replace(order.lines[0], quantity=Decimal("1.000"), amount=Decimal(50))
        assert buy(replace(order, lines=(line,))).already_recorded

    @pytest.mark.parametrize("other", ["amount", "member", "moment", "line", "what earns"])
    def test_with_another_content_is_refused_and_changes_nothing(self, other: str) -> None:
        order = an_order(a_member(), number="A1")
        buy(order)
        changed = {
            "amount": lambda: replace(order, lines=(a_line("51.00"),)),
            "member": lambda: replace(order, member_id=a_member().pk),
            "moment": lambda: replace(order, ordered_at=NOON - timedelta(seconds=1)),
            "line": lambda: replace(order, lines=(*order.lines, a_line("1.00"))),
            "what earns": lambda: replace(order, lines=(a_line(earns=False),)),
        }[other]()
        before = dump()
        with pytest.raises(OrderConflict) as refused:
            buy(changed)
        assert (refused.value.code, refused.value.params) == ("order_conflict", {"order_no": "A1"})
        assert dump() == before

    def test_from_another_source_is_another_purchase(self) -> None:
        order = an_order(a_member())
        buy(order)
        assert not buy(replace(order, source="till")).already_recorded


@pytest.mark.django_db
class TestRefusal:
    """A purchase is refused, and nothing changes, …"""

    @pytest.mark.parametrize(
        ("status", "refusal"), [(Member.Status.FROZEN, MemberFrozen), (Member.Status.CLOSED, MemberClosed)]
    )
    def test_when_the_member_is_not_active(self, status: str, refusal: type[MemberFrozen | MemberClosed]) -> None:
        member = a_member(status=status)
        before = dump()
        with pytest.raises(refusal) as refused:
            buy(an_order(member))
        assert refused.value.params == {"member_no": member.member_no}
        assert dump() == before

    def test_when_it_is_dated_later_than_now(self) -> None:
        order = an_order(a_member())
        before = dump()
        with pytest.raises(OrderInFuture):
            record_purchase(order=order, by=TILL, at=NOON - timedelta(minutes=10, microseconds=1))
        assert dump() == before


NOT_KNOWN = {"v": 1, "lines": [], "not": [["1", {"en": "Old"}, "a code that nobody registered", {}]]}
LANGUAGES = ("zh-hans", "zh-hant", "en")


@pytest.mark.django_db
class TestExplanation:
    """The explanation of a purchase …"""

    @pytest.fixture
    def receipt(self) -> PurchaseReceipt:
        a_promotion()
        a_promotion(name_en="Big order", name_zh_hans="大单", name_zh_hant="大單", min_spend_amount=100)
        return buy(an_order(a_silver_member(), "50.00"))

    @pytest.mark.parametrize(
        ("language", "base", "promotion", "unused"),
        [
            ("zh-hans", "消费得积分", "双倍积分", "大单"),
            ("zh-hant", "消費得積分", "雙倍積分", "大單"),
            ("en", "Points on purchases", "Double points", "Big order"),
        ],
    )
    def test_is_in_the_reader_s_language(
        self, receipt: PurchaseReceipt, language: str, base: str, promotion: str, unused: str
    ) -> None:
        with override(language):
            explained = explain(receipt.trace)
        assert [(line.kind, line.points) for line in explained.lines] == [("base", 50), ("tier", 5), ("promotion", 50)]
        first, second, third = (line.label for line in explained.lines)
        assert base in first
        assert "50.00" in first
        assert "×1.10" in second
        assert third == promotion
        (no,) = explained.not_applied
        assert (no.label, no.code) == (unused, "min_spend")
        assert "100" in no.reason

    def test_reads_the_same_from_the_database_years_later(self, receipt: PurchaseReceipt) -> None:
        EarnRule.objects.update(name_en="Renamed")
        rewrite_base_rule(points_per_step=9)
        Promotion.objects.update(name_en="Renamed")
        stored = LedgerTransaction.objects.latest("id").trace
        with override("en"):
            assert explain(stored) == explain(receipt.trace)
            assert explain(stored).lines[0].label == "Points on purchases: 1 for each 1.00 of 50.00"

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            ("min_spend", {"min_spend_amount": 100}),
            ("wrong_weekday", {"weekdays": [0]}),
            ("wrong_store", {}),
            ("tier_too_low", {}),
            ("no_base_points", {"factor": Decimal("1.01")}),
        ],
    )
    def test_says_why_a_promotion_did_not_apply(self, language: str, code: str, changes: dict[str, object]) -> None:
        if code == "tier_too_low":
            changes = {"min_tier": Tier.objects.get(code="gold")}
        promotion = a_promotion(**changes)
        if code == "wrong_store":
            promotion.stores.add(a_store("elsewhere"))
        receipt = buy(an_order(a_member(), "50.00"))
        with override(language):
            (no,) = explain(receipt.trace).not_applied
            assert no.code == code
            assert no.reason
            assert no.reason != explain(NOT_KNOWN).not_applied[0].reason
            assert "%(" not in no.reason

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_has_some_words_for_reasons_that_no_floor_registers_any_more(self, language: str) -> None:
        with override(language):
            (no,) = explain(NOT_KNOWN).not_applied
        assert (no.label, bool(no.reason)) == ("Old", True)

    def test_of_nothing_is_empty(self) -> None:
        assert explain(None).lines == explain({}).lines == []


class TestStatements:
    """A purchase costs …"""

    @pytest.fixture
    def member(self, committed_db: str) -> Member:
        member = a_member()
        buy(an_order(member, "600.00", ordered_at=NOON - timedelta(days=1)))
        buy(an_order(member, "10.00", ordered_at=NOON - timedelta(hours=1)))
        return member

    def _round_trips(self, order: Order) -> list[list[str]]:
        """The first words of the statements of each round trip."""
        with CaptureQueriesContext(connection) as captured:
            buy(order)
        return [
            [statement.split()[0] for statement in query["sql"].split(";\n")] for query in captured.captured_queries
        ]

    def _statements(self, order: Order) -> list[str]:
        return [statement for trip in self._round_trips(order) for statement in trip]

    def test_six_statements_in_four_round_trips_with_begin_and_commit(self, member: Member) -> None:
        trips = self._round_trips(an_order(member, lines=(a_line("50.00"), a_line("8.00", sku="CAKE"))))
        assert trips == [["BEGIN"], ["SELECT"], ["SELECT", "SELECT", "INSERT"], ["COMMIT"]]

    def test_one_statement_more_when_promotions_apply(self, member: Member) -> None:
        a_promotion()
        a_promotion(factor=3)
        contributor.forget()
        self._statements(an_order(member))  # reads the promotions, which are then kept for seconds
        assert len(self._statements(an_order(member))) == 7

    def test_no_more_statements_when_it_is_repeated(self, member: Member) -> None:
        order = an_order(member)
        buy(order)
        assert len(self._statements(order)) <= 10
