"""A member's course over the ladder: which decisions a fact or the passing of time sets off, in which order.

Written once for two records of a member: rows of the database (`services.standing`) and memory (`replay`). So a bulk
import comes to the same tiers as the same facts told one by one.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from loyalty.assessment import (
    Change,
    Decision,
    Standing,
    assess_due,
    assess_rise,
    assess_undo,
    due_of,
    held_tier_id,
    step_risen_to,
    wait_to_rise,
)
from loyalty.ladder import Anchors, LadderBook, Sums, TierNow, Window

REVIEWS_AT_ONCE = 50
#: The source of what a review hands on to the next period.
REVIEW = "review"


@dataclass(frozen=True, slots=True)
class CountedFact:
    """A fact that counts towards a tier. A return takes away credits, spend, orders; its `cause` names the purchase.

    `active_on` is the day that an order made active, where that is another one than the day of the fact: a return of a
    whole order takes that day back.
    """

    member_id: int
    kind: Literal["purchase", "return", "activity", "carry"]
    source: str
    source_ref: str
    credits: int
    spend_amount: Decimal
    orders: int
    happened_at: datetime
    cause: str = ""
    activity: int = 0
    active_on: date | None = None

    @property
    def name(self) -> str:
        """How other facts name this one as their cause."""
        return f"{self.source}:{self.source_ref}"

    @property
    def adds(self) -> bool:
        """Whether it adds to any metric."""
        return self.credits > 0 or self.spend_amount > 0 or self.orders > 0 or self.activity > 0

    @property
    def takes(self) -> bool:
        """Whether it takes away from any metric."""
        return self.credits < 0 or self.spend_amount < 0 or self.orders < 0


class Record(Protocol):
    """What is known of one member, the fact being counted included."""

    def sums(self, window: Window) -> Sums:
        """Return what was done in a span."""

    def joined_at(self) -> datetime | None:
        """Return when the member joined. Asked only where a version counts from there."""

    def last_change(self) -> Change | None:
        """Return the member's newest change, those of this course included."""

    def standing_before(self, rise: Change) -> Standing | None:
        """Return the standing that a rise ended."""

    def add(self, change: Change) -> None:
        """Take note of a new change."""

    def carry(self, credits: int, change: Change) -> None:
        """Take note of tier credits that a review hands on to the next period."""


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
        """Decide what is due until `moment`, one period after another; at most 50 at once, the rest next time."""
        for _ in range(REVIEWS_AT_ONCE):
            if self.standing is None or not self.standing.is_due(moment):
                return
            last, anchors = self.record.last_change(), self._anchors()
            due = due_of(self.book, self.standing, last, anchors)
            assert due is not None  # noqa: S101 - something is due
            sums = self.record.sums(due.window)
            self._take(assess_due(self.book, self.standing, due, sums, last, anchors))

    def count(self, fact: CountedFact, latest_at: datetime | None) -> TierNow:
        """Decide what a fact leads to, after the reviews that were due before it; return the tier held between.

        `latest_at` is the moment of the member's latest fact. A late fact is assessed at that moment, so the history
        stays in order of time. Only what adds something lifts a member, or the undoing of a rise to a tier in between.
        """
        moments = [fact.happened_at, latest_at, self.standing.since_at if self.standing else None]
        moment = max(moment for moment in moments if moment is not None)
        self.catch_up(moment)
        before = self.tier(moment)
        lifts = fact.credits > 0 or (fact.adds and not self.book.at(moment).needs_credits_only)
        is_undone = fact.kind == "return" and fact.takes and self._undo(fact, moment)
        if is_undone:
            self.catch_up(moment)
        if lifts or is_undone:
            self._rise(fact, moment)
        return before

    def _rise(self, fact: CountedFact, moment: datetime) -> None:
        window = self.book.rise_window(moment, self._anchors())
        sums = self.record.sums(window)
        if step_risen_to(self.book, self.standing, moment, sums) is None:
            return
        last = self.record.last_change()
        if last and last.happened_at > moment:
            # A review was decided beyond the latest fact: the rise comes after it, if the credits still carry it then.
            moment = last.happened_at
            window = self.book.rise_window(moment, self._anchors())
            sums = self.record.sums(window)
        if not self.book.at(moment).rises_at_once:
            if step_risen_to(self.book, self.standing, moment, sums):
                self.standing = wait_to_rise(self.book, self.standing, moment, self._anchors())
            return
        decision = assess_rise(
            self.book, self.standing, moment, window, sums, fact.name, last, self._anchors()
        )  # fmt: skip
        if decision:
            self._take(decision)

    def _undo(self, fact: CountedFact, moment: datetime) -> bool:
        """Undo the member's newest change if it is a rise by the very purchase that comes back; tell whether it was."""
        rise = self.record.last_change() if self.standing and fact.cause else None
        if rise is None or rise.reason != "risen" or rise.cause != fact.cause:
            return False
        if not fact.credits and self.book.ladder(rise.ladder_id).needs_credits_only:
            return False
        moment = max(moment, rise.happened_at)
        window = Window.through(rise.window_from, moment)
        before = self.record.standing_before(rise)
        decision = assess_undo(self.book, rise, before, window, self.record.sums(window), moment, fact.name)
        if decision:
            self._take(decision)
        return decision is not None

    def _anchors(self) -> Anchors:
        if not self.book.needs_anchors:
            return Anchors()
        return Anchors(self.record.joined_at(), self.standing.held_since if self.standing else None)

    def _take(self, decision: Decision) -> None:
        self.standing = decision.standing
        if decision.change:
            self.record.add(decision.change)
            if decision.carry:
                self.record.carry(decision.carry, decision.change)


def carried(member_id: int, credits: int, change: Change) -> CountedFact:
    """Return what a review hands on, as a fact at the beginning of the next period."""
    ref = f"{member_id}:{change.number}"
    return CountedFact(member_id, "carry", REVIEW, ref, credits, Decimal(0), 0, change.happened_at)


def effective(changes: list[Change]) -> list[Change]:
    """Return changes (in order) without those that were taken back, and without the undoing of rises."""
    undone = {change.number for change in changes if change.reason == "undone"}
    gone = undone | {number - 1 for number in undone}
    for change in changes:
        gone.update(range(change.number - change.takes_back, change.number))
    return [change for change in changes if change.number not in gone]


def standing_before(rise: Change, earlier: list[Change]) -> Standing | None:
    """Return the standing that a rise ended, from all changes before it, in order."""
    held = [
        change for change in effective(earlier) if change.from_tier_id != change.to_tier_id and change.reason != "restored"
    ]  # fmt: skip
    if not held:
        return None
    return Standing(rise.from_tier_id, held[-1].happened_at, earlier[-1].valid_until)
