"""The log of what happened, in order, for systems that missed what was sent to them or never want it sent.

Its cursor is a place on the timeline, as the timeline's own readers keep one: it never passes a transaction that still
runs, so nothing that commits late is skipped, and it goes on behind a restored backup, which begins a new epoch.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cryptography.fernet import InvalidToken

from members.models import TimelineEntry
from members.sealing import seal, unseal
from members.timeline import BEGINNING, Place, last_place, readable_after
from members.webhook_types import Event, event_types, events_of, kinds_of

_PURPOSE: Final = "event-log"
#: How many entries of the timeline one page looks at, at most: a page with few events costs as much as a full one.
SCANNED: Final = 5_000


class CursorUnknown(ValueError):
    """The cursor was not given out here."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some events, the cursor after the last of them, the epoch it is in, and whether there is more already."""

    events: list[Event]
    cursor: str
    epoch: int
    has_more: bool


def read_events(*, after: str, types: Collection[str] | None, limit: int) -> LogPage:
    """Return the events after a cursor ("": from the beginning), of these types or of all. Raises `CursorUnknown`."""
    place, last_type = _opened(after) if after else (BEGINNING, "")
    codes = frozenset(types) if types is not None else frozenset(one.code for one in event_types())
    kinds = kinds_of(codes)
    found = _rest_of(place, last_type, codes) if last_type else []
    at: tuple[Place, str] = (place, "")
    for event, where in found[:limit]:
        at = (where, event.type)
    events = [event for event, _where in found[:limit]]
    if len(found) > limit:
        return LogPage(events, _sealed(*at), at[0][0], True)
    scanned = readable_after(place, limit=SCANNED)
    wanted = [(row[0], row[1], row[2]) for row in scanned if row[3] in kinds]
    done = 0
    while done < len(wanted):
        some = wanted[done : done + limit]
        done += len(some)
        for event, where in _events_at(some, codes):
            if len(events) == limit:
                return LogPage(events, _sealed(*at), at[0][0], True)
            events.append(event)
            at = (where, event.type)
    end: Place = (scanned[-1][0], scanned[-1][1], scanned[-1][2]) if scanned else place
    return LogPage(events, _sealed(end, ""), end[0], len(scanned) == SCANNED)


def latest_cursor() -> LogPage:
    """Return an empty page whose cursor is where the log ends now."""
    place = last_place()
    return LogPage([], _sealed(place, ""), place[0], False)


def _rest_of(place: Place, last_type: str, codes: Collection[str]) -> list[tuple[Event, Place]]:
    """Return the events of the very entry at a place whose types come after the one that was read last."""
    return [(event, where) for event, where in _events_at([place], codes) if event.type > last_type]


def _events_at(places: list[Place], codes: Collection[str]) -> list[tuple[Event, Place]]:
    where = {place[2]: place for place in places}
    entries = {entry.pk: entry for entry in TimelineEntry.objects.filter(pk__in=where)}
    return [(event, where[event.entry_id]) for event in events_of([entries[place[2]] for place in places], codes)]


def _sealed(place: Place, last_type: str) -> str:
    return seal(json.dumps([*place, last_type], separators=(",", ":")), purpose=_PURPOSE).decode().rstrip("=")


def _opened(cursor: str) -> tuple[Place, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        epoch, xact, entry_id, last_type = json.loads(unseal(padded, purpose=_PURPOSE))
    except (InvalidToken, ValueError) as error:
        raise CursorUnknown from error
    return (epoch, xact, entry_id), last_type
