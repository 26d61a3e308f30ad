"""The pages on which members are brought in and taken out as files: jobs 32 and 40 of the portal, step by step."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import Job, Member, MemberExport, MemberImport, Operator, Proposal
from members.services import exports
from members.services.jobs import run_job
from tests.factories.imports import HEADER, book_of, csv_of, may
from tests.factories.portal import a_named_member, an_operator
from tests.factories.work import an_approver

ROWS = [("A1", "张小丰", "13800138000", "", "1990-02-03", "2020-05-06", "120"), ("A2", "", "12", "", "", "", "")]
RIGHTS = (
    "members.view_memberimport", "members.import_members", "members.view_memberexport", "members.export_members",
    "members.export_unmasked", "members.view_job", "members.view_proposal",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def somebody() -> Operator:
    return may(an_operator("administrator"), *RIGHTS)


def a_colleague() -> Operator:
    return may(an_approver("administrator"), *RIGHTS)


def window(operator: Operator, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(operator)
    return client


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:members_{name}", args=arguments)


def finish(job: Job | None) -> None:
    assert job is not None
    run_job(job_id=job.pk, worker="one", clock=timezone.now)


def form_of(text: str) -> dict[str, Any]:
    """The fields of the page's form as a browser would send them."""
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", text):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        kind = re.search(r'type="([^"]+)"', tag)
        if name and not (kind and kind[1] in ("checkbox", "file") and "checked" not in tag):
            fields[name[1]] = value[1] if value else ""
    for name, body in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"\s+selected', body)
        fields[name] = chosen[1] if chosen else ""
    return fields


@pytest.mark.django_db
class TestImportingMembers:
    def test_goes_from_the_file_to_the_members_and_back(self) -> None:
        maker, approver = window(somebody()), window(a_colleague())
        file = SimpleUploadedFile("members.csv", csv_of(ROWS))
        mapping = maker.post(page("memberimport_read_file"), {"file": file}, follow=True)
        assert mapping.redirect_chain
        assert "13800138000" in mapping.text  # the first values, beside the columns
        assert "no-store" in mapping.headers["Cache-Control"]
        asked = form_of(mapping.text) | {"on_known": "skip", "issuer": "old-pos", "joined_date": "2026-01-01"}
        assert [asked[f"column-{number}"] for number in range(len(HEADER))] == [
            "external_id", "full_name", "phone", "email", "birthday", "joined_at", "points",
        ]  # fmt: skip
        made = MemberImport.objects.get()
        checking = maker.post(page("memberimport_map", made.pk), asked, follow=True)
        assert "The rows are being checked." in checking.text
        made.refresh_from_db()
        finish(made.check_job)
        bar = maker.get(page("memberimport_checking", made.pk))
        assert bar.headers["HX-Refresh"] == "true"
        report = maker.get(page("memberimport_change", made.pk)).text
        assert "“12” in column “手机” is no valid phone number." in report
        assert "Ask for approval of 1 new member" in report
        assert maker.get(page("job_file", made.check_job_id, "refused")).status_code == 200
        sent = maker.post(page("memberimport_change", made.pk), {**form_of(report), "reason": "New shop"}, follow=True)
        assert "It waits for a colleague" in sent.text
        proposal = Proposal.objects.get()
        assert not Member.objects.exists()
        card = approver.get(page("proposal_card", proposal.pk)).text
        listed = approver.get(page("proposal_changelist")).text
        assert re.search(r"Import “\d{4}-\d\d-\d\d \d\d:\d\d\.csv”", listed)  # its own name may be a person's
        approver.post(page("proposal_approve", proposal.pk), form_of(card))
        made.refresh_from_db()
        finish(made.job)
        assert Member.objects.count() == 1
        job_page = maker.get(page("job_change", made.job_id)).text
        assert "Take back this batch" in job_page
        taken_back = maker.post(page("job_take_back", made.job_id), {"_form_submitted": "True"})
        assert taken_back.status_code == 200
        finish(Job.objects.get(undoes=made.job_id))
        assert Member.objects.get().status == Member.Status.CLOSED
        assert "old-pos" in maker.get(page("memberimport_change", made.pk)).text

    def test_says_what_is_wrong_with_a_file_or_a_mapping(self) -> None:
        maker = window(somebody())
        wrong = SimpleUploadedFile("members.xlsx", book_of([], merge="A1:C1"))
        answer = maker.post(page("memberimport_read_file"), {"file": wrong})
        assert "merged" in answer.text
        maker.post(page("memberimport_read_file"), {"file": SimpleUploadedFile("members.csv", csv_of(ROWS))})
        made = MemberImport.objects.get()
        answer = maker.post(
            page("memberimport_map", made.pk),
            {
                "column-1": "full_name",
                "on_known": "skip",
                "issuer": "old-pos",
                "channel": made.channel_id,
                "joined_date": "2026-01-01",
            },
        )
        assert "Say which column holds the phone" in answer.text
        assert not Job.objects.exists()

    def test_is_refused_to_whoever_has_no_right(self) -> None:
        reader = window(may(an_operator(), "members.view_memberimport"))
        assert reader.get(page("memberimport_changelist")).status_code == 200
        for address in (page("memberimport_read_file"), page("memberimport_map", 1)):
            assert reader.get(address).status_code == 403
        assert window(an_operator()).get(page("memberimport_checking", 1)).status_code == 403


@pytest.mark.django_db
class TestExportingMembers:
    def wish(self, client: Client, **details: Any) -> dict[str, Any]:
        begin = form_of(client.get(page("memberexport_new_list")).text)
        return {
            **begin, "purpose": "Invitations by post", "fields_wanted": ["member_no", "full_name", "phone"], "condition-mode": "all",
            **details,
        }  # fmt: skip

    def test_counts_first_and_makes_a_small_masked_list_at_once(self) -> None:
        a_named_member("张小丰", "13800138000")
        operator = somebody()
        maker = window(operator)
        wish = self.wish(maker)
        counted = maker.post(page("memberexport_new_list"), {**wish, "do": "count"}).text
        assert "1 member is in this list." in counted
        assert "Export 1 member" in counted
        assert not MemberExport.objects.exists()
        made = maker.post(page("memberexport_new_list"), {**wish, "do": "export"}, follow=True)
        export = MemberExport.objects.get()
        assert "Invitations by post" in made.text
        finish(export.job)
        taken = maker.get(page("job_file", export.job_id, "result"), REMOTE_ADDR="10.1.2.3")
        assert taken.status_code == 200
        shown = maker.get(page("memberexport_change", export.pk)).text
        assert "10.1.2.3" in shown
        assert str(operator) in shown

    def test_shows_its_progress_and_can_be_stopped_in_the_middle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = a_named_member("张小丰", "13800138000")
        for _number in range(6):
            a_named_member()
        monkeypatch.setattr(exports, "_IDS_AT_ONCE", 2)
        maker = window(somebody())
        maker.post(page("memberexport_new_list"), {**self.wish(maker), "do": "export"})
        export = MemberExport.objects.get()
        assert export.job is not None
        Job.objects.filter(pk=export.job.pk).update(cursor={"member": first.pk - 1})
        seen: list[str] = []
        original = exports._rows

        def rows(*arguments: Any) -> Any:
            if len(seen) < 3:  # somebody looks at the page while the worker reads, and stops it at the third look
                shown = re.sub(r"\s+", " ", maker.get(page("job_progress", export.job_id)).text)
                seen.append(next(iter(re.findall(r"(\d) of 7", shown)), "?"))
                if len(seen) == 3:
                    maker.post(page("job_stop", export.job_id), {"_form_submitted": "True"})
            return original(*arguments)

        monkeypatch.setattr(exports, "_rows", rows)
        finish(export.job)
        job = Job.objects.get(pk=export.job.pk)
        assert seen == ["0", "2", "4"]
        assert (job.state, job.done) == (Job.State.CANCELLED, 6)
        assert maker.get(page("job_file", job.pk, "result")).status_code == 302  # back to the job: there is no file
        maker.post(page("job_continue", job.pk), {"_form_submitted": "True"})
        finish(job)
        job.refresh_from_db()
        assert (job.state, job.done) == (Job.State.DONE, 7)
        assert maker.get(page("job_file", job.pk, "result")).status_code == 200

    def test_sends_an_unmasked_list_to_a_colleague(self) -> None:
        a_named_member()
        maker, approver = window(somebody()), window(a_colleague())
        wish = self.wish(maker, is_unmasked="on", do="export")
        maker.post(page("memberexport_new_list"), wish)
        export = MemberExport.objects.get()
        assert export.job is None
        proposal = Proposal.objects.get()
        card = approver.get(page("proposal_card", proposal.pk)).text
        assert "Phone numbers in full" in card
        approver.post(page("proposal_approve", proposal.pk), form_of(card))
        export.refresh_from_db()
        assert export.job is not None

    def test_shows_who_took_phone_numbers_in_the_last_30_days_unless_asked_for_more(self) -> None:
        operator = somebody()

        def an_export(purpose: str, *, days: int = 1, phones: bool = True) -> None:
            MemberExport.objects.create(
                operator=operator, purpose=purpose, rows=7, fields=["phone"], is_unmasked=phones, holds_phones=phones,
                created_at=timezone.now() - timedelta(days=days),
            )  # fmt: skip

        an_export("Now in full")
        an_export("Long ago in full", days=31)
        an_export("Now masked", phones=False)
        reader = window(somebody())
        listed = {
            left: [words for words in ("Now in full", "Long ago in full", "Now masked") if words in reader.get(page("memberexport_changelist") + left).text]
            for left in ("", "?left=phones_ever", "?left=all")
        }  # fmt: skip
        assert listed == {
            "": ["Now in full"], "?left=phones_ever": ["Now in full", "Long ago in full"],
            "?left=all": ["Now in full", "Long ago in full", "Now masked"],
        }  # fmt: skip

    def test_is_refused_to_whoever_has_no_right(self) -> None:
        reader = window(may(an_operator(), "members.view_memberexport"))
        assert reader.get(page("memberexport_changelist")).status_code == 200
        assert reader.get(page("memberexport_new_list")).status_code == 403
        assert reader.post(page("memberexport_condition")).status_code == 403
        masked_only = window(may(an_operator(), "members.export_members", "members.view_memberexport"))
        assert 'name="is_unmasked"' not in masked_only.get(page("memberexport_new_list")).text
