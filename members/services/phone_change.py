"""Another phone number for a member, after proofs: by the member with codes to both numbers, by staff with one proof.

Whoever has somebody's phone number may sign in as them. So a change ends all other sessions, keeps points in for a day, and
is told to both numbers: the owner of the old one has a day to call.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.actors import Actor
from members.models import Member, MemberPerson, MemberSession
from members.phones import mask_phone, parse_phone
from members.queries import cooling_until, programme, region
from members.refusals import MembersRefusal
from members.services.one_time_codes import notify, use_code
from members.services.profile import ProfileChange, change_profile
from members.services.tokens import MemberIsClosed, end_sessions_of
from members.timeline import NewEntry, nudge, record

CHANGED: Final = "members.phone_changed.v1"
TAKEN: Final = "members.phone_taken.v1"
#: So long nothing leaves an account after its number was changed.
COOLING: Final = timedelta(hours=24)


class PhoneUnchanged(MembersRefusal):
    """The member has this number."""

    code = "phone_unchanged"
    text = _("This is the phone number that the member has already.")


class CoolingDown(MembersRefusal):
    """The phone number is new: whoever took it over must not empty the account."""

    code = "cooling_down"
    text = _("The phone number was changed lately; points can be used again in %(hours)s hours.")
    status = 403


@dataclass(frozen=True, slots=True)
class PhoneChanged:
    """What a change was, for those who are to be told: both numbers, and the language.

    The old number may have been missing; the new one is empty where a number was only taken off.
    """

    old: str | None
    new: str
    language: str
    cooling_until: datetime


def change_phone(
    *,
    member_id: int,
    phone: str,
    code_ids: Collection[int],
    keep_session: int | None = None,
    proof: str = "",
    reason: str = "",
    by: Actor,
    at: datetime,
) -> PhoneChanged:
    """Give a member another number, using up the codes that showed whose it is; return what to tell with `announce`.

    All sessions but `keep_session` end. `proof` is the code of what staff were shown, `reason` their words. Raises
    `PhoneInUse`, `PhoneUnchanged`, `CodeOver`, `MemberIsClosed`, `OwnAccount`, `InvalidPhone`, `NotFound`.
    """
    number = parse_phone(phone, region=region())
    with transaction.atomic():
        member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
        if member.status == Member.Status.CLOSED:
            raise MemberIsClosed
        old = phone_of_member(member_id)
        if old == number:
            raise PhoneUnchanged
        for code_id in sorted(code_ids):
            use_code(code_id=code_id, at=at)
        change_profile(member_id=member_id, change=ProfileChange(phone=number), by=by, at=at)
        told = ({"proof": proof} if proof else {}) | ({"reason": reason} if reason else {})
        until = guard_after_change(member_id=member_id, told=told, keep_session=keep_session, by=by, at=at)
    return PhoneChanged(old, number, member.language, until)


def guard_after_change(
    *, member_id: int, told: Mapping[str, str], keep_session: int | None = None, by: Actor, at: datetime
) -> datetime:
    """Keep points in and end all sessions but `keep_session`, since the number is another; return until when points stay.

    Inside the transaction of the change, the member's row locked. `told` is what the timeline says beside that.
    """
    until = at + COOLING
    Member.objects.filter(pk=member_id).update(cooling_until=Greatest(Coalesce("cooling_until", until), until))
    end_sessions_of(member_ids=[member_id], end=MemberSession.End.PHONE, keep=keep_session, at=at)
    record([NewEntry(CHANGED, member_id, at, by, {"until": until.isoformat(), **told})])
    nudge()
    return until


def announce(change: PhoneChanged) -> tuple[bool, bool]:
    """Tell both numbers, after the commit; return whether the old and the new one could be told."""
    with override(change.language):
        name = programme().name
        if change.new:
            to_old = _now(
                "%(programme)s: your membership has a new phone number, %(phone)s. Points stay in for 24 hours. If this was not you, please call us now."
            ) % {"programme": name, "phone": mask_phone(change.new, region=region())}
        else:
            to_old = _now(
                "%(programme)s: this is no longer the phone number of your membership. Points stay in for 24 hours. If this was not you, please call us now."
            ) % {"programme": name}
        to_new = _now(
            "%(programme)s: this is now the phone number of your membership. Points can be used in 24 hours."
        ) % {"programme": name}
    told_old = bool(change.old) and notify(
        phone=change.old or "", kind="phone_changed_old", language=change.language, words=to_old
    )
    told_new = bool(change.new) and notify(
        phone=change.new, kind="phone_changed_new", language=change.language, words=to_new
    )
    return told_old, told_new


def phone_of_member(member_id: int) -> str | None:
    """Return the number of a member, or None."""
    return MemberPerson.objects.filter(pk=member_id).values_list("phone", flat=True).first()


def holder_of(phone: str, *, other_than: int) -> Member | None:
    """Return the living member who has a number, if it is another one. Raises `InvalidPhone`."""
    number = parse_phone(phone, region=region())
    holders = Member.objects.select_related("merged_into").filter(person__phone=number).exclude(pk=other_than)
    holder = holders.first()
    if holder is None or holder.merged_into_id == other_than:
        return None
    return holder.merged_into or holder


def note_taken(*, member_id: int, phone: str, by: Actor, at: datetime) -> None:
    """Tell staff that a member showed to have the number of another: they may be one person, to be merged."""
    other = holder_of(phone, other_than=member_id)
    if other is not None:
        record([NewEntry(TAKEN, member_id, at, by, {"other": other.pk})])
        nudge()


def refuse_cooling(*, member_id: int, at: datetime) -> None:
    """Raise `CoolingDown` while nothing may leave the member's account."""
    until = cooling_until(member_id, at)
    if until is not None:
        raise CoolingDown(hours=max(1, -(-int((until - at).total_seconds()) // 3_600)))
