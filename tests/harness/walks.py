"""Jobs of staff walked through the portal; the walk itself counts every click and key, so that none can be forgotten."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Browser, Download, Locator, Page, expect

from members.models import Operator
from tests.harness.windows import DESK, Window


class Walks(Protocol):
    """Opens a walk: who, in which role, which job, in how large a window. At its end the steps are compared with the table."""

    def __call__(self, operator: Operator, job: str, *, size: dict[str, int] = DESK) -> AbstractContextManager["Walk"]:
        """Return the walk."""


_BUTTONS = ":is(a, button):visible:not(h1 *):not(#nav-sidebar-apps *)"
_IS_SETTLED = "() => !document.querySelector('.htmx-request, .htmx-added, .htmx-settling, .htmx-swapping')"


class Walk:
    """Somebody's way through a job, from the home page on. `page` is for looking; whatever is done goes through the walk.

    A step is a click or a key that is not typing: going into a field is one, choosing in a list two (open it, choose), a
    file two (the button, and the file in the window of the system).
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.page: Page = window.open("/admin/")
        self.steps = 0

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.locator("#dialog")

    def menu(self, name: str) -> None:
        """Choose an entry of the menu by its words."""
        entry = self.page.get_by_text(name, exact=True)
        self.click(self.page.locator("#nav-sidebar-apps a").filter(has=entry))

    def click(self, target: str | Locator, within: Locator | None = None) -> None:
        """Click what is named: the one button or link with these words, or an element that was found."""
        if isinstance(target, str):
            # An icon is a word before the words; the path above the page and the menu say the same.
            words = re.compile(rf"(^|[a-z_\s]){re.escape(target)}\s*$")
            target = (within or self.page).locator(_BUTTONS).filter(has_text=words)
        self._settle()
        target.click()
        self.steps += 1
        self._settle()

    def press(self, key: str) -> None:
        """Press a key, or several together, that writes nothing."""
        self._settle()
        self.page.keyboard.press(key)
        self.steps += 1
        self._settle()

    def write(self, field: str | Locator, text: str) -> None:
        """Write into a field. Typing is no step; going there is, unless the cursor stands in it."""
        where = self._named(field)
        if not where.evaluate("element => element === document.activeElement"):
            self.click(where)
        where.fill(text)

    def type(self, text: str) -> None:
        """Type where the cursor stands."""
        self.page.keyboard.type(text)

    def choose(self, field: str | Locator, label: str) -> None:
        """Choose in a list by the words that it shows."""
        self._settle()
        self._named(field).select_option(label=label)
        self.steps += 2
        self._settle()

    def scan(self, code: str) -> None:
        """Let a scanner read a code: it types where the cursor stands and ends with Enter, which is the one step."""
        self._settle()
        self.page.bring_to_front()
        self.type(code)
        self.press("Enter")

    def find(self, text: str) -> None:
        """Find a member from wherever one is."""
        self.press("Control+k")
        self.type(text)
        self.press("Enter")

    def approve(self) -> None:
        """Approve the one thing that waits, by mouse."""
        self.menu("审批")
        self.click(self.page.locator("details.pn-proposal summary"))
        self.click(self.page.locator("[data-key=a]"))
        self.sees("没有待您审批的提案")

    def tab(self, name: str) -> None:
        """Open a tab of the member's page."""
        self.click(self.page.locator(".pn-tabs").get_by_role("link", name=name, exact=True))

    def give(self, file: Path) -> None:
        """Give a file to the page's one field for files."""
        self.page.set_input_files("input[type=file]", str(file))
        self.steps += 2

    def download(self, target: str) -> Download:
        """Click what downloads a file, and return it."""
        with self.page.expect_download() as download:
            self.click(target)
        return download.value

    def sees(self, *words: str) -> None:
        """Expect words somewhere on the page."""
        for some in words:
            expect(self.page.get_by_text(some).first).to_be_visible(timeout=15_000)

    def excuse(self, complaint: str) -> None:
        """Take complaints back that belong to the job, such as the answer of a conflict; there has to be one."""
        excused = [one for one in self.window.complaints if complaint in one]
        assert excused, f"the browser did not complain of {complaint}"
        self.window.complaints = [one for one in self.window.complaints if one not in excused]

    def _named(self, field: str | Locator) -> Locator:
        return self.page.locator(f"[name={field}]") if isinstance(field, str) else field

    def _settle(self) -> None:
        """Wait until the page is there, and what was put into it listens."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function(_IS_SETTLED)


def walks(browser: Browser, address: str, most_steps: Mapping[tuple[str, str], int], language: str) -> Walks:
    """Return what opens walks in this portal, each compared with the steps of its role and job."""

    @contextmanager
    def walk(operator: Operator, job: str, *, size: dict[str, int] = DESK) -> Iterator[Walk]:
        role = ", ".join(operator.groups.values_list("name", flat=True))
        assert not operator.is_superuser, "a job is walked by its role"
        one = Walk(Window(browser, address, operator, language, size))
        yield one
        assert one.window.complaints == [], one.window.complaints
        most = most_steps[role, job]
        assert one.steps <= most, f"{role}, {job}: {one.steps} steps instead of {most}"
        assert one.steps == most, f"{role}, {job}: {one.steps} steps are enough now; let the table say so"
        one.window.context.close()

    return walk
