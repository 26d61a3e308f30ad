"""Long work: in chunks that are kept whole, resumed by whoever comes next, stopped at safe points, taken back once."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import translation
from django.utils.translation import override

from members import jobs
from members.actors import SYSTEM
from members.identifiers import NotFound
from members.jobs import LEASE, FileTooLarge, InputFile, JobRun, start_job, title_of, words_of
from members.models import FileTaken, Job, JobErrorRow, JobFile, TimelineEntry
from members.models.work import MOST_FILE_BYTES
from members.services import refused_rows
from members.services.jobs import (
    MOST_STALLS,
    JobCanNotBeUndone,
    JobFileGone,
    JobIsActive,
    JobIsNotStopped,
    JobIsOver,
    JobIsUndone,
    cancel_job,
    continue_job,
    forget_job_files,
    resume_jobs,
    run_job,
    take_file,
    undo_job,
    undo_preview,
)
from members.tasks import run_job as run_job_task
from tests.factories.portal import an_operator
from tests.factories.times import at
from tests.factories.work import BRANDS, Clock, NotToday, a_job, a_job_kind, actor, brands_of

NOON = at("2026-03-15 12:00")
LATER = NOON + LEASE + timedelta(seconds=1)


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_kinds", {})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were sent to a worker."""
    sent: list[int] = []
    monkeypatch.setattr(
        "members.jobs.current_app.send_task", lambda name, kwargs, **options: sent.append(kwargs["job_id"])
    )
    return sent


def work(job: Job, clock: Clock | None = None, worker: str = "one") -> str:
    return run_job(job_id=job.pk, worker=worker, clock=clock or Clock(NOON))


def milestones(job: Job) -> list[str]:
    entries = TimelineEntry.objects.filter(subject=f"job:{job.pk}").order_by("id")
    return [entry.kind.removeprefix("members.job_").removesuffix(".v1") for entry in entries]


class Killed(BaseException):
    """What ends a worker without letting it tidy up."""


@pytest.mark.django_db
class TestAJob:
    def test_is_queued_with_what_it_is_and_sent_after_the_commit(
        self, sent: list[int], django_capture_on_commit_callbacks: Any
    ) -> None:
        a_job_kind()
        owner = an_operator()
        with django_capture_on_commit_callbacks(execute=True):
            job = a_job(5, at=NOON, by=actor(owner))
            assert sent == []
        assert sent == [job.pk]
        assert (job.state, job.owner, job.total, job.done) == (Job.State.QUEUED, owner, 5, 0)
        assert title_of(job) == "Make 5 brands"
        assert milestones(job) == ["started"]

    def test_of_an_unknown_kind_is_not_started(self) -> None:
        with pytest.raises(KeyError):
            a_job(5, at=NOON)
        assert not Job.objects.exists()

    def test_is_done_row_by_row_with_its_counts(self) -> None:
        a_job_kind()
        job = a_job(5, at=NOON, bad=[2])
        assert work(job) == "done"
        job.refresh_from_db()
        assert (job.state, job.done, job.ok, job.failed) == (Job.State.DONE, 5, 4, 1)
        assert (job.started_at, job.finished_at, job.lease_token) == (NOON, NOON, None)
        assert brands_of(job) == [1, 3, 4, 5]
        assert milestones(job) == ["started", "done"]
        assert TimelineEntry.objects.get(kind="members.job_done.v1").payload == {
            "job": job.pk, "done": 5, "ok": 4, "failed": 1, "total": 5,
        }  # fmt: skip

    def test_that_is_done_is_not_done_again(self) -> None:
        a_job_kind()
        job = a_job(3, at=NOON)
        work(job)
        assert work(job) == ""
        assert brands_of(job) == [1, 2, 3]

    def test_is_found_by_the_task_of_the_worker(self) -> None:
        a_job_kind()
        job = a_job(1, at=NOON)
        assert run_job_task.apply(kwargs={"job_id": job.pk}).get() == "done"
        job.refresh_from_db()
        assert job.worker

    def test_keeps_refused_rows_with_a_reason_in_each_readers_language(self) -> None:
        a_job_kind()
        job = a_job(2, at=NOON, bad=[2])
        work(job)
        row = JobErrorRow.objects.get(job=job)
        assert (row.number, row.cells) == (2, [["No.", 2], ["Name", "=Row 2"]])
        assert words_of(row.reason, row.reason_params) == "Not today: closed."

    def test_keeps_reasons_untranslated_so_that_others_read_theirs(self) -> None:
        with override("zh-hans"):
            words, params = jobs.plain_reason(JobIsOver())
            assert words == "This job has ended already."
            assert words_of(words, params) == JobIsOver().sentence()

    def test_works_in_the_language_of_whoever_asked(self) -> None:
        seen = []

        def run(run: JobRun) -> None:
            seen.append(str(Job.State.DONE.label))

        a_job_kind(run=run)
        with override("en"):
            job = a_job(0, at=NOON)
        with override("zh-hans"):
            work(job)
        assert seen == ["done"]

    def test_takes_its_file_along_and_leaves_its_result(self) -> None:
        def run(run: JobRun) -> None:
            with run.chunk() as moment:
                run.set_total(1)
                run.save_result(name="out.csv", content=run.input().upper(), at=moment)
                run.advance(ok=1)

        a_job_kind(run=run)
        job = start_job(
            kind=BRANDS, title_params={}, params={}, total=0, by=SYSTEM, at=NOON, file=InputFile("in.csv", b"abc")
        )
        assert work(job) == "done"
        assert bytes(JobFile.objects.get(job=job, role=JobFile.Role.RESULT).content) == b"ABC"
        assert Job.objects.get(pk=job.pk).total == 1

    def test_takes_no_file_that_is_too_large(self) -> None:
        a_job_kind()
        huge = InputFile("huge.csv", bytes(MOST_FILE_BYTES + 1))
        with pytest.raises(FileTooLarge) as refusal:
            start_job(kind=BRANDS, title_params={}, params={}, total=0, by=SYSTEM, at=NOON, file=huge)
        assert refusal.value.sentence() == "The file has 33 MB; at most 32 MB can be taken."
        assert not Job.objects.exists()

    def test_counts_only_within_a_chunk(self) -> None:
        def run(run: JobRun) -> None:
            run.advance(ok=1)

        a_job_kind(run=run)
        job = a_job(1, at=NOON)
        assert work(job) == "failed"
        job.refresh_from_db()
        assert job.done == 0

    def test_can_not_count_rows_twice(self) -> None:
        a_job_kind()
        job = a_job(3, at=NOON)
        with pytest.raises(IntegrityError, match="job_counts_no_row_twice"), transaction.atomic():
            Job.objects.filter(pk=job.pk).update(done=1, ok=1, failed=1)


@pytest.mark.django_db
class TestAWorkerThatIsLost:
    def killed_at(self, row: int, **details: Any) -> Job:
        """A job of 7 rows whose worker was killed in the chunk that ends with a row, after its work."""
        kills = [row]

        def kill(run: JobRun, last: int) -> None:
            if kills and last >= kills[0]:
                kills.pop()
                raise Killed

        a_job_kind(after_chunk=kill, **details)
        job = a_job(7, at=NOON)
        with pytest.raises(Killed):
            work(job)
        return job

    def test_leaves_whole_chunks_only(self) -> None:
        job = self.killed_at(5)
        job.refresh_from_db()
        assert (job.state, job.done, job.cursor) == (Job.State.RUNNING, 4, {"row": 4})
        assert brands_of(job) == [1, 2, 3, 4]

    def test_is_not_followed_while_its_lease_lasts(self) -> None:
        job = self.killed_at(5)
        assert work(job, Clock(NOON + LEASE - timedelta(seconds=1)), "two") == ""
        assert resume_jobs(at=NOON) == 0

    def test_is_followed_by_another_who_goes_on_and_doubles_nothing(
        self, sent: list[int], django_capture_on_commit_callbacks: Any
    ) -> None:
        job = self.killed_at(5)
        with django_capture_on_commit_callbacks(execute=True):
            assert resume_jobs(at=LATER) == 1
        assert sent == [job.pk]
        assert work(job, Clock(LATER), "two") == "done"
        job.refresh_from_db()
        assert (job.done, job.ok, job.worker, job.started_at) == (7, 7, "two", NOON)
        assert brands_of(job) == [1, 2, 3, 4, 5, 6, 7]

    def test_again_and_again_at_the_same_place_ends_the_job(self) -> None:
        def kill(run: JobRun, last: int) -> None:
            raise Killed

        a_job_kind(after_chunk=kill)
        job = a_job(3, at=NOON)
        clock = Clock(NOON)
        for _time in range(MOST_STALLS + 1):
            with pytest.raises(Killed):
                work(job, clock)
            clock.moment += LEASE
        assert work(job, clock) == "failed"
        job.refresh_from_db()
        assert job.done == 0
        assert words_of(job.message, job.message_params) == (
            "The worker was lost 6 times at the same place. Everything before it was kept."
        )

    def test_by_the_database_leaves_the_job_to_the_next_one(self) -> None:
        gone = [True]

        def lose(run: JobRun, last: int) -> None:
            if gone and gone.pop():
                message = "server closed the connection"
                raise OperationalError(message)

        a_job_kind(after_chunk=lose)
        job = a_job(3, at=NOON)
        with pytest.raises(OperationalError):
            work(job)
        job.refresh_from_db()
        assert (job.state, job.done) == (Job.State.RUNNING, 0)
        assert work(job, Clock(LATER)) == "done"
        assert brands_of(job) == [1, 2, 3]


@pytest.mark.django_db
class TestAJobThatFails:
    def test_keeps_what_was_committed_and_says_so_without_code(self) -> None:
        def fail(run: JobRun, last: int) -> None:
            if last == 4:
                message = "secret of the machine"
                raise ValueError(message)

        a_job_kind(after_chunk=fail)
        job = a_job(5, at=NOON)
        assert work(job) == "failed"
        job.refresh_from_db()
        assert (job.state, job.done, job.finished_at) == (Job.State.FAILED, 2, NOON)
        assert brands_of(job) == [1, 2]
        assert "nothing of the step was kept" in words_of(job.message, job.message_params)
        assert milestones(job) == ["started", "failed"]

    def test_by_a_refusal_says_which(self) -> None:
        def run(run: JobRun) -> None:
            raise JobIsOver

        a_job_kind(run=run)
        job = a_job(5, at=NOON)
        assert work(job) == "failed"
        job.refresh_from_db()
        assert words_of(job.message, job.message_params) == "This job has ended already."

    def test_keeps_no_words_of_the_case_for_ever(self) -> None:
        def run(run: JobRun) -> None:
            raise NotToday(why="张三丰")

        a_job_kind(run=run)
        job = a_job(5, at=NOON)
        work(job)
        job.refresh_from_db()
        assert words_of(job.message, job.message_params) == "Not today: …."

    def test_goes_on_from_where_it_stood(self) -> None:
        failing = [4]

        def fail(run: JobRun, last: int) -> None:
            if failing and last == failing[0]:
                failing.pop()
                raise ValueError

        a_job_kind(after_chunk=fail)
        job = a_job(5, at=NOON)
        work(job)
        continue_job(job_id=job.pk, by=SYSTEM, at=LATER)
        job.refresh_from_db()
        assert (job.state, job.finished_at, job.message) == (Job.State.QUEUED, None, "")
        assert work(job, Clock(LATER)) == "done"
        assert brands_of(job) == [1, 2, 3, 4, 5]
        assert milestones(job) == ["started", "failed", "continued", "done"]

    def test_of_a_kind_that_is_gone_says_so(self) -> None:
        a_job_kind()
        job = a_job(5, at=NOON)
        jobs._kinds.clear()
        assert work(job) == "failed"
        job.refresh_from_db()
        assert words_of(job.message, job.message_params) == "This kind of work is no longer known."
        assert title_of(job) == "Work of a kind that is no longer known"


@pytest.mark.django_db
class TestStopping:
    def test_a_job_that_waits_ends_it_at_once(self) -> None:
        a_job_kind()
        job = a_job(5, at=NOON)
        cancel_job(job_id=job.pk, by=SYSTEM, at=NOON)
        job.refresh_from_db()
        assert (job.state, job.finished_at) == (Job.State.CANCELLED, NOON)
        assert work(job) == ""
        assert brands_of(job) == []

    def test_a_job_that_runs_lets_the_chunk_be_finished(self) -> None:
        def stop(run: JobRun, last: int) -> None:
            if last == 4:
                cancel_job(job_id=run.job.pk, by=SYSTEM, at=NOON)

        a_job_kind(after_chunk=stop)
        job = a_job(7, at=NOON)
        assert work(job) == "cancelled"
        job.refresh_from_db()
        assert (job.state, job.done) == (Job.State.CANCELLED, 4)
        assert brands_of(job) == [1, 2, 3, 4]
        assert milestones(job) == ["started", "stop_asked", "stopped"]

    def test_and_going_on_does_the_rest(self) -> None:
        stops = [2]

        def stop(run: JobRun, last: int) -> None:
            if stops and last == stops[0]:
                stops.pop()
                cancel_job(job_id=run.job.pk, by=SYSTEM, at=NOON)

        a_job_kind(after_chunk=stop)
        job = a_job(5, at=NOON)
        assert work(job) == "cancelled"
        continue_job(job_id=job.pk, by=SYSTEM, at=NOON)
        assert work(job) == "done"
        assert brands_of(job) == [1, 2, 3, 4, 5]

    def test_and_going_on_is_refused_once_its_files_are_gone(self) -> None:
        a_job_kind()
        job = a_job(3, at=NOON)
        cancel_job(job_id=job.pk, by=SYSTEM, at=NOON)
        gone_at = NOON + jobs.FILES_KEPT
        with pytest.raises(JobFileGone) as refusal:
            continue_job(job_id=job.pk, by=SYSTEM, at=gone_at)
        assert refusal.value.sentence().startswith("What this work needs to go on was kept until")
        job.refresh_from_db()
        assert job.state == Job.State.CANCELLED
        continue_job(job_id=job.pk, by=SYSTEM, at=gone_at - timedelta(seconds=1))
        assert work(job) == "done"

    def test_a_job_whose_worker_was_lost_ends_it_when_it_is_taken(self) -> None:
        a_job_kind(after_chunk=self.killer())
        job = a_job(5, at=NOON)
        with pytest.raises(Killed):
            work(job)
        cancel_job(job_id=job.pk, by=SYSTEM, at=NOON)
        assert work(job, Clock(LATER)) == "cancelled"
        assert brands_of(job) == []

    def test_a_job_that_is_over_is_refused(self) -> None:
        a_job_kind()
        job = a_job(1, at=NOON)
        work(job)
        with pytest.raises(JobIsOver):
            cancel_job(job_id=job.pk, by=SYSTEM, at=NOON)
        with pytest.raises(JobIsNotStopped):
            continue_job(job_id=job.pk, by=SYSTEM, at=NOON)
        job.refresh_from_db()
        assert job.state == Job.State.DONE
        assert milestones(job) == ["started", "done"]

    def test_nothing_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            cancel_job(job_id=1, by=SYSTEM, at=NOON)

    def killer(self) -> Any:
        def kill(run: JobRun, last: int) -> None:
            raise Killed

        return kill


@pytest.mark.django_db
class TestATurn:
    def test_that_is_over_hands_the_job_to_the_next_one(
        self, sent: list[int], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
    ) -> None:
        a_job_kind()
        job = a_job(5, at=NOON)
        monkeypatch.setattr(jobs, "SLICE_SECONDS", -1.0)
        with django_capture_on_commit_callbacks(execute=True):
            assert work(job) == "queued"
        assert sent == [job.pk]
        monkeypatch.setattr(jobs, "SLICE_SECONDS", 60.0)
        assert work(job) == "done"
        assert brands_of(job) == [1, 2, 3, 4, 5]


@pytest.mark.django_db
class TestTakingBack:
    def done_job(self, **details: Any) -> Job:
        a_job_kind(**details)
        job = a_job(5, at=NOON)
        work(job)
        job.refresh_from_db()
        return job

    def test_a_job_is_a_job_of_its_own(self) -> None:
        job = self.done_job()
        assert undo_preview(job=job, at=LATER).lines == ("Brands that sell stay.",)
        back = undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
        assert title_of(back) == "Take back: Make 5 brands"
        assert work(back) == "done"
        back.refresh_from_db()
        assert (back.undoes, back.done) == (job, 5)
        assert brands_of(job) == []

    def test_happens_once(self) -> None:
        job = self.done_job()
        undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
        with pytest.raises(JobIsUndone):
            undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
        assert Job.objects.count() == 2

    def test_is_refused_where_the_kind_can_not(self) -> None:
        job = self.done_job(undo=None)
        with pytest.raises(JobCanNotBeUndone):
            undo_job(job_id=job.pk, by=SYSTEM, at=LATER)

    def test_is_refused_while_the_job_is_running_and_for_what_takes_back(self) -> None:
        a_job_kind()
        waiting = a_job(5, at=NOON)
        with pytest.raises(JobCanNotBeUndone):
            undo_job(job_id=waiting.pk, by=SYSTEM, at=LATER)
        job = self.done_job()
        back = undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
        work(back)
        with pytest.raises(JobCanNotBeUndone):
            undo_job(job_id=back.pk, by=SYSTEM, at=LATER)

    def test_a_job_that_was_stopped_keeps_it_from_going_on(self) -> None:
        def stop(run: JobRun, last: int) -> None:
            cancel_job(job_id=run.job.pk, by=SYSTEM, at=NOON)

        a_job_kind(after_chunk=stop)
        job = a_job(5, at=NOON)
        work(job)
        undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
        with pytest.raises(JobIsUndone):
            continue_job(job_id=job.pk, by=SYSTEM, at=LATER)


@pytest.mark.django_db
class TestFilesOfJobs:
    def refused(self, job: Job) -> list[tuple[Any, ...]]:
        """The sheet of refused rows, without its header."""
        taken = take_file(job_id=job.pk, role="refused", by=actor(an_operator()), at=NOON)
        return list(openpyxl.load_workbook(BytesIO(taken.content)).active.values)[1:]

    def test_hold_the_first_refused_rows_and_say_how_many_there_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refused_rows, "_AT_ONCE", 2)
        a_job_kind()
        job = a_job(6, at=NOON, bad=[1, 3, 4, 6])
        work(job)
        assert [row[0] for row in self.refused(job)] == [1, 3, 4, 6]
        monkeypatch.setattr(refused_rows, "MOST_ROWS", 3)
        rows = self.refused(job)
        assert [row[0] for row in rows] == [1, 3, 4, "Only the first 3 of 4 refused rows stand here."]

    def test_end_earlier_where_rows_are_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refused_rows, "MOST_CHARACTERS", 20)  # "No.", "1", "Name" and "=Row 1" are 14
        a_job_kind()
        job = a_job(3, at=NOON, bad=[1, 2, 3])
        work(job)
        assert [row[0] for row in self.refused(job)] == [1, "Only the first 1 of 3 refused rows stand here."]

    def test_are_made_after_the_job_was_let_go_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_job_kind()
        job = a_job(1, at=NOON, bad=[1])
        work(job)
        outside = list(connection.savepoint_ids)
        found: list[tuple[bool, bool]] = []

        def as_sheet(job_id: int) -> bytes:
            found.append((connection.savepoint_ids == outside, FileTaken.objects.filter(job=job_id).exists()))
            return b"rows"

        monkeypatch.setattr(refused_rows, "as_sheet", as_sheet)
        assert take_file(job_id=job.pk, role="refused", by=SYSTEM, at=NOON).content == b"rows"
        assert found == [(True, True)]

    def test_are_not_made_while_there_may_be_more_to_refuse(self) -> None:
        taken: list[str] = []

        def take(run: JobRun, last: int) -> None:
            if last == 4:
                with pytest.raises(JobIsActive) as refusal:
                    take_file(job_id=run.job.pk, role="refused", by=SYSTEM, at=NOON)
                taken.append(refusal.value.sentence())

        a_job_kind(before_chunk=take)
        job = a_job(4, at=NOON, bad=[1])
        assert work(job) == "done"
        assert taken == ["This work has not ended yet. Its refused rows can be taken then."]
        assert not FileTaken.objects.exists()

    def test_are_forgotten_when_their_time_is_over(self) -> None:
        a_job_kind()
        file = InputFile("in.csv", b"names")
        job = start_job(kind=BRANDS, title_params={}, params={"bad": [1]}, total=2, by=SYSTEM, at=NOON, file=file)
        waiting = start_job(kind=BRANDS, title_params={}, params={}, total=2, by=SYSTEM, at=NOON, file=file)
        work(job)
        assert forget_job_files(at=NOON + jobs.FILES_KEPT - timedelta(seconds=1)) == 0
        assert forget_job_files(at=NOON + jobs.FILES_KEPT) == 1
        assert list(JobFile.objects.values_list("job", flat=True)) == [waiting.pk]
        assert not JobErrorRow.objects.exists()
        assert forget_job_files(at=NOON + jobs.FILES_KEPT) == 0
        job.refresh_from_db()
        assert job.failed == 1
