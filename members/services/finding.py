"""The find box: whoever calls is found by what they give, exactly, and not faster than one person can ask."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.finding import Finder, Look, finders
from members.models import Operator
from members.queries import survivors_of
from members.refusals import MembersRefusal

LOOKUPS_A_MINUTE: Final = 60
MOST_HITS: Final = 10
LONGEST: Final = 80
_SHORTEST: Final = 4

_COUNT = """
INSERT INTO members_findtally AS t (operator_id, minute_at, lookups)
VALUES (%(operator)s, date_trunc('minute', %(at)s::timestamptz), 1)
ON CONFLICT (operator_id) DO UPDATE SET
    lookups = CASE WHEN t.minute_at = excluded.minute_at THEN t.lookups + 1 ELSE 1 END,
    minute_at = excluded.minute_at
RETURNING lookups, set_config('synchronous_commit', 'off', true)
"""


class TooManyLookups(MembersRefusal):
    """More look-ups than a person makes."""

    code = "too_many_lookups"
    text = _("That were more than %(lookups)s look-ups in one minute. Please go on in the next minute.")
    status = 429


class TextTooShort(MembersRefusal):
    """Too little to look anybody up by."""

    code = "text_too_short"
    text = _("Type a whole number or code, or the last four digits of the phone with the surname.")
    status = 422


@dataclass(frozen=True, slots=True)
class Hit:
    """A member who was found, and by what."""

    member_id: int
    by: tuple[str | Promise, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Who was found, at most ten, and what was tried."""

    hits: tuple[Hit, ...]
    tried: tuple[str | Promise, ...]
    has_more: bool


def find_members(*, text: str, stores: frozenset[int] | None, by: Operator, at: datetime) -> Finding:
    """Look a member up by everything that the text may be; return who was found and what was tried.

    Members who were merged lead to the one who survived. Nothing of the text is kept; the look-up is counted.
    Raises `TooManyLookups`, `TextTooShort`.
    """
    words = " ".join(text.split())
    if not _SHORTEST <= len(words) <= LONGEST:
        raise TextTooShort
    _count(by, at)
    look = Look(words, stores, at)
    found: dict[int, list[str | Promise]] = {}
    tried: list[str | Promise] = []
    for finder in _allowed(finders(), by):
        ids = finder.find(look)
        if ids is None:
            continue
        tried.append(finder.label)
        for member_id in ids:
            found.setdefault(member_id, []).append(finder.label)
    return _finding(found, tried)


def _finding(found: dict[int, list[str | Promise]], tried: list[str | Promise]) -> Finding:
    survivors = survivors_of(found) if found else {}
    labels: dict[int, list[str | Promise]] = {}
    for member_id, words in found.items():
        kept = labels.setdefault(survivors.get(member_id, member_id), [])
        kept += [word for word in words if word not in kept]
    hits = tuple(Hit(member_id, tuple(words)) for member_id, words in labels.items())
    return Finding(hits[:MOST_HITS], tuple(tried), len(hits) > MOST_HITS)


def _allowed(known: Iterable[Finder], by: Operator) -> list[Finder]:
    return [finder for finder in known if by.has_perm(finder.permission)]


def _count(by: Operator, at: datetime) -> None:
    """Count a look-up. A count that a crash loses harms nobody, so nobody waits for the disk."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"operator": by.pk, "at": at})
        lookups: int = cursor.fetchone()[0]
    if lookups > LOOKUPS_A_MINUTE:
        raise TooManyLookups(lookups=LOOKUPS_A_MINUTE)
