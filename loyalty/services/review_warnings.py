"""Tell ahead whose tier a review would not keep, with the exact gap: once for each member, review and distance.

What is told is what the review would decide if nothing else came (`loyalty.services.deciding`), so that nobody is warned
who keeps the tier already. A run writes what is missing for the reviews it reaches; one that was missed is made up for.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from loyalty import events
from loyalty.assessment import Change, Standing
from loyalty.models import ReviewPolicy
from loyalty.periods import business_date, day_bounds, last_day_before
from loyalty.queries import ladder_book
from loyalty.services.deciding import decide_due
from members import timeline
from members.actors import Actor
from members.queries import programme
from members.timeline import NewEntry

_INSERT = """
    INSERT INTO loyalty_tierwarning
        (member_id, review_date, days, tier_id, to_tier_id, credits, needed_credits, figures, must, warned_at)
    SELECT w.*, %s FROM unnest(%s::bigint[], %s::date[], %s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::int[],
        %s::jsonb[], %s::int[]) AS w
    ON CONFLICT DO NOTHING RETURNING member_id
"""


@dataclass(frozen=True, slots=True)
class _Lead:
    """Reviews due within (after, until] are warned of as `days` ahead."""

    days: int
    after: datetime
    until: datetime


def warn_of_reviews(*, at: datetime, by: Actor, chunk: int = 1000, chunks: int = 100_000) -> int:
    """Write the warnings that are due at `at` and tell the timeline, `chunk` members to a transaction; return how many.

    With 30 and 7 days, reviews that are 30 to 8 days away are warned of with the lead of 30 days, and so on. Whoever keeps
    the tier as things stand is looked at again the next day. Safe beside itself. Raises NoLadder.
    """
    leads = list(_leads(at))
    warned = after = 0
    for _ in range(chunks if leads else 0):
        found, written = _warn(leads, after, chunk, at, by)
        warned += written
        if len(found) < chunk:
            break
        after = max(found)
    return warned


def _leads(at: datetime) -> Iterator[_Lead]:
    tz = programme().tz
    policy = ReviewPolicy.objects.first()
    after = at
    for days in sorted(set(policy.warn_days)) if policy else ():
        until = day_bounds(business_date(at, tz) + timedelta(days=days), tz)[1]
        yield _Lead(days, after, until)
        after = until


@transaction.atomic
def _warn(leads: Sequence[_Lead], after: int, limit: int, at: datetime, by: Actor) -> tuple[dict[int, Standing], int]:
    """Write the missing warnings of the next members; return the members looked at, and how many were warned."""
    due = _not_warned(leads, after, limit)
    if not due:
        return due, 0
    ahead = {member_id: replace(standing, rise_at=None) for member_id, standing in due.items()}
    told: dict[int, tuple[date, int, Change]] = {}
    tz = programme().tz
    reviewed = decide_due(ladder_book(), ahead, leads[-1].until, until_now=at)
    for member_id, change in reviewed.changes:
        ends_at = due[member_id].valid_until
        if member_id in told or change.reason == "kept" or ends_at is None:
            continue
        lead = next(lead for lead in leads if ends_at <= lead.until)
        told[member_id] = (last_day_before(ends_at, tz), lead.days, change)
    new = _write(told, at)
    timeline.record_many(_news(member_id, *told[member_id], at, by) for member_id in new)
    if new:
        timeline.nudge()
    return due, len(new)


def _not_warned(leads: Sequence[_Lead], after: int, limit: int) -> dict[int, Standing]:
    """Return the next active members whose review lies within the leads and who were not warned of it at that distance."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.member_id, s.tier_id, s.since_at, s.valid_until, s.rise_at FROM loyalty_tierstanding s
            JOIN unnest(%(days)s::int[], %(after_at)s::timestamptz[], %(until)s::timestamptz[]) AS lead (days, after, until)
                ON s.valid_until > lead.after AND s.valid_until <= lead.until
            JOIN members_member m ON m.id = s.member_id AND m.status <> 'closed'
            WHERE s.member_id > %(after)s AND NOT EXISTS (
                SELECT 1 FROM loyalty_tierwarning w WHERE w.member_id = s.member_id AND w.days = lead.days
                    AND w.review_date = ((s.valid_until - interval '1 microsecond') AT TIME ZONE %(zone)s)::date)
            ORDER BY s.member_id LIMIT %(limit)s
            """,
            {
                "days": [lead.days for lead in leads],
                "after_at": [lead.after for lead in leads],
                "until": [lead.until for lead in leads],
                "after": after,
                "zone": programme().tz.key,
                "limit": limit,
            },
        )
        return {row[0]: Standing(*row[1:]) for row in cursor.fetchall()}


def _write(told: dict[int, tuple[date, int, Change]], at: datetime) -> list[int]:
    """Write warnings; return the members who were not warned by somebody else meanwhile, ascending."""
    rows = [
        (
            member_id, day, days, change.from_tier_id, change.to_tier_id, change.credits, change.needed_credits,
            json.dumps(change.figures), change.must,
        )
        for member_id, (day, days, change) in sorted(told.items())
    ]  # fmt: skip
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [at, *([row[place] for row in rows] for place in range(9))])
        return sorted(row[0] for row in cursor.fetchall())


def _news(member_id: int, day: date, days: int, change: Change, at: datetime, by: Actor) -> NewEntry:
    return NewEntry(events.TIER_AT_RISK, member_id, at, by, at_risk_payload(day, days, change))


def at_risk_payload(day: date, days: int, change: Change) -> dict[str, Any]:
    """Return what is told of a tier at risk: its last day, how far ahead, the tiers, and what is missing."""
    payload: dict[str, Any] = {
        "review_date": day.isoformat(), "days": days, "from": change.from_code, "to": change.to_code, "outlook": change.reason,
        "credits": change.credits, "needed": change.needed_credits, "short": max(0, change.needed_credits - change.credits),
    }  # fmt: skip
    if change.figures:
        payload |= {"figures": [list(figure) for figure in change.figures], "must": change.must}
    return payload
