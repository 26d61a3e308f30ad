"""Where members stand, how far it is to the next tier, and how they came there."""

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast

from django.db.models import Prefetch, QuerySet

from loyalty.assessment import Change, Standing
from loyalty.criteria import METRICS, WEIGHED, Criteria, Weights
from loyalty.ladder import Ladder, LadderBook, Step, TierNow, WindowKind
from loyalty.models import ActivityScore, LadderVersion, Tier, TierChange, TierRule, TierStanding
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
    """A member's tier at a moment, since when and until when it is valid.

    No `since_at`: since joining. No `valid_until`: it does not end. Of a tier held in the past, `since_at` is when it
    was last risen to, fallen to, or kept.
    """

    tier: TierNow
    since_at: datetime | None
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
    """Return the tier a member held at a moment, as decided so far. A rise that a return undid counts as never been."""
    return standing_of(member_id, moment).tier


def standing_of(member_id: int, at: datetime) -> StandingNow:
    """Return where a member stood at a moment, as decided so far: a review that is due but not run shows nothing."""
    book = ladder_book()
    row = TierStanding.objects.filter(member_id=member_id).values_list("tier_id", "since_at", "valid_until").first()
    if row is None:
        return StandingNow(book.lowest_at(at), None, None)
    tier_id, since_at, valid_until = row
    if at >= since_at:
        return StandingNow(book.tier_now(tier_id, at), since_at, valid_until)
    change = change_in_force(member_id, at)
    if change is None:
        return StandingNow(book.lowest_at(at), None, None)
    return StandingNow(book.tier_now(change.to_tier_id, at), change.happened_at, change.valid_until)


def change_in_force(member_id: int, moment: datetime) -> TierChange | None:
    """Return the last change until a moment that was not undone later; None before the first."""
    found = TierChange.objects.raw(
        """
        SELECT c.* FROM loyalty_tierchange c
        WHERE c.member_id = %s AND c.happened_at <= %s AND c.reason <> 'undone'
            AND NOT EXISTS (
                SELECT 1 FROM loyalty_tierchange u
                WHERE u.member_id = c.member_id AND u.number > c.number
                    AND (u.number - u.takes_back <= c.number OR u.number = c.number + 1 AND u.reason = 'undone')
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


def standing_of_row(row: TierStanding) -> Standing:
    """Return the plain value of a row."""
    return Standing(row.tier_id, row.since_at, row.valid_until, row.rise_at)


def change_of(row: TierChange, book: LadderBook) -> Change:
    """Return the plain value of a row."""
    return Change(
        number=row.number,
        reason=row.reason,  # type: ignore[arg-type]  # the constraint allows these only
        from_tier_id=row.from_tier_id,
        to_tier_id=row.to_tier_id,
        from_code=book.codes[row.from_tier_id],
        to_code=book.codes[row.to_tier_id],
        ladder_id=row.ladder_id,
        window_from=row.window_from,
        credits=row.credits,
        needed_credits=row.needed_credits,
        returned_credits=row.returned_credits,
        valid_until=row.valid_until,
        cause=row.cause,
        happened_at=row.happened_at,
        figures=tuple((metric, have, needed, returned) for metric, have, needed, returned in row.figures),
        must=row.must,
        takes_back=row.takes_back,
    )


def tier_rows() -> dict[int, Tier]:
    """Return all tiers by id, to be read only; their names follow the active language."""
    return _read_shelf().tiers


def _read_shelf() -> _Shelf:
    global _shelf
    now = time.monotonic()
    if _shelf is None or now - _shelf.read_at > _BOOK_SECONDS:
        _shelf = _load_shelf(now)
    return _shelf


def _load_shelf(now: float) -> _Shelf:
    rules = TierRule.objects.select_related("tier").order_by("tier__rank")
    scores = ActivityScore.objects.select_related("kind")
    versions = LadderVersion.objects.prefetch_related(Prefetch("rules", rules), Prefetch("activity_scores", scores))
    ladders = [_snapshot(version) for version in versions]
    ladders = [ladder for ladder in ladders if ladder.steps]
    if not ladders:
        raise NoLadder
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    book = LadderBook.of(ladders, programme().tz, [(tier.pk, tier.code, tier.rank) for tier in tiers.values()])
    return _Shelf(now, book, tiers)


def _snapshot(version: LadderVersion) -> Ladder:
    weights = _weights(version)
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
                rise=_criteria(rule, "rise", weights),
                keep=_criteria(rule, "keep", weights),
                points_multiplier=rule.points_multiplier,
            )
            for rule in version.rules.all()
        ),
        window=cast("WindowKind", version.window),
        rises_at_once=version.rises == LadderVersion.Rises.AT_ONCE,
        grace_percent=version.grace_percent,
        grace_days=version.grace_days,
        carries_over=version.carries_over,
        activity_scores={score.kind.code: score.score for score in version.activity_scores.all()},
    )


def _criteria(rule: TierRule, purpose: str, weights: Weights) -> Criteria:
    thresholds = ((metric, getattr(rule, f"{purpose}_{metric}")) for metric in METRICS)
    asked = tuple((metric, Decimal(threshold)) for metric, threshold in thresholds if threshold is not None)
    return Criteria(asked, getattr(rule, f"{purpose}_least"), weights)


def _weights(version: LadderVersion) -> Weights:
    weights = {metric: getattr(version, f"weight_{metric}") for metric in WEIGHED}
    return {metric: weight for metric, weight in weights.items() if weight}
