"""Members of another system: read from a file, checked, approved, brought in, and taken back."""

from datetime import date, timedelta
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.utils import translation

from members.actors import Actor
from members.identifiers import NotFound
from members.models import (
    Identity,
    ImportMapping,
    Job,
    JobErrorRow,
    Member,
    MemberImport,
    MemberImportPart,
    MemberImportRow,
    MemberPerson,
    Proposal,
    TimelineEntry,
)
from members.proposals import MakerCanNotDecide, approve
from members.services.enrolment import enrol_member
from members.services.imports import loading
from members.services.imports.checking import check_import
from members.services.imports.deciding import propose_import
from members.services.imports.fields import guess, remembered
from members.services.imports.files import earlier_import_of, forget_imports, samples_of
from members.services.imports.refusals import (
    FieldMappedTwice,
    ImportFileGone,
    ImportHasNothingToDo,
    ImportHasTooManyColumns,
    ImportIsNotChecked,
    ImportIsUnderWay,
    ImportTooLarge,
    NothingNamesMembers,
    SystemNameInvalid,
)
from members.services.imports.reporting import report_of
from members.services.jobs import (
    JobCanNotBeUndone,
    cancel_job,
    continue_job,
    run_job,
    take_file,
    undo_job,
    undo_preview,
)
from members.services.profile import ProfileChange, change_profile
from members.services.tokens import issue_member_token
from members.tables.refused import TableError
from members.timeline import NewEntry, record
from rewards.models import LedgerTransaction, Lot
from rewards.queries import balance_of
from rewards.services.verification import verify
from tests.factories.imports import (
    HEADER,
    an_import,
    an_import_approver,
    an_importer,
    approved,
    book_of,
    checked,
    choices,
    csv_of,
    loaded,
    work,
)
from tests.factories.people import TILL, a_channel, a_member, a_store
from tests.factories.times import at
from tests.factories.work import Clock, actor

NOON = at("2026-03-15 12:00")
ZHANG = ("A1", "张小丰", "138 0013 8000", "zhang@example.com", "1990-02-03", "2020/5/6", "1,200")
LI = ("A2", "李四", "13900139000", "", "", "", "")


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def known(phone: str, **details: Any) -> Member:
    """A member of ours."""
    return enrol_member(channel_id=a_channel().pk, phone=phone, by=TILL, at=NOON - timedelta(days=30), **details)


def reasons(member_import: MemberImport) -> dict[int, str]:
    """The bad rows of a check, by number."""
    first = report_of(member_import).first
    return {line.number: line.reason for line in first}


@pytest.mark.django_db
class TestAFile:
    def test_is_kept_in_parts_with_its_columns_and_first_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.services.imports.files.PART_BYTES", 100)
        content = csv_of([ZHANG, LI])
        made = an_import(content, at=NOON)
        assert made.columns == list(HEADER)
        assert [row["姓名"] for row in samples_of(made)] == ["张小丰", "李四"]
        parts = MemberImportPart.objects.filter(member_import=made, number__gt=0).order_by("number")
        assert b"".join(bytes(part.content) for part in parts) == content
        assert len(parts) > 1

    def test_of_a_kind_that_is_not_read_leaves_nothing(self) -> None:
        for name, content in (
            ("members.pdf", b"%PDF"), ("members.xlsx", b"no workbook"), ("members.csv", b""), ("members", b"a,b"),
            ("members.csv", b"PK\x03\x04 a renamed workbook"), ("members.xlsx", book_of([], merge="A1:B1")),
            ("members.csv", csv_of([], header=("a", "a"))),
        ):  # fmt: skip
            with pytest.raises(TableError) as refusal:
                an_import(content, at=NOON, name=name)
            assert "/tmp" not in refusal.value.sentence()
        assert not MemberImport.objects.exists()

    def test_that_is_too_large_or_too_wide_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ImportHasTooManyColumns):
            an_import(csv_of([], header=[f"c{number}" for number in range(201)]), at=NOON)
        monkeypatch.setattr("members.services.imports.files.MOST_BYTES", 10)
        with pytest.raises(ImportTooLarge):
            an_import(csv_of([ZHANG]), at=NOON)
        assert not MemberImport.objects.exists()

    def test_is_told_to_be_the_same_as_one_that_was_brought_in(self) -> None:
        first = loaded(csv_of([ZHANG]), at=NOON)
        assert earlier_import_of(an_import(csv_of([ZHANG]), at=NOON)) == first
        assert earlier_import_of(an_import(csv_of([LI]), at=NOON)) is None


@pytest.mark.django_db
class TestColumns:
    def test_are_understood_by_their_names_in_each_language(self) -> None:
        assert list(guess(HEADER).values()) == [
            "external_id", "full_name", "phone", "email", "birthday", "joined_at", "points",
        ]  # fmt: skip
        assert guess(("Member No.", "E-Mail", "Mobile Phone", "Hobby")) == {
            "Member No.": "external_id", "E-Mail": "email", "Mobile Phone": "phone",
        }  # fmt: skip
        assert guess(("手機號碼", "剩餘點數")) == {"手機號碼": "phone", "剩餘點數": "points"}

    def test_are_remembered_for_the_next_file_of_this_kind(self) -> None:
        first = an_import(csv_of([("Zhang", "13800138000")], header=("who", "number")), at=NOON)
        assert remembered(first.columns) is None
        checked(first, at=NOON, fields={"who": "full_name", "number": "phone"})
        again = an_import(csv_of([("13900139000", "Li")], header=("number", "who")), at=NOON)
        mapping = remembered(again.columns)
        assert mapping is not None
        assert mapping.fields == {"who": "full_name", "number": "phone"}
        assert mapping.choices["issuer"] == "old-pos"

    def test_that_mean_the_same_or_name_nobody_are_refused(self) -> None:
        made = an_import(csv_of([ZHANG]), at=NOON)
        by = actor(an_importer())
        wrong = [
            ({"手机": "phone", "邮箱": "phone"}, "old-pos", FieldMappedTwice),
            ({"姓名": "full_name"}, "old-pos", NothingNamesMembers),
            ({"手机": "phone"}, "Old POS", SystemNameInvalid),
        ]
        for fields, issuer, refusal in wrong:
            with pytest.raises(refusal):
                check_import(import_id=made.pk, fields=fields, choices=choices(issuer=issuer), by=by, at=NOON)
        assert not Job.objects.exists()
        assert not ImportMapping.objects.exists()


@pytest.mark.django_db
class TestACheck:
    def test_counts_new_known_and_bad_rows_and_brings_nobody_in(self) -> None:
        known("13900139000")
        rows = [ZHANG, LI, ("A3", "王五", "12", "", "", "", "")]
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        assert (found.rows_total, found.rows_new, found.rows_known, found.rows_bad) == (3, 1, 1, 1)
        assert found.points_total == 1200
        assert found.checked_at == NOON
        assert Member.objects.count() == 1
        assert reasons(found) == {4: "“12” in column “手机” is no valid phone number."}

    @pytest.mark.parametrize(
        ("cell", "value", "reason"),
        [
            (2, "2026-03-15", "“2026-03-15” in column “手机” is no valid phone number."),
            (3, "nobody", "“nobody” in column “邮箱” is no valid e-mail address."),
            (4, "31.2.1990", "“31.2.1990” in column “生日” is no date."),
            (4, "1990-02-30", "“1990-02-30” in column “生日” is no date."),
            (4, "1855-01-01", "“1855-01-01” in column “生日” lies before the year 1900."),
            (5, "2027-01-01", "“2027-01-01” in column “入会日期” lies in the future."),
            (6, "-5", "“-5” in column “积分” is no whole number of points from 0 to 10,000,000."),
            (6, "12.5", "“12.5” in column “积分” is no whole number of points from 0 to 10,000,000."),
            (6, "99999999999", "“99999999999” in column “积分” is no whole number of points from 0 to 10,000,000."),
            (0, "x" * 121, f"“{'x' * 79}…” in column “会员号” is longer than 120 characters."),
            (1, "名" * 81, f"“{'名' * 79}…” in column “姓名” is longer than 80 characters."),
        ],
    )
    def test_tells_of_a_value_that_can_not_be_used(self, cell: int, value: str, reason: str) -> None:
        row = [*ZHANG[:6], "7"]
        row[cell] = value
        found = checked(an_import(csv_of([row, LI]), at=NOON), at=NOON)
        assert reasons(found) == {2: reason}
        assert (found.rows_new, found.rows_bad) == (1, 1)

    def test_refuses_a_row_that_names_nobody(self) -> None:
        found = checked(an_import(csv_of([("", "张小丰", "", "", "", "", "")]), at=NOON), at=NOON)
        assert reasons(found) == {2: "The row has no phone, no e-mail address and no number in the other system."}

    def test_lets_the_first_of_rows_that_mean_one_person_stand(self) -> None:
        rows = [
            ZHANG, ("B1", "", "+8613800138000", "", "", "", ""), ("B2", "", "13700137000", "ZHANG@example.com", "", "", ""),
            ("A1", "", "13600136000", "", "", "", ""),
        ]  # fmt: skip
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        assert reasons(found) == {
            3: "Row 2 has the same phone already.", 4: "Row 2 has the same e-mail address already.",
            5: "Row 2 has the same number in the other system already.",
        }  # fmt: skip
        assert (found.rows_new, found.rows_bad, found.points_total) == (1, 3, 1200)

    def test_finds_such_rows_also_across_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.services.imports.checking._CHUNK", 1)
        member = known("13800138000", email="li@example.com")
        rows = [
            ZHANG[:3] + ("",) * 4,
            ("A2", "", "13900139000", "li@example.com", "", "", ""),
            (*ZHANG[:3], "", "", "", ""),
        ]
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        assert reasons(found) == {3: "Row 2 means the same member already.", 4: "Row 2 has the same phone already."}
        assert MemberImportRow.objects.get(number=2).member == member

    def test_refuses_rows_that_mean_two_members_or_one_who_has_left(self) -> None:
        one, two = known("13800138000"), known("13900139000", email="zhang@example.com")
        gone = known("13700137000")
        Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
        rows = [ZHANG, ("A9", "", "13700137000", "", "", "", "")]
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        numbers = ", ".join(sorted(Member.objects.filter(pk__in=[one.pk, two.pk]).values_list("member_no", flat=True)))
        gone.refresh_from_db()
        assert reasons(found) == {
            2: f"Phone, e-mail address and number of this row belong to different members here: {numbers}.",
            3: f"Member {gone.member_no}, whom this row means, has left.",
        }

    def test_recognises_who_was_merged_by_the_survivor(self) -> None:
        survivor, other = a_member(), known("13800138000")
        Member.objects.filter(pk=other.pk).update(merged_into=survivor)
        found = checked(an_import(csv_of([ZHANG]), at=NOON), at=NOON)
        assert found.rows_known == 1
        assert MemberImportRow.objects.get().member == survivor

    def test_reads_a_workbook_with_its_numbers_and_dates(self) -> None:
        store = a_store("SH01")
        header = ("卡号", "手机", "生日", "积分", "门店")
        rows = [(77, 13800138000, date(1990, 2, 3), 120.0, "sh01"), (78, "13900139000", "1991年3月4日", 0, store.name)]
        checked(an_import(book_of(rows, header), at=NOON, name="members.xlsx"), at=NOON)
        first, second = MemberImportRow.objects.order_by("number")
        assert (first.external_id, first.phone, first.birthday, first.points) == (
            "77", "+8613800138000", date(1990, 2, 3), 120,
        )  # fmt: skip
        assert (second.birthday, second.home_store) == (date(1991, 3, 4), store)

    def test_ends_with_error_rows_for_whatever_stands_in_a_file(self) -> None:
        header = (*HEADER, *(f"列{number}" for number in range(93)))
        padding = ("",) * 93
        hostile = [
            ("A1", "=1+1", "=A1", "", "", "", "", *padding),
            ("A2", "x" * 200_000, "13800138000", "", "", "", "", *padding),
            ("A3", "王", "13900139000", "", "", "", "", *padding),
        ]
        book = checked(an_import(book_of(hostile, header), at=NOON, name="members.xlsx"), at=NOON)
        assert (book.rows_total, book.rows_new, book.rows_bad) == (3, 2, 1)  # Excel itself cuts long cells
        broken = b"\n".join(
            [
                ",".join(HEADER).encode(), b'A1,"never closed,13800138000,,,,', b"A2,\xff\xfe\xfa,13900139000,,,,",
                b"A3,short row", b"A4," + b"x" * 10_000_000 + b",13700137000,,,,", b"A5,nul\x00,13600136000,,,,",
                "A6,王五,13500135000,,,,".encode(),
            ]
        )  # fmt: skip
        found = checked(an_import(broken, at=NOON), at=NOON)
        assert found.check_job is not None
        assert found.check_job.state == Job.State.DONE
        assert (found.rows_new, found.rows_bad) == (1, 5)
        assert [error.number for error in JobErrorRow.objects.filter(job=found.check_job).order_by("number")] == [
            2,
            3,
            4,
            5,
            6,
        ]

    def test_reads_merged_cells_by_their_first_place_and_leaves_the_others_empty(self) -> None:
        rows = [ZHANG, ("A2", "李四", "13900139000", "", "", "", ""), ("A3", "王五", "13700137000", "", "", "", "")]
        found = checked(an_import(book_of(rows, merge="C2:C3"), at=NOON, name="members.xlsx"), at=NOON)
        assert found.check_job is not None
        assert found.check_job.state == Job.State.DONE
        phones = list(MemberImportRow.objects.order_by("number").values_list("external_id", "phone"))
        assert phones == [("A1", "+8613800138000"), ("A2", None), ("A3", "+8613700137000")]

    def test_takes_a_formula_for_what_it_says_and_never_runs_it(self) -> None:
        rows = [("A1", "=cmd|' /C calc'!A0", "13800138000", "", "", "", ""), ("A2", "", "=1+1", "", "", "", "")]
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        assert (found.rows_new, found.rows_bad) == (1, 1)
        assert MemberImportRow.objects.get(number=2).full_name == "=cmd|' /C calc'!A0"
        assert found.check_job is not None
        content = take_file(job_id=found.check_job.pk, role="refused", by=actor(an_importer()), at=NOON).content
        page = openpyxl.load_workbook(BytesIO(content)).active
        assert page is not None
        cells = [cell for row in page.iter_rows() for cell in row]
        assert [cell.value for cell in cells if cell.data_type == "f"] == []
        assert "'=1+1" in [cell.value for cell in cells]

    def test_reads_text_of_other_encodings(self) -> None:
        for encoding in ("gb18030", "utf-16", "utf-8-sig"):
            found = checked(an_import(csv_of([ZHANG], encoding=encoding), at=NOON), at=NOON)
            assert found.rows_new == 1, encoding
            assert MemberImportRow.objects.get(member_import=found).full_name == "张小丰"

    def test_goes_on_where_it_was_stopped_and_counts_nothing_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.services.imports.checking._CHUNK", 2)
        rows = [(f"A{number}", "", f"138001380{number:02}", "", "", "", "1") for number in range(7)]
        made = an_import(csv_of(rows), at=NOON)
        by = actor(an_importer())
        job = check_import(import_id=made.pk, fields=guess(made.columns), choices=choices(), by=by, at=NOON)
        clock = Clock(NOON)
        stopped: list[int] = []

        def stage(run: Any, *arguments: Any) -> None:
            original(run, *arguments)
            if not stopped:
                stopped.append(1)
                cancel_job(job_id=job.pk, by=by, at=NOON)

        original = __import__("members.services.imports.checking", fromlist=["_stage"])._stage
        monkeypatch.setattr("members.services.imports.checking._stage", stage)
        assert run_job(job_id=job.pk, worker="one", clock=clock) == "cancelled"
        continue_job(job_id=job.pk, by=by, at=NOON)
        assert run_job(job_id=job.pk, worker="two", clock=clock) == "done"
        made.refresh_from_db()
        assert (made.rows_total, made.rows_new, made.points_total) == (7, 7, 7)
        assert MemberImportRow.objects.filter(member_import=made).count() == 7

    def test_can_be_repeated_with_another_mapping_until_it_is_proposed(self) -> None:
        made = an_import(csv_of([ZHANG]), at=NOON)
        checked(made, at=NOON, fields={"邮箱": "email"})
        again = checked(made, at=NOON)
        assert (again.rows_total, again.points_total) == (1, 1200)
        propose_import(import_id=made.pk, reason="New", by=actor(an_importer()), at=NOON)
        with pytest.raises(ImportIsUnderWay):
            checked(made, at=NOON)

    def test_report_sorts_errors_by_how_many_rows_have_them(self) -> None:
        rows = [("", f"n{number}", "", "", "", "", "") for number in range(3)] + [("A", "", "1", "", "", "", "")]
        found = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        assert [(sort.rows, sort.sentence[:7]) for sort in report_of(found).sorts] == [(3, "The row"), (1, "“1” in ")]


@pytest.mark.django_db
class TestAnImport:
    def test_makes_members_with_what_they_bring_along(self) -> None:
        done = loaded(csv_of([ZHANG, LI]), at=NOON)
        assert done.job is not None
        assert (done.job.state, done.job.ok, done.job.failed) == (Job.State.DONE, 2, 0)
        person = MemberPerson.objects.select_related("member").get(phone="+8613800138000")
        assert (person.full_name, person.name_initials, person.email, person.birthday) == (
            "张小丰", "zxf", "zhang@example.com", date(1990, 2, 3),
        )  # fmt: skip
        assert person.member.joined_at == at("2020-05-06")
        assert Member.objects.exclude(pk=person.pk).get().joined_at == at("2026-01-01")
        assert Identity.objects.get(member=person.member).value == "A1"
        assert balance_of(person.pk, NOON).available == 1200
        lot = Lot.objects.get()
        assert lot.origin == Lot.Origin.OPENING
        assert list(verify(at=NOON)) == []

    def test_writes_to_nobody_unless_that_is_wanted(self) -> None:
        loaded(csv_of([ZHANG]), at=NOON)
        loaded(csv_of([LI]), at=NOON, is_quiet=False)
        entries = TimelineEntry.objects.filter(kind="members.enrolled.v1").order_by("id")
        assert [entry.payload.get("quiet") for entry in entries] == [True, False]

    def test_leaves_members_we_know_as_they_are(self) -> None:
        member = known("13800138000", full_name="Zhang")
        loaded(csv_of([ZHANG, LI]), at=NOON)
        person = MemberPerson.objects.get(member=member)
        assert (person.full_name, person.birthday) == ("Zhang", None)
        assert balance_of(member.pk, NOON).available == 0
        assert MemberImportRow.objects.get(member=member).state == MemberImportRow.State.LEFT

    def test_lets_the_file_win_or_fill_in_only(self) -> None:
        first = known("13800138000", full_name="Zhang")
        second = known("13900139000", full_name="Li")
        loaded(csv_of([ZHANG]), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        loaded(
            csv_of([("A2", "李四", "13900139000", "li@example.com", "", "", "30")]),
            at=NOON,
            on_known=MemberImport.OnKnown.MERGE,
        )
        won, filled = MemberPerson.objects.get(member=first), MemberPerson.objects.get(member=second)
        assert (won.full_name, won.name_initials, won.email) == ("张小丰", "zxf", "zhang@example.com")
        assert (filled.full_name, filled.email) == ("Li", "li@example.com")
        assert (balance_of(first.pk, NOON).available, balance_of(second.pk, NOON).available) == (1200, 30)
        changed = TimelineEntry.objects.filter(member=first, kind="members.profile_changed.v1").get()
        assert changed.payload == {"fields": ["birthday", "email", "full_name"]}
        assert Identity.objects.get(member=second).value == "A2"

    def test_posts_a_balance_once_for_a_member_and_system(self) -> None:
        content = csv_of([ZHANG])
        loaded(content, at=NOON, on_known=MemberImport.OnKnown.MERGE)
        loaded(content, at=NOON, on_known=MemberImport.OnKnown.MERGE)
        person = MemberPerson.objects.get()
        assert balance_of(person.pk, NOON).available == 1200
        assert LedgerTransaction.objects.count() == 1

    def test_recognises_who_joined_since_the_check(self) -> None:
        made = checked(an_import(csv_of([ZHANG, LI]), at=NOON), at=NOON)
        job = approved(made, at=NOON)
        member = known("13800138000")
        assert work(job, NOON) == "done"
        assert MemberImportRow.objects.get(member=member).state == MemberImportRow.State.LEFT
        assert Member.objects.count() == 2

    def test_looks_again_when_somebody_joins_between_look_and_insert(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = checked(an_import(csv_of([ZHANG, LI]), at=NOON), at=NOON)
        job = approved(made, at=NOON)
        missed: list[int] = []
        look = loading.recognise

        def blind_once(*arguments: Any) -> Any:
            if not missed:
                missed.append(1)
                return 0, []
            return look(*arguments)

        member = known("13800138000")
        monkeypatch.setattr(loading, "recognise", blind_once)
        assert work(job, NOON) == "done"
        assert Member.objects.count() == 2
        assert MemberImportRow.objects.get(member=member).state == MemberImportRow.State.LEFT

    def test_refuses_a_row_whose_phone_or_address_somebody_else_has_by_now(self) -> None:
        member = known("13800138000", full_name="Zhang")
        made = checked(an_import(csv_of([ZHANG, LI]), at=NOON), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        job = approved(made, at=NOON)
        other = known("13700137000", email="Zhang@example.com")
        assert work(job, NOON) == "done"
        job.refresh_from_db()
        assert (job.ok, job.failed) == (1, 1)
        assert MemberPerson.objects.get(member=member).full_name == "Zhang"
        assert balance_of(member.pk, NOON).available == 0
        refused = JobErrorRow.objects.get(job=job)
        other.refresh_from_db()
        assert (refused.number, refused.reason_params) == (2, {"members": other.member_no})
        assert "belong to another member now" in refused.reason

    def test_refuses_what_is_taken_between_look_and_write_at_the_next_look(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = known("13800138000", full_name="Zhang")
        made = checked(an_import(csv_of([ZHANG, LI]), at=NOON), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        job = approved(made, at=NOON)
        known("13700137000", email="zhang@example.com")
        monkeypatch.setattr(loading, "recognise", lambda *arguments: (0, []))
        assert work(job, NOON) == "done"
        job.refresh_from_db()
        assert (job.ok, job.failed) == (1, 1)
        assert MemberImportRow.objects.get(number=2).state == MemberImportRow.State.BAD
        assert MemberPerson.objects.get(member=member).full_name == "Zhang"

    def test_means_the_survivor_where_the_known_was_merged_since_the_check(self) -> None:
        other, survivor = known("13800138000"), known("13900139000", full_name="Zhang")
        made = checked(an_import(csv_of([ZHANG]), at=NOON), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        job = approved(made, at=NOON)
        Member.objects.filter(pk=other.pk).update(merged_into=survivor, status=Member.Status.CLOSED)
        assert work(job, NOON) == "done"
        job.refresh_from_db()
        assert (job.ok, job.failed) == (1, 0)
        row = MemberImportRow.objects.get()
        assert (row.state, row.member) == (MemberImportRow.State.CHANGED, survivor)
        person = MemberPerson.objects.get(member=survivor)
        assert (person.full_name, person.phone) == ("张小丰", "+8613900139000")  # the other phone leads here already
        assert MemberPerson.objects.get(member=other).phone == "+8613800138000"

    def test_tells_the_timeline_of_a_number_that_it_links(self) -> None:
        member = known("13800138000")
        loaded(csv_of([("A1", "", "13800138000", "", "", "", "")]), at=NOON, on_known=MemberImport.OnKnown.MERGE)
        assert Identity.objects.get(member=member).value == "A1"
        told = TimelineEntry.objects.get(member=member, kind="members.identity_linked.v1")
        assert told.payload == {"identity_kind": "external", "issuer": "old-pos"}
        assert not TimelineEntry.objects.filter(member=member, kind="members.profile_changed.v1").exists()

    def test_fails_when_its_rows_are_gone_before_all_are_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loading, "_CHUNK", 1)
        made = checked(an_import(csv_of([ZHANG, LI]), at=NOON), at=NOON)
        job = approved(made, at=NOON)
        gone_at = NOON + timedelta(days=14)
        forget_imports(at=gone_at)
        assert work(job, gone_at) == "failed"
        job.refresh_from_db()
        assert job.message == "The file and its rows are no longer kept. Please read it again."
        assert not Member.objects.exists()

    def test_always_waits_for_a_second_person(self) -> None:
        maker = an_importer()
        made = checked(an_import(csv_of([ZHANG]), at=NOON, by=maker), at=NOON)
        outcome = propose_import(import_id=made.pk, reason="New", by=actor(maker), at=NOON)
        assert outcome.waiting
        with pytest.raises(MakerCanNotDecide):
            approve(proposal_id=outcome.proposal_id, by=actor(maker), at=NOON)
        assert not Member.objects.exists()
        assert approve(proposal_id=outcome.proposal_id, by=actor(an_import_approver()), at=NOON).carried_out
        job = MemberImport.objects.select_related("job").get().job
        assert job is not None
        assert (job.owner, job.total) == (maker, 1)

    def test_with_large_balances_waits_for_two(self) -> None:
        made = checked(an_import(csv_of([(*ZHANG[:6], "200001")]), at=NOON), at=NOON)
        outcome = propose_import(import_id=made.pk, reason="New", by=actor(an_importer()), at=NOON)
        assert outcome.approvals_missing == 2

    def test_is_not_proposed_before_it_can_be_carried_out(self) -> None:
        by = actor(an_importer())
        made = an_import(csv_of([("", "", "1", "", "", "", "")]), at=NOON)
        with pytest.raises(ImportIsNotChecked):
            propose_import(import_id=made.pk, reason="New", by=by, at=NOON)
        checked(made, at=NOON)
        with pytest.raises(ImportHasNothingToDo):
            propose_import(import_id=made.pk, reason="New", by=by, at=NOON)
        with pytest.raises(ImportFileGone):
            propose_import(import_id=made.pk, reason="New", by=by, at=NOON + timedelta(days=15))
        with pytest.raises(NotFound):
            propose_import(import_id=0, reason="New", by=by, at=NOON)
        assert not Proposal.objects.exists()

    def test_takes_few_statements_for_many_rows(self, django_assert_max_num_queries: Any) -> None:
        rows = [(f"A{n}", f"张{n}", f"1380013{n:04}", "", "", "", n) for n in range(1, 301)]
        made = checked(an_import(csv_of(rows), at=NOON), at=NOON)
        job = approved(made, at=NOON)
        with django_assert_max_num_queries(70):
            assert work(job, NOON) == "done"
        assert Member.objects.count() == 300


@pytest.mark.django_db
class TestTakingBack:
    def undone(self, done: MemberImport, *, days: int = 1) -> Job:
        assert done.job is not None
        moment = NOON + timedelta(days=days)
        job = undo_job(job_id=done.job.pk, by=actor(an_importer()), at=moment)
        assert work(job, moment) == "done"
        return Job.objects.get(pk=job.pk)

    def test_closes_members_it_made_and_frees_their_phones(self) -> None:
        done = loaded(csv_of([ZHANG, LI]), at=NOON)
        job = self.undone(done)
        assert (job.ok, job.failed) == (2, 0)
        assert set(Member.objects.values_list("status", flat=True)) == {Member.Status.CLOSED}
        assert not MemberPerson.objects.exists()
        assert not Identity.objects.exists()
        member = MemberImportRow.objects.get(number=2).member
        assert member is not None
        assert balance_of(member.pk, NOON + timedelta(days=1)).available == 0
        assert list(verify(at=NOON + timedelta(days=1))) == []
        again = loaded(csv_of([ZHANG]), at=NOON)
        assert again.rows_new == 1
        assert balance_of(MemberPerson.objects.get().pk, NOON).available == 1200

    def test_gives_members_it_changed_what_they_had(self) -> None:
        member = known("13800138000", full_name="Zhang")
        done = loaded(csv_of([ZHANG]), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        self.undone(done)
        person = MemberPerson.objects.get(member=member)
        assert (person.full_name, person.name_initials, person.birthday, person.email) == ("Zhang", "z", None, None)
        assert not Identity.objects.exists()
        assert balance_of(member.pk, NOON + timedelta(days=1)).available == 0

    def test_leaves_members_who_have_been_used_since_and_says_so(self) -> None:
        done = loaded(csv_of([ZHANG, LI]), at=NOON)
        person = MemberPerson.objects.get(phone="+8613800138000")
        change_profile(member_id=person.pk, change=ProfileChange(full_name="张三"), by=TILL, at=NOON)
        assert done.job is not None
        preview = undo_preview(job=done.job, at=NOON)
        assert preview.lines[-1] == "1 member has been used since, and stays."
        job = self.undone(done)
        assert (job.ok, job.failed) == (1, 1)
        person.refresh_from_db()
        assert person.full_name == "张三"
        assert person.member.status == Member.Status.ACTIVE
        assert balance_of(person.pk, NOON + timedelta(days=1)).available == 1200
        refused = JobErrorRow.objects.get(job=job)
        assert "stays" in refused.reason

    def test_takes_an_import_of_orders_with_the_same_number_for_use(self) -> None:
        done = loaded(csv_of([ZHANG, LI]), at=NOON)
        person = MemberPerson.objects.get(phone="+8613800138000")
        orders = Actor("import", done.pk)  # the numbers of the two kinds of imports are their own
        record([NewEntry("rewards.purchase_posted.v1", person.pk, NOON, orders)])
        assert done.job is not None
        assert undo_preview(job=done.job, at=NOON).lines[-1] == "1 member has been used since, and stays."
        job = self.undone(done)
        assert (job.ok, job.failed) == (1, 1)
        assert MemberPerson.objects.get().pk == person.pk

    def test_leaves_members_who_have_signed_in(self) -> None:
        done = loaded(csv_of([ZHANG, LI]), at=NOON)
        person = MemberPerson.objects.get(phone="+8613800138000")
        issue_member_token(member_id=person.pk, at=NOON)
        job = self.undone(done)
        assert (job.ok, job.failed) == (1, 1)
        assert MemberPerson.objects.get().pk == person.pk

    def test_takes_the_balance_of_a_member_back_whose_profile_it_did_not_change(self) -> None:
        member = known("13800138000")
        done = loaded(csv_of([("", "", "13800138000", "", "", "", "50")]), at=NOON, on_known=MemberImport.OnKnown.MERGE)
        assert balance_of(member.pk, NOON).available == 50
        job = self.undone(done)
        assert (job.ok, job.failed) == (1, 0)
        assert balance_of(member.pk, NOON + timedelta(days=1)).available == 0
        assert MemberPerson.objects.get(member=member).phone == "+8613800138000"

    def test_leaves_the_same_number_in_another_system(self) -> None:
        member = known("13800138000")
        Identity.objects.create(member=member, issuer="shop", value="A1", linked_at=NOON)
        done = loaded(csv_of([ZHANG]), at=NOON, on_known=MemberImport.OnKnown.MERGE)
        assert Identity.objects.count() == 2
        self.undone(done)
        assert Identity.objects.get().issuer == "shop"

    def test_leaves_a_member_whose_earlier_phone_somebody_else_has_by_now(self) -> None:
        first, second = known("13800138000"), known("13700137000", full_name="Li")
        Identity.objects.create(member=first, issuer="old-pos", value="A1", linked_at=NOON)
        rows = [("A1", "", "13600136000", "", "", "", ""), ("", "李四", "13700137000", "", "", "", "")]
        done = loaded(csv_of(rows), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        other = known("13800138000")
        job = self.undone(done)
        assert (job.ok, job.failed) == (1, 1)
        phones = dict(MemberPerson.objects.values_list("member", "phone"))
        assert (phones[first.pk], phones[other.pk]) == ("+8613600136000", "+8613800138000")
        assert MemberPerson.objects.get(member=second).full_name == "Li"
        refused = JobErrorRow.objects.get(job=job)
        assert (refused.number, "belongs to another member now" in refused.reason) == (2, True)

    def test_fails_when_its_rows_are_gone(self) -> None:
        done = loaded(csv_of([ZHANG]), at=NOON)
        assert done.job is not None
        job = undo_job(job_id=done.job.pk, by=actor(an_importer()), at=NOON + timedelta(days=6))
        gone_at = NOON + timedelta(days=7)
        forget_imports(at=gone_at)
        assert work(job, gone_at) == "failed"
        assert Member.objects.get().status == Member.Status.ACTIVE

    def test_leaves_what_was_changed_since(self) -> None:
        member = known("13800138000", full_name="Zhang")
        done = loaded(csv_of([ZHANG]), at=NOON, on_known=MemberImport.OnKnown.UPDATE)
        change_profile(member_id=member.pk, change=ProfileChange(full_name="张三"), by=TILL, at=NOON)
        job = self.undone(done)
        assert (job.ok, job.failed) == (0, 1)
        person = MemberPerson.objects.get(member=member)
        assert (person.full_name, person.birthday) == ("张三", date(1990, 2, 3))

    def test_is_possible_for_seven_days(self) -> None:
        done = loaded(csv_of([ZHANG]), at=NOON)
        assert done.job is not None
        with pytest.raises(JobCanNotBeUndone):
            undo_job(job_id=done.job.pk, by=actor(an_importer()), at=NOON + timedelta(days=7))
        assert MemberPerson.objects.count() == 1


@pytest.mark.django_db
class TestForgetting:
    def test_deletes_file_and_rows_seven_days_after_the_end(self) -> None:
        done = loaded(csv_of([ZHANG]), at=NOON)
        assert forget_imports(at=NOON + timedelta(days=6)) == 0
        assert forget_imports(at=NOON + timedelta(days=7)) == 1
        assert not MemberImportPart.objects.exists()
        assert not MemberImportRow.objects.exists()
        assert MemberImport.objects.get(pk=done.pk).rows_new == 1
        assert forget_imports(at=NOON + timedelta(days=7)) == 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM members_memberperson")
            assert cursor.fetchone()[0] == 1
