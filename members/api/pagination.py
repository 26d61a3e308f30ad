"""Pages by cursor: a page begins after the row where the last one ended, however many rows there are."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from members.api.queries import BadQuery

DEFAULT_LIMIT = 20
MOST = 100
_LARGEST = 2**63 - 1

CURSOR_PARAMETERS = (
    OpenApiParameter(
        "cursor", str, description="`next` or `previous` of an earlier answer; left out for the first page."
    ),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        description=f"Items of a page: 1 to {MOST}.",
    ),
)


@dataclass(frozen=True, slots=True)
class Page[M: Model]:
    """Some rows, and the cursors of the pages beside them (None where there is none)."""

    items: list[M]
    next: str | None
    previous: str | None

    def body(self, rows: Any) -> dict[str, Any]:
        """Return the answer: the rows as a serializer wrote them, and the cursors."""
        return {"items": rows, "next": self.next, "previous": self.previous}


def page_of[M: Model](rows: QuerySet[M], request: Request, *, by: str, newest_first: bool = True) -> Page[M]:
    """Return the page of `rows` that the request asks for with `cursor` and `limit`.

    Ordered by the field `by` (a moment or a whole number) and then by id, both descending when newest first.
    Raises `BadQuery` for a limit out of these bounds or a cursor that was not given out here.
    """
    limit = limit_of(request)
    backwards, edge = _read_cursor(request, by)
    descending = newest_first != backwards
    signs = "-" if descending else ""
    if edge is not None:
        value, pk = edge
        direction = "lt" if descending else "gt"
        beyond = Q(**{f"{by}__{direction}": value}) | Q(**{by: value, f"id__{direction}": pk})
        # The first condition repeats what the second implies, in a form that an index on (by, id) can use.
        rows = rows.filter(Q(**{f"{by}__{direction}e": value}) & beyond)
    found = list(rows.order_by(f"{signs}{by}", f"{signs}id")[: limit + 1])
    has_more, found = len(found) > limit, found[:limit]
    if backwards:
        found.reverse()
    has_next, has_previous = (edge is not None, has_more) if backwards else (has_more, edge is not None)
    return Page(
        found,
        _cursor("n", found[-1], by) if found and has_next else None,
        _cursor("p", found[0], by) if found and has_previous else None,
    )


def page_serializer(item: type[serializers.Serializer], name: str) -> type[serializers.Serializer]:
    """Return the serializer of a page of such items, under a name of its own in the schema."""
    fields = {
        "items": item(many=True),
        "next": serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last one."),
        "previous": serializers.CharField(
            allow_null=True, help_text="Cursor of the page before; null on the first one."
        ),
    }
    return type(name, (serializers.Serializer,), fields)


def limit_of(request: Request) -> int:
    """Return how many items the request asks for. Raises `BadQuery`."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST):
        raise BadQuery("limit", _("A page has 1 to %(most)s items.") % {"most": MOST})
    return int(text)


def _cursor(direction: str, row: Model, by: str) -> str:
    value = getattr(row, by)
    place = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
    text = json.dumps([direction, by, place, row.pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read_cursor(request: Request, by: str) -> tuple[bool, tuple[Any, int] | None]:
    """Return whether the page lies before the cursor, and the place it marks."""
    text = request.query_params.get("cursor", "")
    if not text:
        return False, None
    try:
        direction, field, place, pk = json.loads(
            base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        )
        value = datetime.fromisoformat(place) if isinstance(place, str) else place
        is_sound = direction in ("n", "p") and field == by and type(pk) is int and abs(pk) <= _LARGEST
        is_moment = isinstance(value, datetime) and value.tzinfo is not None
        is_number = type(value) is int and abs(value) <= _LARGEST
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise BadQuery("cursor", _("This cursor was not given out here.")) from error
    if not is_sound or not (is_moment or is_number):
        raise BadQuery("cursor", _("This cursor was not given out here."))
    return direction == "p", (value, pk)
