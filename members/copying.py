"""Rows into a table by COPY: the fast way in for bulk work."""

from collections.abc import Iterable
from typing import Any

from django.db import connection


def copy_rows(target: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Copy rows into `target` (a table, or a table with its columns in parentheses), in the caller's transaction.

    Returns how many. Raises Django's database errors, like any statement.
    """
    count = 0
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {target} FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
            count += 1
    return count
