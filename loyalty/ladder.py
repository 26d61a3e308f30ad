"""The ladder as plain values: frozen snapshots of its versions, and the spans they count. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from loyalty.periods import RESOLUTION, end_of_month_after, months_before


@dataclass(frozen=True, slots=True)
class TierNow:
    """A tier as it was held at a moment, with what it gave then."""

    tier_id: int
    code: str
    rank: int
    points_multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """What one tier takes and gives under one version of the ladder. Credits within the qualifying period."""

    tier_id: int
    code: str
    rank: int
    rise_credits: int
    keep_credits: int
    points_multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """One version of the ladder; its steps stand lowest first. Made from a LadderVersion and its rules."""

    id: int
    number: int
    valid_from: datetime
    valid_to: datetime | None
    qualifying_months: int
    validity_months: int
    soft_landing: bool
    credits_per_unit: int
    steps: tuple[Step, ...]

    @property
    def lowest(self) -> Step:
        """The tier everybody starts in."""
        return self.steps[0]

    def step_for(self, rank: int) -> Step:
        """Return the step that a tier of this rank stands on: its own, else (the ladder dropped it) the next below."""
        return next((step for step in reversed(self.steps) if step.rank <= rank), self.lowest)

    def step_above(self, rank: int) -> Step | None:
        """Return the next step above a rank, or None at the top."""
        return next((step for step in self.steps if step.rank > rank), None)

    def steps_below(self, rank: int) -> tuple[Step, ...]:
        """Return the steps below a rank, lowest first."""
        return tuple(step for step in self.steps if step.rank < rank)

    def credits_for(self, amount: Decimal) -> int:
        """Return the tier credits of an amount in the programme's currency: only whole units count."""
        return int(amount.to_integral_value(ROUND_FLOOR)) * self.credits_per_unit


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span whose tier credits count."""

    from_at: datetime
    before_at: datetime

    @classmethod
    def through(cls, from_at: datetime, moment: datetime) -> "Window":
        """Return the span that ends with `moment` itself."""
        return cls(from_at, moment + RESOLUTION)


@dataclass(frozen=True, slots=True)
class Sums:
    """Tier credits of a span: in all, and how many of them returns took back (a positive number)."""

    credits: int
    returned: int


@dataclass(frozen=True, slots=True)
class LadderBook:
    """All versions of the ladder, all tiers, and the zone in which months are counted.

    A moment before the first version is judged by the first, so that older imported facts count; one after a version
    that ended without a successor, by that version. A book without versions answers nothing: see `ladder_book`.
    """

    ladders: tuple[Ladder, ...]
    tz: ZoneInfo
    codes: Mapping[int, str]
    ranks: Mapping[int, int]
    _begins: tuple[datetime, ...] = field(repr=False)

    @classmethod
    def of(cls, ladders: Sequence[Ladder], tz: ZoneInfo, tiers: Sequence[tuple[int, str, int]]) -> "LadderBook":
        """Make a book from versions in any order and tiers as (id, code, rank)."""
        in_order = tuple(sorted(ladders, key=lambda ladder: ladder.valid_from))
        codes = {tier_id: code for tier_id, code, _rank in tiers}
        ranks = {tier_id: rank for tier_id, _code, rank in tiers}
        return cls(in_order, tz, codes, ranks, tuple(ladder.valid_from for ladder in in_order))

    def at(self, moment: datetime) -> Ladder:
        """Return the version that judges a moment."""
        return self.ladders[max(0, bisect_right(self._begins, moment) - 1)]

    @property
    def longest_qualifying_months(self) -> int:
        """The longest qualifying period of any version."""
        return max(ladder.qualifying_months for ladder in self.ladders)

    def lowest_at(self, moment: datetime) -> TierNow:
        """Return the tier that a member without any standing holds at a moment."""
        return self.tier_now(self.at(moment).lowest.tier_id, moment)

    def tier_now(self, tier_id: int, moment: datetime) -> TierNow:
        """Return a tier with what the version at `moment` gives to those who hold it."""
        rank = self.ranks[tier_id]
        return TierNow(tier_id, self.codes[tier_id], rank, self.at(moment).step_for(rank).points_multiplier)

    def rise_window(self, moment: datetime) -> Window:
        """Return the qualifying period that decides on a rise at `moment`, which is part of it."""
        return Window.through(months_before(moment, self.at(moment).qualifying_months, self.tz), moment)

    def review_window(self, due: datetime) -> Window:
        """Return the qualifying period that decides a review due at `due`, which lies outside."""
        return Window(months_before(due, self.at(due).qualifying_months, self.tz), due)

    def valid_until_after_rise(self, moment: datetime) -> datetime:
        """Return until when a tier risen to at `moment` is valid."""
        return end_of_month_after(moment, self.at(moment).validity_months, self.tz)

    def valid_until_after_review(self, due: datetime) -> datetime:
        """Return until when a tier given at a review is valid.

        Counted from the month that the review closed, so that reviews stay a whole validity apart and do not drift.
        """
        return end_of_month_after(due - RESOLUTION, self.at(due).validity_months, self.tz)
