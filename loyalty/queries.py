"""Where members stand, how far it is to the next tier, and how they came there."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Least

from loyalty.assessment import Change, Standing
from loyalty.criteria import METRICS, WEIGHED, Criteria, Weights
from loyalty.floors import FloorSpan, lifted
from loyalty.ladder import Ladder, LadderBook, Step, TierNow, WindowKind
from loyalty.models import ActivityScore, LadderVersion, Tier, TierChange, TierFloor, TierRule, TierStanding
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
    versions = list(versions_with_rules().filter(valid_from__isnull=False))  # drafts judge nobody
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    ranks = {tier.pk: tier.rank for tier in tiers.values()}
    ladders = [snapshot(version, version.valid_from, ranks) for version in versions if version.valid_from]
    ladders = [ladder for ladder in ladders if ladder.steps]
    if not ladders:
        raise NoLadder
    book = LadderBook.of(ladders, programme().tz, [(tier.pk, tier.code, tier.rank) for tier in tiers.values()])
    return _Shelf(now, book, tiers)


def versions_with_rules() -> QuerySet[LadderVersion]:
    """Return versions of the ladder, drafts among them, with what `snapshot` reads."""
    rules = TierRule.objects.select_related("tier").order_by("tier__rank")
    scores = ActivityScore.objects.select_related("kind")
    return LadderVersion.objects.prefetch_related(Prefetch("rules", rules), Prefetch("activity_scores", scores))


def snapshot(version: LadderVersion, valid_from: datetime, ranks: Mapping[int, int]) -> Ladder:
    """Return a version (of `versions_with_rules`) as a plain value, a draft as if it began at `valid_from`.

    `ranks` are those of all tiers, read once for everything: a tier may be inserted meanwhile.
    """
    weights = _weights(version)
    rules = sorted(version.rules.all(), key=lambda rule: ranks[rule.tier_id])
    return Ladder(
        id=version.pk,
        number=version.number,
        valid_from=valid_from,
        valid_to=version.valid_to,
        qualifying_months=version.qualifying_months,
        validity_months=version.validity_months,
        soft_landing=version.soft_landing,
        credits_per_unit=version.credits_per_unit,
        steps=tuple(
            Step(
                tier_id=rule.tier_id,
                code=rule.tier.code,
                rank=ranks[rule.tier_id],
                rise=_criteria(rule, "rise", weights),
                keep=_criteria(rule, "keep", weights),
                points_multiplier=rule.points_multiplier,
            )
            for rule in rules
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


def members_by_tier() -> dict[int, int]:
    """Return how many members hold each tier now, floors counted as the beat last wrote them. One statement.

    Members without a standing hold the lowest tier; they are not counted here.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT CASE WHEN f.rank > e.rank THEN f.id ELSE e.id END, count(*)
            FROM loyalty_tierstanding s
            JOIN loyalty_tier e ON e.id = s.tier_id
            LEFT JOIN loyalty_tier f ON f.id = s.floor_tier_id
            GROUP BY 1
            """
        )
        return dict(cursor.fetchall())
