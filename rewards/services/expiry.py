"""Expire and release points that are due, in chunks. "Due" is derived from the data, so any run may stop, repeat, or overlap.

Points expire at the end of their lot or at the inactivity deadline of their account, whichever comes first.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from members import timeline
from members.actors import Actor
from rewards import events, ledger
from rewards.policies import unless_default

logger = logging.getLogger(__name__)

_FETCH_ACCOUNTS = 50_000


@dataclass(frozen=True, slots=True)
class ExpiryRun:
    """What a run did: members, lots and points."""

    members: int
    lots: int
    points: int


class RunIncomplete(Exception):
    """Some accounts could not be worked on; all others were. Names the first of them."""

    def __init__(self, accounts: list[int]) -> None:
        super().__init__(f"{len(accounts)} account(s) could not be worked on, the first: {accounts[:10]}")


def expire_due_lots(*, at: datetime, by: Actor, chunk: int = 1000, chunks: int = 100_000) -> ExpiryRun:
    """Expire all lots due at `at`, `chunk` accounts to a transaction, at most `chunks` of them.

    An account that fails holds nobody up: its chunk is done again account by account, and RunIncomplete is raised at the end.
    """
    members = lots = points = 0
    failed: list[int] = []
    after = 0
    while chunks > 0 and (accounts := _accounts_due(at, after)):
        after = accounts[-1]
        for start in range(0, len(accounts), chunk)[:chunks]:
            chunks -= 1
            rows = _expire_or_isolate(accounts[start : start + chunk], at, by, failed)
            members += len(rows)
            lots += sum(row[1] for row in rows)
            points += sum(row[2] for row in rows)
    if failed:
        raise RunIncomplete(failed)
    return ExpiryRun(members, lots, points)


def _expire_or_isolate(
    accounts: list[int], at: datetime, by: Actor, failed: list[int]
) -> list[tuple[int, int, int, int]]:
    try:
        return _expire(accounts, at, by)
    except DatabaseError:
        if not connection.is_usable():  # the server is gone, not the account wrong
            raise
        if len(accounts) == 1:
            logger.exception("points of account %s could not be expired", accounts[0])
            failed.append(accounts[0])
            return []
    return [row for account in accounts for row in _expire_or_isolate([account], at, by, failed)]


@transaction.atomic
def _expire(accounts: list[int], at: datetime, by: Actor) -> list[tuple[int, int, int, int]]:
    _wait_for_locks()
    rows = ledger.expire_accounts(account_ids=accounts, at=at)
    timeline.record_many(
        events.points_expired(
            member_id=member_id, points=points, currency_id=currency_id, lots=lots, happened_at=at, by=by
        )
        for member_id, lots, points, currency_id in rows
    )
    return rows


def release_pending_lots(*, at: datetime, by: Actor, limit: int = 50_000) -> int:
    """Make pending points available whose time has come, account by account; return how many points.

    An account that fails holds nobody up; RunIncomplete is raised at the end.
    """
    released = 0
    failed: list[int] = []
    for account_id, member_id, currency_id in _accounts_pending(at, limit):
        try:
            released += _release(account_id, member_id, currency_id, at, by)
        except DatabaseError:
            if not connection.is_usable():
                raise
            logger.exception("pending points of account %s could not be released", account_id)
            failed.append(account_id)
    if failed:
        raise RunIncomplete(failed)
    return released


@transaction.atomic
def _release(account_id: int, member_id: int, currency_id: int, at: datetime, by: Actor) -> int:
    _wait_for_locks()
    points = ledger.release_account(account_id=account_id, at=at)
    if points:
        currency = unless_default(currency_id)
        timeline.record([
            events.points_released(member_id=member_id, points=points, currency_id=currency, happened_at=at, by=by)
        ])  # fmt: skip
    return points


def _wait_for_locks() -> None:
    """Batch work has more patience than a web request."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")


def _accounts_due(at: datetime, after: int) -> list[int]:
    """Return the next accounts with lots that are due, or whose inactivity deadline has come."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT DISTINCT account_id FROM rewards_lot WHERE remaining > 0 AND expires_at <= %(at)s AND account_id > %(after)s
             ORDER BY account_id LIMIT %(most)s)
            UNION
            (SELECT id FROM rewards_pointsaccount WHERE deadline_at <= %(at)s AND id > %(after)s ORDER BY id LIMIT %(most)s)
            ORDER BY account_id LIMIT %(most)s
            """,
            {"at": at, "after": after, "most": _FETCH_ACCOUNTS},
        )
        return [row[0] for row in cursor.fetchall()]


def _accounts_pending(at: datetime, limit: int) -> list[tuple[int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.member_id, a.currency_id FROM rewards_pointsaccount a JOIN ("
            "SELECT DISTINCT account_id FROM rewards_lot WHERE state = 1 AND available_at <= %s ORDER BY account_id LIMIT %s"
            ") AS due ON due.account_id = a.id ORDER BY a.id",
            [at, limit],
        )
        return cursor.fetchall()
