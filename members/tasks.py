"""Work of the ground floor that beat starts. Each task is bounded, may be repeated, and is safe beside itself."""

from celery import Task, shared_task
from django.db import connection
from django.utils import timezone

from members import decisions, proposals, timeline
from members.services import idempotency, jobs

_CHUNK = 5_000
_MOST_CHUNKS = 200


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
