"""Reading badges: which a member has, since when and why, whose title is worn, how many have each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from loyalty.models import Badge, BadgeAward, MemberTitle
from members.queries import family_ids

#: Up to so many members are counted for lists.
MOST_COUNTED: Final = 10_000
_MOST_READ: Final = 1_000


@dataclass(frozen=True, slots=True)
class HeldBadge:
    """A badge that a member has: since when, and the row that says why. Of a merged family the earliest counts."""

    badge: Badge
    since_at: datetime
    award: BadgeAward


def held_badges(member_id: int) -> list[HeldBadge]:
    """Return the badges in use that a member, or who was merged into them, has; longest held first: two queries."""
    rows = BadgeAward.objects.filter(member__in=family_ids(member_id)).select_related("badge", "task")
    newest: dict[tuple[int, int], BadgeAward] = {}
    for row in rows.order_by("member_id", "badge_id", "-number")[:_MOST_READ]:
        newest.setdefault((row.member_id, row.badge_id), row)
    held: dict[int, HeldBadge] = {}
    for row in sorted(newest.values(), key=lambda one: (one.happened_at, one.pk)):
        if row.kind == BadgeAward.Kind.AWARDED and row.badge.is_on:
            held.setdefault(row.badge_id, HeldBadge(row.badge, row.happened_at, row))
    return list(held.values())


def title_of(member_id: int, held: Sequence[HeldBadge]) -> Badge | None:
    """Return the badge whose title a member wears, out of those they have: the chosen one, else the newest; one query."""
    titled = [one for one in held if one.badge.title]
    if not titled:
        return None
    chosen = MemberTitle.objects.filter(member=member_id).first()
    if chosen is not None and chosen.badge_id is None:
        return None
    wanted = next((one for one in titled if chosen is not None and one.badge.pk == chosen.badge_id), titled[-1])
    return wanted.badge


def open_badges(at: datetime) -> list[Badge]:
    """Return the badges in use that can be earned at a moment."""
    badges = Badge.objects.filter(is_on=True).order_by("pk")
    return [
        badge
        for badge in badges
        if (badge.valid_from is None or badge.valid_from <= at)
        and (badge.valid_until is None or at < badge.valid_until)
    ]


def holder_counts(badge_ids: Sequence[int]) -> dict[int, int]:
    """Return how many members have each of some badges; each is counted to one more than 10,000."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.id, h.number FROM unnest(%s::bigint[]) AS b (id)
            CROSS JOIN LATERAL (
                SELECT count(*) AS number FROM (
                    SELECT 1 FROM loyalty_badgeaward a
                    WHERE a.badge_id = b.id AND a.kind = 'awarded' AND NOT EXISTS (
                        SELECT 1 FROM loyalty_badgeaward l
                        WHERE l.member_id = a.member_id AND l.badge_id = a.badge_id AND l.number > a.number
                    ) LIMIT %s
                ) few
            ) h
            """,
            [list(badge_ids), MOST_COUNTED + 1],
        )
        return dict(cursor.fetchall())
