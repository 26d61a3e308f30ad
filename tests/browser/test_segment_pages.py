"""Building a segment in a real browser: from a template, with its count at once, to its members and why."""

from django.utils import timezone
from playwright.sync_api import Browser, expect

from members.models import Segment, SegmentSpan
from tests.browser.test_rule_pages import choose
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.harness.windows import Window

ADD = "/admin/members/segment/add/"


class TestASegment:
    def test_is_built_published_and_read(self, browser: Browser, live_portal: str) -> None:
        for _ in range(3):
            a_named_member()
        window = Window(browser, live_portal, an_operator(superuser=True), "en")
        page = window.open(ADD)
        page.locator("#template-new_without_order").click()
        look = page.locator("#look")
        expect(look).to_contain_text("days since joining: at most 30 days")
        expect(look.locator("#matched")).to_have_text("3 members")
        expect(look).to_contain_text("WeChat")

        page.locator("#condition-add").click()
        choose(page, "[name=condition-c4-fact]", "members.joined_days")
        page.locator("[name=condition-c4-value]").fill("60")
        page.keyboard.press("Tab")
        expect(look).to_contain_text("Nobody can meet both")
        page.locator("#condition-c4-remove").click()
        expect(look.locator("#matched")).to_have_text("3 members")
        page.get_by_role("button", name="Save the draft").click()

        expect(page.get_by_text("The draft is saved.")).to_be_visible()
        page.get_by_role("button", name="Publish").click()
        page.get_by_role("button", name="Publish and fill").click()
        expect(page.get_by_text("The segment is being filled.")).to_be_visible()
        run_waiting_jobs(timezone.now())
        page.reload()
        expect(page.locator(".pn-name + .pn-badge")).to_contain_text("in use")
        expect(page.get_by_text("0 of 3").first).to_be_visible()
        page.get_by_role("link", name="Members").last.click()
        expect(page.locator(".pn-table tbody tr")).to_have_count(3)
        expect(page.locator(".pn-table")).to_contain_text("the segment was filled")
        assert Segment.objects.get().members_count == SegmentSpan.objects.count() == 3
