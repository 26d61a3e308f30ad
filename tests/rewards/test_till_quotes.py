"""Quotes of the till: member prices, discounts, postage, vouchers, points; what would be earned; and how little is asked."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.models import Benefit
from members.actors import SYSTEM
from members.identifiers import VOUCHER, public_ref
from members.models import Decision, Member
from members.services.keys import ORDERS_WRITE
from members.services.status import freeze_member
from rewards.models import Category, LedgerTransaction, MemberPrice, Product, Voucher
from tests.factories.api import Till, make_member, make_till, now, problem_of
from tests.factories.benefits import a_benefit, an_entitlement, given_by, holding
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.till import a_cart, points_pay, quoted, ref, with_points

pytestmark = pytest.mark.django_db

FREE = {"stacking": "free"}


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    return holding("gold", since=now() - timedelta(days=30), member=make_member(phone="13800138000"))


class TestAQuote:
    def test_takes_of_each_line_the_benefit_that_gives_most_then_the_postage(self, till: Till, member: Member) -> None:
        tea = Category.objects.create(code="tea", name="Tea")
        Product.objects.create(sku="SKU-1", name="Tin", category=tea)
        given_by("gold", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(5))
        only_tea = a_benefit("tea-off", kind=Benefit.Kind.DISCOUNT, quota=None, category_codes=["tea"])
        given_by("gold", only_tea, figure=Decimal(12))
        prices = a_benefit("prices", kind=Benefit.Kind.PRODUCTS, quota=None)
        MemberPrice.objects.create(benefit=prices, sku="SKU-3", price_amount=Decimal("60.00"))
        MemberPrice.objects.create(benefit=prices, sku="SKU-4", price_amount=Decimal("1.00"))
        given_by("gold", prices)
        given_by("gold", a_benefit("posted", kind=Benefit.Kind.SHIPPING, quota=None))
        lines = a_cart("100.00", "50.00", "80.00", "40.00")
        lines[3]["discountable"] = False  # nor does its member price count
        quote = quoted(till, member, lines, shipping="8.00")
        assert {(one["kind"], one["amount"]) for one in quote["deductions"]} == {
            ("discount", "12.00"), ("discount", "2.50"), ("member_price", "20.00"), ("shipping", "8.00"),
        }  # fmt: skip
        assert (quote["total"], quote["discount"], quote["payable"]) == ("278.00", "42.50", "235.50")
        assert quote["needs_hold"] is False
        [posted] = [one for one in quote["deductions"] if one["kind"] == "shipping"]
        assert posted["lines"] == [{"line_no": 5, "amount": "8.00"}]

    def test_takes_vouchers_after_benefits_and_tells_why_others_are_not_used(self, till: Till, member: Member) -> None:
        given_by("gold", a_benefit("ten", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(10))
        since = now() - timedelta(hours=1)
        used = a_voucher(
            member.pk, a_template("p20", kind="percent", off_amount=None, off_percent=Decimal(20)), issued_at=since
        )
        dear = a_voucher(member.pk, a_template("dear", min_spend_amount=Decimal(500)), issued_at=since)
        quote = quoted(till, member, a_cart("100.00"))
        assert [(one["kind"], one["amount"]) for one in quote["deductions"]] == [
            ("discount", "10.00"),
            ("voucher", "18.00"),
        ]
        assert quote["deductions"][1]["voucher_id"] == public_ref(VOUCHER, used.public_id)
        [unused] = quote["vouchers_not_used"]
        assert (unused["voucher_id"], unused["code"]) == (public_ref(VOUCHER, dear.public_id), "min_spend")
        assert "500" in unused["reason"]
        assert quote["needs_hold"] is True

    def test_uses_only_the_vouchers_that_are_named(self, till: Till, member: Member) -> None:
        voucher = a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        assert quoted(till, member, a_cart("100.00"), vouchers=[])["payable"] == "100.00"
        named = [public_ref(VOUCHER, voucher.public_id)]
        assert quoted(till, member, a_cart("100.00"), vouchers=named)["payable"] == "95.00"

    def test_refuses_vouchers_of_others_and_of_guests_alike(self, till: Till, member: Member) -> None:
        other = a_voucher(make_member(phone="13900139000").pk, issued_at=now() - timedelta(hours=1))
        named = {"lines": a_cart(), "vouchers": [public_ref(VOUCHER, other.public_id)]}
        assert problem_of(till.post("/pos/quotes", {**named, "member_ref": ref(member)})) == (409, "voucher_not_usable")
        assert problem_of(till.post("/pos/quotes", named)) == (409, "voucher_not_usable")

    @pytest.mark.parametrize(
        ("rule", "points", "asked", "told"),
        [
            ({}, 2_345, 1_050, (2_300, 1_000, "10.00", "")),
            ({}, 99_999, 99_999, (10_000, 10_000, "100.00", "")),
            ({"max_share_percent": 30}, 99_999, 99_999, (3_000, 3_000, "30.00", "")),
            ({"min_points": 500, "step_points": 50}, 499, 400, (0, 0, "0.00", "At least 500 points are needed to pay with.")),
            ({"min_points": 500}, 900, 300, (900, 0, "0.00", "")),
            ({"min_points": 20_000}, 99_999, 1, (0, 0, "0.00", "The order is too small to pay with points.")),
            ({"is_on": False}, 99_999, 1, (0, 0, "0.00", "Points do not pay at the moment.")),
            ({"store_ids": [0]}, 99_999, 1, (0, 0, "0.00", "Points do not pay in this store.")),
            ({"money_per_point": Decimal("0.0333"), "step_points": 1}, 7, 7, (0, 0, "0.00", "At least 100 points are needed to pay with.")),
        ],
    )  # fmt: skip
    def test_lets_points_pay_by_their_rule(
        self, rule: dict[str, object], points: int, asked: int, told: tuple[object, ...], till: Till, member: Member
    ) -> None:
        points_pay(**rule)
        with_points(member, points)
        found = quoted(till, member, a_cart("60.00", "40.00"), points=asked)["points_payable"]
        assert (found["max"], found["applied"], found["worth"], found["reason"]) == told

    def test_earns_on_what_is_left_and_counts_no_postage(self, till: Till, member: Member) -> None:
        points_pay(pays_postage=True)
        with_points(member, 99_999)
        quote = quoted(
            till, holding("member", since=now(), member=member), a_cart("50.00"), shipping="10.00", points=3_000
        )
        assert quote["payable"] == "30.00"
        assert quote["earn"]["total"] == 25  # 50.00 of 60.00: so much of the points paid for the goods
        assert quote["earn"]["explain"][0]["points"] == 25

    def test_adds_a_line_for_a_voucher_that_multiplies_points(self, till: Till, member: Member) -> None:
        holding("member", since=now(), member=member)
        triple = a_template(
            "triple", kind="multiplier", off_amount=None, multiplier=Decimal(3), name="三倍", name_en="Triple"
        )
        a_voucher(member.pk, triple, issued_at=now() - timedelta(hours=1))
        earned = quoted(till, member, a_cart("100.00"))["earn"]
        assert [(line["kind"], line["points"]) for line in earned["explain"]] == [("base", 100), ("benefit", 200)]
        assert "Triple" in earned["explain"][1]["label"]

    def test_offers_a_counted_benefit_while_uses_are_left(self, till: Till, member: Member) -> None:
        free = a_benefit("free", kind=Benefit.Kind.SHIPPING, quota=1)
        an_entitlement(member, free, at=now() - timedelta(days=1), quota=1)
        quote = quoted(till, member, a_cart("20.00"), shipping="8.00")
        assert (quote["payable"], quote["needs_hold"]) == ("20.00", True)

    def test_of_a_guest_costs_what_it_costs(self, till: Till) -> None:
        quote = quoted(till, None, a_cart("20.00"), shipping="8.00")
        assert (quote["total"], quote["payable"], quote["earn"]["total"], quote["tier"]) == ("28.00", "28.00", 0, None)

    def test_of_a_member_who_must_not_spend_takes_only_what_simply_holds(self, till: Till, member: Member) -> None:
        points_pay()
        with_points(member, 1_000)
        a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        given_by("gold", a_benefit("ten", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(10))
        freeze_member(
            member_id=member.pk,
            reason="lost card",
            acts={Member.Act.SPEND},
            release_at=now() + timedelta(days=1),
            by=SYSTEM,
            at=now(),
        )
        quote = quoted(till, member, a_cart("100.00"), points=1_000)
        assert (quote["payable"], quote["points_payable"]["max"]) == ("90.00", 0)

    def test_refuses_a_frozen_member_and_one_that_is_unknown(self, till: Till, member: Member) -> None:
        asked = {"member_ref": ref(member), "lines": a_cart()}
        nobody = asked | {"member_ref": f"mem_{'0' * 26}"}
        assert problem_of(till.post("/pos/quotes", nobody)) == (404, "not_found")
        freeze_member(
            member_id=member.pk, reason="lost card", release_at=now() + timedelta(days=1), by=SYSTEM, at=now()
        )
        assert problem_of(till.post("/pos/quotes", asked)) == (409, "member_frozen")

    def test_writes_nothing_but_itself(self, till: Till, member: Member) -> None:
        a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        quoted(till, member, a_cart("100.00"))
        assert not LedgerTransaction.objects.filter(member=member).exists()
        assert set(Voucher.objects.values_list("state", flat=True)) == {"issued"}
        [kept] = Decision.objects.filter(kind="quote")
        assert (kept.member_id, kept.code, kept.trace["payable"]) == (member.pk, "till_quote", "95.00")

    def test_of_another_moment_is_for_the_demo_and_can_not_be_ordered(
        self, till: Till, member: Member, settings: pytest.FixtureRequest
    ) -> None:
        moment = (now() + timedelta(days=30)).isoformat().replace("+00:00", "Z")
        asked = {"member_ref": ref(member), "lines": a_cart()}
        answer = till.post(f"/pos/quotes?at={moment}", asked)
        assert answer.json()["can_be_ordered"] is False
        hold = till.post("/pos/holds", {"quote_id": answer.json()["quote_id"]}, key="h")
        assert problem_of(hold) == (409, "quote_expired")
        settings.DEMO = False  # type: ignore[attr-defined]
        assert problem_of(till.post(f"/pos/quotes?at={moment}", asked)) == (400, "validation_error")

    def test_needs_the_scope_and_the_till_s_own_store(self, member: Member) -> None:
        poor = make_till(scopes=[ORDERS_WRITE])
        assert problem_of(poor.post("/pos/quotes", {"lines": a_cart()})) == (403, "insufficient_scope")
        assert problem_of(poor.post("/pos/holds", {}, key="x")) == (403, "insufficient_scope")
        other = make_till().post("/pos/quotes", {"lines": a_cart(), "store": "S99"})
        assert problem_of(other) == (403, "wrong_store")

    def test_of_a_cart_whose_shares_would_not_fit_is_refused(self, till: Till, member: Member) -> None:
        for number in range(9):
            template = a_template(f"free{number}", off_amount=Decimal(900 + number), **FREE)
            a_voucher(member.pk, template, issued_at=now() - timedelta(hours=1))
        answer = till.post("/pos/quotes", {"member_ref": ref(member), "lines": a_cart(*["1000.00"] * 200)})
        assert problem_of(answer) == (422, "cart_too_large")

    def test_asks_the_database_for_little(self, till: Till, member: Member) -> None:
        points_pay()
        with_points(member, 1_000)
        given_by("gold", a_benefit("ten", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(10))
        a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        quoted(till, member, a_cart("100.00"), points=500)  # what is kept for seconds is warm
        with CaptureQueriesContext(connection) as captured:
            quoted(till, member, a_cart("100.00", "50.00"), points=500, shown=False)
        asked = [query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]]
        assert len(asked) <= 13, "\n".join(asked)
