"""The portal in a real browser: a live server over a database of its own, and the Chromium of the system."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.harness.browser import ARGUMENTS, chromium
from tests.harness.walks import Walks, walks


@pytest.fixture
def live_portal(committed_db: str) -> Iterator[str]:
    """The address of a running portal. What the test commits, before or meanwhile, is what the portal shows."""
    server = LiveServer("localhost")
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One headless Chromium for the browser tests."""
    # While Playwright runs, it keeps an event loop in this thread, which Django would take for an asynchronous caller.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        program = playwright.chromium.launch(executable_path=chromium(), headless=True, args=ARGUMENTS)
        yield program
        program.close()


@pytest.fixture
def page(browser: Browser, live_portal: str) -> Iterator[Page]:
    """A fresh, logged-out window whose relative addresses lead to the live portal."""
    context = browser.new_context(base_url=live_portal, viewport={"width": 1440, "height": 900}, locale="zh-CN")
    yield context.new_page()
    context.close()


@pytest.fixture
def walk(browser: Browser, live_portal: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Walks:
    """Opens walks in Chinese, each compared with the module's `MOST_STEPS`. Long work waits until a test does it."""
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)
    return walks(browser, live_portal, request.module.MOST_STEPS, "zh-hans")
