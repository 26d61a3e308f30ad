"""What the published page of the programme is made of, and who has a say in it. Pure.

Floors above register what they add: a section of their own (how points are earned), or lines for each tier (benefits).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence. `key` names it from version to version; `sense` is what it says without language (figures, an id).

    Where the words differ and the sense is the same, nothing has changed but the wording.
    """

    key: str
    words: str
    sense: str


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences about one thing that has a name, such as a tier. `colour` is that of its badge, like #c9a227."""

    key: str
    title: str
    lines: tuple[Line, ...]
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: sentences, then blocks."""

    code: str
    title: str
    lines: tuple[Line, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The whole page in one language."""

    title: str
    sections: tuple[Section, ...]

    def sentences(self) -> Iterator[str]:
        """Yield all that is to be read, in order."""
        yield self.title
        for section in self.sections:
            yield section.title
            yield from (line.words for line in section.lines)
            for block in section.blocks:
                yield block.title
                yield from (line.words for line in block.lines)

    def as_json(self) -> dict[str, Any]:
        """Return the page as it is kept."""
        return asdict(self)


def page_from_json(kept: Mapping[str, Any]) -> RulesPage:
    """Return a page from what was kept of it."""
    return RulesPage(kept["title"], tuple(_section(section) for section in kept["sections"]))


def _section(kept: Mapping[str, Any]) -> Section:
    blocks = tuple(
        Block(block["key"], block["title"], _lines(block["lines"]), block["colour"]) for block in kept["blocks"]
    )
    return Section(kept["code"], kept["title"], _lines(kept["lines"]), blocks)


def _lines(kept: Sequence[Mapping[str, str]]) -> tuple[Line, ...]:
    return tuple(Line(line["key"], line["words"], line["sense"]) for line in kept)


#: Returns the moments after the given one at which what a part says may change, as far as they are known.
Moments = Callable[[datetime], Iterable[datetime]]
#: Returns a section in the active language as it is at a moment; None when there is nothing to say.
SectionAt = Callable[[datetime], Section | None]
#: Returns sentences in the active language for the tiers of a ladder at a moment, by their code.
LinesAt = Callable[[datetime, Ladder], Mapping[str, Sequence[Line]]]
#: Returns what tiers give as figures that can be compared, more being better: words in the active language → code → figure.
GivesAt = Callable[[datetime, Ladder], Mapping[str, Mapping[str, Decimal]]]


def _never(_after: datetime) -> tuple[datetime, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class SectionPart:
    """A section that somebody registered."""

    order: int
    code: str
    section: SectionAt
    moments: Moments


@dataclass(frozen=True, slots=True)
class TierPart:
    """What somebody registered to be said of each tier."""

    order: int
    code: str
    lines: LinesAt
    gives: GivesAt | None
    moments: Moments


_sections: dict[str, SectionPart] = {}
_tier_parts: dict[str, TierPart] = {}


def register_rules_section(code: str, *, order: int, section: SectionAt, moments: Moments = _never) -> None:
    """Add a section to the page. Called once per process from `AppConfig.ready()`; loyalty's own stand before order 100."""
    _sections[code] = SectionPart(order, code, section, moments)


def register_tier_rules(
    code: str, *, order: int, lines: LinesAt, gives: GivesAt | None = None, moments: Moments = _never
) -> None:
    """Add sentences to each tier, and figures by which neighbouring tiers are compared. Called as above."""
    _tier_parts[code] = TierPart(order, code, lines, gives, moments)


def registered_sections() -> list[SectionPart]:
    """Return the registered sections in their order."""
    return sorted(_sections.values(), key=lambda part: (part.order, part.code))


def registered_tier_rules() -> list[TierPart]:
    """Return what was registered for tiers, in its order."""
    return sorted(_tier_parts.values(), key=lambda part: (part.order, part.code))


def given_by_tiers(moment: datetime, ladder: Ladder) -> dict[str, Mapping[str, Decimal]]:
    """Return what tiers give as figures, of all who registered some: words in the active language → code → figure."""
    found: dict[str, Mapping[str, Decimal]] = {}
    for part in registered_tier_rules():
        found |= part.gives(moment, ladder) if part.gives else {}
    return found


def moments_after(moment: datetime) -> set[datetime]:
    """Return the moments after this one at which a registered part may change."""
    parts: list[SectionPart | TierPart] = [*_sections.values(), *_tier_parts.values()]
    return {found for part in parts for found in part.moments(moment) if found > moment}
