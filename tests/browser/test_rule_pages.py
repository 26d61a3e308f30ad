"""Writing an earn rule in a real browser, by mouse and by keys: the sentence follows, chips come and go, nothing is typed as code."""

from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from members.actors import SYSTEM
from rewards.models import EarnRuleVersion
from rewards.services.purchases import record_purchase
from tests.factories.orders import an_order
from tests.factories.people import a_member
from tests.factories.portal import an_operator
from tests.harness.windows import Window

ADD = "/admin/rewards/earnrule/add/"


def choose(page: Page, where: str, value: str) -> None:
    """Choose in a list that has just been put into the page, once what listens to it has settled."""
    page.locator(where).wait_for()
    page.wait_for_function(
        "() => !document.querySelector('.htmx-request, .htmx-added, .htmx-settling, .htmx-swapping')"
    )
    page.locator(where).select_option(value)


class TestEarnRule:
    def test_is_written_previewed_and_published(self, browser: Browser, live_portal: str) -> None:
        member, at = a_member(), timezone.now() - timedelta(hours=3)
        record_purchase(order=an_order(member, "88.00", ordered_at=at), by=SYSTEM, at=at)
        window = Window(browser, live_portal, an_operator(superuser=True), "en")
        page = window.open(ADD)
        page.get_by_text("For purchases").click()
        words = page.locator(".pn-beside section")
        expect(words).to_contain_text("1 point for each ¥1.00 spent")
        page.fill("[name=name_zh_hans]", "新会员")
        page.select_option("[name=mode]", "extra")
        page.select_option("[name=gives]", "fixed")
        page.fill("[name=points_fixed]", "25")
        page.keyboard.press("Tab")
        expect(words).to_contain_text("25 points for an order")
        expect(page.locator("[name=step_amount]")).to_be_hidden()

        page.locator("#condition-add").press("Enter")
        choose(page, "[name=condition-c1-fact]", "members.joined_days")
        page.locator("[name=condition-c1-value]").fill("400")
        page.locator("#condition-group").click()
        choose(page, "[name=condition-c2-fact]", "loyalty.tier")
        expect(page.locator(".pn-condition-group .pn-boxes input").first).to_be_visible()
        expect(page.locator("[name=condition-c1-value]")).to_have_value("400")
        page.locator("#condition-c2-remove").click()
        expect(page.locator(".pn-condition-group")).to_have_count(0)
        expect(page.locator(".pn-conditions")).to_contain_text("days since joining: at least 400 days")
        page.get_by_role("button", name="Save the draft").click()

        expect(page.get_by_text("The draft is saved.")).to_be_visible()
        version = EarnRuleVersion.objects.latest("pk")
        assert version.condition == {"all": [{"fact": "members.joined_days", "op": "gte", "value": 400}]}
        page.get_by_role("link", name="Preview").click()
        expect(page.get_by_text("With this version")).to_be_visible()
        expect(page.locator("main, #main, body").first).to_contain_text("+25")
        page.get_by_role("button", name="Publish").click()
        page.locator("#dialog [name=reason]").fill("for new members")
        page.locator("#dialog button[type=submit]").click()
        expect(page.get_by_text("The version is published.")).to_be_visible()
        version.refresh_from_db()
        assert version.state == "published"
        assert window.complaints == []
