"""Where floors register what looks suspicious: rules that find members set-based, and say in words what they found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found about a member. The same `natural_key` is found once: a day, a return, whatever makes it the same."""

    member_id: int
    natural_key: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What a rule is asked: up to which moment, beyond which limit, and about whom (None: everybody, at night)."""

    at: datetime
    most: int
    member_ids: Sequence[int] | None = None


def _nobody(member_id: int, at: datetime) -> Sequence[int]:
    return ()


@dataclass(frozen=True, slots=True)
class RiskSignal:
    """A rule that looks for abuse. Its code is that of a `RiskRule`, where staff set the limit.

    `find` asks the database once, whoever it is asked about. `sentence` says what the rule is with its limit, `words` what
    was found; both in the active language. `others` says with whom a member was found up to a moment, for a rule that finds
    several together.
    """

    code: str
    label: str | Promise
    find: Callable[[Question], Sequence[Found]]
    sentence: Callable[[int], str]
    words: Callable[[Figures], str]
    others: Callable[[int, datetime], Sequence[int]] = _nobody


_signals: dict[str, RiskSignal] = {}


def register_signal(signal: RiskSignal) -> None:
    """Register a rule. Called once, from `AppConfig.ready()`."""
    _signals[signal.code] = signal


def signals() -> list[RiskSignal]:
    """Return all rules, in the order of their codes."""
    return [_signals[code] for code in sorted(_signals)]


def signal(code: str) -> RiskSignal | None:
    """Return the rule with a code, or None when no floor knows it any more."""
    return _signals.get(code)
