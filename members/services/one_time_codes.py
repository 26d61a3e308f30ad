"""Codes that are sent to a phone: seven digits, good once, for ten minutes and five tries, for whoever asked for them.

Nobody learns here whether a number is a member's: who is known and who is not gets the same code by the same path. The
code is bound to its own id, which only the one who asked has, to a purpose and to the caller. A try is counted before it is
looked at, by a guarded update; wrong ones count against the phone and, of strangers, the address, too (`guessing`).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db.models import F
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.models import OneTimeCode
from members.phones import parse_phone
from members.ports import SmsUnavailable, UrgentMessage, send_now
from members.queries import programme, region
from members.refusals import MembersRefusal
from members.services.guessing import Bound, GuessKind, refuse_if_locked, register_guessing, right_try, wrong_try
from members.services.rates import Limit, hashed, take

Purpose = OneTimeCode.Purpose
#: 10⁷ codes are 23 bits; six digits would be a little less than the twenty that are asked for.
DIGITS: Final = 7
LIFETIME: Final = timedelta(minutes=10)
MOST_TRIES: Final = 5
KIND: Final = "one_time_code"

GAP: Final = Limit("sms_gap", 1, 60)
#: By purpose: whoever has codes to sign in sent to somebody's phone does not keep them from paying at a till.
A_DAY: Final = Limit("sms_day", 5, 86_400)
A_DAY_IN_ALL: Final = Limit("sms_day_all", 12, 86_400)
#: A house, or a shop, has one address.
FROM_AN_ADDRESS: Final = Limit("sms_address", 30, 3_600)
#: Text messages cost money: what all together may cause in an hour.
ALTOGETHER: Final = Limit("sms_all", 20_000, 3_600)

register_guessing(
    GuessKind(
        KIND,
        _("one-time codes"),
        {
            "phone": Bound(2 * MOST_TRIES, timedelta(hours=1), timedelta(minutes=30)),
            "member": Bound(2 * MOST_TRIES, timedelta(hours=1), timedelta(minutes=30)),
            "address": Bound(60, timedelta(hours=1), timedelta(minutes=30)),
        },
    )
)


class CodeWrong(MembersRefusal):
    """The code is not the one that was sent, or not to this phone, not for this, not for whoever asks."""

    code = "code_wrong"
    text = _("This code is not right. Please check it, or ask for a new one.")
    status = 422


class CodeOver(MembersRefusal):
    """The code was used, is too old, or was tried too often."""

    code = "code_expired"
    text = _("This code is no longer good. Please ask for a new one.")
    status = 422


@dataclass(frozen=True, slots=True)
class SentCode:
    """What whoever asked for a code gets: under which id to bring it, and until when."""

    public_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a code is: `name` ("" for somebody unknown, `member:17`), and the address that asks."""

    name: str = ""
    place: str = ""


def send_code(*, phone: str, purpose: str, caller: Caller, language: str, at: datetime) -> SentCode:
    """Send a code to a phone; return under which id it can be brought. Called outside of any transaction.

    Raises `InvalidPhone`, `RateLimited` (60 seconds apart, five a day, phone and purpose, twelve a day and phone),
    `TooManyTries`, `SmsUnavailable`.
    """
    number = parse_phone(phone, region=region())
    refuse_if_locked(kind=KIND, partitions={"phone": number}, at=at)
    # A refusal because of the address uses nothing up for the phone's owner; one because of the phone nothing up for all.
    take(limit=FROM_AN_ADDRESS, partition=caller.place, at=at)
    take(limit=GAP, partition=f"{purpose}:{number}", at=at)
    take(limit=A_DAY, partition=f"{purpose}:{number}", at=at)
    take(limit=A_DAY_IN_ALL, partition=number, at=at)
    take(limit=ALTOGETHER, partition="", at=at)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    public_id = uuid4()
    OneTimeCode.objects.create(
        public_id=public_id,
        purpose=purpose,
        recipient_hash=_recipient_hash(number),
        caller_hash=_caller_hash(caller),
        code_hash=_code_hash(public_id, code),
        created_at=at,
        expires_at=at + LIFETIME,
    )
    with override(language):
        name = programme().name
        text = _now("%(code)s is your code for %(programme)s. It is good for 10 minutes. Give it to nobody.") % {
            "code": code,
            "programme": name,
        }
    message = UrgentMessage(number, f"code_{purpose}", language, text, {"code": code, "programme": name})
    try:
        send_now(message)
    except SmsUnavailable:
        OneTimeCode.objects.filter(public_id=public_id).delete()
        raise
    return SentCode(public_id, at + LIFETIME)


def check_code(
    *, public_id: UUID, phone: str, code: str, purpose: str, caller: Caller, at: datetime, member_id: int | None = None
) -> int:
    """Look at a code that somebody brings; return its row's id for `use_code`. Called outside of any transaction.

    Raises `CodeWrong`, `CodeOver`, `TooManyTries`, `InvalidPhone`.
    """
    number = parse_phone(phone, region=region())
    # Who brings a key or a token is known by it; their address may be that of a whole shop.
    place = {} if caller.name else {"address": caller.place}
    partitions = {"phone": number} | place | ({"member": str(member_id)} if member_id else {})
    refuse_if_locked(kind=KIND, partitions=partitions, at=at)
    mine = OneTimeCode.objects.filter(
        public_id=public_id, purpose=purpose, recipient_hash=_recipient_hash(number), caller_hash=_caller_hash(caller)
    )
    counted = mine.filter(used_at__isnull=True, expires_at__gt=at, tries__lt=MOST_TRIES).update(tries=F("tries") + 1)
    row = mine.first()
    if row is None:  # an id made up: no guess at a code of this phone, or anybody could lock anybody's
        wrong_try(kind=KIND, partitions=place, at=at)
        raise CodeWrong
    if not counted:
        raise CodeOver
    if not constant_time_compare(bytes(row.code_hash), _code_hash(public_id, code)):
        wrong_try(kind=KIND, partitions=partitions, at=at, member_id=member_id)
        raise CodeWrong
    OneTimeCode.objects.filter(pk=row.pk, tries__gt=0).update(tries=F("tries") - 1)  # it was right
    right_try(kind=KIND, partitions={"phone": number})
    return row.pk


def use_code(*, code_id: int, at: datetime) -> None:
    """Use a code up, inside the transaction of what it is for. Raises `CodeOver` when somebody was faster."""
    if not OneTimeCode.objects.filter(pk=code_id, used_at__isnull=True).update(used_at=at):
        raise CodeOver


def notify(*, phone: str, kind: str, language: str, words: str) -> bool:
    """Send a notice about the account to a phone; return whether it went out. Never keeps what it is about from happening."""
    try:
        send_now(UrgentMessage(phone, kind, language, words, {"programme": programme().name}))
    except SmsUnavailable:
        return False
    return True


def _recipient_hash(number: str) -> bytes:
    return hashed("one-time phone", number)


def _caller_hash(caller: Caller) -> bytes:
    return hashed("one-time caller", caller.name)


def _code_hash(public_id: UUID, code: str) -> bytes:
    return hashed("one-time code", public_id.hex, code)
