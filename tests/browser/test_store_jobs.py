"""The jobs of stores, walked in Chromium in Chinese: the counter on a phone, and the keys of tills and other systems."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from members.actors import SYSTEM
from members.models import ApiKey, Decision, Store, TimelineEntry, WebhookDelivery
from members.queries import programme
from members.services.webhook_sending import plan_deliveries, send_due
from members.services.webhooks import create_webhook
from members.timeline import NewEntry, record
from rewards.models import Redemption, RedemptionState, Voucher
from rewards.services.fulfilment import PICKUP_LOOKUP
from rewards.services.secret_codes import lookup_key
from rewards.services.vouchers import voucher_code
from tests.factories.api import Caller, make_channel, make_store, make_till
from tests.factories.catalogue import a_template
from tests.factories.catalogue import a_voucher as voucher_of
from tests.factories.fulfilment import a_gift, a_pickup
from tests.factories.portal import a_named_member, an_operator
from tests.harness.receiver import Receiver, a_receiver
from tests.harness.walks import Walks
from tests.harness.windows import PHONE

#: Clicks and keys that are not typing, by role and job, from the home page on. They may only fall.
MOST_STEPS: Final[Mapping[tuple[str, str], int]] = {
    ("store", "10 use a voucher and undo it"): 4,
    ("store", "10 a voucher that needs an amount"): 3,
    ("store", "10 hand over a gift"): 2,
    ("administrator", "36 let a till in"): 5,
    ("administrator", "36 rotate a key"): 5,
    ("administrator", "36 send what failed again"): 5,
    ("administrator", "36 send a span again"): 8,
}
PICKUP: Final = "7K2M-9PQR-3STV-4WXY"


class TestTheCounter:
    def test_on_a_phone_serves_one_code_after_the_other(self, walk: Walks) -> None:
        now, store = timezone.now(), make_store("S01")
        staff = an_operator("store")
        staff.stores.set([store])
        member = a_named_member("张三丰", "13912345678")
        plain = voucher_of(member.pk, a_template(name="满减券"), issued_at=now - timedelta(hours=1))
        over = voucher_of(
            member.pk,
            a_template("over", name="满百券", off_amount=Decimal(20), min_spend_amount=Decimal(100)),
            issued_at=now - timedelta(hours=1),
        )
        gift = a_pickup(
            store, at=now - timedelta(days=1), member=member, reward=a_gift("马克杯", in_store=True),
            state=RedemptionState.READY, pickup_hmac=lookup_key(PICKUP_LOOKUP, PICKUP), cash_amount=Decimal("9.90"),
        )  # fmt: skip
        with walk(staff, "10 use a voucher and undo it", size=PHONE) as one:
            one.click("核销台")
            one.scan(voucher_code(plain.public_id))
            expect(one.page.locator(".pn-yes .pn-what")).to_have_text(["满减券", "减 ¥5.00"])
            one.scan("AAAA-BBBB-CCCC-DDDD")
            expect(one.page.locator(".pn-no")).to_contain_text("没有此代码的优惠券或待自提商品。")
            one.sees("核销优惠券 1 张，共减 ¥5.00；交付 0 笔。")
            one.click("撤销")
            one.sees("该优惠券可再次使用。", "核销优惠券 0 张")
        plain.refresh_from_db()
        assert plain.state == Voucher.State.ISSUED

        with walk(staff, "10 a voucher that needs an amount", size=PHONE) as one:
            one.click("核销台")
            one.scan(voucher_code(over.public_id))
            expect(one.page.locator(".pn-no")).to_contain_text("100")
            one.scan("120")
            expect(one.page.locator(".pn-yes .pn-what")).to_have_text(["满百券", "减 ¥20.00"])
        over.refresh_from_db()
        assert over.state == Voucher.State.USED

        with walk(staff, "10 hand over a gift", size=PHONE) as one:
            one.click("核销台")
            one.scan(PICKUP.lower())
            expect(one.page.locator(".pn-yes .pn-what")).to_have_text(["马克杯", "收取 ¥9.90"])
            one.sees("核销优惠券 1 张，共减 ¥20.00；交付 1 笔。")
        assert Redemption.objects.get(pk=gift.pk).state == RedemptionState.DONE
        refused = Decision.objects.get(kind=Decision.Kind.REFUSAL)
        assert (refused.member_id, refused.actor_id) == (member.pk, staff.pk)


@pytest.fixture
def listener() -> Iterator[Receiver]:
    """Another system that listens."""
    with a_receiver() as receiver:
        yield receiver


class TestKeysAndCallbacks:
    def test_a_till_is_let_in_by_a_square_and_its_key_rotated(self, walk: Walks) -> None:
        make_channel()
        Store.objects.filter(pk=make_store("S01").pk).update(name="南京路店")
        staff = an_operator("administrator")
        with walk(staff, "36 let a till in") as one:
            one.menu("门店")
            one.click(one.page.locator("#result_list a", has_text="南京路店"))
            one.click("激活收银机")
            one.write("reason", "新收银台")
            one.click("生成激活码")
            expect(one.page.locator("[role=img] svg")).to_be_visible()
            code = one.page.locator("#activation-code").inner_text()
        answer = Caller().post("/pos/devices/activate", {"code": code, "device": "POS-1"}, key="one")
        assert answer.status_code in (200, 201), answer.json()
        key = ApiKey.objects.get()

        with walk(staff, "36 rotate a key") as one:
            one.menu("收银密钥")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("轮换")
            one.write("reason", "员工离职")
            one.click("生成")
            secret = one.page.locator("#till-key").inner_text()
            one.sees("旧密钥")
        key.refresh_from_db()
        assert key.ends_at is not None
        assert timedelta(days=6) < key.ends_at - timezone.now() <= timedelta(days=7)
        assert Caller(secret).get("/pos/member-codes").status_code != 401

    def test_what_failed_is_sent_again(self, walk: Walks, listener: Receiver) -> None:
        now = timezone.now()
        create_webhook(
            url=listener.url, types=["member.unfrozen"], description="CRM", key=None, by=SYSTEM, at=now - timedelta(hours=1)
        )  # fmt: skip
        make_till()
        listener.status = 500
        ids = record([NewEntry("members.unfrozen.v1", a_named_member().pk, now, SYSTEM)])
        plan_deliveries(list(TimelineEntry.objects.filter(pk__in=ids)), at=now)
        send_due(clock=timezone.now)
        with walk(an_operator("administrator"), "36 send what failed again") as one:
            one.menu("投递记录")
            expect(one.page.locator("#result_list tbody tr")).to_have_count(1)
            one.click(one.page.locator("#result_list tbody th a"))
            one.sees("member.unfrozen")
            one.click("重发")
            one.write(one.dialog.locator("[name=reason]"), "对方已修复")
            one.click("重发", one.dialog)
            one.sees("事件已重发。")
        send_due(clock=timezone.now)
        with walk(an_operator("administrator"), "36 send a span again") as one:
            one.menu("回调")
            one.click(one.page.locator("#result_list tbody th a"))
            one.click(one.page.locator("button:visible, a:visible", has_text="更多").last)
            one.click("重发")
            for field in ("first_date", "last_date"):
                one.write(one.dialog.locator(f"[name={field}]"), now.astimezone(programme().tz).date().isoformat())
            one.write(one.dialog.locator("[name=reason]"), "对方已修复")
            one.click("重发", one.dialog)
            one.sees("正在重发 1 个事件。")
        listener.status = 204
        send_due(clock=timezone.now)
        assert WebhookDelivery.objects.filter(state="delivered").count() == 1
