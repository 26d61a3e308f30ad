"""Behaviours in passing (views, searches, visits): told in batches by members' apps, only with consent, kept for a set time."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members import consents
from members.actors import Actor
from members.models import ActivityKind, Member, Purpose
from members.refusals import MembersRefusal
from members.services.activities import CLOCK_TOLERANCE, ActivityInFuture, ActivityKindUnknown
from members.services.tokens import MemberIsClosed
from members.timeline import NewEntry, nudge, record

BEHAVIOURS_RECORDED: Final = "members.behaviours_recorded.v1"
MOST_AT_ONCE: Final = 50
SUBJECT: Final = re.compile(r"^[A-Za-z0-9_.:/-]{0,60}$")


class BehaviourNotConsented(MembersRefusal):
    """The member has not agreed that what they look at is recorded."""

    code = "behaviour_not_consented"
    text = _("You have not agreed that what you look at is recorded.")
    status = 403


class BehaviourTooOld(MembersRefusal):
    """It happened longer ago than this kind is kept."""

    code = "behaviour_too_old"
    text = _("“%(kind)s” is kept for %(days)s days, and this is older.")
    status = 422


@dataclass(frozen=True, slots=True)
class NewBehaviour:
    """One thing a member did, under the app's own id. `subject` is a code (an article, a page), never words of a person."""

    external_ref: str
    kind: str
    happened_at: datetime
    value: int | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class BehaviourResult:
    """What became of one behaviour."""

    result: Literal["recorded", "known", "refused"]
    refusal: MembersRefusal | None = None


def kept_kinds(codes: Sequence[str]) -> dict[str, int]:
    """Return, of these kinds, those that are told in passing by members' apps now, and for how many days each is kept."""
    kinds = ActivityKind.objects.filter(code__in=codes, is_on=True, is_open_to_members=True, kept_days__isnull=False)
    return {kind.code: kind.kept_days for kind in kinds if kind.kept_days is not None}


def record_behaviours(
    *, member_id: int, behaviours: Sequence[NewBehaviour], by: Actor, at: datetime
) -> list[BehaviourResult]:
    """Record what a member did, at most 50 at once, and tell the timeline once; return what became of each, in order.

    One that is known by its id, whatever else it says, changes nothing. Refusals: `ActivityKindUnknown`,
    `ActivityInFuture`, `BehaviourTooOld`, `BehaviourNotConsented`, `MemberIsClosed`.
    """
    if len(behaviours) > MOST_AT_ONCE:
        raise ValueError(f"{len(behaviours)} behaviours at once are more than {MOST_AT_ONCE}")
    kept = kept_kinds([one.kind for one in behaviours])
    with transaction.atomic():
        # Consent is asked for after the lock: who takes it back waits for this batch, or this batch sees it.
        status = Member.objects.select_for_update(no_key=True).values_list("status", flat=True).get(pk=member_id)
        of_all = _refusal_of_member(member_id, status, at)
        refusals = [of_all or _refusal(one, kept, at) for one in behaviours]
        sound = [one for one, refusal in zip(behaviours, refusals, strict=True) if refusal is None]
        new = _insert(member_id, sound, kept)
        if new:
            kinds = Counter(one.kind for one in sound if one.external_ref in new)
            moment = max(one.happened_at for one in sound if one.external_ref in new)
            record([NewEntry(BEHAVIOURS_RECORDED, member_id, moment, by, {"kinds": dict(kinds)})])
            nudge()
    return [
        BehaviourResult("refused", refusal)
        if refusal
        else BehaviourResult("recorded" if one.external_ref in new else "known")
        for one, refusal in zip(behaviours, refusals, strict=True)
    ]


def forget_expired(*, at: datetime, limit: int = 5_000) -> int:
    """Delete up to `limit` behaviours that are kept no longer; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM members_behaviour WHERE id IN (
                SELECT id FROM members_behaviour WHERE expires_at <= %s ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
            )
            """,
            [at, limit],
        )
        return cursor.rowcount


def _refusal_of_member(member_id: int, status: str, at: datetime) -> MembersRefusal | None:
    if status == Member.Status.CLOSED:
        return MemberIsClosed()
    if member_id not in consents.allowed([member_id], Purpose.BEHAVIOUR, "", at):
        return BehaviourNotConsented()
    return None


def _refusal(one: NewBehaviour, kept: dict[str, int], at: datetime) -> MembersRefusal | None:
    if one.kind not in kept or not SUBJECT.match(one.subject):
        return ActivityKindUnknown(kind=one.kind)
    if one.happened_at > at + CLOCK_TOLERANCE:
        return ActivityInFuture(external_ref=one.external_ref)
    if one.happened_at + timedelta(days=kept[one.kind]) <= at:
        return BehaviourTooOld(kind=one.kind, days=kept[one.kind])
    return None


def _insert(member_id: int, behaviours: Sequence[NewBehaviour], kept: dict[str, int]) -> set[str]:
    """Insert those that are not known; return their ids."""
    first = {one.external_ref: one for one in reversed(behaviours)}
    rows = list(first.values())
    if not rows:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_behaviour (member_id, external_ref, kind, subject, value, happened_at, expires_at)
            SELECT %s, n.ref, n.kind, n.subject, n.value, n.moment, n.until
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
                AS n (ref, kind, subject, value, moment, until)
            ON CONFLICT (member_id, external_ref) DO NOTHING
            RETURNING external_ref
            """,
            [
                member_id, [one.external_ref for one in rows], [one.kind for one in rows], [one.subject for one in rows],
                [one.value for one in rows], [one.happened_at for one in rows],
                [one.happened_at + timedelta(days=kept[one.kind]) for one in rows],
            ],
        )  # fmt: skip
        return {row[0] for row in cursor.fetchall()}
