"""What a draft would do, member by member, and the counts of it. Pure: standings and sums in, figures out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from loyalty.assessment import Change, Standing, assess_due, due_of
from loyalty.criteria import Metric, Sums
from loyalty.ladder import Anchors, Ladder, LadderBook, Window

#: How many bars a histogram has below the highest line, and how far it reaches beyond it.
BARS: Final = 24
_BEYOND: Final = Decimal("1.2")
_PASSES: Final = 4  # a rise, the review of those who do not rise, and after a grace once more

SumsOf = Callable[[Sequence[tuple[int, Window]]], list[Sums]]


@dataclass(frozen=True, slots=True)
class Assessed:
    """A member to be assessed: when it joined, where it stands now (None: where everybody starts), its newest change."""

    member_id: int
    joined_at: datetime
    standing: Standing | None
    last: Change | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an assessment leaves a member, whether by grace only, and what it did in the span that decided a rise."""

    tier_id: int
    by_grace: bool
    sums: Sums


def held_by(book: LadderBook, one: Assessed, moment: datetime) -> int:
    """Return the tier that a member holds now."""
    return one.standing.tier_id if one.standing else book.at(moment).lowest.tier_id


def assess_all(book: LadderBook, members: Sequence[Assessed], moment: datetime, sums_of: SumsOf) -> dict[int, Outcome]:
    """Return where members would stand if all of them were assessed at a moment: first whether they rise, else their review.

    These are the decisions of `loyalty.assessment` about members whose rise and review all fall on that moment.
    """
    standings = {one.member_id: _all_due(book, one, moment) for one in members}
    lasts = {one.member_id: one.last for one in members}
    joined = {one.member_id: one.joined_at for one in members}
    found: dict[int, Outcome] = {}
    for _ in range(_PASSES):
        asked = []
        for member_id, standing in standings.items():
            anchors = Anchors(joined[member_id], standing.since_at)
            due = due_of(book, standing, lasts[member_id], anchors)
            if due and due.at <= moment:
                asked.append((member_id, standing, due, anchors))
        if not asked:
            break
        sums = sums_of([(member_id, due.window) for member_id, _, due, _ in asked])
        standings = {}
        for (member_id, standing, due, anchors), done in zip(asked, sums, strict=True):
            decision = assess_due(book, standing, due, done, lasts[member_id], anchors)
            earlier = found.get(member_id)
            tier_id = decision.standing.tier_id if decision.standing else book.at(moment).lowest.tier_id
            by_grace = decision.change is not None and decision.change.reason == "grace"
            found[member_id] = Outcome(tier_id, by_grace, earlier.sums if earlier else done)
            if decision.change:
                lasts[member_id] = decision.change
            if decision.standing and not by_grace:
                standings[member_id] = decision.standing
    return found


def _all_due(book: LadderBook, one: Assessed, moment: datetime) -> Standing:
    tier_id, since_at = held_by(book, one, moment), one.joined_at
    if one.standing:
        since_at = one.standing.since_at
    is_lowest = not book.at(moment).steps_below(book.ranks[tier_id])
    return Standing(tier_id, since_at, None if is_lowest else moment, moment)


@dataclass(slots=True)
class Tally:
    """The counts of a preview, added up member by member; as JSON while the job runs, and for ever after.

    `moves` counts members by (held now, under the rules in force, under the draft); `near` by tier: below and above the
    line to rise, below and above the line to keep; `bars` by metric: nothing at all, then equal steps, then beyond.
    """

    members: int = 0
    moves: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    by_grace: int = 0
    near: dict[int, list[int]] = field(default_factory=dict)
    bars: dict[Metric, list[int]] = field(default_factory=dict)
    base_points: int = 0
    more_points: Decimal = Decimal(0)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Tally":
        """Return a tally as `to_json` stored it; of nothing, an empty one."""
        if not stored:
            return cls()
        moves = Counter({tuple(ids): number for *ids, number in stored["moves"]})
        return cls(
            stored["members"], moves, stored["by_grace"], {int(key): value for key, value in stored["near"].items()},
            dict(stored["bars"]), stored["base_points"], Decimal(stored["more_points"]),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the tally as plain values."""
        return {
            "members": self.members,
            "moves": [[*ids, number] for ids, number in sorted(self.moves.items())],
            "by_grace": self.by_grace,
            "near": {str(key): value for key, value in self.near.items()},
            "bars": self.bars,
            "base_points": self.base_points,
            "more_points": str(self.more_points),
        }

    def add(self, draft: Ladder, held: int, live: Outcome, new: Outcome, *, near_percent: int) -> None:
        """Count one member, assessed under the rules in force and under the draft."""
        self.members += 1
        self.moves[held, live.tier_id, new.tier_id] += 1
        self.by_grace += new.by_grace
        held_rank = next((step.rank for step in draft.steps if step.tier_id == held), -1)
        for step in draft.steps[1:]:
            counts = self.near.setdefault(step.tier_id, [0, 0, 0, 0])
            if held_rank < step.rank and step.rise.thresholds:
                is_met = step.rise.is_met(new.sums)
                counts[0] += not is_met and step.rise.is_met(new.sums, percent=100 - near_percent)
                counts[1] += is_met and not step.rise.is_met(new.sums, percent=100 + near_percent)
            if held == step.tier_id and step.keep.thresholds:
                is_met = step.keep.is_met(new.sums)
                counts[2] += not is_met and step.keep.is_met(new.sums, percent=100 - near_percent)
                counts[3] += is_met and not step.keep.is_met(new.sums, percent=100 + near_percent)
        for metric, width in bar_widths(draft).items():
            bars = self.bars.setdefault(metric, [0] * (BARS + 2))
            have = draft.lowest.rise.value(metric, new.sums)
            bars[0 if have <= 0 else min(int(have / width), BARS) + 1] += 1

    def add_points(self, base_points: int, more: Decimal) -> None:
        """Count base points of the last year, and how many more the draft's multiplier would have made of them."""
        self.base_points += base_points
        self.more_points += more


def bar_widths(ladder: Ladder) -> dict[Metric, Decimal]:
    """Return for each metric that is asked for how wide a bar of its histogram is."""
    highest: dict[Metric, Decimal] = {}
    for step in ladder.steps:
        for criteria in (step.rise, step.keep):
            for metric, value in criteria:
                highest[metric] = max(highest.get(metric, Decimal(0)), value)
    return {metric: max(value * _BEYOND / BARS, Decimal(1)) for metric, value in highest.items() if value}
