"""How entries of the timeline are told to staff: one sentence for each kind, in the reader's language.

The floor that owns a kind registers its sentence. A sentence names what its payload refers to (a store, a reward);
the names of a whole page are looked up in one query for each sort of thing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.utils.translation import gettext as _

from members.models import ApiKey, Operator, Store, TimelineEntry

Lookup = Callable[[Iterable[Any]], Mapping[Any, str]]
Names = Mapping[str, str]
Renderer = Callable[[Mapping[str, Any], Names], str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """How one kind is told: from its payload, and the names of what the payload's keys refer to."""

    render: Renderer
    icon: str
    names: Mapping[str, Lookup]


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry ready to be shown."""

    id: int
    happened_at: datetime
    sentence: str
    icon: str
    by: str


_sentences: dict[str, Sentence] = {}


def register_sentence(
    kind: str, render: Renderer, *, icon: str = "circle", names: Mapping[str, Lookup] | None = None
) -> None:
    """Tell entries of a kind by `render(payload, names)`; `names` says how to look up what keys of the payload refer to."""
    _sentences[kind] = Sentence(render, icon, names or {})


def told_kinds() -> frozenset[str]:
    """Return the kinds that have a sentence."""
    return frozenset(_sentences)


def tell(entries: Sequence[TimelineEntry]) -> list[ToldEntry]:
    """Return the entries as sentences in the active language, in the same order, with who did it."""
    names = _names_of(entries)
    actors = ActorNames.of(entries)
    told = []
    for entry in entries:
        sentence = _sentences.get(entry.kind)
        text, icon = _("Something was recorded."), "circle"
        if sentence:
            known = {
                key: names[lookup].get(entry.payload[key], "")
                for key, lookup in sentence.names.items()
                if entry.payload.get(key) is not None
            }
            text, icon = sentence.render(entry.payload, defaultdict(str, known)), sentence.icon
        told.append(ToldEntry(entry.pk, entry.happened_at, text, icon, actors.name(entry)))
    return told


def _names_of(entries: Sequence[TimelineEntry]) -> Mapping[Lookup, Mapping[Any, str]]:
    wanted: dict[Lookup, set[Any]] = defaultdict(set)
    for entry in entries:
        sentence = _sentences.get(entry.kind)
        for key, lookup in (sentence.names if sentence else {}).items():
            if entry.payload.get(key) is not None:
                wanted[lookup].add(entry.payload[key])
    return {lookup: lookup(ids) for lookup, ids in wanted.items()}


class Acted(Protocol):
    """Something that says who did it."""

    actor_kind: Any
    actor_id: Any


@dataclass(slots=True)
class ActorNames:
    """Who did what is on a page, looked up in at most two queries."""

    operators: Mapping[int, str] = field(default_factory=dict)
    devices: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Sequence[Acted]) -> "ActorNames":
        ids: dict[str, set[int]] = defaultdict(set)
        for entry in entries:
            if entry.actor_id is not None:
                ids[entry.actor_kind].add(entry.actor_id)
        return cls(
            {operator.pk: str(operator) for operator in Operator.objects.filter(pk__in=ids["operator"])}
            if ids["operator"]
            else {},
            {key.pk: key.name for key in ApiKey.objects.filter(pk__in=ids["device"])} if ids["device"] else {},
        )

    def name(self, entry: Acted) -> str:
        """Return who did it, in the active language."""
        if entry.actor_kind == "operator":
            return self.operators.get(entry.actor_id or 0, "")
        if entry.actor_kind == "device":
            return self.devices.get(entry.actor_id or 0, "")
        kinds = {"member": _("by the member"), "import": _("by an import"), "system": _("automatic")}
        return kinds.get(entry.actor_kind, "")


def store_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of stores by id, in the active language."""
    return {store.pk: store.name for store in Store.objects.filter(pk__in=ids)}
