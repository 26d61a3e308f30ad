"""What reviews lie ahead, and what a run of them found: for pages and for the runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from loyalty.models import TierFloor
from members.models import MemberFreeze
from members.queries import programme

AHEAD = timedelta(days=62)


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day, and about how many members something is due on it."""

    day: date
    members: int


def count_due(until: datetime) -> int:
    """Return about how many members something is due until a moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM loyalty_tierstanding WHERE valid_until <= %(at)s OR rise_at <= %(at)s", {"at": until}
        )
        return int(cursor.fetchone()[0])


def due_days(at: datetime, *, most: int = 12) -> list[DueDay]:
    """Return the next days on which reviews are due, within two months; what is overdue stands on its own day."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (due.moment AT TIME ZONE %(zone)s)::date AS day, count(*) FROM (
                SELECT valid_until AS moment FROM loyalty_tierstanding WHERE valid_until <= %(until)s
                UNION ALL
                SELECT rise_at FROM loyalty_tierstanding
                WHERE rise_at <= %(until)s AND rise_at IS DISTINCT FROM valid_until
            ) due
            GROUP BY day ORDER BY day LIMIT %(most)s
            """,
            {"zone": programme().tz.key, "until": at + AHEAD, "most": most},
        )
        return [DueDay(*row) for row in cursor.fetchall()]


def frozen_among(member_ids: Sequence[int], at: datetime) -> list[int]:
    """Return which of some members are frozen at a moment, ascending."""
    frozen = MemberFreeze.objects.filter(
        member__in=member_ids, frozen_at__lte=at, release_at__gt=at, released_at__isnull=True
    )
    return sorted(set(frozen.values_list("member_id", flat=True)))


def locked_among(member_ids: Sequence[int], at: datetime) -> list[int]:
    """Return which of some members hold a tier at a moment that staff set by hand, ascending."""
    floors = TierFloor.objects.filter(
        Q(valid_until=None) | Q(valid_until__gt=at), Q(ended_at=None) | Q(ended_at__gt=at), member__in=member_ids,
        valid_from__lte=at, source=TierFloor.Source.STAFF,
    )  # fmt: skip
    return sorted(set(floors.values_list("member_id", flat=True)))


def matrix(counts: list[list[Any]]) -> dict[tuple[str, str, str], int]:
    """Return how many went from a tier to another for which reason, all waves together."""
    total: dict[tuple[str, str, str], int] = {}
    for _wave, reason, before, after, number in counts:
        total[reason, before, after] = total.get((reason, before, after), 0) + number
    return total


def by_wave(counts: list[list[Any]]) -> dict[int, int]:
    """Return how many decisions each wave made."""
    total: dict[int, int] = {}
    for wave, _reason, _before, _after, number in counts:
        total[wave] = total.get(wave, 0) + number
    return total
