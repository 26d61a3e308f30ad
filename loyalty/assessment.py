"""What tier credits lead to: rise, review, undoing a rise. Pure: values in, a decision with its numbers out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty.ladder import LadderBook, Step, Sums, Window

Reason = Literal["risen", "kept", "fallen", "undone"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The tier a member holds, since when, and when its review is due (never for the lowest tier)."""

    tier_id: int
    since_at: datetime
    valid_until: datetime | None

    def is_due(self, moment: datetime) -> bool:
        """Tell whether a review is due at a moment."""
        return self.valid_until is not None and self.valid_until <= moment


@dataclass(frozen=True, slots=True)
class Change:
    """A decision about a member's tier, as TierChange keeps it."""

    number: int
    reason: Reason
    from_tier_id: int
    to_tier_id: int
    from_code: str
    to_code: str
    ladder_id: int
    window_from: datetime
    credits: int
    needed_credits: int
    returned_credits: int
    valid_until: datetime | None
    cause: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The newest change of a member, as far as the next one depends on it."""

    number: int
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """A change and the standing it leaves; None: the member is back where everybody starts."""

    change: Change
    standing: Standing | None


def held_tier_id(book: LadderBook, standing: Standing | None, moment: datetime) -> int:
    """Return the tier of a standing; without one it is the lowest."""
    return standing.tier_id if standing else book.at(moment).lowest.tier_id


def step_risen_to(book: LadderBook, standing: Standing | None, moment: datetime, credits: int) -> Step | None:
    """Return the highest step above the held tier that the credits reach, or None."""
    ladder = book.at(moment)
    rank = book.ranks[held_tier_id(book, standing, moment)]
    reached = [step for step in ladder.steps if step.rank > rank and credits >= step.rise_credits]
    return reached[-1] if reached else None


def assess_rise(
    book: LadderBook, standing: Standing | None, moment: datetime, sums: Sums, cause: str, last: LastDecision | None
) -> Decision | None:
    """Decide whether a member rises at `moment` with the credits of `book.rise_window(moment)`; None: no rise."""
    step = step_risen_to(book, standing, moment, sums.credits)
    if step is None:
        return None
    from_tier_id = held_tier_id(book, standing, moment)
    valid_until = book.valid_until_after_rise(moment)
    change = Change(
        number=_next_number(last),
        reason="risen",
        from_tier_id=from_tier_id,
        to_tier_id=step.tier_id,
        from_code=book.codes[from_tier_id],
        to_code=step.code,
        ladder_id=book.at(moment).id,
        window_from=book.rise_window(moment).from_at,
        credits=sums.credits,
        needed_credits=step.rise_credits,
        returned_credits=sums.returned,
        valid_until=valid_until,
        cause=cause,
        happened_at=moment,
    )
    return Decision(change, Standing(step.tier_id, moment, valid_until))


def review_window(book: LadderBook, due: datetime, last: LastDecision | None) -> Window:
    """Return the span that decides a review due at `due`: the qualifying period before it.

    After a younger decision (an undone rise gave back a tier whose review had passed) it reaches up to that, so that
    what was returned does not keep a tier.
    """
    window = book.review_window(due)
    return Window.through(window.from_at, last.happened_at) if last and last.happened_at > due else window


def assess_review(
    book: LadderBook, standing: Standing, due: datetime, sums: Sums, last: LastDecision | None
) -> Decision:
    """Decide the review due at `due` with the credits of `review_window`: the tier is kept, or falls.

    It happens at the moment it was due, however late it is run; after a younger decision, together with that.
    """
    ladder = book.at(due)
    rank = book.ranks[standing.tier_id]
    step = ladder.step_for(rank)
    below = ladder.steps_below(rank)
    is_kept = not below or (step.tier_id == standing.tier_id and sums.credits >= step.keep_credits)
    tier_id = standing.tier_id if is_kept else _landing(below, ladder.soft_landing, sums.credits).tier_id
    is_lowest = not below or tier_id == ladder.lowest.tier_id
    valid_until = None if is_lowest else book.valid_until_after_review(due)
    happened_at = max(due, last.happened_at) if last else due
    change = Change(
        number=_next_number(last),
        reason="kept" if is_kept else "fallen",
        from_tier_id=standing.tier_id,
        to_tier_id=tier_id,
        from_code=book.codes[standing.tier_id],
        to_code=book.codes[tier_id],
        ladder_id=ladder.id,
        window_from=book.review_window(due).from_at,
        credits=sums.credits,
        needed_credits=step.keep_credits,
        returned_credits=sums.returned,
        valid_until=valid_until,
        cause="",
        happened_at=happened_at,
    )
    return Decision(change, Standing(tier_id, standing.since_at if is_kept else happened_at, valid_until))


def assess_undo(rise: Change, before: Standing | None, sums: Sums, moment: datetime, cause: str) -> Decision | None:
    """Decide whether a return undoes a rise, with the credits from the rise's period up to `moment`; None: it stays.

    `before` is the standing that the rise ended; the member goes back to it.
    """
    if sums.credits >= rise.needed_credits:
        return None
    change = Change(
        number=rise.number + 1,
        reason="undone",
        from_tier_id=rise.to_tier_id,
        to_tier_id=rise.from_tier_id,
        from_code=rise.to_code,
        to_code=rise.from_code,
        ladder_id=rise.ladder_id,
        window_from=rise.window_from,
        credits=sums.credits,
        needed_credits=rise.needed_credits,
        returned_credits=sums.returned,
        valid_until=before.valid_until if before else None,
        cause=cause,
        happened_at=moment,
    )
    return Decision(change, before)


def _landing(below: tuple[Step, ...], soft_landing: bool, credits: int) -> Step:
    if soft_landing:
        return below[-1]
    return next((step for step in reversed(below) if credits >= step.keep_credits), below[0])


def _next_number(last: LastDecision | None) -> int:
    return last.number + 1 if last else 1
