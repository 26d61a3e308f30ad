"""Paid membership over the API, and payments confirmed by a signed call."""

import html
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from loyalty.models import PlanMembership, PlanOrder, PlanPayment, TierFloor
from members.api.signatures import MOST_BYTES, TOLERANCE_SECONDS, signature_of
from members.models import ApiKey, Member
from members.services.keys import ORDERS_WRITE, PLANS_CONFIRM, signing_secret
from tests.factories.api import API, Caller, Till, make_member, make_till, now, problem_of, sign_in
from tests.factories.plans import a_plan
from tests.factories.portal import signed_in

pytestmark = pytest.mark.django_db
Tell = Callable[..., Any]


@pytest.fixture
def who() -> Member:
    """A member with an account."""
    return make_member()


@pytest.fixture
def me(who: Member) -> Caller:
    """The app of this member."""
    return sign_in(who)


def patch(caller: Caller, body: Any) -> Any:
    headers = {"authorization": f"Bearer {caller.secret}", "accept-language": "en"}
    return caller.client.patch(f"{API}/me/plan", json.dumps(body), content_type="application/json", headers=headers)


def signed(
    till: Till,
    body: Any,
    *,
    age: int = 0,
    secret: str = "",
    sent: bytes | None = None,
    others: str = "",
    more: dict[str, str] | None = None,
) -> Any:
    """Tell of a payment as the shop's system does."""
    raw = json.dumps(body).encode()
    stamp = int(now().timestamp()) - age
    headers = {
        "authorization": f"Bearer {till.secret}", "accept-language": "en", "webhook-id": "msg_1", "webhook-timestamp": str(stamp),
        "webhook-signature": others + signature_of(secret or signing_secret(till.key), message_id="msg_1", stamp=stamp, body=raw), **(more or {}),
    }  # fmt: skip
    path = f"{API}/payments/plan-confirmations"
    return till.client.post(path, raw if sent is None else sent, content_type="application/json", headers=headers)


def confirmation(ref: str, **changes: Any) -> dict[str, Any]:
    body = {
        "order_ref": ref,
        "payment_no": "PAY-1",
        "amount": "365.00",
        "currency": "CNY",
        "paid_at": now().isoformat(),
    }
    return body | changes


class TestPlans:
    def test_are_read_by_anybody(self) -> None:
        a_plan(trial_days=7)
        answer = Caller().get("/plans")
        assert answer.status_code == 200
        [plan] = answer.json()["plans"]
        assert (plan["code"], plan["price_amount"], plan["currency"], plan["tier"]["code"], plan["trial_days"]) == (
            "gold_year", "365.00", "CNY", "gold", 7,
        )  # fmt: skip
        assert plan["sentence"] == "¥365.00 a year"


class TestMyPlan:
    def test_begins_with_nothing(self, me: Caller) -> None:
        assert me.get("/me/plan").json() == {"running": None, "order": None, "trial_left": True}

    def test_is_ordered_once_for_a_key(self, me: Caller) -> None:
        a_plan()
        answers = [me.post("/me/plan", {"plan": "gold_year", "renews": True}, key="one") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        order = answers[0].json()["order"]
        assert (order["kind"], order["state"], order["amount"], order["currency"]) == (
            "purchase",
            "pending",
            "365.00",
            "CNY",
        )
        assert order["order_ref"].startswith("plo_")
        assert me.get("/me/plan").json()["order"] == order
        assert not PlanMembership.objects.exists()

    def test_trial_begins_at_once_and_lifts_the_tier(self, me: Caller) -> None:
        a_plan(trial_days=7)
        answer = me.post("/me/plan", {"plan": "gold_year", "trial": True}, key="one").json()
        assert (answer["running"]["state"], answer["trial_left"], answer["order"]) == ("trial", False, None)
        tier = me.get("/me/tier").json()
        assert (tier["tier"]["code"], tier["earned_tier"]["code"], tier["points_multiplier"]) == (
            "gold",
            "member",
            "1.25",
        )
        assert me.get("/me/summary").json()["tier"]["code"] == "gold"
        again = me.post("/me/plan", {"plan": "gold_year", "trial": True}, key="two")
        assert problem_of(again) == (409, "plan_is_running")

    def test_wish_to_go_on_is_noted(self, me: Caller) -> None:
        a_plan(trial_days=7)
        assert problem_of(patch(me, {"renews": True})) == (409, "no_plan_running")
        me.post("/me/plan", {"plan": "gold_year", "trial": True}, key="one")
        assert patch(me, {"renews": True}).json()["running"]["renews"] is True
        assert patch(me, {"renews": False}).json()["running"]["renews"] is False

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"plan": "other"}, 404, "plan_not_on_sale"),
            ({"plan": "gold_year", "trial": True}, 409, "plan_has_no_trial"),
            ({"plan": "gold_year", "state": "active"}, 400, "validation_error"),
            ({}, 400, "validation_error"),
        ],
    )
    def test_is_refused_with_a_reason(self, me: Caller, body: Any, status: int, code: str) -> None:
        a_plan()
        assert problem_of(me.post("/me/plan", body, key="one")) == (status, code)
        assert problem_of(me.post("/me/plan", body)) == (400, "idempotency_key_missing")
        assert not PlanOrder.objects.exists()

    def test_is_nobody_elses(self) -> None:
        assert problem_of(Caller().get("/me/plan"))[0] == 401
        assert problem_of(make_till().get("/me/plan"))[0] == 403


class TestAConfirmation:
    @pytest.fixture
    def order_ref(self, me: Caller) -> str:
        """An order that waits for its payment."""
        a_plan()
        return str(me.post("/me/plan", {"plan": "gold_year"}, key="one").json()["order"]["order_ref"])

    @pytest.fixture
    def shop(self) -> Till:
        """The shop's payment system."""
        return make_till(scopes=[PLANS_CONFIRM], source="webshop")

    def test_lets_the_plan_begin_and_is_answered_alike_again(self, order_ref: str, shop: Till, me: Caller) -> None:
        first = signed(shop, confirmation(order_ref))
        assert first.status_code == 200
        assert (first.json()["plan"], first.json()["state"], first.json()["already_processed"]) == (
            "gold_year",
            "active",
            False,
        )
        again = signed(shop, confirmation(order_ref, paid_at=(now() - timedelta(hours=1)).isoformat()))
        assert again.json() == first.json() | {"already_processed": True}
        assert me.get("/me/plan").json()["running"]["state"] == "active"
        payment = PlanPayment.objects.get()
        assert (payment.source, payment.external_ref, payment.actor_kind, payment.actor_id) == (
            "webshop", "PAY-1", "device", shop.key.pk,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"amount": "364.00"}, 422, "amount_differs"),
            ({"currency": "USD"}, 422, "amount_differs"),
            ({"order_ref": "plo_00000000000000000000000000"}, 404, "plan_order_not_found"),
            ({"order_ref": "ord_00000000000000000000000000"}, 400, "validation_error"),
            ({"paid_at": "2099-01-01T00:00:00Z"}, 422, "paid_in_future"),
            ({"amount": "-365.00"}, 400, "validation_error"),
            ({"state": "active"}, 400, "validation_error"),
        ],
    )
    def test_of_other_contents_is_refused(
        self, order_ref: str, shop: Till, changes: Any, status: int, code: str
    ) -> None:
        assert problem_of(signed(shop, confirmation(order_ref, **changes))) == (status, code)
        assert (PlanPayment.objects.count(), TierFloor.objects.count()) == (0, 0)

    def test_with_a_known_number_and_another_amount_is_a_conflict(self, order_ref: str, shop: Till) -> None:
        signed(shop, confirmation(order_ref))
        assert problem_of(signed(shop, confirmation(order_ref, amount="1.00"))) == (409, "payment_conflict")
        assert problem_of(signed(shop, confirmation(order_ref, payment_no="PAY-2"))) == (409, "plan_order_is_paid")
        assert PlanPayment.objects.count() == 1

    def test_must_be_signed_over_this_very_body_just_now(self, order_ref: str, shop: Till) -> None:
        body = confirmation(order_ref)
        other = make_till(scopes=[PLANS_CONFIRM], source="other")
        flipped = json.dumps(body | {"amount": "365.01"}).encode()
        tries: list[Any] = [
            signed(shop, body, secret=signing_secret(other.key)),
            signed(shop, body, sent=flipped),
            signed(shop, body, more={"webhook-id": "msg_2"}),
            signed(shop, body, more={"webhook-timestamp": str(int(now().timestamp()) + 7)}),
            signed(shop, body, more={"webhook-timestamp": "soon"}),
            signed(shop, body, more={"webhook-signature": ""}),
            signed(shop, body, more={"webhook-signature": "v1,not-base-64 v2,AAAA"}),
            shop.post("/payments/plan-confirmations", body),
        ]
        assert {problem_of(answer) for answer in tries} == {(401, "signature_invalid")}
        for age in (TOLERANCE_SECONDS + 5, -TOLERANCE_SECONDS - 5):
            assert problem_of(signed(shop, body, age=age)) == (401, "signature_out_of_time")
        assert not PlanPayment.objects.exists()
        right = signed(shop, body, others="v1,AAAA ")
        assert right.status_code == 200  # one of several, while a secret is changed

    def test_of_too_large_a_body_is_refused(self, order_ref: str, shop: Till) -> None:
        body = confirmation(order_ref, payment_no="x" * MOST_BYTES)
        assert problem_of(signed(shop, body)) == (413, "payload_too_large")

    def test_needs_a_key_with_this_scope(self, order_ref: str, me: Caller) -> None:
        body = confirmation(order_ref)
        assert problem_of(signed(make_till(scopes=[ORDERS_WRITE]), body)) == (403, "insufficient_scope")
        assert problem_of(Caller().post("/payments/plan-confirmations", body))[0] == 401
        assert problem_of(me.post("/payments/plan-confirmations", body)) == (403, "insufficient_scope")

    def test_is_signed_with_a_secret_that_is_shown_with_the_new_key(self, shop: Till) -> None:
        form = {
            "name": "Payments",
            "store": shop.key.store_id,
            "channel": shop.key.channel_id,
            "source": "pay",
            "scopes": [PLANS_CONFIRM],
        }
        client = signed_in("administrator")
        address = reverse("admin:members_apikey_add")
        shown = client.post(address, form).text
        key = ApiKey.objects.get(name="Payments")
        assert signing_secret(key) in html.unescape(shown)
        assert "whsec_" not in client.post(address, form | {"name": "Till", "scopes": [ORDERS_WRITE]}).text

    def test_pays_the_difference_of_an_upgrade(self, order_ref: str, shop: Till, me: Caller) -> None:
        signed(shop, confirmation(order_ref))
        a_plan("diamond_year", tier="diamond", price="730.00")
        order = me.post("/me/plan", {"plan": "diamond_year"}, key="two").json()["order"]
        assert (order["kind"], order["amount"]) == ("upgrade", "365.00")
        signed(shop, confirmation(order["order_ref"], payment_no="PAY-2", amount=order["amount"]))
        assert me.get("/me/tier").json()["tier"]["code"] == "diamond"
        assert PlanPayment.objects.latest("pk").amount == Decimal("365.00")

    def test_that_comes_again_behind_a_later_one_changes_nothing(self, order_ref: str, shop: Till, me: Caller) -> None:
        first = confirmation(order_ref)
        signed(shop, first)
        a_plan("diamond_year", tier="diamond", price="730.00")
        order = me.post("/me/plan", {"plan": "diamond_year"}, key="two").json()["order"]
        signed(shop, confirmation(order["order_ref"], payment_no="PAY-2", amount=order["amount"]))
        before = me.get("/me/plan").json()
        late = signed(shop, first, age=30)  # signed anew, as whoever tries again does
        assert (late.status_code, late.json()["already_processed"]) == (200, True)
        assert me.get("/me/plan").json() == before
        assert me.get("/me/tier").json()["tier"]["code"] == "diamond"
        assert PlanPayment.objects.count() == 2
