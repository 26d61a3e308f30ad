"""Who stands at a till, and by what they show that it is they."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.models import Member, MemberAtTill
from members.queries import MemberNotFound, member_by_card, member_by_number, member_by_phone
from members.services.guessing import Bound, GuessKind, refuse_if_locked, register_guessing, wrong_try
from members.services.member_codes import CodeUnknown, ReadCode, let_spend, owner_named, read_code, use_up
from members.services.one_time_codes import Caller, Purpose, SentCode, check_code, send_code, use_code

CODE: Final = "code"
GUESSING: Final = "member_code"
CARD_GUESSING: Final = "card_number"
_AT_TILL: Final = {"key": Bound(20, lock=timedelta(minutes=5)), "address": Bound(100)}
register_guessing(GuessKind(CARD_GUESSING, _("numbers of printed cards at the till"), _AT_TILL))
register_guessing(
    GuessKind(
        GUESSING,
        _("member codes at the till"),
        {**_AT_TILL, "member": Bound(10)},
    )
)
#: What else names a member.
LOOK_UPS: Final[Mapping[str, Callable[[str], Member | None]]] = {
    "member_no": member_by_number,
    "phone": member_by_phone,
    "card_no": member_by_card,
}
#: Of these, what only its owner has in hand: numbers and phones are on receipts and in other people's heads.
_IN_HAND: Final[Mapping[str, MemberAtTill.By]] = {"card_no": MemberAtTill.By.CARD}


@dataclass(frozen=True, slots=True)
class Found:
    """The member who was named (the survivor of a merge, the person loaded), and the code where it was one."""

    member: Member
    way: str
    code: ReadCode | None = None

    @property
    def phone(self) -> str | None:
        """The number to which a one-time code can be sent; None without one."""
        person = getattr(self.member, "person", None)
        return person.phone if person else None


@dataclass(frozen=True, slots=True)
class Brought:
    """A one-time code that the member read out: its id, as it was told when it was sent, and the digits."""

    public_id: UUID
    digits: str


def find_at_till(*, way: str, value: str, key_id: int, address: str, at: datetime) -> Found:
    """Return who is named at a till. Outside of a transaction: what opens spending and is wrong is counted as a guess.

    Codes are counted by till, address and member; numbers of cards, which follow one another, by till and address. A slip of
    the scanner is no guess at a code: its check digits are wrong, which anybody can see. Raises `MemberNotFound`; for codes
    `CodeUnknown`, `CodeExpired`; for codes and cards `TooManyTries`.
    """
    if way == CODE:
        read = _read(value, key_id, address, at)
        return Found(Member.objects.select_related("person").get(pk=read.member_id), way, read)
    counted = {"key": str(key_id), "address": address} if way in _IN_HAND else {}
    refuse_if_locked(kind=CARD_GUESSING, partitions=counted, at=at)
    member = LOOK_UPS[way](value)
    if member is None:
        if counted:
            wrong_try(kind=CARD_GUESSING, partitions=counted, at=at)
        raise MemberNotFound
    return Found(member, way)


def send_code_to_spend(*, found: Found, key_id: int, address: str, at: datetime) -> SentCode | None:
    """Send a member a one-time code with which they may spend at a till; return it, or None where no phone is known.

    Outside of a transaction. Raises `RateLimited`, `TooManyTries`, `SmsUnavailable`.
    """
    if found.phone is None:
        return None
    caller = _caller(key_id, address)
    return send_code(phone=found.phone, purpose=Purpose.TILL, caller=caller, language=found.member.language, at=at)


def let_spend_at_till(
    *, found: Found, key_id: int, brought: Brought | None = None, address: str, at: datetime
) -> MemberAtTill | None:
    """Let a member spend at a till for some minutes, when they showed more than who they are; return what says so, or None.

    Uses the code up. Outside of a transaction. Raises `CodeReused`; for one-time codes `CodeWrong`, `CodeOver`, `TooManyTries`.
    """
    if found.code is not None:
        return use_up(read=found.code, key_id=key_id, at=at)
    member_id = found.member.pk
    if brought is not None and found.phone is not None:
        code_id = check_code(
            public_id=brought.public_id,
            phone=found.phone,
            code=brought.digits,
            purpose=Purpose.TILL,
            caller=_caller(key_id, address),
            member_id=member_id,
            at=at,
        )
        with transaction.atomic():
            use_code(code_id=code_id, at=at)
            return let_spend(member_id=member_id, key_id=key_id, by=MemberAtTill.By.SMS, at=at)
    by = _IN_HAND.get(found.way)
    return let_spend(member_id=member_id, key_id=key_id, by=by, at=at) if by else None


def _caller(key_id: int, address: str) -> Caller:
    return Caller(f"device:{key_id}", address)


def _read(code: str, key_id: int, address: str, at: datetime) -> ReadCode:
    owner_id = owner_named(code)
    if owner_id is None:
        raise CodeUnknown
    counted = {"key": str(key_id), "address": address, "member": str(owner_id)}
    refuse_if_locked(kind=GUESSING, partitions=counted, at=at)
    try:
        return read_code(code=code, at=at)
    except CodeUnknown as unknown:
        wrong_try(kind=GUESSING, partitions=counted, member_id=unknown.member_id, at=at)
        raise
