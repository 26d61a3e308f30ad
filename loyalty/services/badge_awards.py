"""Giving badges to members and taking them back: one row each, in a bounded number of statements, and told on the timeline.

A row follows from the newest one of the member and badge: whoever comes second at the same moment writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from typing import Any, Final

from django.db import connection

from loyalty.identity_events import BADGE_AWARDED, BADGE_TAKEN_BACK, BadgeTold
from loyalty.models import Badge, BadgeAward, StageTask
from members.actors import SYSTEM, Actor
from members.timeline import nudge, record_many

#: Figures by member.
Whys = Mapping[int, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Award:
    """What is said of badges that come or go at one moment: how, by whom, and why."""

    cause: BadgeAward.Cause
    at: datetime
    by: Actor = SYSTEM
    reason: str = ""
    task: StageTask | None = None
    is_quiet: bool = False


_NEWEST: Final = """
    FROM unnest(%(members)s::bigint[], %(whys)s::jsonb[]) AS asked (member_id, why)
    LEFT JOIN LATERAL (
        SELECT l.number, l.kind, l.cause, l.happened_at FROM loyalty_badgeaward l
        WHERE l.member_id = asked.member_id AND l.badge_id = %(badge)s ORDER BY l.number DESC LIMIT 1
    ) newest ON TRUE
"""
_WRITE: Final = """
    INSERT INTO loyalty_badgeaward
        (badge_id, member_id, number, kind, cause, why, task_id, reason, actor_kind, actor_id, happened_at)
    SELECT %(badge)s, asked.member_id, coalesce(newest.number, 0) + 1, %(kind)s, %(cause)s, asked.why, %(task)s, %(reason)s,
        %(actor_kind)s, %(actor)s, greatest(%(at)s::timestamptz, newest.happened_at)
"""
_AWARD: Final = f"""
    {_WRITE} {_NEWEST}
    JOIN members_member m ON m.id = asked.member_id AND m.merged_into_id IS NULL
    WHERE newest.kind IS DISTINCT FROM 'awarded'
    ON CONFLICT (member_id, badge_id, number) DO NOTHING RETURNING member_id
"""
_TAKE_BACK: Final = f"""
    {_WRITE} {_NEWEST} WHERE newest.kind = 'awarded' AND (newest.cause = %(only)s OR %(only)s = '')
    ON CONFLICT (member_id, badge_id, number) DO NOTHING RETURNING member_id
"""
# Of whom a merged member has the badge: they have it since then already.
_HAVE_IT_BY_A_MERGE: Final = """
    SELECT DISTINCT x.merged_into_id FROM members_member x
    JOIN LATERAL (
        SELECT l.kind FROM loyalty_badgeaward l
        WHERE l.member_id = x.id AND l.badge_id = %(badge)s ORDER BY l.number DESC LIMIT 1
    ) newest ON newest.kind = 'awarded'
    WHERE x.merged_into_id = ANY (%(members)s::bigint[])
"""


def award(badge: Badge, whys: Whys, said: Award) -> list[int]:
    """Give a badge to those of these members who do not have it, in the caller's transaction; return who got it."""
    got = _write(_AWARD, badge, BadgeAward.Kind.AWARDED, whys, said)
    if got:
        with connection.cursor() as cursor:
            cursor.execute(_HAVE_IT_BY_A_MERGE, {"badge": badge.pk, "members": got})
            have_it = {row[0] for row in cursor.fetchall()}
        _tell(BADGE_AWARDED, badge, [member for member in got if member not in have_it], said)
    return got


def take_back(badge: Badge, whys: Whys, said: Award, *, only: str = "") -> list[int]:
    """Take a badge back from those of these members who have it, in the caller's transaction; return from whom.

    With `only`: where it was given in this way.
    """
    gone = _write(_TAKE_BACK, badge, BadgeAward.Kind.TAKEN_BACK, whys, said, only=only)
    _tell(BADGE_TAKEN_BACK, badge, gone, said)
    return gone


def _write(sql: str, badge: Badge, kind: BadgeAward.Kind, whys: Whys, said: Award, *, only: str = "") -> list[int]:
    members = sorted(whys)
    if not members:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            {
                "badge": badge.pk, "members": members, "whys": [dumps(list(whys[member])) for member in members], "kind": kind,
                "cause": said.cause, "task": said.task.pk if said.task else None, "reason": said.reason,
                "actor_kind": said.by.kind, "actor": said.by.id, "at": said.at, "only": only,
            },
        )  # fmt: skip
        return [row[0] for row in cursor.fetchall()]


def _tell(kind: str, badge: Badge, members: Sequence[int], said: Award) -> None:
    task = said.task.code if said.task else ""
    record_many(
        BadgeTold(kind, member, badge.code, said.cause, said.at, task).entry(by=said.by, quiet=said.is_quiet)
        for member in members
    )
    nudge()
