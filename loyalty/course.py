"""A member's course over the ladder: which decisions a fact or the passing of time sets off, in which order.

Written once for two records of a member: rows of the database (`services.standing`) and memory (`replay`). So a bulk
import comes to the same tiers as the same facts told one by one.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from loyalty.assessment import (
    Change,
    Decision,
    LastDecision,
    Standing,
    assess_review,
    assess_rise,
    assess_undo,
    held_tier_id,
    review_window,
    step_risen_to,
)
from loyalty.ladder import LadderBook, Sums, TierNow, Window

REVIEWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class CountedFact:
    """A fact that counts towards a tier. A return takes away credits, spend, orders; its `cause` names the purchase."""

    member_id: int
    kind: Literal["purchase", "return"]
    source: str
    source_ref: str
    credits: int
    spend_amount: Decimal
    orders: int
    happened_at: datetime
    cause: str = ""

    @property
    def name(self) -> str:
        """How other facts name this one as their cause."""
        return f"{self.source}:{self.source_ref}"


class Record(Protocol):
    """What is known of one member, the fact being counted included."""

    def sums(self, window: Window) -> Sums:
        """Return the tier credits of a span."""

    def last_change(self) -> Change | None:
        """Return the member's newest change, those of this course included."""

    def standing_before(self, rise: Change) -> Standing | None:
        """Return the standing that a rise ended."""

    def add(self, change: Change) -> None:
        """Take note of a new change."""


class Course:
    """One member on the ladder. `standing` follows the decisions, which go to the record."""

    def __init__(self, book: LadderBook, record: Record, standing: Standing | None) -> None:
        self.book = book
        self.record = record
        self.standing = standing

    def tier(self, moment: datetime) -> TierNow:
        """Return the tier held now, with what it gives at `moment`."""
        return self.book.tier_now(held_tier_id(self.book, self.standing, moment), moment)

    def catch_up(self, moment: datetime) -> None:
        """Decide the reviews due until `moment`, one period after another; at most 50 at once, the rest next time."""
        for _ in range(REVIEWS_AT_ONCE):
            standing = self.standing
            if standing is None or standing.valid_until is None or standing.valid_until > moment:
                return
            due = standing.valid_until
            last = self._last()
            sums = self.record.sums(review_window(self.book, due, last))
            self._take(assess_review(self.book, standing, due, sums, last))

    def count(self, fact: CountedFact, latest_at: datetime | None) -> TierNow:
        """Decide what a fact leads to, after the reviews that were due before it; return the tier held between.

        `latest_at` is the moment of the member's latest fact. A late fact is assessed at that moment, so the history
        stays in order of time. Only credits lift a member, or the undoing of a rise to a tier in between.
        """
        moments = [fact.happened_at, latest_at, self.standing.since_at if self.standing else None]
        moment = max(moment for moment in moments if moment is not None)
        self.catch_up(moment)
        before = self.tier(moment)
        is_undone = fact.kind == "return" and fact.credits < 0 and self._undo(fact, moment)
        if is_undone:
            self.catch_up(moment)
        if fact.credits > 0 or is_undone:
            self._rise(fact, moment)
        return before

    def _rise(self, fact: CountedFact, moment: datetime) -> None:
        sums = self.record.sums(self.book.rise_window(moment))
        if step_risen_to(self.book, self.standing, moment, sums.credits) is None:
            return
        last = self._last()
        if last and last.happened_at > moment:
            # A review was decided beyond the latest fact: the rise comes after it, if the credits still carry it then.
            moment = last.happened_at
            sums = self.record.sums(self.book.rise_window(moment))
        decision = assess_rise(self.book, self.standing, moment, sums, fact.name, last)
        if decision:
            self._take(decision)

    def _undo(self, fact: CountedFact, moment: datetime) -> bool:
        """Undo the member's newest change if it is a rise by the very purchase that comes back; tell whether it was."""
        rise = self.record.last_change() if self.standing and fact.cause else None
        if rise is None or rise.reason != "risen" or rise.cause != fact.cause:
            return False
        moment = max(moment, rise.happened_at)
        sums = self.record.sums(Window.through(rise.window_from, moment))
        decision = assess_undo(rise, self.record.standing_before(rise), sums, moment, fact.name)
        if decision:
            self._take(decision)
        return decision is not None

    def _last(self) -> LastDecision | None:
        change = self.record.last_change()
        return LastDecision(change.number, change.happened_at) if change else None

    def _take(self, decision: Decision) -> None:
        self.standing = decision.standing
        self.record.add(decision.change)


def effective(changes: list[Change]) -> list[Change]:
    """Return changes (in order) without the rises that were undone, and without the undoing."""
    undone = {change.number for change in changes if change.reason == "undone"}
    return [change for change in changes if change.number not in undone and change.number + 1 not in undone]


def standing_before(rise: Change, earlier: list[Change]) -> Standing | None:
    """Return the standing that a rise ended, from all changes before it, in order."""
    held = [change for change in effective(earlier) if change.reason != "kept"]
    if not held:
        return None
    return Standing(rise.from_tier_id, held[-1].happened_at, earlier[-1].valid_until)
