"""What becomes of a whole member's tags and places on lists: at a merge, when it is taken back, and at an erasure.

Live segments need nothing of this: they hear of the merge and ask anew.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from members.actors import Actor
from members.lifecycle import Merge, Part, register_part


def register() -> None:
    """Register the part. Called once, from `AppConfig.ready()`."""
    register_part(Part("members.segments", merge=_merge, unmerge=_unmerge, erase=_erase))


def _merge(merge: Merge) -> dict[str, Any]:
    """Hang the tags of the one who goes on the one who stays, and put them in their place on fixed lists."""
    with connection.cursor() as cursor:
        ended = _rows(
            cursor,
            """UPDATE members_membertag SET ended_at = greatest(%s, since_at), "end" = 'taken_off'
            WHERE member_id = %s AND ended_at IS NULL RETURNING id""",
            [merge.at, merge.merged_id],
        )
        put = _rows(
            cursor,
            """INSERT INTO members_membertag (tag_id, member_id, since_at, expires_at, reason, actor_kind, actor_id)
            SELECT tag_id, %s, %s, expires_at, reason, actor_kind, actor_id FROM members_membertag
            WHERE id = ANY (%s::bigint[]) AND (expires_at IS NULL OR expires_at > %s)
            ON CONFLICT (member_id, tag_id) WHERE ended_at IS NULL DO NOTHING RETURNING id""",
            [merge.kept_id, merge.at, ended, merge.at],
        )
        left = _rows(
            cursor,
            """UPDATE members_segmentspan s SET left_at = greatest(%s, s.entered_at), left_cause = 'merged'
            FROM members_segment g
            WHERE g.id = s.segment_id AND g.kind = 'static' AND s.member_id = %s AND s.left_at IS NULL RETURNING s.id""",
            [merge.at, merge.merged_id],
        )
        entered = _rows(
            cursor,
            """INSERT INTO members_segmentspan
                (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
            SELECT segment_id, %s, %s, 'merged', entered_number, entered_tests FROM members_segmentspan
            WHERE id = ANY (%s::bigint[])
            ON CONFLICT (member_id, segment_id) WHERE left_at IS NULL DO NOTHING RETURNING id""",
            [merge.kept_id, merge.at, left],
        )
        _count(cursor, left, -1)
        _count(cursor, entered, 1)
    return {"ended": ended, "put": put, "left": left, "entered": entered}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    """Give back what was taken over. A tag or place that either got since stays."""
    with connection.cursor() as cursor:
        _rows(
            cursor,
            """UPDATE members_membertag SET ended_at = greatest(%s, since_at), "end" = 'taken_off'
            WHERE id = ANY (%s::bigint[]) AND ended_at IS NULL RETURNING id""",
            [merge.at, memo["put"]],
        )
        _rows(
            cursor,
            """UPDATE members_membertag t SET ended_at = NULL, "end" = ''
            WHERE t.id = ANY (%s::bigint[]) AND (t.expires_at IS NULL OR t.expires_at > %s) AND NOT EXISTS (
                SELECT 1 FROM members_membertag o
                WHERE o.member_id = t.member_id AND o.tag_id = t.tag_id AND o.ended_at IS NULL) RETURNING id""",
            [memo["ended"], merge.at],
        )
        left = _rows(
            cursor,
            """UPDATE members_segmentspan SET left_at = greatest(%s, entered_at), left_cause = 'unmerged'
            WHERE id = ANY (%s::bigint[]) AND left_at IS NULL RETURNING id""",
            [merge.at, memo["entered"]],
        )
        back = _rows(
            cursor,
            """UPDATE members_segmentspan s SET left_at = NULL, left_cause = ''
            WHERE s.id = ANY (%s::bigint[]) AND NOT EXISTS (
                SELECT 1 FROM members_segmentspan o
                WHERE o.member_id = s.member_id AND o.segment_id = s.segment_id AND o.left_at IS NULL) RETURNING id""",
            [memo["left"]],
        )
        _count(cursor, left, -1)
        _count(cursor, back, 1)


def _erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Delete in which segments somebody was: what they did and when they were born can be read from it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM members_segmentclock WHERE id = 1 FOR UPDATE")  # nobody puts them back meanwhile
        open_ids = _rows(
            cursor, "SELECT id FROM members_segmentspan WHERE member_id = %s AND left_at IS NULL", [member_id]
        )
        _count(cursor, open_ids, -1)
        cursor.execute("DELETE FROM members_segmentspan WHERE member_id = %s", [member_id])
        erased = cursor.rowcount
        cursor.execute("DELETE FROM members_segmentdue WHERE member_id = %s", [member_id])
    return {"segmentspan": erased}


def _rows(cursor: Any, sql: str, params: Sequence[Any]) -> list[int]:
    cursor.execute(sql, params)
    return [row[0] for row in cursor.fetchall()]


def _count(cursor: Any, span_ids: Sequence[int], sign: int) -> None:
    """Add or take these stays from the counts of their segments, in the order in which all others lock them."""
    cursor.execute(
        """
        WITH by_segment AS (
            SELECT g.id, (
                SELECT count(*) FROM members_segmentspan s WHERE s.segment_id = g.id AND s.id = ANY (%s::bigint[])
            ) AS number
            FROM members_segment g
            WHERE g.id IN (SELECT s.segment_id FROM members_segmentspan s WHERE s.id = ANY (%s::bigint[]))
            ORDER BY g.id FOR NO KEY UPDATE OF g
        )
        UPDATE members_segment g SET members_count = g.members_count + %s * b.number FROM by_segment b WHERE b.id = g.id
        """,
        [list(span_ids), list(span_ids), sign],
    )
