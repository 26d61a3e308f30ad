"""Tell ahead what expires: one warning for each member, day and lead, and a receipt of what became of it.

Which leads there are (30, 7 and 1 days, say) follows from the policy now in force for the source of the points. A run
writes what is missing for the days it reaches, so a run that was missed is made up for by the next one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from loyalty.periods import business_date, day_bounds
from members import timeline
from members.actors import Actor
from members.queries import programme
from rewards import events
from rewards.expiry_book import policies_now
from rewards.models import WarningReceipt

_FETCH_ACCOUNTS = 50_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WarningRun:
    """What a run wrote: warnings, the members they are for, and their points."""

    members: int
    warnings: int
    points: int


@dataclass(frozen=True, slots=True)
class _Lead:
    """Points of a currency and source that end in (after, until] are warned of as `days` ahead."""

    currency_id: int
    origin: int
    days: int
    after: datetime
    until: datetime


def warn_of_expiry(*, at: datetime, by: Actor, chunk: int = 1000, chunks: int = 100_000) -> WarningRun:
    """Write the warnings that are due at `at` and tell the timeline, `chunk` accounts to a transaction.

    Points that end in 30 to 8 days are warned of with the lead of 30 days, and so on: each lead once for each day on
    which points end. Points that are earned later and end on the same day are told by the next lead. Safe beside itself.
    """
    leads = list(_leads(at))
    members: set[int] = set()
    warnings = points = after = 0
    while leads and chunks > 0 and (accounts := _accounts_ahead(leads, after)):
        after = accounts[-1]
        for start in range(0, len(accounts), chunk)[:chunks]:
            chunks -= 1
            rows = _warn(accounts[start : start + chunk], leads, at, by)
            members.update(row[1] for row in rows)
            warnings += len(rows)
            points += sum(row[5] for row in rows)
    return WarningRun(len(members), warnings, points)


@transaction.atomic
def record_warning_receipt(*, warning_ids: Sequence[int], delivered: bool, by: Actor, at: datetime) -> int:
    """Say that warnings were delivered, or that nobody could be reached; return how many receipts are new.

    A repeat changes nothing. Called by whoever sent the message, or found that there is no way to send one.
    """
    outcome = WarningReceipt.Outcome.DELIVERED if delivered else WarningReceipt.Outcome.UNREACHABLE
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_warningreceipt (warning_id, outcome, actor_kind, actor_id, happened_at) "
            "SELECT DISTINCT id, %s, %s, %s::bigint, %s::timestamptz FROM unnest(%s::bigint[]) AS id ORDER BY id "
            "ON CONFLICT DO NOTHING",
            [outcome.value, by.kind, by.id, at, list(warning_ids)],
        )
        return cursor.rowcount


def _leads(at: datetime) -> Iterator[_Lead]:
    tz = programme().tz
    today = business_date(at, tz)
    for now in policies_now(at):
        after = at
        for days in sorted(now.warn_days):
            until = day_bounds(today + days * _DAY, tz)[1]
            yield _Lead(now.currency_id, now.origin, days, after, until)
            after = until


def _accounts_ahead(leads: Sequence[_Lead], after: int) -> list[int]:
    """Return the next accounts with points that end within the leads."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT DISTINCT account_id FROM rewards_lot
             WHERE remaining > 0 AND expires_at > %(from)s AND expires_at <= %(until)s AND account_id > %(after)s
             ORDER BY account_id LIMIT %(most)s)
            UNION
            (SELECT id FROM rewards_pointsaccount
             WHERE deadline_at > %(from)s AND deadline_at <= %(until)s AND id > %(after)s ORDER BY id LIMIT %(most)s)
            ORDER BY account_id LIMIT %(most)s
            """,
            {
                "from": min(lead.after for lead in leads),
                "until": max(lead.until for lead in leads),
                "after": after,
                "most": _FETCH_ACCOUNTS,
            },
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _warn(accounts: list[int], leads: Sequence[_Lead], at: datetime, by: Actor) -> list[tuple[Any, ...]]:
    """Write the missing warnings of some accounts; return (id, member, currency, last day, days, points) for each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO rewards_expirywarning AS w (member_id, currency_id, expires_date, days, points, warned_at)
            SELECT a.member_id, a.currency_id, d.expires_date, lead.days, sum(l.remaining), %(at)s
            FROM rewards_pointsaccount a
            JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0
            CROSS JOIN LATERAL (SELECT least(l.expires_at, a.deadline_at) AS ends_at) e
            JOIN unnest(%(currencies)s::int[], %(origins)s::int[], %(days)s::int[], %(after)s::timestamptz[], %(until)s::timestamptz[])
                AS lead (currency_id, origin, days, after, until)
                ON lead.currency_id = a.currency_id AND lead.origin = l.origin AND e.ends_at > lead.after AND e.ends_at <= lead.until
            CROSS JOIN LATERAL (
                SELECT ((e.ends_at - interval '1 microsecond') AT TIME ZONE %(zone)s)::date AS expires_date) d
            WHERE a.id = ANY (%(accounts)s) AND NOT EXISTS (
                SELECT 1 FROM rewards_expirywarning x WHERE x.member_id = a.member_id AND x.currency_id = a.currency_id
                    AND x.expires_date = d.expires_date AND x.days = lead.days)
            GROUP BY a.member_id, a.currency_id, d.expires_date, lead.days
            ORDER BY a.member_id, a.currency_id, d.expires_date, lead.days
            ON CONFLICT DO NOTHING
            RETURNING w.id, w.member_id, w.currency_id, w.expires_date, w.days, w.points
            """,
            {
                "at": at,
                "currencies": [lead.currency_id for lead in leads],
                "origins": [lead.origin for lead in leads],
                "days": [lead.days for lead in leads],
                "after": [lead.after for lead in leads],
                "until": [lead.until for lead in leads],
                "zone": programme().zone,
                "accounts": accounts,
            },
        )
        rows = cursor.fetchall()
    timeline.record_many(
        events.points_expiring(
            warning_id=warning_id, member_id=member_id, currency_id=currency_id, expires_date=expires_date, days=days,
            points=points, happened_at=at, by=by,
        )
        for warning_id, member_id, currency_id, expires_date, days, points in rows
    )  # fmt: skip
    if rows:
        timeline.nudge()
    return rows
