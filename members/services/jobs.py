"""Working at jobs: a worker takes one, does it, and ends it; staff stop it, let it go on, or have it taken back."""

import logging
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.jobs import (
    LEASE,
    JobHandedOver,
    JobLeaseLost,
    JobRun,
    JobStopped,
    UndoPreview,
    kind_of,
    lasting_reason,
    send_to_worker,
    start_undo,
    tell,
)
from members.models import FileTaken, Job, JobErrorRow, JobFile
from members.queries import programme
from members.refusals import MembersRefusal, Refusal
from members.services import refused_rows
from members.sheets import CONTENT_TYPE

logger = logging.getLogger(__name__)

#: How often in a row a worker may be lost at the same place before the job is given up.
MOST_STALLS: Final = 5
_MOST_RESUMED: Final = 50
REFUSED: Final = "refused"

_BROKEN = _("Something went wrong at this step, and nothing of the step was kept. It can be tried again from there.")
_STALLED = _("The worker was lost %(times)s times at the same place. Everything before it was kept.")
_UNKNOWN = _("This kind of work is no longer known.")


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file for somebody's disk."""

    name: str
    content_type: str
    content: bytes


class JobFileGone(MembersRefusal):
    """The files of the job are no longer kept."""

    code = "job_file_gone"
    text = _("This file was kept until %(until)s and can not be taken any more.")
    status = 410


class JobCanNotGoOn(JobFileGone):
    """What the work needs is no longer kept, so that it can not go on."""

    text = _("What this work needs to go on was kept until %(until)s. Please begin anew.")


class JobIsActive(MembersRefusal):
    """The rows that it refuses are told when it has ended."""

    code = "job_is_active"
    text = _("This work has not ended yet. Its refused rows can be taken then.")


class JobIsOver(MembersRefusal):
    """The job has ended, so that it can not be stopped."""

    code = "job_is_over"
    text = _("This job has ended already.")


class JobIsNotStopped(MembersRefusal):
    """Only a job that was stopped or failed can go on."""

    code = "job_is_not_stopped"
    text = _("This job was not stopped.")


class JobCanNotBeUndone(MembersRefusal):
    """The work of this job can not be taken back (any more)."""

    code = "job_can_not_be_undone"
    text = _("What this job did can not be taken back.")


class JobIsUndone(MembersRefusal):
    """A job takes this one back already."""

    code = "job_is_undone"
    text = _("This job is being taken back already, or was.")


def run_job(*, job_id: int, worker: str, clock: Callable[[], datetime]) -> str:
    """Take a job that waits (or whose worker was lost) and work at it until it ends or stops; return its state then.

    Returns "" when there is nothing to take: somebody else has it, or it has ended. What a kind raises ends the job as
    failed, with what was committed kept; when the database goes away, the lease ends and another worker goes on.
    """
    token = uuid4()
    job = _take(job_id, worker, token, clock())
    if job is None:
        return ""
    if job.cancel_asked_at is not None:
        return _end(job, token, Job.State.CANCELLED, at=clock())
    if job.stalls > MOST_STALLS:
        return _end(job, token, Job.State.FAILED, at=clock(), why=_STALLED, times=job.stalls)
    kind = kind_of(job)
    work = None if kind is None else kind.undo if job.undoes_id else kind.run
    if work is None:
        return _end(job, token, Job.State.FAILED, at=clock(), why=_UNKNOWN)
    run = JobRun(job, token, clock)
    with override(job.language):
        return _work(work, run, token, clock)


def _work(work: Callable[[JobRun], None], run: JobRun, token: UUID, clock: Callable[[], datetime]) -> str:
    job = run.job
    try:
        work(run)
    except JobLeaseLost:
        return ""
    except JobHandedOver:
        return _hand_over(job, token)
    except JobStopped:
        return _end(job, token, Job.State.CANCELLED, at=clock(), ran_ms=run.milliseconds())
    except Refusal as refusal:
        return _end(job, token, Job.State.FAILED, at=clock(), why=refusal, ran_ms=run.milliseconds())
    except (OperationalError, InterfaceError):
        logger.exception("job %s lost the database; its lease will end", job.pk)
        raise
    except Exception:
        logger.exception("job %s failed", job.pk)
        return _end(job, token, Job.State.FAILED, at=clock(), why=_BROKEN, ran_ms=run.milliseconds())
    return _end(job, token, Job.State.DONE, at=clock(), ran_ms=run.milliseconds())


def _take(job_id: int, worker: str, token: UUID, at: datetime) -> Job | None:
    """Give this worker the lease, where nobody holds it. A lease that ended without an end of the job counts as a stall."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_job SET state = 'running', worker = %(worker)s, lease_token = %(token)s,
                lease_until = %(until)s, started_at = coalesce(started_at, %(at)s),
                stalls = stalls + (state = 'running')::int
            WHERE id = %(job)s AND (state = 'queued' OR (state = 'running' AND lease_until <= %(at)s))
            """,
            {"worker": worker[:120], "token": token, "until": at + LEASE, "at": at, "job": job_id},
        )
        if cursor.rowcount == 0:
            return None
    return Job.objects.select_related("undoes").get(pk=job_id)


def _hand_over(job: Job, token: UUID) -> str:
    with transaction.atomic():
        given = Job.objects.filter(pk=job.pk, lease_token=token).update(
            state=Job.State.QUEUED, lease_token=None, lease_until=None
        )
        if given:
            send_to_worker(job.pk)
    return str(Job.State.QUEUED) if given else ""


_ENDS = {Job.State.DONE: "done", Job.State.FAILED: "failed", Job.State.CANCELLED: "stopped"}


def _end(
    job: Job,
    token: UUID,
    state: Job.State,
    *,
    at: datetime,
    why: Refusal | Promise | str = "",
    ran_ms: int = 0,
    **figures: int,
) -> str:
    words, params = lasting_reason(why)
    with transaction.atomic():
        ended = Job.objects.filter(pk=job.pk, lease_token=token).update(
            state=state,
            lease_token=None,
            lease_until=None,
            cancel_asked_at=None,
            finished_at=at,
            ran_ms=F("ran_ms") + ran_ms,
            files_expire_at=_files_until(job, at),
            message=words,
            message_params=params | figures,
        )
        if not ended:
            return ""
        job.refresh_from_db()
        tell(job, _ENDS[state], by=SYSTEM, at=at)
    return str(state)


def _files_until(job: Job, at: datetime) -> datetime:
    kind = kind_of(job)
    return job.files_expire_at if kind is None else max(job.files_expire_at, at + kind.files_kept)


def cancel_job(*, job_id: int, by: Actor, at: datetime) -> None:
    """Ask a job to stop: at once where it waits, else after the chunk that is being worked on. What was done stays.

    Raises `JobIsOver`, `NotFound`.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if not job.is_active:
            raise JobIsOver
        if job.state == Job.State.QUEUED:
            job.state, job.finished_at = Job.State.CANCELLED, at
        else:
            job.cancel_asked_at = job.cancel_asked_at or at
        job.save(update_fields=["state", "finished_at", "cancel_asked_at"])
        tell(job, "stop_asked", by=by, at=at)


def continue_job(*, job_id: int, by: Actor, at: datetime) -> None:
    """Let a job that was stopped or failed go on from where it stood, as long as its files are kept.

    Raises `JobIsNotStopped`, `JobIsUndone`, `JobCanNotGoOn`, `NotFound`.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if job.state not in (Job.State.CANCELLED, Job.State.FAILED):
            raise JobIsNotStopped
        if Job.objects.filter(undoes=job).exists():
            raise JobIsUndone
        if job.files_expire_at <= at:
            raise JobCanNotGoOn(until=_moment(job.files_expire_at))
        Job.objects.filter(pk=job.pk).update(
            state=Job.State.QUEUED, finished_at=None, cancel_asked_at=None, stalls=0, message="", message_params={}
        )
        tell(job, "continued", by=by, at=at)
        send_to_worker(job.pk)


def undo_preview(*, job: Job, at: datetime) -> UndoPreview:
    """Return what taking a job back would do. Raises `JobCanNotBeUndone`, `JobIsUndone`."""
    kind = kind_of(job)
    if kind is None or kind.can_undo is None or kind.undo is None or job.is_active or job.undoes_id or not job.done:
        raise JobCanNotBeUndone
    if Job.objects.filter(undoes=job).exists():
        raise JobIsUndone
    return kind.can_undo(job, at)


def undo_job(*, job_id: int, by: Actor, at: datetime) -> Job:
    """Queue the work that takes a whole job back, once; return it. Raises `JobCanNotBeUndone`, `JobIsUndone`, `NotFound`."""
    with transaction.atomic():
        job = _locked(job_id)  # so that it does not go on meanwhile
        preview = undo_preview(job=job, at=at)
        if not preview.is_possible:
            raise JobCanNotBeUndone
        try:
            with transaction.atomic():
                return start_undo(job=job, total=preview.total, by=by, at=at)
        except IntegrityError as error:
            raise JobIsUndone from error


def resume_jobs(*, at: datetime) -> int:
    """Send jobs that wait, and those whose worker was lost, to a worker again; return how many. Bounded; the rest next time."""
    waiting = Job.objects.filter(state=Job.State.QUEUED, created_at__lte=at)
    lost = Job.objects.filter(state=Job.State.RUNNING, lease_until__lte=at)
    ids = [job.pk for job in (waiting | lost).order_by("created_at").only("pk")[:_MOST_RESUMED]]
    for job_id in ids:
        send_to_worker(job_id)
    return len(ids)


def forget_job_files(*, at: datetime, limit: int = 200) -> int:
    """Delete the files and refused rows of up to `limit` ended jobs whose files have expired; return of how many jobs."""
    over = Job.objects.filter(files_expire_at__lte=at).exclude(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    holding = set(over.filter(files__isnull=False).values_list("pk", flat=True)[:limit])
    holding |= set(over.filter(error_rows__isnull=False).order_by().values_list("pk", flat=True).distinct()[:limit])
    with transaction.atomic():
        JobFile.objects.filter(job__in=holding).delete()
        JobErrorRow.objects.filter(job__in=holding).delete()
    return len(holding)


def take_file(*, job_id: int, role: str, by: Actor, at: datetime, ip_address: str | None = None) -> TakenFile:
    """Return a file of a job, after writing down who took it: `result`, or `refused`, the rows that were refused.

    Refused rows come as a sheet with the reason of each in the active language; it is made after the job is let go of.
    Raises `NotFound`, `JobIsActive` for refused rows that may still become more, and `JobFileGone` once the files are no
    longer kept, whether they are deleted yet or not.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if not job.is_active and job.files_expire_at <= at:
            raise JobFileGone(until=_moment(job.files_expire_at))
        kept = None if role == REFUSED else _kept_file(job, role)
        if kept is None:
            _refuse_without_rows(job)
        is_staff = by.kind == "operator"  # a member's own address would outlive the member here
        FileTaken.objects.create(
            job=job, role=role, operator_id=by.id if is_staff else None, ip_address=ip_address if is_staff else None, taken_at=at
        )  # fmt: skip
        tell(job, "file_taken", by=by, at=at)
    if kept is not None:
        return kept
    return TakenFile(
        gettext("refused-rows-%(job)s.xlsx") % {"job": job.pk}, CONTENT_TYPE, refused_rows.as_sheet(job.pk)
    )


def _moment(moment: datetime) -> str:
    return date_format(localtime(moment, programme().tz), "DATETIME_FORMAT")


def _refuse_without_rows(job: Job) -> None:
    """Raise `JobIsActive`, or `NotFound` where no row was refused."""
    if job.is_active:
        raise JobIsActive
    if not JobErrorRow.objects.filter(job=job).exists():
        raise NotFound


def _kept_file(job: Job, role: str) -> TakenFile:
    file = JobFile.objects.filter(job=job, role=role).first()
    if file is None:
        raise NotFound
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return TakenFile(file.name, content_type, bytes(file.content))


def _locked(job_id: int) -> Job:
    job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job
