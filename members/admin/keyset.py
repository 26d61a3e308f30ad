"""Pages of a history, newest first, without counting and without OFFSET: each begins where the one before ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

PAGE = 25


@dataclass(frozen=True, slots=True)
class KeysetPage[Row]:
    """One page: its rows, and where the next one begins (empty when there is none)."""

    rows: list[Row]
    older: str
    is_first: bool


def page_of[Row: Model](
    queryset: QuerySet[Row], *, by: Sequence[str], cursor: str, size: int = PAGE
) -> KeysetPage[Row]:
    """Return the rows after `cursor`, by descending fields. A cursor that can not be read gives the first page."""
    after = _parse(queryset.model, by, cursor)
    if after:
        queryset = queryset.filter(_beyond(by, after))
    rows = list(queryset.order_by(*(f"-{name}" for name in by))[: size + 1])
    has_older = len(rows) > size
    rows = rows[:size]
    return KeysetPage(rows, _format(rows[-1], by) if has_older else "", not after)


def _beyond(by: Sequence[str], after: Sequence[Any]) -> Q:
    """Rows that come later in descending order; the first field bounds all of them, so that its index is used."""
    beyond = Q()
    for depth, name in enumerate(by):
        same = {by[index]: after[index] for index in range(depth)}
        beyond |= Q(**same, **{f"{name}__lt": after[depth]})
    return Q(**{f"{by[0]}__lte": after[0]}) & beyond


def _format(row: Model, by: Sequence[str]) -> str:
    return "~".join(_field(type(row), name).value_to_string(row) for name in by)


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)


def _parse(model: type[Model], by: Sequence[str], cursor: str) -> list[Any]:
    parts = cursor.split("~")
    if len(parts) != len(by):
        return []
    try:
        return [_field(model, name).to_python(part) for name, part in zip(by, parts, strict=True)]
    except ValidationError:
        return []
