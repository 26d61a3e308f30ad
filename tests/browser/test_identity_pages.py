"""Badges and stages in a real browser: a rule in chips with its figure at once, and the member page."""

from django.utils import timezone
from playwright.sync_api import Browser, expect

from loyalty.models import Badge
from loyalty.services.badges import award_by_hand
from members.actors import SYSTEM
from tests.browser.test_rule_pages import choose
from tests.factories.identity import a_badge, a_stage, a_task, did, does
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.harness.windows import Window


class TestABadge:
    def test_is_made_with_its_rule_and_seen_on_the_member_page(self, browser: Browser, live_portal: str) -> None:
        at = timezone.now()
        member = a_named_member()
        begun = a_stage(10, at=at, name="New")
        a_stage(20, did("review", 2), at=at, name="Growing")
        a_task(begun, did("check_in", 4), at=at, name="Drop by four times", badge=a_badge(at=at, name="Star"))
        a_task(begun, did("review", 1), at=at, name="Say something")
        friend = a_badge(at=at, name="Friend", title="Friend of the house", icon="favorite", colour="#b3261e")
        award_by_hand(member_id=member.pk, badge_id=friend.pk, reason="Helped us move", by=SYSTEM, at=at)
        does(member, "review", at, times=2)
        does(member, "check_in", at)
        window = Window(browser, live_portal, an_operator(superuser=True), "en")
        page = window.open("/admin/loyalty/badge/add/")
        look = page.locator("#look")
        expect(look).to_contain_text("How many members meet the rule")
        page.locator("#condition-add").click()
        choose(page, "[name=condition-c1-fact]", "members.joined_days")
        page.locator("[name=condition-c1-value]").fill("1")
        page.keyboard.press("Tab")
        expect(look.locator("#matched")).to_have_text("1 member")
        page.locator("[name=name_zh_hans]").fill("老朋友")
        page.locator("#id_icon").select_option("eco")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("rowheader", name="老朋友")).to_be_visible()
        run_waiting_jobs(timezone.now())
        assert Badge.objects.latest("pk").awards.count() == 1

        page = window.open(f"/admin/members/member/{member.pk}/change/?tab=growth")
        expect(page.get_by_text("From New to Growing")).to_be_visible()
        expect(page.get_by_text("wears the title “Friend of the house”")).to_be_visible()
        page.get_by_role("button", name="Give a badge").click()
        page.locator("#dialog select[name=badge]").select_option(label="Star")
        page.locator("#dialog textarea[name=reason]").fill("Saved the day")
        page.get_by_role("button", name="Give it").click()
        expect(page.get_by_text("The badge is given.")).to_be_visible()
        expect(page.get_by_text("Saved the day")).to_be_visible()
        for where in ("badge/", "stage/", "stagetask/", f"stage/{begun.pk}/change/"):
            window.open(f"/admin/loyalty/{where}")
        assert window.complaints == []
