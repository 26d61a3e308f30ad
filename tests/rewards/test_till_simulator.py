"""The till simulator of a trial: who may play it, what it sends, what it shows, and that it exists nowhere else."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone

from members.actors import SYSTEM
from members.models import ApiKey, Member
from rewards import ledger
from rewards.models import OrderHold, Product, Purchase, PurchaseReturn, Voucher
from rewards.queries import balance_of
from tests.factories.api import make_channel, make_member, make_store
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.portal import an_operator, signed_in
from tests.factories.till import points_pay, with_points

pytestmark = pytest.mark.django_db
PAGE = "/admin/rewards/orderhold/simulator/"
CART = {
    "store": "S01", "sku_0": "TEA", "quantity_0": "2", "price_0": "129.00", "sku_1": "CUP", "quantity_1": "1", "price_1": "81.00",
    "minutes": "10",
}  # fmt: skip


@pytest.fixture
def member() -> Member:
    make_store()
    make_channel()
    points_pay()
    for sku, name in (("TEA", "Tea in a tin"), ("CUP", "Cup")):
        Product.objects.create(sku=sku, name=name)
    found = make_member(full_name="张小丰", phone="13800138000")
    with_points(found, 2340)
    return found


class Cashier:
    """Somebody who plays the till."""

    def __init__(self, client: Client | None = None, **cart: str) -> None:
        self.client = client or signed_in("service supervisor")
        self.cart = {**CART, **cart}
        self.page = self.client.get(PAGE).content.decode()

    def does(self, act: str, **typed: Any) -> str:
        """Do an act; return what the last step says, with its calls."""
        walk = re.search(r'name="walk" value="([0-9a-f]+)"', self.page)
        assert walk
        self.cart |= typed
        answer = self.client.post(PAGE, {"walk": walk[1], "act": act, **self.cart})
        assert answer.status_code == 200
        self.page = answer.content.decode()
        _before, mark, newest = self.page.rpartition('<details class="pn-card pn-step')
        return mark + newest.partition("<h2>Next</h2>")[0]

    def offers(self, act: str) -> bool:
        """Whether the page offers an act."""
        return f'value="{act}"' in self.page


def points(member: Member) -> int:
    return balance_of(member.pk, timezone.now()).available


class TestThePage:
    @pytest.mark.parametrize(
        ("role", "status"),
        [("service supervisor", 200), ("marketing", 200), ("administrator", 200), ("service", 403), ("store", 403), ("finance", 403)],
    )  # fmt: skip
    def test_is_for_those_who_may(self, role: str, status: int) -> None:
        assert signed_in(role).get(PAGE).status_code == status

    def test_does_not_exist_in_production_for_anybody(self, member: Member) -> None:
        cashier = Cashier(signed_in(superuser=True))
        with override_settings(DEMO=False):
            assert cashier.client.get(PAGE).status_code == 404
            assert cashier.client.post(PAGE, {"act": "quote", **CART}).status_code == 404
            assert PAGE not in cashier.client.get("/admin/").content.decode()
        assert PAGE in cashier.client.get("/admin/").content.decode()
        assert not ApiKey.objects.exists()

    def test_says_what_is_missing_to_play(self) -> None:
        assert "there has to be a store" in signed_in("marketing").get(PAGE).content.decode()

    def test_asks_for_few_queries(self, member: Member, django_assert_max_num_queries: Any) -> None:
        client = signed_in("service supervisor")
        with django_assert_max_num_queries(20):
            client.get(PAGE)


class TestAWalk:
    def test_goes_from_the_phone_to_the_line_that_comes_back(self, member: Member) -> None:
        ten = a_template("ten-off", name="Ten off", name_en="Ten off", off_amount=Decimal(10))
        voucher = a_voucher(member.pk, ten, issued_at=timezone.now() - timedelta(days=1))
        cashier = Cashier(way="code", number=member.member_no, points="1000")
        found = cashier.does("find")
        assert "Welcome, 张*丰" in found
        assert "may be used at this till until" in found
        assert "/api/v1/me/code" in found  # the phone showed the code, by its own calls

        quoted = cashier.does("quote")
        assert "To pay: ¥319.00" in quoted
        assert "Paid with 1,000 points" in quoted
        assert "Ten off" in quoted
        assert (points(member), OrderHold.objects.count()) == (2340, 0)

        held = cashier.does("hold")
        assert "1,000 points (¥10.00), vouchers: 1" in held
        assert points(member) == 1340

        ordered = cashier.does("order")
        assert "¥319.00 paid" in ordered
        again = cashier.does("again:3")
        assert "This is the first answer again" in again
        assert "Idempotency-Replayed: true" in again
        purchase = Purchase.objects.get()
        assert (purchase.source, purchase.total_amount) == ("till-simulator", Decimal("319.00"))

        dry = cashier.does("dry", back_1="1")
        assert "Refund of ¥121.39" in dry
        assert not PurchaseReturn.objects.exists()
        assert 'name="back_1" inputmode="decimal" maxlength="10" size="4" placeholder="0" value="1"' in cashier.page
        before = points(member)
        back = cashier.does("return")
        assert "Refund of ¥121.39" in back
        assert points(member) != before
        assert "nothing was done a second time" in cashier.does("again:6")
        assert PurchaseReturn.objects.count() == 1
        assert not cashier.offers("void")  # something of it came back
        assert "¥121.39" in cashier.does("look")
        voucher.refresh_from_db()
        assert voucher.state == Voucher.State.USED
        cashier.does("return", back_1="")
        assert points(member) == 2340

    def test_shows_calls_without_their_secrets_and_as_lines_for_a_shell(self, member: Member) -> None:
        cashier = Cashier(way="code", number="138 0013 8000")
        cashier.does("quote")
        for prefix in ("pk_live_", "mt_"):
            assert f"{prefix}…" in cashier.page
            assert not re.search(rf"{prefix}[A-Za-z0-9]", cashier.page)
        assert (
            "curl -X POST http://testserver/api/v1/pos/quotes -H &quot;Authorization: Bearer $KEY&quot; -H"
            in cashier.page
        )
        kept = json.dumps(dict(cashier.client.session.items()), ensure_ascii=False)
        assert "pk_live_" not in kept.replace("pk_live_…", "")
        key = ApiKey.objects.get()
        assert key.ends_at is not None
        assert key.ends_at < timezone.now() + timedelta(hours=9)

    def test_finds_out_what_became_of_an_order_whose_answer_was_lost(self, member: Member) -> None:
        cashier = Cashier(way="member_no", number=member.member_no)
        cashier.does("quote")
        lost = cashier.does("lose")
        assert "No answer came." in lost
        assert "points to spend" not in lost
        assert Purchase.objects.count() == 1
        assert "This is the first answer again" in cashier.does("again:2")
        assert Purchase.objects.count() == 1

    def test_gives_back_when_the_customer_leaves_and_when_the_time_is_over(self, member: Member) -> None:
        cashier = Cashier(way="code", number=member.member_no, points="500")
        for act in ("quote", "hold"):
            cashier.does(act)
        assert points(member) == 1840
        cashier.does("release")
        assert points(member) == 2340
        for act in ("quote", "hold"):
            cashier.does(act)
        OrderHold.objects.filter(state="open").update(
            created_at=timezone.now() - timedelta(minutes=9), expires_at=timezone.now() - timedelta(minutes=1)
        )
        refused = cashier.does("order")
        assert "pn-step-no" in refused
        assert "given back" in refused
        assert not Purchase.objects.exists()

    def test_voids_an_order_of_a_guest_or_a_member(self, member: Member) -> None:
        for way in ("member_no", ""):
            cashier = Cashier(signed_in("marketing"), way=way, number=member.member_no)
            for act in ("quote", "order", "void"):
                said = cashier.does(act)
                assert "pn-step-yes" in said, (way, act)
            assert not cashier.offers("return")
        assert points(member) == 2340

    def test_uses_the_vouchers_that_are_ticked(self, member: Member) -> None:
        five = a_voucher(member.pk, issued_at=timezone.now() - timedelta(days=1))
        cashier = Cashier(way="code", number=member.member_no)
        assert "To pay: ¥334.00" in cashier.does("quote")
        assert str(five.template.name) in cashier.page
        assert "To pay: ¥339.00" in cashier.does("quote", chooses="on")

    def test_begins_anew_with_another_order(self, member: Member) -> None:
        cashier = Cashier(way="phone", number="13800138000")
        for _turn in range(2):
            cashier.does("quote")
            cashier.does("order")
            cashier.does("new")
        assert "Nothing has happened at this till yet." in cashier.page
        assert Purchase.objects.count() == 2
        assert ApiKey.objects.count() == 1


class TestARefusal:
    def test_is_said_in_words_and_changes_nothing(self, member: Member) -> None:
        cashier = Cashier(way="phone", number="13800138000", points="1000")
        cashier.does("quote")
        refused = cashier.does("hold")
        assert "pn-step-no" in refused
        assert "the member shows their code or card" in refused
        assert not OrderHold.objects.exists()

    def test_tells_of_points_that_were_spent_meanwhile(self, member: Member) -> None:
        cashier = Cashier(way="code", number=member.member_no, points="2000")
        cashier.does("quote")
        with transaction.atomic():
            ledger.burn(
                member_id=member.pk, points=2000, source="other", natural_key="1", at=timezone.now(), by=SYSTEM, trace={"v": 2, "kind": "x"}
            )  # fmt: skip
        refused = cashier.does("hold")
        assert "insufficient_points" in refused
        assert re.search(r'pn-what">[^<]*2000[^<]*340', refused)
        assert points(member) == 340

    def test_of_a_member_whom_nobody_knows_stops_the_quote(self, member: Member) -> None:
        for way in ("code", "card_no", "phone", "member_no"):
            cashier = Cashier(signed_in("marketing"), way=way, number="999999999")
            assert "pn-step-no" in cashier.does("quote")
            assert "/pos/quotes" not in cashier.page

    def test_of_a_cart_that_was_changed_after_the_quote(self, member: Member) -> None:
        cashier = Cashier(way="member_no", number=member.member_no)
        cashier.does("quote")
        assert "not what was quoted" in cashier.does("order", quantity_1="3")
        assert not Purchase.objects.exists()


class TestWhatIsTyped:
    def test_is_asked_for_in_words(self, member: Member) -> None:
        cashier = Cashier(way="member_no", number="")
        cashier.does("quote")
        assert "Please write who it is." in cashier.page
        cashier.does("quote", way="", sku_0="", sku_1="")
        assert "Please put something into the cart." in cashier.page
        assert not ApiKey.objects.exists()

    def test_is_text_and_never_markup(self, member: Member) -> None:
        evil = "</pre><u id=evil>\"'&{{7*7}}"
        Product.objects.filter(sku="TEA").update(name=evil)
        cashier = Cashier(way="member_no", number=evil)
        cashier.does("find")
        cashier.does("quote", number=member.member_no)
        cashier.does("order")
        assert "&lt;u id=evil&gt;" in cashier.page
        assert "<u id=evil" not in cashier.page

    def test_of_another_window_is_not_played(self, member: Member) -> None:
        cashier, client = Cashier(way="member_no", number=member.member_no), None
        cashier.does("quote")
        client = cashier.client
        other = client.post(PAGE, {"walk": "0123456789abcdef", "act": "order", **cashier.cart}).content.decode()
        assert "begun anew in another window" in other
        assert not Purchase.objects.exists()

    def test_may_not_name_a_store_of_others(self, member: Member) -> None:
        operator = an_operator("service supervisor")
        operator.stores.add(make_store("S02"))
        client = Client(headers={"accept-language": "en"})
        client.force_login(operator)
        cashier = Cashier(client, way="member_no", number=member.member_no, store="S01")
        cashier.does("quote")
        assert "Please choose a store." in cashier.page
        assert not ApiKey.objects.exists()
