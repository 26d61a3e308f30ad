"""What a member's doings lead to: rise, review, grace, undoing a rise. Pure: values in, a decision with its numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from loyalty.criteria import Criteria, Sums
from loyalty.ladder import Anchors, Ladder, LadderBook, Step, Window
from loyalty.periods import add_months, business_date, midnight

Reason = Literal["risen", "kept", "fallen", "undone", "grace", "restored"]
#: A figure as a change keeps it: metric, what there was, what was needed, what returns took back.
ToldFigure = tuple[str, str, str, str]

#: So long after a run of reviews was undone, what it had decided is decided again.
AGAIN_AFTER: Final = timedelta(days=30)
#: How the change of a grace by staff names its cause.
BY_STAFF: Final = "staff:"

_NOWHERE: Final = Anchors()


@dataclass(frozen=True, slots=True)
class Standing:
    """The tier a member holds, since when, and when its review is due (never for the lowest tier).

    `rise_at` is when a rise is decided that waits for the end of a period; None: none waits.
    """

    tier_id: int
    since_at: datetime
    valid_until: datetime | None
    rise_at: datetime | None = None

    @property
    def held_since(self) -> datetime | None:
        """Since when a tier is held that was risen or fallen to; None of the lowest, which everybody holds from the beginning."""
        return self.since_at if self.valid_until is not None else None

    @property
    def due_at(self) -> datetime | None:
        """When the next decision is due, or None."""
        moments = [moment for moment in (self.valid_until, self.rise_at) if moment is not None]
        return min(moments, default=None)

    def is_due(self, moment: datetime) -> bool:
        """Tell whether a decision is due at a moment."""
        due = self.due_at
        return due is not None and due <= moment


@dataclass(frozen=True, slots=True)
class Change:
    """A decision about a member's tier, as TierChange keeps it.

    `figures` are empty where tier credits alone decided: then `credits`, `needed_credits` and `returned_credits` say it
    all. Else each threshold stands there, of which `must` had to be reached. `takes_back` is how many changes right before
    it count as never been.
    """

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
    figures: tuple[ToldFigure, ...] = ()
    must: int = 0
    takes_back: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """A change (None: nothing changed but what is due next) and the standing it leaves; None: where everybody starts.

    `carry` are tier credits beyond what keeping took, which the next period begins with.
    """

    change: Change | None
    standing: Standing | None
    carry: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """The next decision about a member: when, what, and over which span."""

    at: datetime
    is_rise: bool
    window: Window


def held_tier_id(book: LadderBook, standing: Standing | None, moment: datetime) -> int:
    """Return the tier of a standing; without one it is the lowest."""
    return standing.tier_id if standing else book.at(moment).lowest.tier_id


def step_risen_to(book: LadderBook, standing: Standing | None, moment: datetime, sums: Sums) -> Step | None:
    """Return the highest step above the held tier whose criteria are met, or None."""
    ladder = book.at(moment)
    rank = book.ranks[held_tier_id(book, standing, moment)]
    return next((step for step in reversed(ladder.steps) if step.rank > rank and step.rise.is_met(sums)), None)


def assess_rise(
    book: LadderBook,
    standing: Standing | None,
    moment: datetime,
    window: Window,
    sums: Sums,
    cause: str,
    last: Change | None,
    anchors: Anchors = _NOWHERE,
) -> Decision | None:
    """Decide whether a member rises at `moment` with what was done in `window`; None: no rise."""
    step = step_risen_to(book, standing, moment, sums)
    if step is None:
        return None
    from_tier_id = held_tier_id(book, standing, moment)
    valid_until = book.valid_until_after_rise(moment, anchors)
    change = _change(
        book, last, "risen", from_tier_id, step.tier_id, book.at(moment), window, sums, step.rise, valid_until, cause, moment
    )  # fmt: skip
    return Decision(change, Standing(step.tier_id, moment, valid_until))


def wait_to_rise(
    book: LadderBook, standing: Standing | None, moment: datetime, anchors: Anchors = _NOWHERE
) -> Standing:
    """Return the standing of a member whose rise waits for the end of the period of `moment`."""
    due = book.rise_due_after(moment, anchors)
    if standing is None:
        return Standing(book.at(moment).lowest.tier_id, moment, None, due)
    return standing if standing.rise_at is not None else replace(standing, rise_at=due)


def due_of(book: LadderBook, standing: Standing | None, last: Change | None, anchors: Anchors = _NOWHERE) -> Due | None:
    """Return the next decision about a member, or None. A rise that waits comes before the review of the same moment.

    A review counts the qualifying period before it. After a younger decision (an undone rise gave back a tier whose review
    had passed) it reaches up to that, so that what was returned does not keep a tier; at the end of a grace it begins
    where the period began that was given grace. What a run decided that was undone is decided over its period, up to then.
    """
    due = standing.due_at if standing else None
    if standing is None or due is None:
        return None
    window = book.review_window(due, anchors)
    if last and last.reason == "restored" and due == again_at(last.happened_at, book):
        window = Window(last.window_from, due)
    if standing.rise_at == due:
        if last and last.happened_at > due:
            window = book.rise_window(last.happened_at, anchors)
        return Due(due, True, window)
    if last and last.reason == "grace" and last.valid_until == due:
        window = Window(last.window_from, due)
    if last and last.happened_at > due:
        window = Window.through(window.from_at, last.happened_at)
    return Due(due, False, window)


def assess_due(
    book: LadderBook, standing: Standing, due: Due, sums: Sums, last: Change | None, anchors: Anchors = _NOWHERE
) -> Decision:
    """Decide what is due: a rise that waited, or a review. It happens when it was due, however late it is run.

    After a younger decision (grace by staff, while nothing was run) it happens together with that.
    """
    if not due.is_rise:
        return assess_review(book, standing, due, sums, last, anchors)
    moment = max(due.at, last.happened_at) if last else due.at
    decision = assess_rise(book, standing, moment, due.window, sums, "", last, anchors)
    if decision:
        return decision
    waited = replace(standing, rise_at=None)
    return Decision(None, waited if waited.valid_until else None)


def assess_review(
    book: LadderBook, standing: Standing, due: Due, sums: Sums, last: Change | None, anchors: Anchors = _NOWHERE
) -> Decision:
    """Decide a review: the tier is kept, given grace, or falls.

    After a younger decision it happens together with that. What follows is counted from when the review was first due,
    so that grace does not move the reviews after it.
    """
    ladder = book.at(due.at)
    rank = book.ranks[standing.tier_id]
    step, below = ladder.step_for(rank), ladder.steps_below(rank)
    is_own = step.tier_id == standing.tier_id
    is_after_grace = last is not None and last.reason == "grace" and last.valid_until == due.at
    first_due = _first_due(book, last) if last and is_after_grace else due.at
    is_kept = not below or (is_own and _keeps(step, sums))
    reason: Reason = "kept" if is_kept else "fallen"
    if not is_kept and is_own and not is_after_grace and _is_near(ladder, step, sums):
        reason = "grace"
    tier_id = standing.tier_id if reason != "fallen" else _landing(below, ladder.soft_landing, sums).tier_id
    is_lowest = not below or tier_id == ladder.lowest.tier_id
    happened_at = max(due.at, last.happened_at) if last else due.at
    valid_until: datetime | None
    if reason == "grace":
        valid_until = midnight(business_date(due.at, book.tz) + timedelta(days=ladder.grace_days), book.tz)
    else:
        valid_until = None if is_lowest else _valid_until(book, first_due, due.at, anchors)
    change = _change(
        book, last, reason, standing.tier_id, tier_id, ladder, due.window, sums, step.keep, valid_until, "", happened_at
    )  # fmt: skip
    since_at = happened_at if reason == "fallen" else standing.since_at
    left = Standing(tier_id, since_at, valid_until, standing.rise_at)
    return Decision(change, left, _carry(ladder, step, sums) if reason == "kept" and not is_lowest else 0)


def assess_undo(
    book: LadderBook, rise: Change, before: Standing | None, window: Window, sums: Sums, moment: datetime, cause: str
) -> Decision | None:
    """Decide whether a return undoes a rise, with what was done from the rise's period up to `moment`; None: it stays.

    `before` is the standing that the rise ended; the member goes back to it.
    """
    ladder = book.ladder(rise.ladder_id)
    step = next((step for step in ladder.steps if step.tier_id == rise.to_tier_id), None)
    criteria = step.rise if step else Criteria()
    if step is None or criteria.is_met(sums):
        return None
    valid_until = before.valid_until if before else None
    change = _change(
        book, rise, "undone", rise.to_tier_id, rise.from_tier_id, ladder, window, sums, criteria, valid_until, cause, moment
    )  # fmt: skip
    return Decision(change, before)


def again_at(moment: datetime, book: LadderBook) -> datetime:
    """Return when it is decided again what was undone at a moment."""
    return midnight(business_date(moment, book.tz) + AGAIN_AFTER, book.tz)


def put_back(
    book: LadderBook, before: Standing, taken: Sequence[Change], moment: datetime, cause: str
) -> tuple[Change, Standing]:
    """Take back the newest changes of a member (one at least, in order), so that it stands where it stood before them.

    What was due then is due again in some weeks: the reason for undoing it has to be put right meanwhile.
    """
    last = taken[-1]
    happened_at = max(moment, last.happened_at)
    again = again_at(happened_at, book)
    valid_until, rise_at = (due and max(due, again) for due in (before.valid_until, before.rise_at))
    change = replace(
        last, number=last.number + 1, reason="restored", from_tier_id=last.to_tier_id, from_code=last.to_code,
        to_tier_id=before.tier_id, to_code=book.codes[before.tier_id], window_from=taken[0].window_from,
        valid_until=valid_until, cause=cause, happened_at=happened_at, takes_back=len(taken),
    )  # fmt: skip
    return change, replace(before, valid_until=valid_until, rise_at=rise_at)


def told_figures(criteria: Criteria, sums: Sums) -> tuple[ToldFigure, ...]:
    """Return the figures of criteria as a change keeps them; nothing where tier credits alone decide."""
    if criteria.needs_credits_only:
        return ()
    return tuple(
        (figure.metric, _plain(figure.have), _plain(figure.needed), _plain(figure.returned))
        for figure in criteria.figures(sums)
    )


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _change(
    book: LadderBook,
    last: Change | None,
    reason: Reason,
    from_tier_id: int,
    to_tier_id: int,
    ladder: Ladder,
    window: Window,
    sums: Sums,
    criteria: Criteria,
    valid_until: datetime | None,
    cause: str,
    happened_at: datetime,
) -> Change:
    figures = told_figures(criteria, sums)
    return Change(
        number=last.number + 1 if last else 1,
        reason=reason,
        from_tier_id=from_tier_id,
        to_tier_id=to_tier_id,
        from_code=book.codes[from_tier_id],
        to_code=book.codes[to_tier_id],
        ladder_id=ladder.id,
        window_from=window.from_at,
        credits=sums.credits,
        needed_credits=criteria.credits,
        returned_credits=sums.returned,
        valid_until=valid_until,
        cause=cause,
        happened_at=happened_at,
        figures=figures,
        must=criteria.must if figures else 0,
    )


def _keeps(step: Step, sums: Sums) -> bool:
    # A tier that asks for nothing to be kept is kept.
    return not step.keep.thresholds or step.keep.is_met(sums)


def _valid_until(book: LadderBook, first_due: datetime, due_at: datetime, anchors: Anchors) -> datetime:
    """Return until when a tier is valid after a review: counted from when it was first due, but never up to a time that is over."""
    valid_until = book.valid_until_after_review(first_due, anchors)
    return valid_until if valid_until > due_at else book.valid_until_after_review(due_at, anchors)


def _first_due(book: LadderBook, grace: Change) -> datetime:
    """Return when the review was due that was put off. Staff may grant grace long before that, or after: the period tells.

    The version that judged ahead may have been withdrawn before it began; then it is counted from the day of the grace.
    """
    ladder = next((one for one in book.ladders if one.id == grace.ladder_id), None)
    if ladder is None or ladder.window != "rolling" or not grace.cause.startswith(BY_STAFF):
        return grace.happened_at
    return midnight(add_months(business_date(grace.window_from, book.tz), ladder.qualifying_months), book.tz)


def _is_near(ladder: Ladder, step: Step, sums: Sums) -> bool:
    return ladder.grace_days > 0 and step.keep.is_met(sums, percent=100 - ladder.grace_percent)


def _landing(below: tuple[Step, ...], soft_landing: bool, sums: Sums) -> Step:
    if soft_landing:
        return below[-1]
    return next((step for step in reversed(below[1:]) if _keeps(step, sums)), below[0])


def _carry(ladder: Ladder, step: Step, sums: Sums) -> int:
    """Return the credits beyond what keeping took; what was carried into the period itself is not carried on."""
    if not ladder.carries_over:
        return 0
    return max(0, min(sums.credits - sums.carried, sums.credits - step.keep.credits))
