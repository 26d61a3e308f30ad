"""What time does to plans: they end, their ends are told ahead, orders that nobody paid lapse. In sets, bounded, safe twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from loyalty import events
from members import timeline
from members.actors import SYSTEM
from members.timeline import NewEntry

#: How many days before its end a plan is told of, once each.
REMIND_DAYS: Final = (30, 7, 1)

_END = """
    WITH due AS (
        SELECT id FROM loyalty_planmembership WHERE state IN ('trial', 'active') AND valid_until <= %(at)s
        ORDER BY valid_until LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE loyalty_planmembership m SET state = 'ended', ended_at = m.valid_until FROM due, loyalty_plan p
    WHERE m.id = due.id AND p.id = m.plan_id
    RETURNING m.member_id, p.code, m.valid_until, m.months_given = 0"""
# Of the reminders whose time has come the nearest one; none in the first half of a period, which a short one would begin with.
_REMIND = """
    WITH due AS (
        SELECT p.id, m.member_id, l.code, m.valid_until, m.state, m.renews_intended, d.days
        FROM loyalty_planmembership m
        JOIN loyalty_planperiod p ON p.membership_id = m.id AND p.valid_until = m.valid_until
        JOIN loyalty_plan l ON l.id = m.plan_id
        CROSS JOIN LATERAL (
            SELECT min(r.days) AS days FROM unnest(%(days)s::int[]) AS r (days)
            WHERE p.valid_until - make_interval(days => r.days) <= %(at)s
                AND p.valid_until - make_interval(days => 2 * r.days) >= p.valid_from
        ) d
        WHERE m.state IN ('trial', 'active') AND m.valid_until > %(at)s
            AND m.valid_until <= %(at)s + make_interval(days => %(most)s)
            AND d.days IS NOT NULL AND (p.reminded_days IS NULL OR p.reminded_days > d.days)
        ORDER BY m.valid_until, m.id LIMIT %(limit)s FOR NO KEY UPDATE OF p SKIP LOCKED
    )
    UPDATE loyalty_planperiod p SET reminded_days = due.days FROM due WHERE p.id = due.id
    RETURNING due.member_id, due.code, due.valid_until, due.days, due.state = 'trial', due.renews_intended"""
_LAPSE = """
    WITH due AS (
        SELECT id FROM loyalty_planorder WHERE state = 'pending' AND expires_at <= %(at)s
        ORDER BY expires_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE loyalty_planorder o SET state = 'lapsed' FROM due WHERE o.id = due.id RETURNING o.id"""


def end_due_plans(*, at: datetime, limit: int = 1000) -> int:
    """End plans whose time is over, `limit` at most, each at its own moment; return how many."""
    with transaction.atomic():
        ended = _rows(_END, {"at": at, "limit": limit})
        timeline.record_many([
            NewEntry(events.PLAN_ENDED, member_id, until, SYSTEM, {"plan": code, "was_trial": was_trial})
            for member_id, code, until, was_trial in ended
        ])  # fmt: skip
    return len(ended)


def remind_of_ends(*, at: datetime, limit: int = 1000) -> int:
    """Tell ahead that plans end: 30, 7 and 1 days before, once each; return of how many."""
    with transaction.atomic():
        params = {"at": at, "limit": limit, "days": list(REMIND_DAYS), "most": max(REMIND_DAYS)}
        reminded = _rows(_REMIND, params)
        timeline.record_many([
            NewEntry(
                events.PLAN_ENDS_SOON, member_id, at, SYSTEM,
                {"plan": code, "until": until.isoformat(), "days": days, "is_trial": is_trial, "renews": renews},
            )
            for member_id, code, until, days, is_trial, renews in reminded
        ])  # fmt: skip
    return len(reminded)


def lapse_orders(*, at: datetime, limit: int = 1000) -> int:
    """Let orders lapse that nobody paid in time; return how many."""
    with transaction.atomic():
        return len(_rows(_LAPSE, {"at": at, "limit": limit}))


def _rows(sql: str, params: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
