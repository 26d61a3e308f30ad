"""How far a member is from the next tier and from keeping the present one, what comes if nothing changes, and what if."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from loyalty.assessment import Standing, assess_due, due_of, step_risen_to
from loyalty.criteria import Figure, Sums
from loyalty.floors import NO_FLOOR, FloorSpan, lifted
from loyalty.ladder import Anchors, Ladder, LadderBook, Window
from loyalty.models import Tier, TierChange, TierStanding
from loyalty.periods import business_date, day_bounds
from loyalty.queries import change_of, floor_at, ladder_book, standing_of_row, tier_rows
from loyalty.sums import sums_in
from members.models import Member
from members.plain_rows import PlainRows

_STANDING: Final = PlainRows(TierStanding, "WHERE member_id = %s")
_LAST_CHANGE: Final = PlainRows(TierChange, "WHERE member_id = %s ORDER BY number DESC LIMIT 1")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next review would decide if nothing else came: when, whether the tier is kept, and which one is held then."""

    review_at: datetime
    tier: Tier
    reason: str


@dataclass(frozen=True, slots=True)
class TierProgress:
    """How far a member is from the next tier, and from keeping the present one.

    Each figure has its metric, what there is and what is needed; `rise_must` and `keep_must` say how many of them have to
    be reached. Without a next tier, or without a review, the figures of that part are empty. `risen` is the tier that a
    supposed purchase would lift to. `tier` is the earned one; `held` is what counts, with its `multiplier`: the same, or a
    floor where that is higher.
    """

    tier: Tier
    held: Tier
    next_tier: Tier | None
    multiplier: Decimal
    window_from: datetime
    rise: tuple[Figure, ...]
    rise_must: int
    rise_at: datetime | None
    keep: tuple[Figure, ...]
    keep_must: int
    keep_from: datetime | None
    valid_until: datetime | None
    is_in_grace: bool
    credits: int
    outlook: Outlook | None
    risen: Tier | None = None

    @property
    def rise_needed(self) -> int | None:
        """Tier credits that rising asks for; None where it does not ask for them."""
        return _needed(self.rise)

    @property
    def gap(self) -> int | None:
        """Tier credits that are missing for the rise, 0 once reached; None where they are not asked for."""
        return _short(self.rise)

    @property
    def keep_needed(self) -> int | None:
        """Tier credits that the review asks for; None where it does not ask for them."""
        return _needed(self.keep)

    @property
    def keep_credits(self) -> int | None:
        """Tier credits that count for the review so far; None where it does not ask for them."""
        found = _of_credits(self.keep)
        return int(found.have) if found else None

    @property
    def keep_gap(self) -> int | None:
        """Tier credits that are missing for the review, 0 once reached; None where they are not asked for."""
        return _short(self.keep)


def progress_of(member_id: int, at: datetime, *, spend: Decimal | None = None) -> TierProgress:
    """Return how far a member is, in three statements (more where a ladder asks for more than credits).

    `spend` supposes a purchase of so much now. Raises NoLadder.
    """
    book, tiers = ladder_book(), tier_rows()
    ladder = book.at(at)
    row = _STANDING.first(member_id)
    standing = standing_of_row(row) if row else None
    # A grace, also one by staff, and a run that was undone say themselves which period the next review counts.
    last_row = _LAST_CHANGE.first(member_id) if row and row.valid_until is not None else None
    last = change_of(last_row, book) if last_row else None
    anchors = _anchors(book, member_id, standing)
    review = replace(standing, rise_at=None) if standing and standing.valid_until else None
    due = due_of(book, review, last, anchors)
    windows = [book.rise_window(at, anchors)]
    if due:
        windows.append(Window(due.window.from_at, min(due.window.before_at, windows[0].before_at)))
    if spend is not None:
        windows.append(Window(*day_bounds(business_date(at, book.tz), book.tz)))
    sums = sums_in([(member_id, window) for window in windows], needs_more=book.needs_more)
    if spend is not None:
        today = sums.pop()
        counts = [True, due is not None and due.window.from_at <= at < due.window.before_at]
        sums = [_bought(one, ladder, spend, today) if here else one for one, here in zip(sums, counts, strict=False)]
    tier = tiers[standing.tier_id if standing else ladder.lowest.tier_id]
    above = ladder.step_above(tier.rank)
    keep = book.at(due.at).step_for(tier.rank).keep if due else None
    risen = step_risen_to(book, standing, at, sums[0]) if spend is not None else None
    outlook = None
    if review and due:
        decided = assess_due(book, review, due, sums[1], last, anchors)
        held = decided.standing.tier_id if decided.standing else book.at(due.at).lowest.tier_id
        outlook = Outlook(due.at, tiers[held], decided.change.reason if decided.change else "kept")
    span = FloorSpan(row.floor_tier_id, row.floor_from, row.floor_until) if row else NO_FLOOR
    lifted_to = lifted(book, book.tier_now(tier.pk, at), floor_at(member_id, at, span), at)
    return TierProgress(
        tier=tier,
        held=tiers[lifted_to.tier_id],
        next_tier=tiers[above.tier_id] if above else None,
        multiplier=lifted_to.points_multiplier,
        window_from=windows[0].from_at,
        rise=above.rise.figures(sums[0]) if above else (),
        rise_must=above.rise.must if above else 0,
        rise_at=standing.rise_at if standing else None,
        keep=keep.figures(sums[1]) if keep else (),
        keep_must=keep.must if keep else 0,
        keep_from=windows[1].from_at if due else None,
        valid_until=standing.valid_until if standing else None,
        is_in_grace=last is not None and last.reason == "grace" and due is not None and last.valid_until == due.at,
        credits=sums[0].credits,
        outlook=outlook,
        risen=tiers[risen.tier_id] if risen else None,
    )


def _bought(sums: Sums, ladder: Ladder, spend: Decimal, today: Sums) -> Sums:
    return replace(
        sums,
        credits=sums.credits + ladder.credits_for(spend),
        spend=sums.spend + spend,
        orders=sums.orders + 1,
        active_days=sums.active_days + (not today.active_days),
    )


def _anchors(book: LadderBook, member_id: int, standing: Standing | None) -> Anchors:
    if not book.needs_anchors:
        return Anchors()
    joined_at = Member.objects.filter(pk=member_id).values_list("joined_at", flat=True).first()
    return Anchors(joined_at, standing.held_since if standing else None)


def _of_credits(figures: tuple[Figure, ...]) -> Figure | None:
    return next((figure for figure in figures if figure.metric == "credits"), None)


def _needed(figures: tuple[Figure, ...]) -> int | None:
    found = _of_credits(figures)
    return int(found.needed) if found else None


def _short(figures: tuple[Figure, ...]) -> int | None:
    found = _of_credits(figures)
    return int(found.short) if found else None
