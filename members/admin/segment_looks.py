"""What pages of segments show: a look at a condition, the work under way, how many there were each day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from members.conditions import ConditionInvalid, Node, compile, parse, sentence
from members.figures import grouped
from members.models import ContactChannel, Job, Member, Segment
from members.segment_estimates import few_of, look
from members.segment_lint import lint
from members.segment_queries import trend
from members.services.segment_jobs import COUNT, FILL, LIST

#: The channels of which pages say how many are reached.
REACHED: Final = (ContactChannel.SMS, ContactChannel.WECHAT, ContactChannel.EMAIL, ContactChannel.APP)
TREND_COLOUR: Final = "#186a45"


def said(stored: object) -> str:
    """Return a stored condition as a sentence; one that can not be read any more says so."""
    try:
        return sentence(parse(stored))
    except ConditionInvalid:
        return _("The condition can not be read any more.")


def looked(node: Node, at: datetime) -> dict[str, Any]:
    """Return what a look at a condition shows."""
    found = look(node, at=at, channels=REACHED)
    sample = found.sample
    if not sample and found.matched.high:
        sample = tuple(few_of(compile(node, at=at)))
    return {
        "sentence": sentence(node),
        "found": found,
        "matched": found.matched.sentence(),
        "asked": grouped(found.matched.asked),
        "reach": [(ContactChannel(name).label, one.sentence()) for name, one in found.reach.items()],
        "sample": _shown(sample),
        "remarks": lint(node, found.matched),
    }


def _shown(ids: Sequence[int]) -> list[Member]:
    known = Member.objects.in_bulk(list(ids))
    return [known[pk] for pk in ids if pk in known]


def node_of(segment: Segment) -> Node:
    """Return the condition of a segment; one that can not be read any more asks nothing."""
    try:
        return parse(segment.condition)
    except ConditionInvalid:
        return parse(None)


def job_of(segment: Segment) -> Job | None:
    """Return the newest work on a segment that is not over, or that failed."""
    jobs = Job.objects.filter(kind__in=(FILL, COUNT, LIST), params__segment=segment.pk)
    return (
        jobs.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING, Job.State.FAILED, Job.State.CANCELLED))
        .order_by("-pk")
        .first()
    )


def chart(segment: Segment, at: datetime) -> dict[str, Any]:
    """Return how many were in a segment on each of the last days, for the chart."""
    days = trend(segment, at=segment.retired_at or at)
    line = {"label": _("members"), "colour": TREND_COLOUR, "values": [day.members for day in days]}
    return {"labels": [f"{day.day:%m-%d}" for day in days], "lines": [line], "prefix": "", "suffix": ""}
