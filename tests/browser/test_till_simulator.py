"""The till simulator in Chromium: one purchase from the code on the phone to the piece that comes back."""

import re

from playwright.sync_api import Browser, expect

from members.models import Member
from rewards.models import OrderHold, Product, Purchase, PurchaseReturn
from tests.factories.api import make_channel, make_member, make_store
from tests.factories.portal import an_operator
from tests.factories.till import points_pay, with_points
from tests.harness.windows import PHONE, Window

PAGE = "/admin/rewards/orderhold/simulator/"


def a_member_to_serve() -> Member:
    make_store()
    make_channel()
    points_pay()
    Product.objects.create(sku="TEA", name="茶叶罐")
    found = make_member(full_name="张小丰", phone="13800138000")
    with_points(found, 2340)
    return found


class TestTheSimulator:
    def test_walks_a_purchase_and_shows_its_calls(self, browser: Browser, live_portal: str) -> None:
        a_member_to_serve()
        window = Window(browser, live_portal, an_operator("service supervisor"), "zh-hans")
        page = window.open(PAGE)
        newest = page.locator(".pn-step").last
        page.select_option("[name=sku_0]", "TEA")
        page.fill("[name=quantity_0]", "2")
        page.fill("[name=price_0]", "129")
        page.fill("[name=points]", "1000")
        page.click("button[value=quote]")
        expect(newest.locator(".pn-what")).to_contain_text("¥248.00")
        page.click("button[value=hold]")
        expect(newest.locator("[x-text]")).to_have_text(re.compile(r"^(10:00|9:5\d)$"))
        page.click("button[value=lose]")
        expect(page.locator(".pn-step-lost")).to_be_visible()
        page.click(".pn-main[value^=again]")
        expect(newest.locator(".pn-what")).to_contain_text("¥248.00")
        newest.locator(".pn-call summary").click()
        expect(newest.locator(".pn-call")).to_contain_text("Idempotency-Replayed: true")
        page.fill("[name=back_1]", "1")
        page.click("button[value=return]")
        expect(newest.locator(".pn-what")).to_contain_text("¥124.00")
        assert (Purchase.objects.count(), PurchaseReturn.objects.count()) == (1, 1)
        assert OrderHold.objects.get().state == OrderHold.State.CAPTURED
        window.context.close()
        assert window.complaints == []

    def test_fits_a_phone_with_its_calls_open(self, browser: Browser, live_portal: str) -> None:
        a_member_to_serve()
        window = Window(browser, live_portal, an_operator("marketing"), "en", PHONE)
        page = window.open(PAGE)
        page.select_option("[name=sku_0]", "TEA")
        page.fill("[name=price_0]", "30")
        page.click("button[value=quote]")
        expect(page.locator(".pn-what").last).to_contain_text("¥30.00")
        for call in page.locator(".pn-step[open] .pn-call summary").all():
            call.click()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        window.context.close()
        assert window.complaints == []
