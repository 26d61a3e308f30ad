"""Whom a list of members holds: in SQL, as a number, and in words."""

from datetime import datetime
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import override

from members import conditions
from members.models import Segment

_MARGIN_PERCENT: Final = 1
_LEAST_MARGIN: Final = 10


class Whom(Protocol):
    """What says whom a list holds: all who are in the programme, unless a condition or a segment narrows it."""

    @property
    def condition(self) -> dict[str, Any] | None: ...
    @property
    def segment_id(self) -> int | None: ...


def condition_of(whom: Whom, at: datetime) -> tuple[str, dict[str, Any]]:
    """Return who is in a list as SQL over m, with its parameters: nobody who has left or was merged into another."""
    asked = conditions.compile(conditions.parse(whom.condition or {"all": []}), at=at)
    parts = ["m.status <> 'closed'", "m.merged_into_id IS NULL", asked.sql]
    params = dict(asked.params)
    if whom.segment_id is not None:
        parts.append(
            "EXISTS (SELECT 1 FROM members_segmentspan g WHERE g.segment_id = %(segment)s AND g.member_id = m.id AND g.left_at IS NULL)"
        )
        params["segment"] = whom.segment_id
    return " AND ".join(parts), params


def count(whom: Whom, at: datetime) -> int:
    """Return how many members are in a list."""
    where, params = condition_of(whom, at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM members_member m WHERE {where}", params)  # noqa: S608 - compiled
        return cursor.fetchone()[0]


def margin(rows: int) -> int:
    """Return by how many members a list may grow in the time between its count and its file."""
    return max(rows * _MARGIN_PERCENT // 100, _LEAST_MARGIN)


def bound(asked: int, rows: int) -> int:
    """Return what so many rows stay below, in steps: a new member between look and click sends no approver back."""
    return asked + margin(asked) * (max(rows - asked, 0) // margin(asked) + 1)


def segment_number(segment_id: int | None) -> int | None:
    """Return the version of a segment as it is now."""
    return None if segment_id is None else Segment.objects.values_list("number", flat=True).get(pk=segment_id)


def in_words(whom: Whom) -> str:
    """Return in words of the active language who is in a list."""
    asked = conditions.parse(whom.condition) if whom.condition else None
    who = conditions.sentence(asked) if asked is not None and conditions.tests_of(asked) else _("all members")
    if whom.segment_id is None:
        return who
    name = Segment.objects.values_list("name", flat=True).get(pk=whom.segment_id)
    if asked is None:
        return _("members of the segment “%(segment)s”") % {"segment": name}
    return _("members of the segment “%(segment)s”: %(who)s") % {"segment": name, "who": who}


def in_languages(whom: Whom) -> dict[str, str]:
    """Return the same in every language, by its tag."""
    sentences = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            sentences[language] = in_words(whom)
    return sentences
