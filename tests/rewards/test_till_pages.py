"""Pages of the till flow for staff: how points pay, what is set aside, how an order was paid, and undoing it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from members.models import Member
from rewards.models import OrderHold, OrderVoid, PointsPayment, Purchase
from tests.factories.api import make_member, make_till, now
from tests.factories.catalogue import a_voucher
from tests.factories.portal import signed_in
from tests.factories.till import a_cart, held, ordered, points_pay, quoted, with_points

pytestmark = pytest.mark.django_db
LINES = a_cart("60.00", "40.00")


@pytest.fixture
def member() -> Member:
    found = make_member(phone="13800138000")
    with_points(found, 2_000)
    a_voucher(found.pk, issued_at=now() - timedelta(hours=1))
    return found


@pytest.fixture
def staff() -> Client:
    return signed_in(superuser=True)


class TestThePages:
    def test_say_how_points_pay_and_take_a_new_rule_from_now_on(self, staff: Client, member: Member) -> None:
        points_pay()
        where = reverse("admin:rewards_pointspayment_changelist")
        assert "100" in staff.get(where).content.decode()
        add = reverse("admin:rewards_pointspayment_add")
        old = PointsPayment.objects.get()
        body = {
            "currency": old.currency_id, "is_on": "on", "money_per_point": "0.02", "step_points": 50, "min_points": 50,
            "max_share_percent": 50, "valid_from_0": "2020-01-01", "valid_from_1": "00:00",
        }  # fmt: skip
        assert staff.post(add, body).status_code == 200  # not from long ago
        assert PointsPayment.objects.count() == 1
        later = now() + timedelta(days=2)
        body |= {"valid_from_0": f"{later:%Y-%m-%d}", "valid_from_1": "00:00"}
        assert staff.post(add, body).status_code == 302
        assert PointsPayment.objects.count() == 2

    def test_give_a_hold_back_with_a_reason(self, staff: Client, member: Member) -> None:
        points_pay()
        till = make_till()
        held(till, quoted(till, member, LINES, points=500))
        hold = OrderHold.objects.get()
        page = staff.get(reverse("admin:rewards_orderhold_change", args=[hold.pk]))
        assert page.status_code == 200
        where = reverse("admin:rewards_orderhold_give_back", args=[hold.pk])
        staff.post(where, {"_form_submitted": "True", "reason": "The till broke"})
        hold.refresh_from_db()
        assert (hold.state, hold.closed_reason) == ("released", "The till broke")

    def test_show_how_an_order_was_paid_and_undo_it(self, staff: Client, member: Member) -> None:
        points_pay()
        till = make_till()
        quote = quoted(till, member, LINES, points=500)
        ordered(till, quote, LINES, held(till, quote))
        purchase = Purchase.objects.get()
        where = reverse("admin:rewards_purchase_change", args=[purchase.pk])
        text = staff.get(where).content.decode()
        assert "90.00" in text
        assert "100.00" in text
        staff.post(
            reverse("admin:rewards_purchase_void", args=[purchase.pk]),
            {"_form_submitted": "True", "reason": "Rung up twice"},
        )
        assert OrderVoid.objects.get().reason == "Rung up twice"
        assert "Rung up twice" in staff.get(where).content.decode()
