"""Ranges made of columns, for constraints that forbid overlaps."""

from typing import Any

from django.db.models import Func, Value


class TsTzRange(Func):
    """A half-open span of time from two columns; an empty end means open."""

    function = "tstzrange"


class IdRange(Func):
    """The range that holds one id alone: two of them overlap exactly when the ids are equal."""

    function = "int8range"

    def __init__(self, expression: Any, **extra: Any) -> None:
        super().__init__(expression, expression, Value("[]"), **extra)
