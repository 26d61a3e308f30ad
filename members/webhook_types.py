"""What other systems may be told of: types of events over the timeline, registered by the floor that owns the facts.

An event is worked out from its entry of the timeline whenever it is wanted, so the log and every delivery say the same.
Its body is thin: ids and figures only. A system that needs more asks the API, with a key that may know it.
"""

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Model
from django.utils.functional import Promise

from members.identifiers import EVENT, MEMBER, public_ref
from members.models import Member, TimelineEntry

#: The largest body, in bytes: thin enough for every receiver.
MOST_BYTES: Final = 20_000
_VERSION_FOUR: Final = 4
_SAMPLE: Final = "7k3m9p2x4w8k3m9p2x4w8k3m9p"

#: From entries to what their events say, by entry; an entry that is left out is no event of the type.
Builder = Callable[[Sequence[TimelineEntry]], Mapping[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Part:
    """One value of an event: its name, its JSON schema, what it means to a developer, and an example."""

    name: str
    schema: Mapping[str, Any]
    help: str
    example: Any


def number(name: str, help: str, example: int = 1) -> Part:
    """Return a whole number."""
    return Part(name, {"type": "integer"}, help, example)


def text(name: str, help: str, example: str, *, choices: Sequence[str] = ()) -> Part:
    """Return a code or a text; `choices` are those of today."""
    return Part(name, {"type": "string"}, help + (f" One of: {', '.join(choices)}." if choices else ""), example)


def texts(name: str, help: str, example: Sequence[str]) -> Part:
    """Return a list of codes."""
    return Part(name, {"type": "array", "items": {"type": "string"}}, help, list(example))


def flag(name: str, help: str, example: bool = True) -> Part:
    """Return a yes or no."""
    return Part(name, {"type": "boolean"}, help, example)


def ref(name: str, prefix: str, help: str, *, or_none: bool = False) -> Part:
    """Return a public id."""
    kind: Any = ["string", "null"] if or_none else "string"
    return Part(name, {"type": kind, "pattern": f"^{prefix}_[0-9a-z]{{26}}$"}, help, f"{prefix}_{_SAMPLE}")


def day(name: str, help: str, example: str = "2026-12-31") -> Part:
    """Return a date of the programme's calendar."""
    return Part(name, {"type": "string", "format": "date"}, help, example)


def moment(name: str, help: str, example: str = "2026-12-31T16:00:00Z", *, or_none: bool = False) -> Part:
    """Return a moment in UTC."""
    kind: Any = ["string", "null"] if or_none else "string"
    return Part(name, {"type": kind, "format": "date-time"}, help, example)


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event: the kinds of entries it comes from, how it is told to staff and developers, and what it says.

    `about_member`: the event names a member, as `member_ref`, before its own parts.
    """

    code: str
    kinds: tuple[str, ...]
    label: Promise
    parts: tuple[Part, ...]
    build: Builder
    about_member: bool = True

    def all_parts(self) -> tuple[Part, ...]:
        """Return what `data` holds, in order."""
        member = (ref("member_ref", MEMBER, "Whom it happened to."),) if self.about_member else ()
        return member + self.parts

    def example(self) -> dict[str, Any]:
        """Return an event as it is sent."""
        return {
            "id": f"{EVENT}_{_SAMPLE}",
            "type": self.code,
            "timestamp": "2026-07-05T06:10:00Z",
            "data": {part.name: part.example for part in self.all_parts()},
        }


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as other systems are told. `quiet`: history that was brought in, which is not sent."""

    id: UUID
    type: str
    entry_id: int
    happened_at: datetime
    recorded_at: datetime
    quiet: bool
    data: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {
            "id": public_ref(EVENT, self.id),
            "type": self.type,
            "timestamp": instant(self.happened_at),
            "data": dict(self.data),
        }

    def body(self) -> str:
        """Return the body that is sent. Raises ValueError when it is too large, which is a fault of its type."""
        said = json.dumps(self.content(), separators=(",", ":"), ensure_ascii=False)
        if len(said.encode()) > MOST_BYTES:
            raise ValueError(f"event {self.type} of entry {self.entry_id} is too large to be sent")
        return said


_types: dict[str, EventType] = {}
_by_kind: defaultdict[str, list[EventType]] = defaultdict(list)


def register_event_type(
    code: str,
    *,
    kinds: Iterable[str],
    label: Promise,
    build: Builder,
    parts: Sequence[Part] = (),
    about_member: bool = True,
) -> None:
    """Let other systems be told of a type of event. Called once per process from `AppConfig.ready()`."""
    if code in _types:
        raise ValueError(f"{code} is registered already")
    made = EventType(code, tuple(kinds), label, tuple(parts), build, about_member)
    _types[code] = made
    for kind in made.kinds:
        _by_kind[kind].append(made)


def event_types() -> list[EventType]:
    """Return all types of events, by their code."""
    return [_types[code] for code in sorted(_types)]


def is_event_type(code: str) -> bool:
    """Whether there is a type of this code."""
    return code in _types


def kinds_of(codes: Collection[str]) -> frozenset[str]:
    """Return the kinds of entries that events of these types come from."""
    return frozenset(kind for code in codes if code in _types for kind in _types[code].kinds)


class ToldKinds(Collection[str]):
    """The kinds of entries that some type of event comes from, whenever it was registered."""

    def __contains__(self, kind: object) -> bool:
        return kind in _by_kind

    def __iter__(self) -> Any:
        return iter(_by_kind)

    def __len__(self) -> int:
        return len(_by_kind)


def events_of(entries: Sequence[TimelineEntry], codes: Collection[str] | None = None) -> list[Event]:
    """Return the events of some entries, in the order of the entries and then by type; of these types, or of all.

    A bounded number of queries, however many entries there are.
    """
    of_type: defaultdict[str, list[TimelineEntry]] = defaultdict(list)
    for entry in entries:
        for one in _by_kind.get(entry.kind, ()):
            if codes is None or one.code in codes:
                of_type[one.code].append(entry)
    built = {code: _types[code].build(some) for code, some in of_type.items()}
    members = refs_of(Member, MEMBER, (entry.member_id for some in of_type.values() for entry in some))
    found = []
    for entry in entries:
        for code in sorted(one.code for one in _by_kind.get(entry.kind, ())):
            said = built.get(code, {}).get(entry.pk)
            if said is None:
                continue
            if _types[code].about_member:
                if entry.member_id is None:
                    continue
                said = {"member_ref": members[entry.member_id], **said}
            found.append(_event(entry, code, said))
    return found


def event_id(entry_id: int, code: str) -> UUID:
    """Return the id of the event of a type that an entry is: always the same, and of no use for counting or guessing."""
    digest = hmac.digest(settings.CODE_SECRET.encode(), f"event:{entry_id}:{code}".encode(), hashlib.sha256)
    return UUID(bytes=digest[:16], version=_VERSION_FOUR)


def refs_of(model: type[Model], prefix: str, ids: Iterable[int | None]) -> dict[int, str]:
    """Return the public ids of rows by their numbers, in one query at most."""
    wanted = {pk for pk in ids if pk is not None}
    if not wanted:
        return {}
    rows = model._default_manager.filter(pk__in=wanted).values_list("pk", "public_id")
    return {pk: public_ref(prefix, public_id) for pk, public_id in rows}


def instant(value: datetime) -> str:
    """Return a moment as the API writes it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant_of(told: str | None) -> str | None:
    """Return a moment that an entry holds as text, as the API writes it."""
    return instant(datetime.fromisoformat(told)) if told else None


def simply(*, keys: Sequence[str] = ()) -> Builder:
    """Return a builder that says these values of the payload, under their own names."""

    def build(entries: Sequence[TimelineEntry]) -> dict[int, dict[str, Any]]:
        return {entry.pk: {key: entry.payload.get(key) for key in keys} for entry in entries}

    return build


def _event(entry: TimelineEntry, code: str, data: Mapping[str, Any]) -> Event:
    return Event(
        event_id(entry.pk, code), code, entry.pk, entry.happened_at, entry.recorded_at, bool(entry.payload.get("quiet")), data
    )  # fmt: skip


#: What a test of an address sends; no system subscribes to it.
TEST_TYPE: Final = "webhook.test"


def test_event(at: datetime) -> Event:
    """Return the event that tests of addresses send: a new one each time, of no entry."""
    return Event(uuid4(), TEST_TYPE, 0, at, at, quiet=False, data={})
