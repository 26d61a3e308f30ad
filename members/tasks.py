"""Work of the ground floor that beat starts. Each task is bounded, may be repeated, and is safe beside itself."""

import logging
from collections.abc import Callable

from celery import Task, shared_task
from django.db import connection
from django.utils import timezone

from members import decisions, proposals, timeline
from members.refusals import Refusal
from members.services import closing, duplicates, idempotency, jobs, privacy, status

_CHUNK = 5_000
_MOST_CHUNKS = 200
_MOST_ERASED = 50
logger = logging.getLogger(__name__)


@shared_task(name="members.relay_timeline")
def relay_timeline() -> int:
    """Let every subscriber of the timeline read on; return how many entries were handled."""
    return timeline.relay(at=timezone.now())


@shared_task(name="members.ensure_timeline_partitions")
def ensure_timeline_partitions() -> int:
    """Make the partitions of the coming months, of the timeline and of decisions; return how many were made.

    Drops the months of decisions of which everything has expired.
    """
    at = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT members_ensure_timeline_partitions(%s)", [at])
        made = cursor.fetchone()[0]
    made += decisions.ensure_partitions(at=at)
    decisions.drop_expired(at=at)
    return made


@shared_task(name="members.forget_old_answers")
def forget_old_answers() -> int:
    """Delete kept answers that are older than repeats may be; return how many."""
    before = timezone.now() - idempotency.KEPT
    forgotten = 0
    for _chunk in range(_MOST_CHUNKS):
        deleted = idempotency.forget_answers(before=before, limit=_CHUNK)
        forgotten += deleted
        if deleted < _CHUNK:
            break
    return forgotten


@shared_task(name="members.run_job", bind=True)
def run_job(self: Task, *, job_id: int) -> str:
    """Work at a job that waits, or whose worker was lost; return its state afterwards ("" when somebody else has it)."""
    worker = self.request.hostname or "worker"
    return jobs.run_job(job_id=job_id, worker=worker, clock=timezone.now)


@shared_task(name="members.resume_jobs")
def resume_jobs() -> int:
    """Send jobs that wait, or whose worker was lost, to a worker; return how many."""
    return jobs.resume_jobs(at=timezone.now())


@shared_task(name="members.expire_proposals")
def expire_proposals() -> int:
    """End the proposals that nobody decided in time; return how many."""
    return proposals.expire_proposals(at=timezone.now())


@shared_task(name="members.forget_job_files")
def forget_job_files() -> int:
    """Delete the files of jobs that are no longer kept; return of how many jobs."""
    return jobs.forget_job_files(at=timezone.now())


@shared_task(name="members.find_duplicates")
def find_duplicates() -> int:
    """Look for members who look like one person; return how many pairs there are."""
    return duplicates.find_duplicates(at=timezone.now()).pairs


@shared_task(name="members.erase_due_persons")
def erase_due_persons() -> int:
    """Erase the persons whose days to think it over are up; return how many. What is hindered waits for the next time."""
    at = timezone.now()
    erased = 0
    for request_id in privacy.due_erasures(at=at, limit=_MOST_ERASED):
        try:
            privacy.erase_person(request_id=request_id, at=at)
            erased += 1
        except Refusal as refusal:
            logger.info("erasure %s waits: %s", request_id, refusal.code)
    return erased


@shared_task(name="members.release_freezes")
def release_freezes() -> int:
    """End the freezes whose time is up; return how many."""
    return _all_of(status.release_freezes)


@shared_task(name="members.close_due_memberships")
def close_due_memberships() -> int:
    """Close the memberships of members who asked to leave and did not take it back in time; return how many."""
    return _all_of(closing.close_due)


def _all_of(some: Callable[..., int]) -> int:
    """Repeat what does a bounded part of the work until nothing is left, or the run has done enough."""
    at = timezone.now()
    done = 0
    for _chunk in range(_MOST_CHUNKS):
        more = some(at=at)
        done += more
        if not more:
            break
    return done
