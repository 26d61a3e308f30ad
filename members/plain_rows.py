"""Rows of one table by a statement that is written out, as the model they are.

For what every call of a till or a phone asks: there, making a query of the ORM costs ten times what running it does. One
table at a time: planning a join costs more than asking twice.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Field, Model


class PlainRows[M: Model]:
    """The rows of a model that meet a condition; `tail` is all that stands behind the name of the table.

    The attributes of `more` are expressions, as with `raw`.
    """

    def __init__(
        self, model: type[M], tail: str, *, left_out: Sequence[str] = (), more: Mapping[str, str] | None = None
    ) -> None:
        self._model = model
        self._tail = tail
        self._left_out = frozenset(left_out)
        self._more = more or {}

    # Not before the first use: translated columns join their models late.
    @cached_property
    def _fields(self) -> "list[Field[Any, Any]]":
        return [field for field in self._model._meta.concrete_fields if field.attname not in self._left_out]

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self._fields]

    @cached_property
    def _converters(self) -> list[tuple[int, Any]]:
        return [(at, field.from_db_value) for at, field in enumerate(self._fields) if hasattr(field, "from_db_value")]

    @cached_property
    def _sql(self) -> str:
        columns = ", ".join([*(f'"{field.column}"' for field in self._fields), *self._more.values()])
        return f'SELECT {columns} FROM "{self._model._meta.db_table}" {self._tail}'  # noqa: S608 - of constants

    def all(self, *params: Any) -> list[M]:
        """Return the rows, with the values that the condition asks for."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, params)
            return [self._made(values) for values in cursor.fetchall()]

    def first(self, *params: Any) -> M | None:
        """Return the first of the rows, or None."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, params)
            values = cursor.fetchone()
        return None if values is None else self._made(values)

    def _made(self, values: Sequence[Any]) -> M:
        if self._converters:
            values = list(values)
            for at, convert in self._converters:
                values[at] = convert(values[at], None, connection)
        made = self._model.from_db("default", self._names, values[: len(self._names)])
        for name, value in zip(self._more, values[len(self._names) :], strict=True):
            setattr(made, name, value)
        return made
