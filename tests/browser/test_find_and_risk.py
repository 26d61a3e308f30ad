"""What the find box lists, and the second step at sign-in, as staff use them in Chromium."""

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from members.models import Operator, SecondStep
from members.services.second_steps import _secret_of
from tests.factories.portal import PASSWORD, a_named_member, an_operator


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
    def test_lists_several_masked_and_says_when_there_is_nobody(
        self, page: Page, sign_in: Callable[[Operator], None]
    ) -> None:
        a_named_member("张三丰", "13912345678")
        a_named_member("张无忌", "13812345678")
        sign_in(an_operator("service"))
        page.keyboard.press("Control+k")
        page.keyboard.type("5678 张")
        page.keyboard.press("Enter")
        hits = page.locator("#header-inner .pn-find-results li a")
        expect(hits).to_have_count(2)
        expect(hits.first).to_contain_text("张*丰")
        assert "5678" not in page.url
        page.goto("/admin/members/member/")
        page.keyboard.press("Control+k")
        page.keyboard.type("13800000000")
        page.keyboard.press("Enter")
        expect(page.locator("#header-inner .pn-find-words .pn-strong")).to_be_visible()
        expect(hits).to_have_count(0)


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
