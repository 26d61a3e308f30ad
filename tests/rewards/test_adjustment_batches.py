"""Lists of adjustments: checked row by row, approved once, carried out by a job that a crash does not double, undone once."""

from datetime import timedelta
from io import BytesIO
from time import process_time
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.utils.translation import override
from openpyxl import Workbook, load_workbook

from members.jobs import JobRun, title_of, words_of
from members.models import Job, JobErrorRow, LimitUsage, Member, Operator, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.proposals import approve, refuse, sentence_of
from members.queries import programme
from members.refusals import Refusal
from members.services.jobs import run_job, undo_job, undo_preview
from rewards.models import Adjustment, AdjustmentBatch, AdjustmentBatchError, AdjustmentBatchRow, LedgerTransaction, Lot
from rewards.queries import balance_of
from rewards.services import adjustment_batches
from rewards.services.adjustment_batches import BatchHasNoRows, BatchIsProposed, propose_batch
from rewards.services.adjustment_files import (
    BatchColumnMissing,
    BatchFileEmpty,
    BatchFileTooLarge,
    BatchFileUnreadable,
    errors_sheet,
    forget_batch_errors,
    read_batch,
    report_of,
)
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.factories.portal import a_named_member
from tests.factories.work import Clock
from tests.rewards.by_hand import actor, books, findings, staff
from tests.rewards.test_corrections import spend

LATER = NOON + timedelta(hours=1)
HEADER = "member,points,reason,note"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)


def a_list(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines]).encode()


def read(content: bytes, maker: Operator | None = None, name: str = "list.csv") -> AdjustmentBatch:
    return read_batch(name=name, content=content, by=actor(maker or staff()), at=NOON)


def of(members: list[Member], points: int = 10, reason: str = "goodwill", note: str = "") -> AdjustmentBatch:
    return read(a_list(*[f"{member.member_no},{points},{reason},{note}" for member in members]))


def work(job: Job) -> str:
    return run_job(job_id=job.pk, worker="one", clock=Clock(LATER))


def carried_out(batch: AdjustmentBatch, maker: Operator | None = None) -> Job:
    outcome = propose_batch(batch_id=batch.pk, reason="spring", by=actor(maker or staff("service supervisor")), at=NOON)
    assert outcome.carried_out
    batch.refresh_from_db()
    assert batch.job is not None
    return batch.job


def available(member: Member) -> int:
    return balance_of(member.pk, LATER).available


class Killed(BaseException):
    """What ends a worker without letting it tidy up."""


@pytest.mark.django_db
class TestReadingAList:
    def test_finds_members_by_number_and_phone_and_changes_nothing(self) -> None:
        one, other = a_member(), a_named_member(phone="13900001234")
        before = books()
        batch = read(a_list(f"{one.member_no},100,goodwill,", "139 0000 1234,-30,misuse,shared card"))
        assert books() == before
        assert (batch.rows_total, batch.rows_good, batch.points_given, batch.points_taken) == (2, 2, 100, 30)
        rows = AdjustmentBatchRow.objects.order_by("number")
        assert [(row.number, row.member_id, row.points, row.reason_code.code) for row in rows] == [
            (2, one.pk, 100, "goodwill"),
            (3, other.pk, -30, "misuse"),
        ]

    def test_takes_workbooks_and_chinese_columns_and_labels(self) -> None:
        member = a_member()
        book = Workbook()
        book.active.append(["会员号", "积分", "原因", "备注"])
        book.active.append([member.member_no, 100, "客诉补偿", ""])
        stream = BytesIO()
        book.save(stream)
        assert read(stream.getvalue(), name="名单.xlsx").rows_good == 1

    def test_refuses_a_workbook_of_tags_that_are_never_closed_at_once(self) -> None:
        stream, hostile = BytesIO(), BytesIO()
        Workbook().save(stream)
        with ZipFile(stream) as whole, ZipFile(hostile, "w", ZIP_DEFLATED) as package:
            for name in whole.namelist():
                package.writestr(name, b"<c " * 66_000 if "sheet1" in name else whole.read(name))
        began = process_time()
        with pytest.raises(BatchFileUnreadable):
            read(hostile.getvalue(), name="list.xlsx")
        assert process_time() - began < 2
        assert not AdjustmentBatch.objects.exists()

    def test_says_of_each_bad_row_why(self) -> None:
        member, frozen, closed = a_member(), a_member(status="frozen"), a_member(status="closed")
        number = member.member_no
        batch = read(
            a_list(
                "99999999,5,goodwill,", f"{number},0,goodwill,", f"{number},1.5,goodwill,", f"{number},99999999,goodwill,",
                f"{number},5,nonsense,", f"{number},-5,goodwill,", f"{number},5,other,", f"{frozen.member_no},5,goodwill,",
                f"{closed.member_no},5,goodwill,", f"{number},5,goodwill,", f"{number},5,goodwill,again",
            )
        )  # fmt: skip
        assert (batch.rows_total, batch.rows_good, batch.rows_unknown, batch.rows_bad) == (11, 1, 1, 10)
        with override("en"):
            why = {
                error.number: words_of(error.reason, error.reason_params)
                for error in AdjustmentBatchError.objects.all()
            }
        assert why[2] == "No member is known by this."
        assert why[12] == "The member stands in row 11 already with the same points and reason."
        assert len(set(why.values())) == 8

    def test_gives_bad_rows_back_as_a_workbook_in_which_nothing_is_a_formula(self) -> None:
        batch = read(a_list("=1+1,5,goodwill,"))
        with override("en"):
            header, row = load_workbook(BytesIO(errors_sheet(batch))).active.iter_rows(values_only=True)
        assert header == ("Row", "member", "points", "reason", "note", "Why not")
        assert row[:3] == (2, "'=1+1", "5")

    def test_forgets_bad_rows_in_time(self) -> None:
        batch = read(a_list("13900001234,5,goodwill,"))
        assert forget_batch_errors(at=batch.errors_expire_at - timedelta(seconds=1)) == 0
        assert forget_batch_errors(at=batch.errors_expire_at) == 1
        assert not AdjustmentBatchError.objects.exists()

    def test_reports_total_mean_and_the_largest(self) -> None:
        members = [a_member() for _ in range(12)]
        batch = read(a_list(*[f"{member.member_no},{10 * (row + 1)},goodwill," for row, member in enumerate(members)]))
        report = report_of(batch)
        assert (batch.points_given, report.mean_points) == (780, 65)
        assert [row.points for row in report.largest] == [120, 110, 100, 90, 80, 70, 60, 50, 40, 30]

    @pytest.mark.parametrize(
        ("content", "name", "refusal"),
        [
            (b"member,points\n1,2", "a.csv", BatchColumnMissing),
            (b"member,points,reason\n", "a.csv", BatchFileEmpty),
            (b"PK\x03\x04broken", "a.xlsx", BatchFileUnreadable),
            (b"PK\x03\x04broken", "a.csv", BatchFileUnreadable),
            (b"x", "a.pdf", BatchFileUnreadable),
            (b"x" * (10 * 1_048_576 + 1), "a.csv", BatchFileTooLarge),
        ],
        ids=["column", "empty", "broken", "disguised", "kind", "size"],
    )
    def test_refuses_what_is_no_list(self, content: bytes, name: str, refusal: type[Refusal]) -> None:
        with pytest.raises(refusal):
            read(content, name=name)
        assert not AdjustmentBatch.objects.exists()


@pytest.mark.django_db
class TestCarryingOut:
    def test_within_the_limits_needs_one_person(self) -> None:
        members = [a_member() for _ in range(3)]
        job = carried_out(of(members))
        assert [available(member) for member in members] == [0, 0, 0]
        assert work(job) == "done"
        assert [available(member) for member in members] == [10, 10, 10]
        assert Adjustment.objects.count() == 3
        assert TimelineEntry.objects.filter(kind="rewards.points_adjusted.v1").count() == 3
        keys = LedgerTransaction.objects.order_by("pk").values_list("source", "natural_key")
        assert {source for source, _key in keys} == {"adjustment_batch"}
        assert findings(LATER) == []

    def test_counts_all_points_of_the_list_towards_the_limits(self) -> None:
        members, maker, checker = [a_member() for _ in range(3)], staff(), staff()
        batch = of(members, 200)
        outcome = propose_batch(batch_id=batch.pk, reason="spring", by=actor(maker), at=NOON)
        assert outcome.waiting
        assert not Job.objects.exists()
        approve(proposal_id=outcome.proposal_id, by=actor(checker), at=NOON)
        assert work(Job.objects.get()) == "done"
        assert sum(map(available, members)) == 600
        assert set(Adjustment.objects.values_list("maker_id", flat=True)) == {maker.pk}
        assert not LimitUsage.objects.exists()

    def test_is_proposed_once_unless_it_was_turned_down(self) -> None:
        batch = of([a_member()], 501)
        outcome = propose_batch(batch_id=batch.pk, reason="x", by=actor(staff()), at=NOON)
        before = books()
        with pytest.raises(BatchIsProposed):
            propose_batch(batch_id=batch.pk, reason="x", by=actor(staff()), at=NOON)
        assert books() == before
        refuse(proposal_id=outcome.proposal_id, by=actor(staff()), at=NOON, reason="no")
        assert propose_batch(batch_id=batch.pk, reason="x", by=actor(staff()), at=NOON).waiting

    def test_of_a_list_without_good_rows_is_refused(self) -> None:
        batch = read(a_list("99999999,5,goodwill,"))
        with pytest.raises(BatchHasNoRows):
            propose_batch(batch_id=batch.pk, reason="x", by=actor(staff()), at=NOON)

    def test_of_a_list_with_ones_own_account_is_refused(self) -> None:
        maker, member = staff(), a_member()
        OwnMembership.objects.create(operator=maker, member=member)
        batch = of([a_member(), member])
        with pytest.raises(OwnAccount):
            propose_batch(batch_id=batch.pk, reason="x", by=actor(maker), at=NOON)
        assert not Job.objects.exists()

    def test_tells_rows_that_can_not_be_posted_any_more_and_goes_on(self) -> None:
        members = [a_member() for _ in range(3)]
        for member in members[:2]:
            give_points(member, 20, moment=NOON)
        job = carried_out(of(members, -15, "misuse", "x"))
        Member.objects.filter(pk=members[0].pk).update(status="frozen")
        assert work(job) == "done"
        job.refresh_from_db()
        assert (job.ok, job.failed) == (1, 2)
        with override("en"):
            told = [words_of(row.reason, row.reason_params) for row in JobErrorRow.objects.order_by("number")]
        assert "is frozen" in told[0]
        assert "15 points are needed, 0 are available" in told[1]
        assert available(members[1]) == 5
        assert findings(LATER) == []

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_says_what_it_does_in_every_language(self, language: str) -> None:
        batch = of([a_member()], 44)
        job = carried_out(batch)
        with override(language):
            assert "44" in title_of(job)
            # The file's own name may be a person's, and what was proposed is kept for ever.
            sentence = sentence_of(Proposal.objects.get())
            assert f"{batch.created_at.astimezone(programme().tz):%Y-%m-%d %H:%M}.csv" in sentence
            assert "list" not in sentence.replace("the list", "")


@pytest.mark.django_db(transaction=False)
class TestUndoing:
    def test_takes_back_what_is_left_and_says_what_is_not(self) -> None:
        members = [a_member() for _ in range(3)]
        job = carried_out(of(members, 100))
        work(job)
        job.refresh_from_db()
        spend(members[0], 70, at=LATER)
        with override("en"):
            preview = undo_preview(job=job, at=LATER)
        assert preview.total == 3
        assert preview.lines == (
            "230 of 300 points that were given can be taken back.",
            "1 member has used some of them; 70 points stay with the members.",
        )
        undo = undo_job(job_id=job.pk, by=actor(staff("service supervisor")), at=LATER)
        assert work(undo) == "done"
        assert [available(member) for member in members] == [0, 0, 0]
        assert LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.CORRECT).count() == 3
        assert findings(LATER) == []

    def test_gives_back_what_was_taken_to_its_lots(self) -> None:
        member = a_member()
        give_points(member, 100, moment=NOON, expires_at=NOON + timedelta(days=40))
        job = carried_out(of([member], -60, "misuse", "x"))
        work(job)
        job.refresh_from_db()
        work(undo_job(job_id=job.pk, by=actor(staff()), at=LATER))
        lot = Lot.objects.get()
        assert (lot.remaining, lot.expires_at) == (100, NOON + timedelta(days=40))
        assert findings(LATER) == []


class TestACrash:
    def test_loses_and_doubles_nothing(self, committed_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        members = [a_member() for _ in range(7)]
        job = carried_out(of(members))
        monkeypatch.setattr(adjustment_batches, "CHUNK", 2)
        real, calls = JobRun.advance, []

        def advance(run: JobRun, **counts: Any) -> None:
            real(run, **counts)
            calls.append(1)
            if len(calls) == 2:
                raise Killed  # in the middle of the second chunk, after its rows were posted

        monkeypatch.setattr(JobRun, "advance", advance)
        with pytest.raises(Killed):
            work(job)
        assert Adjustment.objects.count() == 2
        assert run_job(job_id=job.pk, worker="two", clock=Clock(LATER + timedelta(hours=1))) == "done"
        assert [available(member) for member in members] == [10] * 7
        assert Adjustment.objects.count() == 7
        job.refresh_from_db()
        assert (job.done, job.ok, job.failed) == (7, 7, 0)
        assert findings(LATER) == []
