"""One purchase through all five rooms, over HTTP, and back again."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail

from analytics.queries import DaySummary, day_summary, points_outstanding
from campaigns.models import Message, Promotion
from campaigns.services.messages import deliver_due_messages
from loyalty.periods import business_date
from members import timeline
from members.identifiers import REWARD, public_ref
from members.models import ParkedEntry
from members.queries import programme
from rewards.models import Reward, VoucherTemplate
from rewards.services.verification import verify
from tests.factories.api import Caller, Till, make_member, make_till, now, order_body, problem_of

TITLES = {"zh-hans": "恭喜您升级为银卡", "en": "Congratulations, you are now Silver"}


def relay_everything() -> None:
    """Let all subscribers read to the end; others on the same server may hold the oldest transaction for a moment."""
    deadline = time.monotonic() + 30
    while True:
        timeline.relay(at=now())
        if not any(timeline.lag().values()):
            return
        assert time.monotonic() < deadline, timeline.lag()
        time.sleep(0.05)


def today() -> DaySummary:
    return day_summary(business_date(now(), programme().tz))


@pytest.fixture
def reward(committed_db: str) -> Reward:
    template = VoucherTemplate.objects.create(
        code="ten",
        name="满30减10",
        name_en="Ten off",
        kind="amount",
        off_amount="10.00",
        min_spend_amount="30.00",
        validity_days=30,
    )
    made = Reward.objects.create(
        name="十元券", name_en="Ten off", price_points=300, template=template, stock=1, per_member_limit=1,
        valid_from=now() - timedelta(days=1),
    )  # fmt: skip
    return Reward.objects.get(pk=made.pk)


class TestOnePurchase:
    @pytest.fixture
    def till(self, committed_db: str) -> Till:
        return make_till()

    @pytest.fixture
    def me(self, committed_db: str) -> Caller:
        """A member who joined two days ago and signs in with the phone."""
        make_member(full_name="张小丰", phone="13800138000", email="zhang@example.com", language="zh-hans")
        answer = Caller().post("/auth/dev/login", {"phone": "138 0013 8000"})
        assert answer.status_code == 201
        return Caller(secret=answer.json()["access_token"])

    @pytest.fixture
    def double_points(self, committed_db: str) -> Promotion:
        return Promotion.objects.create(
            name="双倍积分", name_en="Double points", state=Promotion.State.LIVE, factor=Decimal(2),
            starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=1),
        )  # fmt: skip

    def buy(self, till: Till, amount: str) -> tuple[dict[str, Any], dict[str, Any]]:
        found = till.post("/pos/members/resolve", {"phone": "13800138000"}).json()
        body = order_body(found["member_ref"], amount=amount)
        answer = till.post("/pos/orders", body, key=body["external_order_no"])
        assert answer.status_code == 201, answer.content
        return body, answer.json()

    def test_earns_rises_tells_and_is_undone_by_a_return(
        self, till: Till, me: Caller, double_points: Promotion
    ) -> None:
        body, receipt = self.buy(till, "600.00")

        # The receipt: base and promotion; the tier's multiplier begins with the next purchase.
        assert [(line["kind"], line["points"]) for line in receipt["explain"]] == [("base", 600), ("promotion", 600)]
        assert receipt["explain"][1]["label"] == "Double points"
        assert (receipt["points_earned"], receipt["points_available"]) == (1200, 1200)
        assert receipt["tier_change"] == {"to": {"code": "silver", "label": "Silver"}}

        # The member sees the same.
        summary = me.get("/me/summary").json()
        assert (summary["tier"]["code"], summary["points"]["available"]) == ("silver", 1200)
        entry = me.get("/me/points/entries").json()["items"][0]
        assert me.get(f"/me/points/entries/{entry['id']}").json()["explanation"]["lines"] == receipt["explain"]

        # A congratulation goes out, once; the dashboard counts the day.
        relay_everything()
        assert Message.objects.get().state == Message.State.QUEUED
        deliver_due_messages(at=now())
        assert [(letter.subject, letter.to) for letter in mail.outbox] == [(TITLES["zh-hans"], ["zhang@example.com"])]
        figures = today()
        assert (figures.member_orders, figures.member_sales_amount) == (1, Decimal("600.00"))
        assert (figures.points_issued, figures.tiers_raised, figures.members_active) == (1200, 1, 1)

        # The second purchase earns with the new tier's multiplier.
        second_body, second = self.buy(till, "100.00")
        assert [(line["kind"], line["points"]) for line in second["explain"]] == [
            ("base", 100),
            ("tier", 10),
            ("promotion", 100),
        ]
        assert (second["tier"]["code"], second["tier_change"]) == ("silver", None)

        # Both come back: points, credits, tier, figures.
        for number, taken in ((second_body["external_order_no"], 210), (body["external_order_no"], 1200)):
            back = {"external_return_no": f"R-{number}", "returned_at": now().isoformat()}
            told = till.post(f"/pos/orders/{number}/returns?dry_run=true", back).json()
            done = till.post(f"/pos/orders/{number}/returns", back, key=f"r-{number}").json()
            assert done["points_taken_back"] == told["points_taken_back"] == taken
        assert done["tier_change"]["to"]["code"] == "member"
        assert me.get("/me/points").json()["available"] == 0
        tier = me.get("/me/tier").json()
        assert (tier["tier"]["code"], tier["credits"]) == ("member", 0)
        relay_everything()
        deliver_due_messages(at=now())
        assert len(mail.outbox) == 1
        assert (today().member_sales_amount, today().points_taken_back, points_outstanding()) == (Decimal(0), 1410, 0)
        assert not ParkedEntry.objects.exists()
        assert list(verify(at=now())) == []

    def test_pays_for_a_reward_whose_voucher_the_till_takes(self, till: Till, me: Caller, reward: Reward) -> None:
        self.buy(till, "320.00")
        shelf = me.get("/rewards").json()["items"]
        assert [(one["name"], one["affordable"]) for one in shelf] == [("Ten off", True)]

        redeemed = me.post("/me/redemptions", {"reward": shelf[0]["id"]}, key="wish")
        assert redeemed.status_code == 201, redeemed.content
        assert redeemed.json()["points_available"] == 20
        assert me.post("/me/redemptions", {"reward": shelf[0]["id"]}, key="wish").json() == redeemed.json()
        assert (
            problem_of(me.post("/me/redemptions", {"reward": public_ref(REWARD, reward.public_id)}, key="again"))[0]
            == 409
        )

        voucher = me.get(f"/me/vouchers/{redeemed.json()['voucher']['id']}").json()
        assert voucher["state"] == "issued"
        order, _receipt = self.buy(till, "45.00")
        use = {"code": voucher["code"], "external_order_no": order["external_order_no"], "spend_amount": "45.00"}
        assert (
            till.post("/pos/vouchers/verify", {"code": voucher["code"], "spend_amount": "45.00"}).json()["off_amount"]
            == "10.00"
        )
        assert till.post("/pos/vouchers/redeem", use, key="use").json()["off_amount"] == "10.00"
        used = me.get(f"/me/vouchers/{voucher['id']}").json()
        assert (used["state"], used["use"]["external_order_no"]) == ("used", order["external_order_no"])

        relay_everything()
        assert (today().redemptions, today().points_redeemed, today().vouchers_used) == (1, 300, 1)
        assert points_outstanding() == me.get("/me/points").json()["available"] == 65
        assert list(verify(at=now())) == []

    def test_spent_points_that_come_back_are_owed(self, till: Till, me: Caller, reward: Reward) -> None:
        body, _receipt = self.buy(till, "320.00")
        me.post("/me/redemptions", {"reward": public_ref(REWARD, reward.public_id)}, key="wish")
        back = {"external_return_no": "R1", "returned_at": now().isoformat()}
        done = till.post(f"/pos/orders/{body['external_order_no']}/returns", back, key="r").json()
        assert (done["points_taken_back"], done["points_from_balance"], done["points_to_arrears"]) == (320, 20, 300)
        assert me.get("/me/points").json() | {"as_of": ""} == {
            "currency": "points",
            "others": [],
            "available": 0, "pending": 0, "held": 0, "arrears": 300, "expiring": [], "as_of": "",
        }  # fmt: skip
        self.buy(till, "310.00")
        assert (me.get("/me/points").json()["available"], me.get("/me/points").json()["arrears"]) == (10, 0)
        assert list(verify(at=now())) == []
