"""Floors under the tiers of members: given, ended early, and followed as time passes.

What a member's floors come to now stands beside the earned tier, on the row of the standing, which is locked first. It
is kept to the next moment at which a floor of the member begins or ends; passing that moment is told once, by whoever
comes first under the lock: the beat, or the next change. Decisions about what is earned never look here.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty import events
from loyalty.models import Tier, TierFloor, TierStanding
from loyalty.refusals import LoyaltyRefusal
from members import timeline
from members.actors import SYSTEM, Actor
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.services.status import ReasonMissing
from members.timeline import NewEntry

REASON_LENGTH: Final = 200
_TRIES: Final = 3

# A member who has earned nothing yet gets a row: the lowest tier, held since before any fact.
_STAND = """
    INSERT INTO loyalty_tierstanding (member_id, tier_id, since_at)
    SELECT m.id, (SELECT id FROM loyalty_tier ORDER BY rank LIMIT 1), %(never)s FROM unnest(%(members)s::bigint[]) AS m (id)
    ORDER BY m.id
    ON CONFLICT (member_id) DO NOTHING"""
_LOCK = "SELECT member_id FROM loyalty_tierstanding WHERE member_id = ANY (%(members)s) ORDER BY member_id FOR NO KEY UPDATE"
_LOCK_DUE = """
    SELECT member_id FROM loyalty_tierstanding WHERE floor_until <= %(at)s AND member_id > %(after)s
    ORDER BY member_id LIMIT %(limit)s FOR NO KEY UPDATE"""
# Moments at which floors of the locked members began or ended since what their rows say. An end before the begin is none.
_PASSED = """
    SELECT f.id, f.member_id, t.code, f.source, f.reason, f.valid_from, e.ends_at, e.ends_at = f.ended_at AS is_early,
           s.floor_until <= f.valid_from AND f.valid_from <= %(at)s AS has_begun,
           s.floor_until <= e.ends_at AND e.ends_at <= %(at)s AS has_ended
    FROM loyalty_tierstanding s
    JOIN loyalty_tierfloor f ON f.member_id = s.member_id
    JOIN loyalty_tier t ON t.id = f.tier_id
    CROSS JOIN LATERAL (SELECT least(f.valid_until, f.ended_at) AS ends_at) e
    WHERE s.member_id = ANY (%(members)s) AND s.floor_until <= %(at)s AND (e.ends_at IS NULL OR e.ends_at > f.valid_from)
    ORDER BY f.member_id, f.id"""
_FOLLOW = """
    UPDATE loyalty_tierstanding s SET floor_tier_id = p.tier_id, floor_from = p.from_at, floor_until = p.until
    FROM (
        SELECT m.id, max(e.edge) FILTER (WHERE e.edge <= %(at)s) AS from_at, min(e.edge) FILTER (WHERE e.edge > %(at)s) AS until,
            (
                SELECT f.tier_id FROM loyalty_tierfloor f JOIN loyalty_tier t ON t.id = f.tier_id
                WHERE f.member_id = m.id AND f.valid_from <= %(at)s
                    AND coalesce(least(f.valid_until, f.ended_at), 'infinity') > %(at)s
                ORDER BY t.rank DESC LIMIT 1
            ) AS tier_id
        FROM unnest(%(members)s::bigint[]) AS m (id)
        LEFT JOIN loyalty_tierfloor f ON f.member_id = m.id
            AND coalesce(least(f.valid_until, f.ended_at), 'infinity') > f.valid_from
        LEFT JOIN LATERAL (VALUES (f.valid_from), (least(f.valid_until, f.ended_at))) AS e (edge) ON e.edge IS NOT NULL
        GROUP BY m.id
    ) p
    WHERE s.member_id = p.id"""


class FloorIsAnother(LoyaltyRefusal):
    """The same reference came with other contents before."""

    code = "floor_is_another"
    text = _("A floor with this reference was given before, with other contents.")


class FloorHasNoTime(LoyaltyRefusal):
    """It would end before it begins, or before now."""

    code = "floor_has_no_time"
    text = _("A tier is given until a moment that is still to come.")
    status = 422


class NoSuchFloor(LoyaltyRefusal):
    """There is no floor with this reference."""

    code = "no_such_floor"
    text = _("There is no such floor.")
    status = 404


class FloorIsOver(LoyaltyRefusal):
    """It ended before, by itself or by somebody."""

    code = "floor_is_over"
    text = _("This has ended already.")


@dataclass(frozen=True, slots=True)
class NewFloor:
    """A floor about to be given; several at once in `grant_floors`."""

    member_id: int
    tier_id: int
    valid_from: datetime
    valid_until: datetime | None
    source: str
    source_ref: str
    reason: str = ""


def grant_floor(
    *, member_id: int, tier_id: int, valid_from: datetime, valid_until: datetime | None, source: str, source_ref: str,
    reason: str, by: Actor, at: datetime,
) -> TierFloor:  # fmt: skip
    """Give a member at least a tier over [valid_from, valid_until) and return the floor; told once it begins.

    The same source and reference again changes nothing and returns the first one. Raises `FloorIsAnother` (with other
    contents), `FloorHasNoTime`, `ReasonMissing` (staff and campaigns say why), `WordsNamePerson`.
    """
    words = clean_name(reason)[:REASON_LENGTH]
    if source != TierFloor.Source.PLAN and not words:
        raise ReasonMissing
    if words:
        refuse_personal_words(words, member_ids=[member_id])
    with transaction.atomic():
        _lock([member_id])
        wanted = NewFloor(member_id, tier_id, valid_from, valid_until, source, source_ref, words)
        known = TierFloor.objects.filter(source=source, source_ref=source_ref).first()
        if known is not None:
            if _contents(known) != wanted:
                raise FloorIsAnother
            return known
        if valid_until is not None and valid_until <= max(valid_from, at):
            raise FloorHasNoTime
        _catch_up([member_id], at)
        [made] = _add([wanted], by=by, at=at)
    return made


def grant_floors(*, floors: Collection[NewFloor], by: Actor, at: datetime) -> list[TierFloor]:
    """Give several floors, new ones all of them, in the caller's transaction."""
    ids = sorted({floor.member_id for floor in floors})
    _lock(ids)
    _catch_up(ids, at)
    return _add(floors, by=by, at=at)


def end_floor(*, source: str, source_ref: str, ended_at: datetime, reason: str, by: Actor, at: datetime) -> None:
    """End a floor before its time. The same end again changes nothing. Raises `NoSuchFloor`, `FloorIsOver`,
    `ReasonMissing`, `WordsNamePerson`.
    """
    words = clean_name(reason)[:REASON_LENGTH]
    if not words:
        raise ReasonMissing
    member_id = (
        TierFloor.objects.filter(source=source, source_ref=source_ref).values_list("member_id", flat=True).first()
    )
    if member_id is None:
        raise NoSuchFloor
    refuse_personal_words(words, member_ids=[member_id])
    with transaction.atomic():
        _lock([member_id])
        floor = TierFloor.objects.get(source=source, source_ref=source_ref)
        if floor.ended_at == ended_at and floor.ended_reason == words:
            return
        if floor.ended_at is not None or (floor.valid_until is not None and floor.valid_until <= max(ended_at, at)):
            raise FloorIsOver
        end_floors(member_id=member_id, floor_ids=[floor.pk], ended_at=ended_at, reason=words, by=by, at=at)


def end_floors(
    *, member_id: int, floor_ids: Collection[int], ended_at: datetime, reason: str, by: Actor, at: datetime
) -> None:
    """End floors of a member that are not over, in the caller's transaction."""
    _lock([member_id])
    _catch_up([member_id], at)
    rows = list(TierFloor.objects.filter(pk__in=floor_ids, ended_at__isnull=True).select_related("tier").order_by("pk"))
    TierFloor.objects.filter(pk__in=[row.pk for row in rows]).update(
        ended_at=ended_at, ended_reason=reason[:REASON_LENGTH], ended_by_kind=by.kind, ended_by_id=by.id
    )
    timeline.record([
        _ended(row.pk, row.member_id, row.tier.code, row.source, reason, ended_at, is_early=True, by=by)
        for row in rows
        if row.valid_from < ended_at <= at
    ])  # fmt: skip
    _follow([member_id], at)


def refresh_floors(*, at: datetime, limit: int = 1000, chunks: int = 200) -> int:
    """Let what rows say follow the floors that began or ended until `at`, and tell it; return how many members.

    By chunks of `limit` members, each its own transaction; what is left over, the next run does. Run late, again or
    beside itself it tells each begin and each end once, at its own moment.
    """
    after, done = 0, 0
    for _chunk in range(chunks):
        with transaction.atomic():
            due = _ids(_LOCK_DUE, {"at": at, "after": after, "limit": limit})
            if due:
                _catch_up(due, at)
                after = due[-1]
                done += len(due)
        if len(due) < limit:
            break
    return done


@contextmanager
def follow_floors(member_ids: Collection[int], at: datetime) -> Iterator[None]:
    """Let the rows of members say what is so after a change to their floors, in the caller's transaction; locks them first."""
    _lock(member_ids)
    _catch_up(member_ids, at)
    yield
    _follow(member_ids, at)


def _lock(member_ids: Collection[int]) -> None:
    """Lock the standings of members, ascending; those who have none get one. A row may go while it is waited for."""
    wanted = sorted(set(member_ids))
    for _try in range(_TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_STAND, {"members": wanted, "never": TierStanding.NEVER_RISEN})
        if _ids(_LOCK, {"members": wanted}) == wanted:
            return
    message = f"the standings of {wanted} could not be locked"
    raise RuntimeError(message)


def _catch_up(member_ids: Collection[int], at: datetime) -> None:
    """Tell what began or ended since what the locked rows say, and let them say what is now."""
    ids = list(member_ids)
    with connection.cursor() as cursor:
        cursor.execute(_PASSED, {"members": ids, "at": at})
        passed = cursor.fetchall()
    timeline.record_many(list(_news(passed)))
    _follow(ids, at)


def _news(passed: Iterable[tuple[Any, ...]]) -> Iterable[NewEntry]:
    for pk, member_id, code, source, reason, begins_at, ends_at, is_early, has_begun, has_ended in passed:
        if has_begun:
            yield _began(pk, member_id, code, source, reason, begins_at, ends_at, by=SYSTEM)
        if has_ended:
            yield _ended(pk, member_id, code, source, "", ends_at, is_early=bool(is_early), by=SYSTEM)


def _add(floors: Iterable[NewFloor], *, by: Actor, at: datetime) -> list[TierFloor]:
    """Write floors of locked members whose rows say what is now; tell those that have begun."""
    codes = dict(Tier.objects.values_list("pk", "code"))
    rows = TierFloor.objects.bulk_create([
        TierFloor(
            member_id=one.member_id, tier_id=one.tier_id, valid_from=one.valid_from, valid_until=one.valid_until,
            source=one.source, source_ref=one.source_ref, reason=one.reason, actor_kind=by.kind, actor_id=by.id,
        )
        for one in floors
    ])  # fmt: skip
    timeline.record([
        _began(
            row.pk, row.member_id, codes[row.tier_id], row.source, row.reason, row.valid_from, row.valid_until, by=by
        )
        for row in rows
        if row.valid_from <= at
    ])  # fmt: skip
    _follow(sorted({row.member_id for row in rows}), at)
    return rows


def _follow(member_ids: Collection[int], at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"members": list(member_ids), "at": at})


def _ids(sql: str, params: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [member_id for (member_id,) in cursor.fetchall()]


def _contents(floor: TierFloor) -> NewFloor:
    return NewFloor(
        floor.member_id,
        floor.tier_id,
        floor.valid_from,
        floor.valid_until,
        floor.source,
        floor.source_ref,
        floor.reason,
    )


def _began(
    pk: int, member_id: int, code: str, source: str, reason: str, begins_at: datetime, ends_at: datetime | None, *, by: Actor
) -> NewEntry:  # fmt: skip
    told = {
        "floor": pk, "tier": code, "source": source, "until": ends_at.isoformat() if ends_at else None, "reason": reason,
    }  # fmt: skip
    return NewEntry(events.FLOOR_BEGAN, member_id, begins_at, by, told)


def _ended(
    pk: int, member_id: int, code: str, source: str, reason: str, ended_at: datetime, *, is_early: bool, by: Actor
) -> NewEntry:
    told = {"floor": pk, "tier": code, "source": source, "early": is_early, "reason": reason}
    return NewEntry(events.FLOOR_ENDED, member_id, ended_at, by, told)
