"""Work of the ground floor that beat starts. Each task is bounded, may be repeated, and is safe beside itself."""

import logging
from collections.abc import Callable

from celery import Task, shared_task
from django.db import Error as DatabaseTrouble
from django.db import connection
from django.utils import timezone

from members import decisions, proposals, timeline
from members.refusals import Refusal
from members.services import (
    behaviours,
    closing,
    duplicates,
    exports,
    guessing,
    idempotency,
    jobs,
    member_codes,
    member_sessions,
    privacy,
    rates,
    risk,
    segment_keeping,
    sign_in_tries,
    signed_calls,
    status,
    tags,
    webhook_sending,
)
from members.services.imports import files

_CHUNK = 5_000
_MOST_CHUNKS = 200
_MOST_ERASED = 50
_MOST_TRIED = 1_000
_COMPARED_CHUNKS = 20
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


@shared_task(name="members.forget_imports_and_exports")
def forget_imports_and_exports() -> int:
    """Delete the files and rows of imports, and the parts of exports, that are no longer kept; return of how many."""
    at = timezone.now()
    return files.forget_imports(at=at) + exports.forget_export_parts(at=at)


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
    """Erase the persons whose days to think it over are up; return how many. What is hindered waits for the next time.

    Each stands by itself: what goes wrong with one keeps no other waiting.
    """
    at = timezone.now()
    erased = 0
    for request_id in privacy.due_erasures(at=at, limit=_MOST_TRIED):
        if erased >= _MOST_ERASED:
            break
        try:
            privacy.erase_person(request_id=request_id, at=at)
            erased += 1
        except Refusal as refusal:
            logger.info("erasure %s waits: %s", request_id, refusal.code)
        except DatabaseTrouble as trouble:  # what it says may name the person
            logger.error("erasure %s failed: %s", request_id, type(trouble).__name__)
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


@shared_task(name="members.follow_time")
def follow_time() -> int:
    """Let segments and tags follow the passing of time until nothing is due; return how many members were asked about."""
    at = timezone.now()
    for _chunk in range(_MOST_CHUNKS):
        if tags.expire_tags(at=at) < _CHUNK:
            break
    asked = 0
    for _chunk in range(_MOST_CHUNKS):
        members = segment_keeping.follow_time(at=at)
        asked += members
        if members < segment_keeping.MEMBERS_AT_ONCE:
            break
    return asked


@shared_task(name="members.begin_comparing_segments")
def begin_comparing_segments() -> int:
    """Mark the segments that are compared with the truth tonight; return how many."""
    return segment_keeping.begin_comparing(at=timezone.now())


@shared_task(name="members.compare_segments")
def compare_segments() -> int:
    """Compare the next members of the segments that are being compared; return how many members that were."""
    compared = 0
    for _chunk in range(_COMPARED_CHUNKS):
        members = segment_keeping.go_on_comparing(at=timezone.now())
        compared += members
        if not members:
            break
    return compared


@shared_task(name="members.run_risk_rules")
def run_risk_rules() -> int:
    """Ask the risk rules about everybody; return how many reviews were opened."""
    return risk.run_rules(at=timezone.now())


@shared_task(name="members.forget_sign_in_tries")
def forget_sign_in_tries() -> int:
    """Delete counted tries to sign in that are a day old; return how many."""
    return sign_in_tries.forget_tries(at=timezone.now())


@shared_task(name="members.forget_shown_codes")
def forget_shown_codes() -> int:
    """Delete what members showed at tills a day ago, phones that are signed out, and old nonces; return how many."""
    at = timezone.now()
    return member_codes.forget_shown(at=at) + signed_calls.forget_signed_calls(at=at)


@shared_task(name="members.forget_sign_ins")
def forget_sign_ins() -> int:
    """Delete what is left of members' sign-ins, of calls that were counted and of wrong tries; return how many rows."""
    at = timezone.now()
    gone = 0
    for _chunk in range(_MOST_CHUNKS):
        more = (
            member_sessions.forget_sign_ins(at=at) + rates.forget_counters(at=at) + guessing.forget_wrong_tries(at=at)
        )
        gone += more
        if not more:
            break
    return gone


@shared_task(name="members.forget_behaviours")
def forget_behaviours() -> int:
    """Delete behaviours in passing that are kept no longer; return how many."""
    at = timezone.now()
    forgotten = 0
    for _chunk in range(_MOST_CHUNKS):
        deleted = behaviours.forget_expired(at=at, limit=_CHUNK)
        forgotten += deleted
        if deleted < _CHUNK:
            break
    return forgotten


@shared_task(name="members.send_due_webhooks")
def send_due_webhooks() -> int:
    """Send the events that are due to other systems; return how many tries were made."""
    return webhook_sending.send_due(clock=timezone.now)


@shared_task(name="members.forget_webhook_deliveries")
def forget_webhook_deliveries() -> int:
    """Delete deliveries to other systems that are kept no longer; return how many."""
    at = timezone.now()
    forgotten = 0
    for _chunk in range(_MOST_CHUNKS):
        deleted = webhook_sending.forget_deliveries(at=at)
        forgotten += deleted
        if deleted < _CHUNK:
            break
    return forgotten
