"""What a proposal would change: stated by its kind, kept as it was when it was made, and set against what it is now."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_language, override

from members.figures import grouped

#: The language in which two effects are compared. Any would do.
_COMPARED_IN: Final = "en"

Value = int | Decimal | str | Promise | None
#: Stored as JSON: {"digest", "cost_points", "cost_amount", "lines": {language: [[label, before, after], …]}}.
StoredEffect = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One thing that would change: what, before → after, in words of the active language; whole numbers are grouped.

    A line that is not compared may change between proposal and approval without being a conflict.
    """

    label: str | Promise
    before: Value
    after: Value
    is_compared: bool = True


@dataclass(frozen=True, slots=True)
class Effect:
    """What would change: lines, and the cost in points and in the programme's money (None: not known)."""

    lines: tuple[EffectLine, ...] | list[EffectLine] = ()
    cost_points: int | None = None
    cost_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as it is shown; with what it was when the proposal was made, where that was something else."""

    label: str
    before: str
    after: str
    before_then: str = ""
    after_then: str = ""

    @property
    def has_changed(self) -> bool:
        """Whether it is no longer what the maker saw."""
        return bool(self.before_then or self.after_then)


@dataclass(frozen=True, slots=True)
class ShownEffect:
    """An effect in the active language, with its digest, and whether it differs from when the proposal was made."""

    lines: tuple[ShownLine, ...]
    cost_points: int | None
    cost_amount: Decimal | None
    digest: str
    has_changed: bool = False


def stored_effect(effect: Callable[[], Effect]) -> dict[str, Any]:
    """Return an effect as it is kept with a proposal: in every language, so that each reader sees it as it was."""
    lines = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            stated = effect()
            lines[language] = [list(_words(line)) for line in stated.lines]
    cost = stated.cost_amount
    return {
        "digest": digest_of(effect),
        "cost_points": stated.cost_points,
        "cost_amount": None if cost is None else str(cost),
        "lines": lines,
    }


def digest_of(effect: Callable[[], Effect]) -> str:
    """Return what tells two effects apart, the same in every language."""
    with override(_COMPARED_IN):
        stated = effect()
        compared = [_words(line) for line in stated.lines if line.is_compared]
        text = json.dumps([compared, stated.cost_points, str(stated.cost_amount)])
    return hashlib.sha256(text.encode()).hexdigest()


def shown_as_stored(stored: StoredEffect) -> ShownEffect:
    """Return an effect as it was when the proposal was made."""
    cost = stored["cost_amount"]
    return ShownEffect(
        tuple(ShownLine(*words) for words in _lines_of(stored)),
        stored["cost_points"],
        None if cost is None else Decimal(cost),
        stored["digest"],
    )


def shown_against(stored: StoredEffect, effect: Callable[[], Effect]) -> ShownEffect:
    """Return an effect as it is now; lines that differ from the stored ones say what they were."""
    digest = digest_of(effect)
    stated = effect()
    has_changed = digest != stored["digest"]
    then = {label: (before, after) for label, before, after in _lines_of(stored)}
    lines = []
    for line in stated.lines:
        label, before, after = _words(line)
        before_then, after_then = then.get(label, ("", ""))
        differs = has_changed and line.is_compared and (before_then, after_then) != (before, after)
        lines.append(ShownLine(label, before, after, *((before_then, after_then) if differs else ())))
    return ShownEffect(tuple(lines), stated.cost_points, stated.cost_amount, digest, has_changed)


def _lines_of(stored: StoredEffect) -> list[list[str]]:
    lines = stored["lines"]
    return lines.get(get_language()) or lines[_COMPARED_IN]


def _words(line: EffectLine) -> tuple[str, str, str]:
    return str(line.label), _in_words(line.before), _in_words(line.after)


def _in_words(value: Value) -> str:
    if value is None:
        return "–"
    return grouped(value) if isinstance(value, int | Decimal) else str(value)
