"""Statements that share a round trip: each floor says its own, the caller of all of them sends them together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Statement[T]:
    """One statement with its parameters, and what makes its rows into what the caller wants. It must return rows."""

    sql: str
    params: Sequence[Any]
    read: Callable[[list[Row]], T]


def run[T](statement: Statement[T]) -> T:
    """Run a statement in the caller's transaction and return what it read."""
    [rows] = _rows_of([statement])
    return statement.read(rows)


def run_together(statements: Sequence[Statement[Any]]) -> list[Any]:
    """Run statements one after another in one round trip, in the caller's transaction; return what each read, in order.

    Each sees what those before it did. What reads them is called after the last has run.
    """
    return [statement.read(rows) for statement, rows in zip(statements, _rows_of(statements), strict=True)]


def _rows_of(statements: Sequence[Statement[Any]]) -> list[list[Row]]:
    if len(statements) > 1 and connection.execute_wrappers:
        # What names the operator in the history of configuration puts its own statement before these, and reads to the last.
        return [rows for statement in statements for rows in _rows_of([statement])]
    with connection.cursor() as cursor:
        cursor.execute(
            ";\n".join(statement.sql for statement in statements),
            [value for statement in statements for value in statement.params],
        )
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        return found
