"""Members' codes at the till: shown by a phone, read by a till, used up once for spending.

What a phone shows follows from its seed and the half minute. The seed is derived from a secret outside the database, the
member, the phone's place and nonce, and the day; nothing of it is kept. A session that ends takes its seed along, at once.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from members import member_code
from members.freeze_words import freeze_of
from members.identifiers import CODE_DEVICE, public_ref
from members.models import Member, MemberAtTill, MemberCodeDevice, MemberSession
from members.queries import MemberNotFound, family_ids
from members.refusals import MembersRefusal
from members.services.tokens import MemberIsClosed, MemberIsFrozen, TokenExpired

#: So long a member who showed a till that they may spend, may spend there.
GOOD_FOR: Final = timedelta(minutes=5)
KEPT: Final = timedelta(days=1)
PLACES: Final = 9
MOST_DRIFT: Final = 4
_FORGOTTEN_AT_ONCE: Final = 10_000

# A new row for who is first; none when the code of this place and half minute was used up before.
_USE_UP = """
INSERT INTO members_memberattill (member_id, key_id, by, code_owner, place, step, shown_at, good_until)
VALUES (%s, %s, 'code', %s, %s, %s, %s, %s)
ON CONFLICT (code_owner, place, step) DO NOTHING RETURNING id
"""


class CodeUnknown(MembersRefusal):
    """It is no code, or nobody's: one answer for all that is wrong with it."""

    code = "code_unknown"
    text = _("This code is not known. Please open it anew and scan it again.")
    status = 404


class CodeExpired(MembersRefusal):
    """It was good a while ago, or the clock of the phone is wrong."""

    code = "code_expired"
    text = _("This code is not of this moment. Please open it anew and scan it again.")
    status = 422


class CodeReused(MembersRefusal):
    """It was used for spending at another till."""

    code = "code_reused"
    text = _("This code was used already. A new one appears within half a minute.")
    status = 409


@dataclass(frozen=True, slots=True)
class ShownCode:
    """What a phone shows now. `refresh_after` is when the next code begins; the seed is that of `seed_id`."""

    code: str
    refresh_after: datetime
    seed_id: str


@dataclass(frozen=True, slots=True)
class Seed:
    """What a phone needs to show the code by itself. `seed` is base 32; the moments are those of our clock."""

    seed_id: str
    seed: str
    prefix: str
    refresh_at: datetime
    good_until: datetime


@dataclass(frozen=True, slots=True)
class ReadCode:
    """Who showed a code: `member_id` (the survivor of a merge), and what it was, so that it can be used up.

    `ahead` is by how many half minutes the code was, `device` the public id of the phone that has the place.
    """

    member_id: int
    owner_id: int
    place: int
    step: int
    ahead: int
    device: uuid.UUID


def code_now(*, session_id: int, at: datetime) -> ShownCode:
    """Return the code that the phone of a session shows now. Raises `MemberIsFrozen`, `MemberIsClosed`, `TokenExpired`."""
    device = _device_of(session_id, at, renew=False)
    step = member_code.step_of(at.timestamp())
    day = member_code.day_of(step)
    code = member_code.code_at(_prefix_of(device), _seed_of(device, day), step)
    return ShownCode(code, _moment(step + 1), _seed_id(device, day))


def seed_now(*, session_id: int, at: datetime) -> Seed:
    """Return the seed of today for the phone of a session; the same for the whole day, however often it is asked for.

    The phone gets our clock with it, so what was learned of its own is forgotten. Raises `MemberIsFrozen`,
    `MemberIsClosed`, `TokenExpired`.
    """
    device = _device_of(session_id, at, renew=True)
    day = member_code.day_of(member_code.step_of(at.timestamp()))
    begins = datetime.fromtimestamp(day * 86_400, UTC)
    return Seed(
        seed_id=_seed_id(device, day),
        seed=base64.b32encode(_seed_of(device, day)).decode(),
        prefix=_prefix_of(device),
        refresh_at=begins + timedelta(days=1),
        good_until=begins + timedelta(days=2),
    )


def read_code(*, code: str, at: datetime) -> ReadCode:
    """Return who shows this code now. Changes nothing, and the code stays good: only spending uses it up.

    A `CodeUnknown` is `about` the member whose phone was guessed at. Raises `CodeUnknown`, `CodeExpired`.
    """
    read = member_code.parsed("".join(code.split()))
    if read is None:
        raise CodeUnknown
    owner_id = member_code.revealed(read.owner, _secret("owner"))
    device = _live_devices(at).filter(member=owner_id, place=read.place).select_related("member").first()
    if device is None:
        raise CodeUnknown
    now = member_code.step_of(at.timestamp())
    today = member_code.day_of(now)
    seeds = {day: _seed_of(device, day) for day in range(today - 2, today + 2)}
    step = member_code.step_shown(read.digits, seeds, member_code.steps_around(now, device.drift_steps))
    if step is None:
        was = member_code.step_shown(read.digits, seeds, member_code.steps_remembered(now))
        raise CodeUnknown().about(owner_id) if was is None else CodeExpired
    survivor_id = device.member.merged_into_id or owner_id
    return ReadCode(survivor_id, owner_id, device.place, step, step - now, device.public_id)


def owner_named(code: str) -> int | None:
    """Return the id that a code names, whether or not there is such a member; None for what is no code, or mistyped."""
    read = member_code.parsed("".join(code.split()))
    return None if read is None else member_code.revealed(read.owner, _secret("owner"))


def use_up(*, read: ReadCode, key_id: int, at: datetime) -> MemberAtTill:
    """Use a code up for spending at one till, for `GOOD_FOR`; return what says so.

    The same till gets the same answer again, so that a lost one can be asked for. Who spends for the first time with it
    teaches us the phone's clock: a picture of a code, shown late again and again, must not. Raises `CodeReused`.
    """
    place_and_step = (read.owner_id, read.place, read.step)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_USE_UP, [read.member_id, key_id, *place_and_step, at, at + GOOD_FOR])
        if cursor.fetchone():
            _remember_drift(read)
        shown = MemberAtTill.objects.get(code_owner=read.owner_id, place=read.place, step=read.step)
    if shown.key_id != key_id or shown.good_until <= at:
        raise CodeReused
    return shown


def let_spend(*, member_id: int, key_id: int, by: MemberAtTill.By, at: datetime) -> MemberAtTill:
    """Note that a member showed a till something else than a code by which they may spend there, for `GOOD_FOR`."""
    return MemberAtTill.objects.create(member_id=member_id, key_id=key_id, by=by, shown_at=at, good_until=at + GOOD_FOR)


def spend_allowed(*, member_id: int, key_id: int, at: datetime) -> bool:
    """Return whether a member, or one merged into them, has shown this till a few minutes ago that they may spend."""
    shown = MemberAtTill.objects.filter(
        key=key_id, member__in=family_ids(member_id), good_until__gt=at, shown_at__lte=at
    )
    return shown.exists()


def member_of_code(*, code: str, at: datetime) -> int | None:
    """Return whose code this is, for staff who look a member up; None when it is nobody's or no longer good."""
    try:
        return read_code(code=code, at=at).member_id
    except (CodeUnknown, CodeExpired):
        return None


def forget_shown(*, at: datetime) -> int:
    """Delete what was shown at tills a day ago, and phones whose session is gone; at most 10,000 of each. Return how many."""
    old = MemberAtTill.objects.filter(shown_at__lte=at - KEPT).order_by("shown_at")
    gone = MemberCodeDevice.objects.filter(
        Q(session__isnull=True) | Q(session__ended_at__lte=at - KEPT) | Q(session__expires_at__lte=at - KEPT)
    )
    deleted = 0
    for model, rows in ((MemberAtTill, old), (MemberCodeDevice, gone)):
        wanted = list(rows.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
        deleted += model._default_manager.filter(pk__in=wanted).delete()[0]
    return deleted


def _device_of(session_id: int, at: datetime, *, renew: bool) -> MemberCodeDevice:
    """Return the place of a session's phone; give it one when it has none."""
    live = _live_devices(at).select_related("member").filter(session=session_id).first()
    if live is not None:
        _refuse_who_may_nothing(live.member)
        if renew:
            MemberCodeDevice.objects.filter(pk=live.pk).update(seeded_at=at, drift_steps=0)
        return live
    with transaction.atomic():
        session = MemberSession.objects.filter(pk=session_id, ended_at__isnull=True, expires_at__gt=at).first()
        if session is None:
            raise TokenExpired
        # Two phones at once, or a freeze or merge beside it: one after the other.
        member = Member.objects.select_for_update(no_key=True).get(pk=session.member_id)
        _refuse_who_may_nothing(member)
        known = MemberCodeDevice.objects.select_related("member").filter(session=session_id).first()
        if known is not None:
            return known
        return _take_place(member, session, at)


def _take_place(member: Member, session: MemberSession, at: datetime) -> MemberCodeDevice:
    """Give a session a free place; where none is free, that of the phone that asked longest ago."""
    if member.pk >= member_code.MOST_MEMBERS:
        raise MemberNotFound
    places = list(MemberCodeDevice.objects.select_related("session").filter(member=member).order_by("seeded_at", "pk"))
    free = sorted({*range(1, PLACES + 1)} - {row.place for row in places})
    dead = [row.place for row in places if row.session is None or row.session.ended_at or row.session.expires_at <= at]
    place = (free or dead or [places[0].place])[0]
    taken, _new = MemberCodeDevice.objects.update_or_create(
        member=member,
        place=place,
        defaults={
            "public_id": uuid.uuid4(),
            "session": session,
            "nonce": secrets.token_bytes(16),
            "drift_steps": 0,
            "seeded_at": at,
        },
    )
    return taken


def _live_devices(at: datetime) -> QuerySet[MemberCodeDevice]:
    """Return the phones whose session has not ended."""
    return MemberCodeDevice.objects.filter(session__ended_at__isnull=True, session__expires_at__gt=at)


def _refuse_who_may_nothing(member: Member) -> None:
    """Raise unless the code is good for something: a freeze may leave earning or spending open."""
    statuses = {member.status_to(act) for act in (Member.Act.EARN, Member.Act.SPEND)}
    if Member.Status.ACTIVE in statuses:
        return
    if Member.Status.FROZEN in statuses:
        raise MemberIsFrozen().by(freeze_of(member))
    raise MemberIsClosed


def _remember_drift(read: ReadCode) -> None:
    """Remember how far a phone's clock is off, so that one that goes wrong slowly stays good (RFC 6238, section 6)."""
    drift = max(-MOST_DRIFT, min(MOST_DRIFT, read.ahead))
    MemberCodeDevice.objects.filter(public_id=read.device).exclude(drift_steps=drift).update(drift_steps=drift)


def _prefix_of(device: MemberCodeDevice) -> str:
    return member_code.prefix_of(member_code.obscured(device.member_id, _secret("owner")), device.place)


def _seed_of(device: MemberCodeDevice, day: int) -> bytes:
    told = b"%d:%d:%d:" % (device.member_id, device.place, day) + bytes(device.nonce)
    return hmac.digest(_secret("seed"), told, hashlib.sha256)[: member_code.SEED_BYTES]


def _seed_id(device: MemberCodeDevice, day: int) -> str:
    return f"{public_ref(CODE_DEVICE, device.public_id)}_{day}"


def _moment(step: int) -> datetime:
    return datetime.fromtimestamp(step * member_code.STEP_SECONDS, UTC)


def _secret(purpose: str) -> bytes:
    return hmac.digest(settings.CODE_SECRET.encode(), b"member-code:" + purpose.encode(), hashlib.sha256)
