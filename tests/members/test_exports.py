"""Lists of members taken out: for a purpose, masked unless somebody else approved, and all of it written down."""

from datetime import date, timedelta
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.utils import translation

from members.actors import SYSTEM
from members.jobs import words_of
from members.models import FileTaken, Job, JobFile, Member, MemberExport, MemberExportPart, Operator, Proposal, Segment
from members.personal_words import WordsNamePerson
from members.proposals import EffectChanged, MakerCanNotDecide, NotAllowed, approve, effect_now
from members.services import exports
from members.services.enrolment import enrol_member
from members.services.exports import (
    NobodyToExport,
    NoFieldsChosen,
    PurposeMissing,
    TooManyToExport,
    Wanted,
    count_export,
    forget_export_parts,
    propose_export,
)
from members.services.jobs import JobFileGone, cancel_job, continue_job, run_job, take_file
from members.services.segments import write_segment
from tests.factories.imports import may, work
from tests.factories.people import TILL, a_channel, a_store
from tests.factories.portal import an_operator
from tests.factories.segments import ACTIVE, a_live_segment
from tests.factories.times import at
from tests.factories.work import Clock, actor, an_approver

NOON = at("2026-03-15 12:00")
PERSONAL = ("member_no", "full_name", "phone", "email", "birthday")


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def a_person(number: int = 0, **details: Any) -> Member:
    known = {
        "full_name": "张小丰",
        "phone": f"138001380{number:02}",
        "email": f"zhang{number}@example.com",
        "birthday": date(1990, 2, 3),
    }
    return enrol_member(
        **{"channel_id": a_channel().pk, "by": TILL, "at": NOON - timedelta(days=9), **known, **details}
    )


def an_exporter() -> Operator:
    return may(an_operator("marketing"), "members.export_members", "members.export_unmasked")


def an_export_approver() -> Operator:
    return may(an_approver("administrator"), "members.export_members", "members.export_unmasked")


def wanted(**details: Any) -> Wanted:
    return Wanted(**{"purpose": "Invitations by post", "fields": PERSONAL, **details})


def asked(by: Operator, **details: Any) -> tuple[MemberExport, Any]:
    return propose_export(wanted=wanted(**details), by=actor(by), at=NOON)


def rows_of(job: Job) -> list[tuple[Any, ...]]:
    """The rows of the result, with the notes above."""
    content = bytes(JobFile.objects.get(job=job, role=JobFile.Role.RESULT).content)
    page = openpyxl.load_workbook(BytesIO(content)).active
    assert page is not None
    return [tuple(row) for row in page.iter_rows(values_only=True)]


@pytest.mark.django_db
class TestASmallMaskedList:
    def test_is_made_at_once_and_masked(self) -> None:
        member = a_person()
        export, outcome = asked(an_exporter())
        assert outcome.carried_out
        assert export.job is not None
        assert work(export.job, NOON) == "done"
        member.refresh_from_db()
        rows = rows_of(export.job)
        assert rows[2] == ("member number", "name", "phone", "e-mail", "birthday")
        assert rows[3] == (member.member_no, "张*丰", "138****8000", "z***@example.com", "02-03")
        export.refresh_from_db()
        assert (export.rows, export.is_unmasked, export.holds_phones) == (1, False, False)
        assert not MemberExportPart.objects.exists()

    def test_carries_who_made_it_and_for_what(self) -> None:
        a_person()
        operator = an_exporter()
        export, _outcome = asked(operator)
        assert export.job is not None
        work(export.job, NOON)
        above = rows_of(export.job)[:2]
        assert str(operator) in above[0][0]
        assert f"Export {export.pk}" in above[0][0]
        assert "Invitations by post" in above[1][0]

    def test_leaves_out_who_has_left_or_was_merged_and_who_was_not_asked_for(self) -> None:
        kept, gone, merged, elsewhere = (a_person(number) for number in range(4))
        Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept)
        store = a_store("SH01")
        Member.objects.filter(pk__in=[kept.pk, gone.pk, merged.pk]).update(home_store=store)
        condition = {"all": [{"fact": "members.home_store", "op": "in", "value": ["SH01"]}]}
        counted = count_export(wanted=wanted(condition=condition), by=actor(an_exporter()), at=NOON)
        assert (counted.rows, counted.needs_approval) == (1, False)
        export, _outcome = asked(an_exporter(), condition=condition, fields=("member_no", "home_store"))
        assert export.job is not None
        work(export.job, NOON)
        assert [row[0] for row in rows_of(export.job)[3:]] == [Member.objects.get(pk=kept.pk).member_no]
        assert elsewhere.pk
        assert set(export.sentence) == {"zh-hans", "zh-hant", "en"}

    def test_holds_facts_of_every_floor(self) -> None:
        a_person()
        export, _outcome = asked(an_exporter(), fields=("member_no", "fact:rewards.balance", "fact:loyalty.tier"))
        assert export.job is not None
        assert work(export.job, NOON) == "done"
        assert rows_of(export.job)[3][1] in (0, None)

    def test_escapes_what_a_spreadsheet_would_run(self) -> None:
        a_person(full_name="=cmd|'/C calc'!A0")
        approver = an_export_approver()
        export, outcome = asked(an_exporter(), is_unmasked=True)
        approve(proposal_id=outcome.proposal_id, by=actor(approver), at=NOON)
        export.refresh_from_db()
        assert export.job is not None
        work(export.job, NOON)
        assert rows_of(export.job)[3][1] == "'=cmd|'/C calc'!A0"


@pytest.mark.django_db
class TestALargeOrUnmaskedList:
    def test_above_the_limit_of_the_day_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "ALONE_ROWS", 3)
        a_person(1), a_person(2)
        operator = an_exporter()
        assert asked(operator)[1].carried_out
        export, outcome = asked(operator)
        assert outcome.waiting
        assert export.job is None
        assert asked(an_exporter())[1].carried_out  # the limit is each operator's own
        assert propose_export(wanted=wanted(), by=actor(operator), at=NOON + timedelta(days=1))[1].carried_out

    def test_unmasked_waits_however_short_it_is_and_is_decided_by_somebody_else(self) -> None:
        a_person()
        maker = may(an_exporter(), "members.approve_proposal")
        export, outcome = asked(maker, is_unmasked=True)
        assert outcome.waiting
        assert export.holds_phones
        with pytest.raises(MakerCanNotDecide):
            approve(proposal_id=outcome.proposal_id, by=actor(maker), at=NOON)
        with pytest.raises(NotAllowed):
            approve(proposal_id=outcome.proposal_id, by=actor(an_approver("service supervisor")), at=NOON)
        assert approve(proposal_id=outcome.proposal_id, by=actor(an_export_approver()), at=NOON).carried_out
        export.refresh_from_db()
        assert export.job is not None
        assert export.job.owner == maker
        work(export.job, NOON)
        assert rows_of(export.job)[3][1:] == ("张小丰", "13800138000", "zhang0@example.com", "1990-02-03")

    def test_unmasked_needs_a_right_of_its_own(self) -> None:
        a_person()
        operator = may(an_operator("marketing"), "members.export_members")
        Operator.objects.get(pk=operator.pk).groups.clear()
        with pytest.raises(NotAllowed):
            asked(Operator.objects.get(pk=operator.pk), is_unmasked=True)
        assert not MemberExport.objects.exists()
        assert not Proposal.objects.exists()

    def test_without_phones_says_so(self) -> None:
        a_person()
        export, _outcome = asked(an_exporter(), is_unmasked=True, fields=("full_name",))
        assert (export.is_unmasked, export.holds_phones) == (True, False)


@pytest.mark.django_db
class TestAWishForAList:
    def test_is_refused_without_purpose_fields_or_people(self, monkeypatch: pytest.MonkeyPatch) -> None:
        operator = an_exporter()
        with pytest.raises(NobodyToExport):
            asked(operator)
        a_person(1), a_person(2)
        with pytest.raises(PurposeMissing):
            asked(operator, purpose="  ")
        with pytest.raises(WordsNamePerson):
            asked(operator, purpose="For 13800138001")
        for fields in ((), ("member_no", "password")):
            with pytest.raises(NoFieldsChosen):
                asked(operator, fields=fields)
        monkeypatch.setattr(exports, "MOST_ROWS", 1)
        with pytest.raises(TooManyToExport):
            asked(operator)
        assert not MemberExport.objects.exists()
        assert not Job.objects.exists()

    def test_sent_twice_is_one_list(self) -> None:
        a_person()
        by = actor(an_exporter())
        first = propose_export(wanted=wanted(), by=by, at=NOON, request_id="r1")
        again = propose_export(wanted=wanted(), by=by, at=NOON, request_id="r1")
        assert first[0] == again[0]
        assert first[1] == again[1]
        assert Job.objects.count() == 1


@pytest.mark.django_db
class TestWhatWasApproved:
    LATER = NOON + timedelta(minutes=5)

    def approved(self, **details: Any) -> tuple[MemberExport, Job]:
        """An unmasked list that a colleague approved five minutes later."""
        export, outcome = asked(an_exporter(), is_unmasked=True, **details)
        approve(proposal_id=outcome.proposal_id, by=actor(an_export_approver()), at=self.LATER)
        export.refresh_from_db()
        assert export.job is not None
        return export, export.job

    def test_is_counted_again_when_it_is_approved(self) -> None:
        a_person()
        _export, outcome = asked(an_exporter(), is_unmasked=True)
        by = actor(an_export_approver())
        for number in range(1, 11):
            a_person(number)
        with pytest.raises(EffectChanged):
            approve(proposal_id=outcome.proposal_id, by=by, at=self.LATER)
        assert not Job.objects.exists()
        seen = effect_now(proposal=Proposal.objects.get(), at=self.LATER)
        assert [line.after for line in seen.lines[:2]] == ["11", "21"]
        approve(proposal_id=outcome.proposal_id, by=by, at=self.LATER, seen=seen.digest)
        assert Job.objects.get().params["rows"] == 11

    def test_may_grow_by_a_few_members_while_it_waits_and_no_more(self) -> None:
        a_person()
        export, job = self.approved()
        for number in range(1, 11):
            a_person(number)
        assert work(job, self.LATER) == "done"
        export.refresh_from_db()
        assert export.rows == 11
        again, too_long = self.approved()
        for number in range(11, 22):
            a_person(number)
        assert work(too_long, self.LATER) == "failed"
        too_long.refresh_from_db()
        words = "11 members were approved for this list; by now it holds more than 21. Please ask for it anew."
        assert words_of(too_long.message, too_long.message_params) == words
        assert (too_long.total, JobFile.objects.filter(job=too_long).exists()) == (11, False)
        again.refresh_from_db()
        assert again.rows == 11

    def test_is_never_more_than_one_file_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_person(1), a_person(2)
        monkeypatch.setattr(exports, "MOST_ROWS", 2)
        _export, job = self.approved()
        a_person(3)
        assert work(job, self.LATER) == "failed"

    def test_is_the_segment_as_it_was_then(self) -> None:
        a_person()
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        _export, outcome = asked(an_exporter(), is_unmasked=True, segment_id=segment.pk)
        self.change(segment, "active", "frozen")
        with pytest.raises(EffectChanged):
            approve(proposal_id=outcome.proposal_id, by=actor(an_export_approver()), at=self.LATER)
        _export, job = self.approved(segment_id=segment.pk)
        self.change(segment, "active")
        assert work(job, self.LATER) == "failed"
        job.refresh_from_db()
        assert job.message == "The segment was changed after this list was approved. Please ask for it anew."
        assert not JobFile.objects.filter(job=job).exists()

    def test_is_not_a_segment_that_changes_while_it_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_person()
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        _export, job = self.approved(segment_id=segment.pk)
        book = exports.book

        def meanwhile(**arguments: Any) -> bytes:
            self.change(segment, "frozen")
            return book(**arguments)

        monkeypatch.setattr(exports, "book", meanwhile)
        assert work(job, self.LATER) == "failed"
        assert not JobFile.objects.filter(job=job).exists()

    def change(self, segment: Segment, *status: str) -> None:
        """Let a segment mean members of another status, and be filled with them."""
        condition = {"all": [{**ACTIVE, "value": list(status)}]}
        job = write_segment(
            segment_id=segment.pk, name=segment.name, note="", condition=condition, by=SYSTEM, at=self.LATER
        )
        assert job is not None
        assert work(job, self.LATER) == "done"


@pytest.mark.django_db
class TestTheJob:
    def test_fails_when_parts_of_it_are_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = a_person(0)
        monkeypatch.setattr(exports, "_IDS_AT_ONCE", 1)
        a_person(1), a_person(2)
        export, _outcome = asked(an_exporter())
        job = export.job
        assert job is not None
        Job.objects.filter(pk=job.pk).update(cursor={"member": first.pk - 1})
        book = exports.book

        def forgotten(**arguments: Any) -> bytes:
            MemberExportPart.objects.filter(number=2).delete()
            return book(**arguments)

        monkeypatch.setattr(exports, "book", forgotten)
        assert work(job, NOON) == "failed"
        job.refresh_from_db()
        assert job.message == "Parts of this list are no longer kept. Please ask for it anew."
        assert not JobFile.objects.exists()

    def test_goes_on_where_it_was_stopped_and_loses_and_doubles_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = a_person(0)
        monkeypatch.setattr(exports, "_IDS_AT_ONCE", 2)
        for number in range(1, 7):
            a_person(number)
        export, _outcome = asked(an_exporter())
        job = export.job
        assert job is not None
        Job.objects.filter(pk=job.pk).update(cursor={"member": first.pk - 1})
        original, stops = exports._rows, [1]

        def rows(*arguments: Any) -> Any:
            if stops and MemberExportPart.objects.exists():
                stops.pop()
                cancel_job(job_id=job.pk, by=actor(an_exporter()), at=NOON)
            return original(*arguments)

        monkeypatch.setattr(exports, "_rows", rows)
        assert run_job(job_id=job.pk, worker="one", clock=Clock(NOON)) == "cancelled"
        job.refresh_from_db()
        assert 0 < job.done < 7
        continue_job(job_id=job.pk, by=actor(an_exporter()), at=NOON)
        assert run_job(job_id=job.pk, worker="two", clock=Clock(NOON)) == "done"
        numbers = [row[0] for row in rows_of(job)[3:]]
        assert numbers == list(Member.objects.order_by("pk").values_list("member_no", flat=True))

    def test_lets_its_file_be_taken_for_24_hours_and_writes_down_by_whom(self) -> None:
        a_person()
        operator = an_exporter()
        export, _outcome = asked(operator)
        assert export.job is not None
        work(export.job, NOON)
        taken = take_file(job_id=export.job.pk, role="result", by=actor(operator), at=NOON, ip_address="10.1.2.3")
        assert taken.name == f"members-{export.pk}.xlsx"
        row = FileTaken.objects.get(job=export.job)
        assert (row.operator, row.ip_address, row.taken_at) == (operator, "10.1.2.3", NOON)
        with pytest.raises(JobFileGone):
            take_file(job_id=export.job.pk, role="result", by=actor(operator), at=NOON + timedelta(hours=24))
        assert FileTaken.objects.count() == 1

    def test_leaves_no_parts_behind_when_it_is_given_up(self) -> None:
        a_person()
        export, _outcome = asked(an_exporter())
        MemberExportPart.objects.create(member_export=export, number=1, content=b"<row/>")
        assert forget_export_parts(at=NOON) == 0
        assert forget_export_parts(at=NOON + timedelta(days=7)) == 1
