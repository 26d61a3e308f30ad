"""Windows of Chromium in which staff are signed in."""

from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

from members.models import Operator

DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}


def session_of(operator: Operator) -> str:
    """Sign an operator in and return the key of the session."""
    session = SessionStore()
    session["_auth_user_id"] = str(operator.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = operator.get_session_auth_hash()
    session.save()
    assert session.session_key
    return session.session_key


class Window:
    """A window in which somebody is signed in, and what the browser finds wrong meanwhile."""

    def __init__(
        self, browser: Browser, address: str, operator: Operator, language: str, size: dict[str, int] = DESK
    ) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(base_url=address, viewport=size, timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
        for name, value in (("sessionid", session_of(operator)), ("django_language", language)):
            self.context.add_cookies([{"name": name, "value": value, "url": address}])
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.on("response", self._response)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _request(self, sent: Request) -> None:
        if not sent.url.startswith(("http://localhost:", "data:", "blob:")):
            self.complaints.append(f"{self.page.url} asked {sent.url}")

    def _response(self, answer: Response) -> None:
        if answer.status >= 400:
            self.complaints.append(f"{answer.status} {answer.url}")

    def open(self, where: str) -> Page:
        """Open an address and complain when the page is wider than the window."""
        self.page.goto(where)
        width = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if width > 0:
            self.complaints.append(f"{where} is {width} pixels too wide")
        return self.page

    def menu(self) -> list[str]:
        """Return the addresses of the menu."""
        links = self.open("/admin/").locator("#nav-sidebar-apps a").all()
        return [link.get_attribute("href") or "" for link in links]
