"""What happens to a whole member: merged with another, taken apart again, copied out, erased. Every app takes part.

Floors register a part each at start-up; the services of members ask all parts, in the order of the floors, in one
transaction. Merging never rewrites history (rows keep their member; `Member.merged_into` names the survivor): a part moves
what is alive, and remembers what it moved, so that it can be given back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from members.actors import Actor
from members.personal_words import Traces


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why two members can not be merged now, or one not be erased: a stable code and a sentence."""

    code: str
    text: str | Promise


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One line of a preview: what it is about, both sides before, and what will be, in words with units."""

    label: str | Promise
    kept: str
    merged: str
    result: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the copy of a member's data: a stable name, a title, and rows of plain values.

    `columns` are stable names in English, for machines; `labels` say the same to people, column by column.
    """

    name: str
    title: str | Promise
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    labels: Sequence[str | Promise] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge under way: `kept` survives, `merged` points at it."""

    merge_id: int
    kept_id: int
    merged_id: int
    by: Actor
    at: datetime


def _no_obstacles(kept_id: int, merged_id: int, at: datetime) -> list[Obstacle]:
    return []


def _no_preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    return []


def _move_nothing(merge: Merge) -> dict[str, Any]:
    return {}


def _give_nothing_back(merge: Merge, memo: dict[str, Any]) -> None:
    return None


def _nothing_lost(member_id: int, at: datetime) -> list[PreviewLine]:
    return []


def _no_sections(member_id: int, at: datetime) -> list[Section]:
    return []


def _nothing_in_the_way(member_id: int, at: datetime) -> list[Obstacle]:
    return []


def _erase_nothing(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    return {}


def _sweep_nothing(traces: Traces) -> dict[str, int]:
    return {}


@dataclass(frozen=True, slots=True)
class Part:
    """What one app does with a whole member. Each call runs inside the transaction of members' service.

    `merge` returns a memo of plain JSON values (ids and figures, nothing personal), which `unmerge` gets back.
    `erase` returns how many rows of which kind it erased. `export` returns sections of the copy of the member's data.
    `settle` tells what will be lost at an erasure (points, vouchers), as lines with only `kept` and `result` filled.
    `sweep` deletes files and refused rows that name the person (see `members.personal_words`). It is the one call outside
    the transaction, in short ones of its own, and asked for twice: once nothing stands in the way, and after the erasure.
    It leaves alone what work that is still to be done needs.
    `erases` names the models (`app.Model`) with personal data that the part takes care of; a test finds forgotten ones.
    """

    name: str
    merge_obstacles: Callable[[int, int, datetime], list[Obstacle]] = _no_obstacles
    merge_preview: Callable[[int, int, datetime], list[PreviewLine]] = _no_preview
    merge: Callable[[Merge], dict[str, Any]] = _move_nothing
    unmerge: Callable[[Merge, dict[str, Any]], None] = _give_nothing_back
    export: Callable[[int, datetime], list[Section]] = _no_sections
    erase_obstacles: Callable[[int, datetime], list[Obstacle]] = _nothing_in_the_way
    settle: Callable[[int, datetime], list[PreviewLine]] = _nothing_lost
    erase: Callable[[int, Actor, datetime], dict[str, int]] = _erase_nothing
    sweep: Callable[[Traces], dict[str, int]] = _sweep_nothing
    erases: tuple[str, ...] = ()


_parts: dict[str, Part] = {}


def register_part(part: Part) -> None:
    """Register what an app does with a whole member. Called once, from `AppConfig.ready()`; floors from below upward."""
    _parts[part.name] = part


def parts() -> list[Part]:
    """Return all parts, lowest floor first."""
    return list(_parts.values())
