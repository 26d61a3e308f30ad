"""Every page of the menu as a browser shows it, for each role, in Chinese and in English."""

import pytest
from playwright.sync_api import Browser, expect

from members.models import Job, Member, Proposal, Store, TimelineEntry
from rewards.models import AdjustmentBatch, EarnRule, MonthClose, Partner, PointsTransfer
from tests.factories.histories import a_small_history
from tests.factories.portal import a_business, a_named_member, an_operator
from tests.harness.windows import PHONE, Window

ROLES = ["administrator", "service", "service supervisor", "marketing", "finance", "store", "analyst"]
# Who has these has every page.
ALL_PAGES = ("administrator", "service supervisor", "marketing", "finance")
# What a page of the menu shows that is neither a list nor a form.
OWN_SIGNS = {
    "/admin/": "#find-member, .pn-steps, .pn-card",
    "/admin/members/proposal/": ".pn-stack .pn-card",
    "/admin/loyalty/benefit/grid/": ".pn-stack .pn-card",
    "/admin/loyalty/publishedrules/now/": ".pn-stack .pn-card",
    "/admin/rewards/expirypolicy/calendar/": ".pn-months",
    "/admin/rewards/voucher/counter/": ".pn-counter",
    "/admin/rewards/orderhold/simulator/": "#simulator",
}
# The first row of a list and its form for a new one. The list is read, not drawn: another test opens it.
FORMS_OF = """async where => {
    const page = new DOMParser().parseFromString(await (await fetch(where)).text(), "text/html")
    const first = page.querySelector("#result_list a")
    const add = page.querySelector("a.addlink") ? [where + "add/"] : []
    return [...(first ? [first.getAttribute("href")] : []), ...add]
}"""


class TestEveryPageOfTheMenu:
    @pytest.mark.parametrize(
        ("operators", "language"),
        [([(role,) for role in ROLES], "zh-hans"), ([ALL_PAGES], "en")],
        ids=["zh-hans", "en"],
    )
    def test_opens_without_any_complaint_of_the_browser(
        self, browser: Browser, live_portal: str, operators: list[tuple[str, ...]], language: str
    ) -> None:
        """Each role's menu and home page; of the other pages those that no role before it has."""
        a_business(2)
        seen: set[str] = set()
        for roles in operators:
            operator = an_operator(*roles)
            if roles == ("store",):
                operator.stores.set(Store.objects.all())  # without a store they see no purchase at all
            window = Window(browser, live_portal, operator, language)
            links = window.menu()
            assert len(links) > 5
            for where in [link for link in links if link == "/admin/" or link not in seen]:
                page = window.open(where)
                assert page.locator("html").get_attribute("lang") == language
                assert page.locator(OWN_SIGNS.get(where, "#result_list, form[id$=_form]")).count(), where
                marked = page.locator("#nav-sidebar-apps a.active")
                assert [link.get_attribute("href") for link in marked.all()] == [where]
            seen.update(links)
            window.context.close()
            assert window.complaints == []

    def test_and_every_form_open_for_a_superuser(self, browser: Browser, live_portal: str) -> None:
        a_business(1)
        window = Window(browser, live_portal, an_operator(superuser=True), "zh-hans")
        targets = [target for where in window.menu() for target in window.page.evaluate(FORMS_OF, where)]
        assert len(targets) > 80
        for target in targets:
            window.open(target)
        window.context.close()
        assert window.complaints == []


class TestThePagesBehindTheMenu:
    @pytest.mark.parametrize("language", ["zh-hans", "en"])
    def test_open_without_any_complaint_of_the_browser(self, browser: Browser, live_portal: str, language: str) -> None:
        a_business(1)
        member = PointsTransfer.objects.latest("pk").sender_id
        rule = EarnRule.objects.earliest("pk").pk
        partner = Partner.objects.latest("pk").pk
        window = Window(browser, live_portal, an_operator(superuser=True), language)
        for where in (
            f"members/member/{member}/change/?tab=points",
            f"rewards/adjustment/member/{member}/adjust/",
            f"rewards/pointstransfer/member/{member}/",
            f"rewards/donation/member/{member}/",
            f"rewards/partnerconversion/member/{member}/",
            f"members/proposal/{Proposal.objects.latest('pk').pk}/change/",
            f"members/job/{Job.objects.latest('pk').pk}/change/",
            "rewards/adjustmentbatch/upload/",
            f"rewards/adjustmentbatch/{AdjustmentBatch.objects.latest('pk').pk}/change/",
            f"rewards/partner/{partner}/files/",
            f"rewards/earnrule/{rule}/change/",
            "rewards/earnrule/limits/",
            f"rewards/monthclose/{MonthClose.objects.latest('pk').pk}/change/?by=tier",
            "members/proposal/?p=1",
        ):
            page = window.open(f"/admin/{where}")
            assert page.locator("html").get_attribute("lang") == language
            assert page.locator("#nav-sidebar-apps a.active").count() == 1, where
        months = window.open("/admin/rewards/expirypolicy/calendar/").locator(".pn-months a").all()
        month = next(link for link in months if link.locator(".pn-number").first.inner_text() != "0")
        page = window.open(f"/admin/rewards/expirypolicy/calendar/{month.get_attribute('href')}")
        window.open(page.locator("td a[href*='calendar/2']").first.get_attribute("href") or "")
        window.open(page.locator("a[href*='calendar/extend']").first.get_attribute("href") or "")
        window.context.close()
        assert window.complaints == []


class TestAdjustingPoints:
    def test_is_done_at_once_within_the_limit_and_waits_for_a_colleague_above_it(
        self, browser: Browser, live_portal: str
    ) -> None:
        member = a_named_member()
        agent = Window(browser, live_portal, an_operator("service"), "en")
        for points, said in (("100", "100 points given"), ("900", "it waits for 1 colleague")):
            page = agent.open(f"/admin/members/member/{member.pk}/change/?tab=points")
            page.get_by_role("link", name="Adjust points").click()
            page.select_option("select[name=reason]", "goodwill")
            page.fill("[name=points]", points)
            page.fill("[name=note]", "delivered late")
            page.locator("form.pn-card button.pn-main").click()
            expect(page.get_by_text(said)).to_be_visible()
        agent.context.close()

        supervisor = Window(browser, live_portal, an_operator("service supervisor"), "en")
        page = supervisor.open("/admin/members/proposal/")
        page.locator(".pn-proposal summary").click()
        page.get_by_role("button", name="Approve 900 points").click()
        expect(page.get_by_text("900 points given")).to_be_visible()
        page = supervisor.open(f"/admin/members/member/{member.pk}/change/?tab=points")
        expect(page.locator(".pn-balances > div").first).to_contain_text("1,000")
        supervisor.context.close()
        assert agent.complaints + supervisor.complaints == []


class TestTheMemberPage:
    def test_loads_its_tabs_on_click_and_keeps_them_in_the_address(self, browser: Browser, live_portal: str) -> None:
        member, _redeemed = a_small_history()
        window = Window(browser, live_portal, an_operator("service supervisor"), "en")
        page = window.open(f"/admin/members/member/{member.pk}/change/")
        for label, sign in (
            ("Points", "Usable until"),
            ("Tier", "has not changed"),
            ("Vouchers", "5 off"),
            ("Orders", "2 lines|1 line"),
        ):
            page.locator(".pn-tabs a", has_text=label).click()
            expect(page.locator(".pn-tabs a[aria-current]")).to_have_text(label)
            assert f"tab={label.lower()}" in page.url
            assert any(part in page.locator("#member-tab").inner_text() for part in sign.split("|")), label
        page.reload()
        expect(page.locator(".pn-tabs a[aria-current]")).to_have_text("Orders")
        window.context.close()
        assert window.complaints == []

    def test_shows_who_the_member_is_on_click_and_asks_why_before_freezing(
        self, browser: Browser, live_portal: str
    ) -> None:
        member = a_named_member("张三丰", "13812345678")
        window = Window(browser, live_portal, an_operator("service"), "en")
        page = window.open(f"/admin/members/member/{member.pk}/change/")
        expect(page.locator("#member-person")).not_to_contain_text("张三丰")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("#member-person")).to_contain_text("张三丰")
        assert TimelineEntry.objects.filter(member=member, kind="members.personal_data_viewed.v1").count() == 1
        page.get_by_role("button", name="Freeze").click()
        words = page.locator("#freeze-words")
        expect(words).to_contain_text(": earn points, spend points and vouchers, sign in.")
        page.locator("#dialog input[name=acts][value=earn]").uncheck()
        expect(words).to_contain_text(": spend points and vouchers, sign in.")
        page.locator("#dialog textarea").fill("three returns in an hour")
        page.locator("#dialog button[type=submit]").click()
        expect(page.get_by_role("button", name="Unfreeze")).to_be_visible()
        member.refresh_from_db()
        assert member.status == Member.Status.FROZEN
        window.context.close()
        assert window.complaints == []

    @pytest.mark.parametrize("tab", ["timeline", "points", "tier", "vouchers", "orders"])
    def test_fits_a_phone(self, browser: Browser, live_portal: str, tab: str) -> None:
        member, _redeemed = a_small_history()
        window = Window(browser, live_portal, an_operator("service"), "zh-hans", PHONE)
        window.open(f"/admin/members/member/{member.pk}/change/?tab={tab}")
        window.context.close()
        assert window.complaints == []


class TestFindingAMember:
    def test_takes_a_phone_number_into_the_box_on_the_home_page(self, browser: Browser, live_portal: str) -> None:
        member = a_named_member("张三丰", "13812345678")
        a_named_member("李四", "15900001111")
        window = Window(browser, live_portal, an_operator("service"), "en")
        page = window.open("/admin/")
        page.fill("#find-member", "138 1234 5678")
        page.press("#find-member", "Enter")
        expect(page.locator("#result_list tbody")).to_have_count(1)
        assert page.url.endswith(f"?q={member.member_no}"), "what was typed stands in no address"
        page.get_by_role("link", name="张*丰").click()
        assert page.url.partition("?")[0].endswith(f"/admin/members/member/{member.pk}/change/")
        window.context.close()
        assert window.complaints == []
