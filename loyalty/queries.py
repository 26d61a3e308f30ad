"""Where members stand, how far it is to the next tier, and how they came there."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Least

from loyalty.floors import NO_FLOOR, FloorSpan, lifted
from loyalty.ladder import Ladder, LadderBook, Step, Sums, TierNow, Window
from loyalty.models import LadderVersion, Tier, TierChange, TierFloor, TierRule, TierStanding
from loyalty.refusals import NoLadder
from members.queries import programme

_BOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Shelf:
    read_at: float
    book: LadderBook
    tiers: dict[int, Tier]


_shelf: _Shelf | None = None


@dataclass(frozen=True, slots=True)
class StandingNow:
    """A member's tier at a moment: the earned one, or a floor where that is higher.

    `earned` with `since_at` and `valid_until` are what the member earned. No `since_at`: since joining. No `valid_until`:
    it does not end. Of a tier held in the past, `since_at` is when it was last risen to, fallen to, or kept.
    """

    tier: TierNow
    since_at: datetime | None
    valid_until: datetime | None
    earned: TierNow


@dataclass(frozen=True, slots=True)
class TierProgress:
    """How far a member is from the next tier, and from keeping the present one. Figures are tier credits.

    `credits` count from `window_from` for the rise; `keep_credits` from `keep_from` for the review at `valid_until`.
    Without a next tier, or without a review, the figures of that part are None. Gaps are 0 once reached. `tier` is the
    earned one; `held` is what counts, with its `multiplier`: the same, or a floor where that is higher.
    """

    tier: Tier
    held: Tier
    next_tier: Tier | None
    multiplier: Decimal
    credits: int
    window_from: datetime
    rise_needed: int | None
    gap: int | None
    keep_needed: int | None
    keep_credits: int | None
    keep_from: datetime | None
    keep_gap: int | None
    valid_until: datetime | None


def ladder_book() -> LadderBook:
    """Return all versions of the ladder. Each process reads them anew every five seconds. Raises NoLadder."""
    return _read_shelf().book


def tiers() -> list[Tier]:
    """Return all tiers, lowest first, to be read only; their names follow the active language."""
    return sorted(_read_shelf().tiers.values(), key=lambda tier: tier.rank)


def forget_ladder_book() -> None:
    """Read the ladder anew at the next call. For the pages that change it."""
    global _shelf
    _shelf = None


def tier_at(member_id: int, moment: datetime) -> TierNow:
    """Return the tier a member held at a moment, floors included, as decided so far. A rise that a return undid counts as never been."""
    return standing_of(member_id, moment).tier


def earned_tier_at(member_id: int, moment: datetime) -> TierNow:
    """Return the tier a member had earned at a moment, as decided so far, whatever floors there were."""
    return standing_of(member_id, moment).earned


def floor_at(member_id: int, moment: datetime, span: FloorSpan | None = None) -> int | None:
    """Return the tier of the highest floor at a moment; None without any. No query where the span that is known covers it."""
    if span is not None and span.covers(moment):
        return span.tier_id
    in_force = TierFloor.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=moment), Q(ended_at__isnull=True) | Q(ended_at__gt=moment),
        member_id=member_id, valid_from__lte=moment,
    )  # fmt: skip
    return in_force.order_by("-tier__rank").values_list("tier_id", flat=True).first()


def floor_tier_at(member_id: int, moment: datetime) -> TierNow | None:
    """Return the tier of the highest floor at a moment, with what it gives then; None without any."""
    tier_id = floor_at(member_id, moment)
    return None if tier_id is None else ladder_book().tier_now(tier_id, moment)


def floors_of(member_ids: Collection[int]) -> dict[int, list[tuple[int, datetime, datetime | None]]]:
    """Return the floors of members, past ones too, as (tier, begin, end). One that was ended before it began is in force at no moment."""
    found: dict[int, list[tuple[int, datetime, datetime | None]]] = {}
    spans = TierFloor.objects.filter(member_id__in=member_ids).annotate(ends_at=Least("valid_until", "ended_at"))
    for member_id, *span in spans.values_list("member_id", "tier_id", "valid_from", "ends_at"):
        found.setdefault(member_id, []).append((span[0], span[1], span[2]))
    return found


def held_tier_ids(member_ids: Collection[int], at: datetime) -> dict[int, int]:
    """Return the tiers that count now of members who ever rose or had a floor; all others hold the lowest."""
    ranks = ladder_book().ranks
    held: dict[int, int] = {}
    elsewhere: list[int] = []
    columns = ("member_id", "tier_id", "floor_tier_id", "floor_from", "floor_until")
    for member_id, tier_id, *floor in TierStanding.objects.filter(member_id__in=member_ids).values_list(*columns):
        span = FloorSpan(*floor)
        if not span.covers(at):
            elsewhere.append(member_id)
        floor_id = span.tier_id if span.covers(at) else None
        held[member_id] = tier_id if floor_id is None or ranks[floor_id] <= ranks[tier_id] else floor_id
    for member_id, floors in floors_of(elsewhere).items() if elsewhere else ():
        in_force = [tier_id for tier_id, begin, end in floors if begin <= at and (end is None or at < end)]
        held[member_id] = max([held[member_id], *in_force], key=lambda tier_id: ranks[tier_id])
    return held


def standing_of(member_id: int, at: datetime) -> StandingNow:
    """Return where a member stood at a moment, as decided so far: a review that is due but not run shows nothing."""
    book = ladder_book()
    columns = ("tier_id", "since_at", "valid_until", "floor_tier_id", "floor_from", "floor_until")
    row = TierStanding.objects.filter(member_id=member_id).values_list(*columns).first()
    if row is None:
        return StandingNow(book.lowest_at(at), None, None, book.lowest_at(at))
    tier_id, since_at, valid_until, *floor = row
    if at < since_at:
        change = change_in_force(member_id, at)
        earned = book.tier_now(change.to_tier_id, at) if change else book.lowest_at(at)
        since_at, valid_until = (change.happened_at, change.valid_until) if change else (None, None)
    else:
        earned = book.tier_now(tier_id, at)
        since_at = None if since_at == TierStanding.NEVER_RISEN else since_at
    tier = lifted(book, earned, floor_at(member_id, at, FloorSpan(*floor)), at)
    return StandingNow(tier, since_at, valid_until, earned)


def change_in_force(member_id: int, moment: datetime) -> TierChange | None:
    """Return the last change until a moment that was not undone later; None before the first."""
    found = TierChange.objects.raw(
        """
        SELECT c.* FROM loyalty_tierchange c
        WHERE c.member_id = %s AND c.happened_at <= %s AND c.reason <> 'undone'
            AND NOT EXISTS (
                SELECT 1 FROM loyalty_tierchange u
                WHERE u.member_id = c.member_id AND u.number = c.number + 1 AND u.reason = 'undone'
            )
        ORDER BY c.happened_at DESC, c.number DESC LIMIT 1
        """,
        [member_id, moment],
    )
    return next(iter(found), None)


def history_of(member_id: int) -> QuerySet[TierChange]:
    """Return a member's tier changes, newest first, each with its tiers."""
    changes = TierChange.objects.filter(member_id=member_id).select_related("from_tier", "to_tier")
    return changes.order_by("-happened_at", "-number")


def progress_of(member_id: int, at: datetime) -> TierProgress:
    """Return how far a member is from the next tier and from keeping the present one, in two statements."""
    shelf = _read_shelf()
    book, ladder = shelf.book, shelf.book.at(at)
    standing = TierStanding.objects.filter(member_id=member_id).first()
    tier = shelf.tiers[standing.tier_id if standing else ladder.lowest.tier_id]
    valid_until = standing.valid_until if standing else None
    floor = FloorSpan(standing.floor_tier_id, standing.floor_from, standing.floor_until) if standing else NO_FLOOR
    held = lifted(book, book.tier_now(tier.pk, at), floor_at(member_id, at, floor), at)
    windows = [book.rise_window(at)]
    if valid_until:
        windows.append(Window(book.review_window(valid_until).from_at, min(valid_until, windows[0].before_at)))
    sums = window_sums([(member_id, window) for window in windows])
    above = ladder.step_above(tier.rank)
    keep_needed = book.at(valid_until).step_for(tier.rank).keep_credits if valid_until else None
    keep_credits = sums[1].credits if valid_until else None
    return TierProgress(
        tier=tier,
        held=shelf.tiers[held.tier_id],
        next_tier=shelf.tiers[above.tier_id] if above else None,
        multiplier=held.points_multiplier,
        credits=sums[0].credits,
        window_from=windows[0].from_at,
        rise_needed=above.rise_credits if above else None,
        gap=max(0, above.rise_credits - sums[0].credits) if above else None,
        keep_needed=keep_needed,
        keep_credits=keep_credits,
        keep_from=windows[1].from_at if valid_until else None,
        keep_gap=None if keep_needed is None or keep_credits is None else max(0, keep_needed - keep_credits),
        valid_until=valid_until,
    )


def window_sums(windows: Sequence[tuple[int, Window]]) -> list[Sums]:
    """Return the tier credits of members over spans, in the order asked, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.credits, s.returned
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
                WITH ORDINALITY AS w (member_id, from_at, before_at, n)
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(q.credits), 0) AS credits,
                       coalesce(-sum(q.credits) FILTER (WHERE q.credits < 0), 0) AS returned
                FROM loyalty_qualificationentry q
                WHERE q.member_id = w.member_id AND q.happened_at >= w.from_at AND q.happened_at < w.before_at
            ) s
            ORDER BY w.n
            """,
            [
                [member_id for member_id, _window in windows],
                [window.from_at for _member_id, window in windows],
                [window.before_at for _member_id, window in windows],
            ],
        )
        return [Sums(int(credits), int(returned)) for credits, returned in cursor.fetchall()]


def _read_shelf() -> _Shelf:
    global _shelf
    now = time.monotonic()
    if _shelf is None or now - _shelf.read_at > _BOOK_SECONDS:
        _shelf = _load_shelf(now)
    return _shelf


def _load_shelf(now: float) -> _Shelf:
    rules = TierRule.objects.select_related("tier").order_by("tier__rank")
    ladders = [_snapshot(version) for version in LadderVersion.objects.prefetch_related(Prefetch("rules", rules))]
    ladders = [ladder for ladder in ladders if ladder.steps]
    if not ladders:
        raise NoLadder
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    book = LadderBook.of(ladders, programme().tz, [(tier.pk, tier.code, tier.rank) for tier in tiers.values()])
    return _Shelf(now, book, tiers)


def _snapshot(version: LadderVersion) -> Ladder:
    return Ladder(
        id=version.pk,
        number=version.number,
        valid_from=version.valid_from,
        valid_to=version.valid_to,
        qualifying_months=version.qualifying_months,
        validity_months=version.validity_months,
        soft_landing=version.soft_landing,
        credits_per_unit=version.credits_per_unit,
        steps=tuple(
            Step(
                tier_id=rule.tier_id,
                code=rule.tier.code,
                rank=rule.tier.rank,
                rise_credits=rule.rise_credits,
                keep_credits=rule.keep_credits,
                points_multiplier=rule.points_multiplier,
            )
            for rule in version.rules.all()
        ),
    )
