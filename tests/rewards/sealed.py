"""Entries in number, and the tampering of one who owns the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection

from rewards.ledger import currency_id

EARN = """
    SELECT (ledger_credit(1::smallint, 1::smallint, %(member)s, %(currency)s::smallint, 'shop', 'seal-' || n, %(at)s, %(at)s,
        ARRAY[1]::bigint[], ARRAY[1]::smallint[], ARRAY[%(at)s]::timestamptz[], ARRAY[NULL]::timestamptz[], NULL::timestamptz,
        'system', NULL, '', NULL, '', '{}')).outcome
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""


def earn(member_id: int, numbers: range, *, at: datetime, through: psycopg.Connection | None = None) -> None:
    """Post one point for each number, all in one statement; through a connection of one's own when one is given."""
    values: dict[str, Any] = {
        "member": member_id,
        "currency": currency_id(),
        "at": at,
        "first": numbers.start,
        "last": numbers.stop - 1,
    }
    if through is not None:
        assert through.execute(EARN, values).rowcount == len(numbers)
        return
    with connection.cursor() as cursor:
        cursor.execute(EARN, values)
        assert {row[0] for row in cursor.fetchall()} <= {"posted"}


@contextmanager
def as_who_owns_the_server() -> Iterator[None]:
    """No trigger and no foreign key is asked meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


def tamper(sql: str, *params: Any, rows: int | None = 1) -> None:
    """Change rows as one would who owns the server; `rows` says how many change (None: any number)."""
    with as_who_owns_the_server(), connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        assert rows is None or cursor.rowcount == rows, sql
