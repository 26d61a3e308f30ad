"""Work of the ground floor that beat starts. Each task is bounded, may be repeated, and is safe beside itself."""

from celery import shared_task
from django.db import connection
from django.utils import timezone

from members import timeline
from members.services import idempotency

_CHUNK = 5_000
_MOST_CHUNKS = 200


@shared_task(name="members.relay_timeline")
def relay_timeline() -> int:
    """Let every subscriber of the timeline read on; return how many entries were handled."""
    return timeline.relay(at=timezone.now())


@shared_task(name="members.ensure_timeline_partitions")
def ensure_timeline_partitions() -> int:
    """Make the timeline's partitions of this month and the two after it; return how many were made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT members_ensure_timeline_partitions(%s)", [timezone.now()])
        return cursor.fetchone()[0]


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
