"""The ladder as plain values: frozen snapshots of its versions, and the spans they count. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from loyalty.criteria import Criteria, Metric, Sums
from loyalty.periods import (
    RESOLUTION,
    business_date,
    end_of_month_after,
    midnight,
    months_before,
    quarter_of,
    year_from,
    year_of,
)

__all__ = ["Anchors", "Ladder", "LadderBook", "Step", "Sums", "TierNow", "Window", "WindowKind"]

WindowKind = Literal["rolling", "year", "quarter", "joined", "tier"]


@dataclass(frozen=True, slots=True)
class TierNow:
    """A tier as it was held at a moment, with what it gave then."""

    tier_id: int
    code: str
    rank: int
    points_multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """What one tier takes and gives under one version of the ladder, within the qualifying period."""

    tier_id: int
    code: str
    rank: int
    rise: Criteria
    keep: Criteria
    points_multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """One version of the ladder; its steps stand lowest first. Made from a LadderVersion and its rules.

    `rises_at_once` is False where a rise waits for the end of the period (of the month, where the period rolls).
    `grace_percent` is how far below what keeping takes a member may be to be given `grace_days` more.
    """

    id: int
    number: int
    valid_from: datetime
    valid_to: datetime | None
    qualifying_months: int
    validity_months: int
    soft_landing: bool
    credits_per_unit: int
    steps: tuple[Step, ...]
    window: WindowKind = "rolling"
    rises_at_once: bool = True
    grace_percent: int = 0
    grace_days: int = 0
    carries_over: bool = False
    activity_scores: Mapping[str, int] = field(default_factory=dict)  # by kind of activity

    @property
    def metrics(self) -> frozenset[Metric]:
        """The metrics that any of its tiers asks for."""
        asked = {metric for step in self.steps for criteria in (step.rise, step.keep) for metric, _ in criteria}
        weighed = {metric for step in self.steps for metric in step.rise.weights} if "score" in asked else set()
        return frozenset(asked | weighed)

    @property
    def needs_credits_only(self) -> bool:
        """Whether sums of tier credits decide everything under it, and the span they count does not hang on the member."""
        return self.window not in _ANCHORED and not self.carries_over and self.metrics <= {"credits"}

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
class Anchors:
    """The days of a member from which a year may be counted: when it joined, and since when it holds its tier."""

    joined_at: datetime | None = None
    since_at: datetime | None = None


_ANCHORED: Final = ("joined", "tier")
_NOWHERE: Final = Anchors()


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
    #: Whether any version looks at more than sums of tier credits.
    needs_more: bool = False
    #: Whether any version counts a year from a day of the member.
    needs_anchors: bool = False
    _begins: tuple[datetime, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, ladders: Sequence[Ladder], tz: ZoneInfo, tiers: Sequence[tuple[int, str, int]]) -> "LadderBook":
        """Make a book from versions in any order and tiers as (id, code, rank)."""
        in_order = tuple(sorted(ladders, key=lambda ladder: ladder.valid_from))
        codes = {tier_id: code for tier_id, code, _rank in tiers}
        ranks = {tier_id: rank for tier_id, _code, rank in tiers}
        needs_more = not all(ladder.needs_credits_only for ladder in in_order)
        needs_anchors = any(ladder.window in _ANCHORED for ladder in in_order)
        return cls(
            in_order, tz, codes, ranks, needs_more, needs_anchors, tuple(ladder.valid_from for ladder in in_order)
        )

    def at(self, moment: datetime) -> Ladder:
        """Return the version that judges a moment."""
        return self.ladders[max(0, bisect_right(self._begins, moment) - 1)]

    @property
    def longest_months(self) -> int:
        """The longest qualifying period of any version; of a year that may begin on any day, the year before it, too."""
        return max(ladder.qualifying_months if ladder.window == "rolling" else 24 for ladder in self.ladders)

    def lowest_at(self, moment: datetime) -> TierNow:
        """Return the tier that a member without any standing holds at a moment."""
        return self.tier_now(self.at(moment).lowest.tier_id, moment)

    def tier_now(self, tier_id: int, moment: datetime) -> TierNow:
        """Return a tier with what the version at `moment` gives to those who hold it."""
        rank = self.ranks[tier_id]
        return TierNow(tier_id, self.codes[tier_id], rank, self.at(moment).step_for(rank).points_multiplier)

    def ladder(self, ladder_id: int) -> Ladder:
        """Return a version by its id. Raises KeyError for one without rules."""
        found = next((ladder for ladder in self.ladders if ladder.id == ladder_id), None)
        if found is None:
            raise KeyError(ladder_id)
        return found

    def rise_window(self, moment: datetime, anchors: Anchors = _NOWHERE) -> Window:
        """Return the qualifying period that decides on a rise at `moment`, which is part of it."""
        ladder = self.at(moment)
        if ladder.window == "rolling":
            return Window.through(months_before(moment, ladder.qualifying_months, self.tz), moment)
        return Window.through(self._begin(ladder, business_date(moment, self.tz), anchors), moment)

    def review_window(self, due: datetime, anchors: Anchors = _NOWHERE) -> Window:
        """Return the qualifying period that decides a review due at `due`, which lies outside."""
        ladder = self.at(due)
        if ladder.window == "rolling":
            return Window(months_before(due, ladder.qualifying_months, self.tz), due)
        return Window(self._begin(ladder, business_date(due - RESOLUTION, self.tz), anchors), due)

    def valid_until_after_rise(self, moment: datetime, anchors: Anchors = _NOWHERE) -> datetime:
        """Return until when a tier risen to at `moment` is valid.

        Where the period rolls, so many months to the end of the month; a year, where it begins with the tier; else to the
        end of the period after the present one.
        """
        ladder = self.at(moment)
        if ladder.window == "rolling":
            return end_of_month_after(moment, ladder.validity_months, self.tz)
        day = business_date(moment, self.tz)
        if ladder.window == "tier":
            return midnight(year_from(day, day)[1], self.tz)
        return midnight(self._period(ladder, self._period(ladder, day, anchors)[1], anchors)[1], self.tz)

    def valid_until_after_review(self, due: datetime, anchors: Anchors = _NOWHERE) -> datetime:
        """Return until when a tier given at a review is valid.

        Counted from the month that the review closed, so that reviews stay a whole validity apart and do not drift.
        """
        ladder = self.at(due)
        if ladder.window == "rolling":
            return end_of_month_after(due - RESOLUTION, ladder.validity_months, self.tz)
        return midnight(self._period(ladder, business_date(due, self.tz), anchors)[1], self.tz)

    def rise_due_after(self, moment: datetime, anchors: Anchors = _NOWHERE) -> datetime:
        """Return when a rise that waits is decided: at the end of the period, or of the month where the period rolls."""
        ladder = self.at(moment)
        if ladder.window == "rolling":
            return end_of_month_after(moment, 0, self.tz)
        return midnight(self._period(ladder, business_date(moment, self.tz), anchors)[1], self.tz)

    def _begin(self, ladder: Ladder, day: date, anchors: Anchors) -> datetime:
        """Return since when a day's period counts; the year of a tier begins after the moment at which it was reached."""
        begin = self._period(ladder, day, anchors)[0]
        since_at = anchors.since_at if ladder.window == "tier" else None
        if since_at is not None and begin <= business_date(since_at, self.tz):
            return since_at + RESOLUTION
        return midnight(begin, self.tz)

    def _period(self, ladder: Ladder, day: date, anchors: Anchors) -> tuple[date, date]:
        anchor = (anchors.since_at if ladder.window == "tier" else None) or anchors.joined_at
        if ladder.window == "quarter":
            return quarter_of(day)
        if ladder.window == "year" or anchor is None:
            return year_of(day)
        return year_from(day, business_date(anchor, self.tz))
