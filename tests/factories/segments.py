"""Segments that are filled, and the work that fills them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from members.actors import SYSTEM
from members.models import ConsentEntry, Job, Member, Segment, SegmentSpan
from members.services.consents import give_consent, publish_text
from members.services.jobs import run_job
from members.services.segments import make_segment, publish_segment

ACTIVE: Mapping[str, Any] = {"fact": "members.status", "op": "in", "value": ["active"]}


def run_waiting_jobs(moment: datetime, *, ends: str = "done") -> None:
    """Do the work that waits, to its end; that of a job that pauses by itself is "cancelled"."""
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        assert run_job(job_id=job.pk, worker="test", clock=lambda: moment) == ends, (job, job.message)


def a_live_segment(condition: Mapping[str, Any], *, at: datetime, name: str = "Some") -> Segment:
    """Return a live segment that is filled."""
    segment = make_segment(name=name, condition=condition, by=SYSTEM, at=at)
    publish_segment(segment_id=segment.pk, by=SYSTEM, at=at)
    run_waiting_jobs(at)
    segment.refresh_from_db()
    assert segment.state == Segment.State.READY
    return segment


def members_in(segment: Segment) -> set[int]:
    """Return the ids of the members who are in a segment now."""
    return set(SegmentSpan.objects.filter(segment=segment, left_at=None).values_list("member_id", flat=True))


def agrees_to_be_observed(member: Member, *, at: datetime) -> None:
    """Let a member agree that what they look at is recorded."""
    text = publish_text(purpose="behaviour", body={"en": f"We keep what you look at, {member.pk}."}, by=SYSTEM, at=at)
    give_consent(
        member_id=member.pk, purpose="behaviour", version=text.version, way=ConsentEntry.Way.SELF, by=SYSTEM, at=at
    )
