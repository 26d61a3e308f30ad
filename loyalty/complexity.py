"""How hard a programme is to understand: a load worked out from what a member has to keep in mind. Pure.

Each part has a count, a number of it that is free because members expect it, and what each one beyond weighs:

| part       | counted                                                                     | free           | weighs |
| ---------- | --------------------------------------------------------------------------- | -------------- | ------ |
| tiers      | tiers, the one everybody starts in too                                      | 4              | 4      |
| metrics    | different things that are counted                                           | 1              | 6      |
| conditions | thresholds to rise and to keep, of all tiers together                       | 2 a tier above | 2      |
| choices    | lists of which only so many have to be reached                              | 0              | 3      |
| exceptions | what is otherwise than members expect: see `exceptions_of`                  | 0              | 4      |
| periods    | spans to know: qualifying period, validity, waiting, grace, a year of one's own | 2          | 3      |
| words      | of the longest language, each fifty begun; of Chinese, three characters for two words | 600  | 1      |

From `ATTENTION` the programme takes attention, from `HARD` it is hard. A ladder of four tiers with one threshold each
to rise and one to keep, over twelve months, weighs nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from loyalty.ladder import Ladder, Step

Part = Literal["tiers", "metrics", "conditions", "choices", "exceptions", "periods", "words"]
Grade = Literal["easy", "attention", "hard"]
Exceptional = Literal[
    "by_hand", "kept_freely", "kept_otherwise", "waiting", "grace", "carried_over", "score", "activities"
]

ATTENTION: Final = 20
HARD: Final = 40
FREE_TIERS: Final = 4
FREE_WORDS: Final = 600
WORDS_A_STEP: Final = 50

_WEIGHTS: Final[dict[Part, int]] = {
    "tiers": 4,
    "metrics": 6,
    "conditions": 2,
    "choices": 3,
    "exceptions": 4,
    "periods": 3,
    "words": 1,
}
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
_WORD: Final = re.compile(r"[^\W\u3400-\u9fff]+(?:[.,'’-]\w+)*")


@dataclass(frozen=True, slots=True)
class Measured:
    """One part of the load: how many there are, how many are free, and what those beyond weigh together."""

    part: Part
    count: int
    free: int
    load: int


@dataclass(frozen=True, slots=True)
class Complexity:
    """The load of a programme with its parts, and what is exceptional about it."""

    parts: tuple[Measured, ...]
    exceptions: tuple[Exceptional, ...]
    words: Mapping[str, int]

    @property
    def load(self) -> int:
        """All parts together."""
        return sum(part.load for part in self.parts)

    @property
    def grade(self) -> Grade:
        """How it reads."""
        return "hard" if self.load >= HARD else "attention" if self.load >= ATTENTION else "easy"

    @property
    def heaviest(self) -> tuple[Measured, ...]:
        """The parts that weigh anything, heaviest first."""
        return tuple(sorted((part for part in self.parts if part.load), key=lambda part: -part.load))


def complexity_of(ladder: Ladder, words: Mapping[str, int] | None = None) -> Complexity:
    """Return the load of a ladder, and of a page of so many words by language (none: the ladder alone)."""
    above = ladder.steps[1:]
    criteria = [part for step in above for part in (step.rise, step.keep)]
    exceptions = tuple(exceptions_of(ladder))
    counts: dict[Part, tuple[int, int]] = {
        "tiers": (len(ladder.steps), FREE_TIERS),
        "metrics": (len({metric for part in criteria for metric, _needed in part}), 1),
        "conditions": (sum(len(part.thresholds) for part in criteria), 2 * len(above)),
        "choices": (sum(part.must < len(part.thresholds) for part in criteria), 0),
        "exceptions": (len(exceptions), 0),
        "periods": (_periods(ladder), 2),
        "words": (max((words or {}).values(), default=0), FREE_WORDS),
    }
    parts = tuple(Measured(part, count, free, _load(part, count - free)) for part, (count, free) in counts.items())
    return Complexity(parts, exceptions, dict(words or {}))


def exceptions_of(ladder: Ladder) -> Iterable[Exceptional]:
    """Yield what is otherwise than members expect, each time it occurs.

    A tier that nobody reaches by doing, one that is kept without a condition, or by other metrics than it is risen to;
    rises that wait, grace, credits carried over, a score, and every kind of activity that counts beyond the first.
    """
    for step in ladder.steps[1:]:
        if not step.rise.thresholds:
            yield "by_hand"
        elif not step.keep.thresholds:
            yield "kept_freely"
        elif _metrics(step, rises=True) != _metrics(step, rises=False):
            yield "kept_otherwise"
    if not ladder.rises_at_once:
        yield "waiting"
    if gives_grace(ladder):
        yield "grace"
    if ladder.carries_over:
        yield "carried_over"
    if "score" in ladder.metrics:
        yield "score"
    for _kind in sorted(ladder.activity_scores)[1:] if "activity" in ladder.metrics else ():
        yield "activities"


def gives_grace(ladder: Ladder) -> bool:
    """Whether anybody can be given grace."""
    return ladder.grace_days > 0 and ladder.grace_percent > 0


def words_in(sentences: Iterable[str]) -> int:
    """Return how many words there are to read; of Chinese, three characters count as two words."""
    words = characters = 0
    for sentence in sentences:
        words += len(_WORD.findall(sentence))
        characters += len(_CHINESE.findall(sentence))
    return words + -(-characters * 2 // 3)


def _periods(ladder: Ladder) -> int:
    own_year = ladder.window in ("joined", "tier")
    return 2 + (not ladder.rises_at_once) + gives_grace(ladder) + own_year


def _metrics(step: Step, *, rises: bool) -> set[str]:
    return {metric for metric, _needed in (step.rise if rises else step.keep)}


def _load(part: Part, beyond: int) -> int:
    if beyond <= 0:
        return 0
    return _WEIGHTS[part] * (-(-beyond // WORDS_A_STEP) if part == "words" else beyond)
