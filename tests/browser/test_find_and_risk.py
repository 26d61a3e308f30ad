"""The find box, the second step and the risk queue, as staff use them in Chromium; the clicks are counted and may only fall."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pyotp
import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import Page, expect

from members.actors import SYSTEM
from members.models import Member, Operator, RiskReview, SecondStep
from members.risk import Found
from members.services.risk import open_reviews
from members.services.second_steps import _secret_of
from tests.factories.portal import PASSWORD, a_named_member, an_operator

#: Clicks and keys of each job, beside typing. They may only fall.
MOST_STEPS: Final = {"find": 2, "freeze under review": 4}


@pytest.fixture
def sign_in(page: Page, live_portal: str) -> Callable[[Operator], None]:
    def enter(operator: Operator) -> None:
        page.goto("/admin/login/")
        page.fill("input[name=username]", operator.username)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_load_state("networkidle")

    return enter


class TestFindBox:
    def test_leads_from_ctrl_k_and_enter_to_the_member(self, page: Page, sign_in: Callable[[Operator], None]) -> None:
        member = a_named_member("张三丰", "13912345678")
        sign_in(an_operator("service"))
        steps = 0
        page.keyboard.press("Control+k")
        steps += 1
        page.keyboard.type("张5678")
        page.keyboard.press("Enter")
        steps += 1
        page.wait_for_url(f"**/admin/members/member/{member.pk}/change/")
        assert steps <= MOST_STEPS["find"]

    def test_lists_several_masked_and_says_when_there_is_nobody(
        self, page: Page, sign_in: Callable[[Operator], None]
    ) -> None:
        a_named_member("张三丰", "13912345678")
        a_named_member("张无忌", "13812345678")
        sign_in(an_operator("service"))
        page.keyboard.press("Control+k")
        page.keyboard.type("5678 张")
        page.keyboard.press("Enter")
        hits = page.locator("#header-inner .pn-find-results a")
        expect(hits).to_have_count(2)
        expect(hits.first).to_contain_text("张*丰")
        assert "5678" not in page.url
        page.goto("/admin/members/member/")
        page.keyboard.press("Control+k")
        page.keyboard.type("13800000000")
        page.keyboard.press("Enter")
        expect(page.locator("#header-inner .pn-find-results a")).to_have_count(0)
        expect(page.locator("#header-inner .pn-find-results .pn-strong")).to_be_visible()


class TestSecondStep:
    def test_is_set_up_and_then_asked_for(self, page: Page, sign_in: Callable[[Operator], None]) -> None:
        operator = an_operator("service")
        sign_in(operator)
        page.goto("/admin/second-step/")
        expect(page.locator("main svg, .pn-card svg").first).to_be_visible()
        app = pyotp.TOTP(_secret_of(SecondStep.objects.get()))
        page.fill("input[name=digits]", app.at(timezone.now()))
        page.click("button[type=submit].pn-main")
        expect(page.locator("ul.pn-secret li")).to_have_count(10)
        page.context.clear_cookies()
        sign_in(operator)
        assert "/sign-in/digits/" in page.url
        page.fill("input[name=digits]", app.at(timezone.now() + timedelta(seconds=30)))
        page.press("input[name=digits]", "Enter")
        page.wait_for_url("**/admin/")


class TestRiskQueue:
    def test_is_worked_off_from_the_queue(self, page: Page, sign_in: Callable[[Operator], None]) -> None:
        member = a_named_member("李四", "13912345678")
        figures = {"orders": 12, "day": "2026-11-20"}
        open_reviews(rule="orders_in_a_day", found=[Found(member.pk, "x", figures)], by=SYSTEM, at=timezone.now())
        operator = an_operator("service supervisor")
        operator.user_permissions.add(*Permission.objects.filter(codename__in=["view_riskreview", "decide_riskreview"]))
        sign_in(operator)
        page.goto("/admin/members/riskreview/")
        steps = 0
        page.locator("#result_list .field-evidence a").first.click()
        steps += 1
        page.locator("button.pn-main[hx-get]").click()
        steps += 1
        page.locator("#modal-content textarea[name=reason]").fill("查过了")
        steps += 1
        page.locator("#modal-content button[type=submit]").click()
        steps += 1
        page.wait_for_url("**/admin/members/riskreview/?state__exact=waiting")
        expect(page.locator("#result_list")).to_have_count(0)
        assert RiskReview.objects.get().state == RiskReview.State.FROZEN
        assert Member.objects.get(pk=member.pk).status == Member.Status.FROZEN
        assert steps <= MOST_STEPS["freeze under review"]
