"""Expire and release points that are due, in chunks. "Due" is derived from the data, so any run may stop, repeat, or overlap."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from members import timeline
from members.actors import Actor
from rewards import events, ledger

_FETCH_ACCOUNTS = 50_000


@dataclass(frozen=True, slots=True)
class ExpiryRun:
    """What a run did: members, lots and points."""

    members: int
    lots: int
    points: int


def expire_due_lots(*, at: datetime, by: Actor, chunk: int = 1000, chunks: int = 10_000) -> ExpiryRun:
    """Expire all lots due at `at`, `chunk` accounts to a transaction, at most `chunks` of them."""
    members = lots = points = 0
    done = 0
    while done < chunks:
        accounts = _accounts("expires_at <= %s AND expires_at IS NOT NULL", at)
        if not accounts:
            break
        for start in range(0, len(accounts), chunk):
            if done >= chunks:
                break
            rows = _expire(accounts[start : start + chunk], at, by)
            done += 1
            members += len(rows)
            lots += sum(row[1] for row in rows)
            points += sum(row[2] for row in rows)
    return ExpiryRun(members, lots, points)


@transaction.atomic
def _expire(accounts: list[int], at: datetime, by: Actor) -> list[tuple[int, int, int]]:
    rows = ledger.expire_accounts(account_ids=accounts, at=at)
    timeline.record_many(
        events.points_expired(member_id=member_id, points=points, lots=lots, happened_at=at, by=by)
        for member_id, lots, points in rows
    )
    return rows


def release_pending_lots(*, at: datetime, by: Actor, limit: int = 50_000) -> int:
    """Make pending points available whose time has come, account by account; return how many points."""
    released = 0
    for account_id, member_id in _pending_accounts(at, limit):
        with transaction.atomic():
            points = ledger.release_account(account_id=account_id, at=at)
            if points:
                timeline.record([events.points_released(member_id=member_id, points=points, happened_at=at, by=by)])
        released += points
    return released


def _accounts(condition: str, at: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT account_id FROM rewards_lot WHERE remaining > 0 AND {condition} ORDER BY account_id LIMIT %s",  # noqa: S608
            [at, _FETCH_ACCOUNTS],
        )
        return [row[0] for row in cursor.fetchall()]


def _pending_accounts(at: datetime, limit: int) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT account_id, member_id FROM rewards_lot WHERE state = 1 AND available_at <= %s ORDER BY account_id LIMIT %s",
            [at, limit],
        )
        return cursor.fetchall()
