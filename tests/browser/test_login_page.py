"""The first page a newcomer sees."""

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, Response


class TestLoginPage:
    @pytest.fixture
    def complaints(self, page: Page) -> list[str]:
        """What the browser finds wrong: errors in the console, failed answers, requests that leave this machine."""
        found: list[str] = []

        def console(message: ConsoleMessage) -> None:
            if message.type == "error":
                found.append(message.text)

        def request(sent: Request) -> None:
            if not sent.url.startswith(("http://localhost:", "data:", "blob:")):
                found.append(f"asked {sent.url}")

        def response(answer: Response) -> None:
            if answer.status >= 400:
                found.append(f"{answer.status} {answer.url}")

        page.on("console", console)
        page.on("request", request)
        page.on("response", response)
        page.on("pageerror", lambda error: found.append(str(error)))
        return found

    def test_opens_for_a_visitor_without_any_complaint_of_the_browser(self, page: Page, complaints: list[str]) -> None:
        page.goto("/")
        assert "/admin/login/" in page.url
        assert page.locator("input[name=username]").is_visible()
        page.wait_for_load_state("networkidle")
        assert complaints == []

    def test_refuses_a_wrong_password(self, page: Page) -> None:
        page.goto("/admin/login/")
        page.fill("input[name=username]", "nobody")
        page.fill("input[name=password]", "wrong")
        page.press("input[name=password]", "Enter")
        page.wait_for_load_state("load")
        assert "/admin/login/" in page.url
        assert page.locator("input[name=password]").is_visible()
