"""Reading segments and tags: who is in, who was in and why, how many there were each day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from members.identifiers import NotFound
from members.models import MemberTag, Segment, SegmentSpan, SegmentVersion, Tag
from members.queries import programme

TREND_DAYS: Final = 30
_MOST_ON_PAGE: Final = 200
#: Up to so many members tags are counted for lists.
MOST_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many were in a segment at the end of a day (of today: now), and how many came and went on it."""

    day: date
    members: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class HeldTag:
    """A tag on a member: by whose hand and why, or by its rule."""

    tag: Tag
    since_at: datetime
    expires_at: datetime | None = None
    by_hand: MemberTag | None = None
    by_rule: SegmentSpan | None = None


def segments_in_use() -> QuerySet[Segment]:
    """Return the segments that can be used: filled, and no rules of tags."""
    return Segment.objects.filter(state=Segment.State.READY, is_of_tag=False).order_by("name", "id")


def segment_by_ref(public_id: UUID) -> Segment:
    """Return the segment in use with this public id. Raises `NotFound`."""
    segment = segments_in_use().filter(public_id=public_id).first()
    if segment is None:
        raise NotFound
    return segment


def stays(segment: Segment, *, on: datetime | None = None) -> QuerySet[SegmentSpan]:
    """Return the stays of those who are in a segment now, or were in it at a moment."""
    of_segment = SegmentSpan.objects.filter(segment=segment)
    if on is None:
        return of_segment.filter(left_at__isnull=True)
    return of_segment.filter(Q(left_at__isnull=True) | Q(left_at__gt=on), entered_at__lte=on)


def stays_of(member_id: int, *, limit: int = 50) -> list[SegmentSpan]:
    """Return a member's newest stays in segments that are not rules of tags, with their segments."""
    spans = SegmentSpan.objects.filter(member_id=member_id, segment__is_of_tag=False).select_related("segment")
    return list(spans.order_by("-pk")[:limit])


def conditions_of(spans: Sequence[SegmentSpan]) -> dict[tuple[int, int], object]:
    """Return the conditions by (segment, version) that stays were decided by, in one query."""
    wanted = {(span.segment_id, span.entered_number) for span in spans}
    wanted |= {(span.segment_id, span.left_number) for span in spans if span.left_number is not None}
    versions = SegmentVersion.objects.filter(
        segment__in={segment for segment, _number in wanted}, number__in={number for _segment, number in wanted}
    )
    found = {(version.segment_id, version.number): version.condition for version in versions}
    return {key: found[key] for key in wanted if key in found}


def trend(segment: Segment, *, at: datetime, days: int = TREND_DAYS) -> list[DayCount]:
    """Return how many were in a segment on each of the last days, oldest first; worked back from how many are in it now."""
    tz = programme().tz
    today = at.astimezone(tz).date()
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, time(), tz)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.day, sum(c.entered)::bigint, sum(c.went)::bigint FROM (
                SELECT (entered_at AT TIME ZONE %(zone)s)::date AS day, count(*) AS entered, 0 AS went
                FROM members_segmentspan WHERE segment_id = %(segment)s AND entered_at >= %(since)s GROUP BY 1
                UNION ALL
                SELECT (left_at AT TIME ZONE %(zone)s)::date, 0, count(*)
                FROM members_segmentspan WHERE segment_id = %(segment)s AND left_at >= %(since)s GROUP BY 1
            ) c GROUP BY c.day
            """,
            {"zone": tz.key, "segment": segment.pk, "since": since},
        )
        moved = {day: (entered, went) for day, entered, went in cursor.fetchall()}
    counted = []
    members = segment.members_count
    for back in range(days):
        day = today - timedelta(days=back)
        entered, went = moved.get(day, (0, 0))
        counted.append(DayCount(day, members, entered, went))
        members -= entered - went
    return counted[::-1]


def tags_of(member_id: int, *, at: datetime) -> list[HeldTag]:
    """Return the tags on a member at a moment, longest held first; at most 200."""
    by_hand = MemberTag.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at), member_id=member_id, ended_at__isnull=True
    ).select_related("tag")
    by_rule = SegmentSpan.objects.filter(
        member_id=member_id, left_at__isnull=True, segment__tag__is_on=True
    ).select_related("segment__tag")
    held = [HeldTag(one.tag, one.since_at, one.expires_at, by_hand=one) for one in by_hand[:_MOST_ON_PAGE]]
    held += [HeldTag(one.segment.tag, one.entered_at, by_rule=one) for one in by_rule[:_MOST_ON_PAGE]]
    return sorted(held, key=lambda one: one.since_at)


def tag_names(ids: Collection[int]) -> dict[int, str]:
    """Return the names of tags by id."""
    return {tag.pk: tag.name for tag in Tag.objects.filter(pk__in=ids)}


def held_counts(tag_ids: Sequence[int], *, at: datetime) -> dict[int, int]:
    """Return on how many members each of some tags is by hand; each is counted to one more than 10,000."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id, h.number FROM unnest(%s::bigint[]) AS t (id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS number FROM (
                    SELECT 1 FROM members_membertag h
                    WHERE h.tag_id = t.id AND h.ended_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > %s) LIMIT %s
                ) few
            ) h
            """,
            [list(tag_ids), at, MOST_COUNTED + 1],
        )
        return dict(cursor.fetchall())
