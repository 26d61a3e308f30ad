"""Members brought in and taken out as files, in a real browser: read, mapped, checked, approved, counted, exported."""

from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect

from members.models import Job, Member, MemberExport, MemberImport
from members.services.jobs import run_job
from tests.factories.imports import csv_of
from tests.factories.portal import a_named_member, an_operator
from tests.harness.windows import Window

ROWS = [
    (f"A{number}", "张小丰", f"138001380{number:02}", "", "1990-02-03", "2020-05-06", number) for number in range(30)
]
BAD = [("B1", "", "12", "", "", "", ""), ("A1", "", "13700137000", "", "", "", "")]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def finish_what_waits() -> None:
    for job in Job.objects.filter(state=Job.State.QUEUED):
        run_job(job_id=job.pk, worker="one", clock=timezone.now)


class TestAnImport:
    def test_is_read_mapped_checked_approved_and_brought_in(
        self, browser: Browser, live_portal: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "members.csv"
        file.write_bytes(csv_of([*ROWS, *BAD]))
        maker = Window(browser, live_portal, an_operator("administrator", superuser=True), "en")
        page = maker.open("/admin/members/memberimport/upload")
        page.set_input_files("input[type=file]", str(file))
        page.get_by_role("button", name="Read the file").click()
        expect(page.locator("[name=column-2]")).to_have_value("phone")
        page.get_by_role("button", name="Check the file").click()
        expect(page.get_by_text("The rows are being checked.")).to_be_visible()
        finish_what_waits()
        expect(page.get_by_text("The first 50 bad rows")).to_be_visible(timeout=15_000)  # it asks again by itself
        expect(page.get_by_text("Row 3 has the same number in the other system already.").first).to_be_visible()
        page.locator("[name=reason]").fill("The members of the shop in Suzhou")
        page.get_by_role("button", name="Ask for approval of 30 new members").click()
        expect(page.get_by_text("It waits for a colleague")).to_be_visible()
        assert not Member.objects.exists()

        approver = Window(browser, live_portal, an_operator("administrator", superuser=True), "en")
        inbox = approver.open("/admin/members/proposal/")
        inbox.locator("details.pn-proposal summary").click()
        inbox.locator("button[data-key=a]").click()
        expect(inbox.get_by_text("A job carries it out")).to_be_visible()
        finish_what_waits()
        page = maker.open(f"/admin/members/job/{MemberImport.objects.get().job_id}/change/")
        expect(page.get_by_text("30 went well")).to_be_visible()
        expect(page.get_by_text("Take back this batch")).to_be_visible()
        assert Member.objects.count() == 30
        assert maker.complaints == approver.complaints == []


class TestAnExport:
    def test_is_counted_made_and_taken(self, browser: Browser, live_portal: str) -> None:
        a_named_member("王小明", "13911112222")
        maker = Window(browser, live_portal, an_operator("administrator", superuser=True), "en")
        page = maker.open("/admin/members/memberexport/new")
        page.locator("[name=purpose]").fill("Invitations by post")
        page.get_by_role("button", name="Count the members").click()
        expect(page.get_by_text("1 member is in this list.")).to_be_visible()
        page.get_by_role("button", name="Export 1 member").click()
        expect(page.get_by_text("Nobody took it yet.")).to_be_visible()
        finish_what_waits()
        export = MemberExport.objects.get()
        page = maker.open(f"/admin/members/job/{export.job_id}/change/")
        with page.expect_download() as download:
            page.get_by_text("Download the result").click()
        assert download.value.suggested_filename.endswith(".xlsx")
        page = maker.open(f"/admin/members/memberexport/{export.pk}/change/")
        expect(page.get_by_text("127.0.0.1")).to_be_visible()
        assert maker.complaints == []
