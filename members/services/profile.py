"""Changing who a member is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member, MemberPerson
from members.names import clean_name, search_keys
from members.own_accounts import refuse_own_account
from members.phones import parse_phone
from members.queries import programme, region
from members.refusals import MembersRefusal
from members.services.details import write_details
from members.services.enrolment import check_birthday, clean_email, raise_if_taken
from members.timeline import NewEntry, nudge, record


class BirthdayLocked(MembersRefusal):
    """A birthday changes at most once a year."""

    code = "birthday_locked"
    text = _("The birthday was changed on %(changed)s. It can be changed again from %(day)s.")


class ProfileChanged(MembersRefusal):
    """Somebody else has changed the profile since it was read."""

    code = "precondition_failed"
    text = _("The profile was changed meanwhile. Please read it again.")
    status = 412


class _Unchanged:
    """Stands for a value that is left as it is, where None means that it is removed."""


UNCHANGED: Final = _Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """What shall be different. Whatever is not named stays; None removes.

    `details` are those that staff defined, by code; `agreed` names the sensitive ones that the member agreed to.
    """

    full_name: str | _Unchanged = UNCHANGED
    phone: str | _Unchanged | None = UNCHANGED
    email: str | _Unchanged | None = UNCHANGED
    birthday: date | _Unchanged | None = UNCHANGED
    language: str | _Unchanged = UNCHANGED
    home_store_id: int | _Unchanged | None = UNCHANGED
    home_region_id: int | _Unchanged | None = UNCHANGED
    details: Mapping[str, Any] = field(default_factory=dict)
    agreed: Collection[str] = ()


def change_profile(
    *,
    member_id: int,
    change: ProfileChange,
    expected_version: int | None = None,
    may_correct_birthday: bool = False,
    by: Actor,
    at: datetime,
) -> list[str]:
    """Change a member's profile and search keys; return the names of the fields that are different now.

    The timeline is told which fields changed, never the values. A birthday that was told once can be changed once a
    year, unless the caller `may_correct_birthday`. With `expected_version` nothing is changed when another version of
    the profile is there. Staff do not change by what they are known, or when they are given something, themselves. Raises
    `NotFound`, `ProfileChanged`, `OwnAccount`, `PhoneInUse`, `EmailInUse`, `InvalidPhone`, `InvalidEmail`,
    `InvalidBirthday`, `BirthdayLocked`, `DetailUnknown`, `DetailInvalid`, `ConsentRequired`.
    """
    wanted_person, wanted_member = _wanted(change, at)
    try:
        with transaction.atomic():
            member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
            if member is None:
                raise NotFound
            if expected_version is not None and member.profile_version != expected_version:
                raise ProfileChanged
            if member.status == Member.Status.CLOSED and not MemberPerson.objects.filter(member=member).exists():
                raise NotFound  # nothing personal is written again of who was erased
            person, _made = MemberPerson.objects.get_or_create(member=member)
            if any(name in wanted_person and getattr(person, name) != wanted_person[name] for name in _WORTH_POINTS):
                refuse_own_account(by, [member.pk])
            if "birthday" in wanted_person:
                wanted_person |= _birthday_change(person, wanted_person["birthday"], may_correct_birthday, at)
            _take_from_merged(person, wanted_person)
            changed = _apply(person, wanted_person) + _apply(member, wanted_member)
            details = write_details(member_id=member.pk, given=change.details, agreed=change.agreed, by=by, at=at)
            shown = sorted(name for name in changed if name not in _SILENT) + (["details"] if details else [])
            if shown:
                member.profile_version += 1
                member.save(update_fields=["profile_version"])
                payload = {"fields": shown} | ({"details": details} if details else {})
                record([NewEntry("members.profile_changed.v1", member.pk, at, by, payload)])
                nudge()
    except IntegrityError as error:
        raise_if_taken(error)
        raise
    return shown


def _take_from_merged(person: MemberPerson, wanted: Mapping[str, Any]) -> None:
    """A phone or e-mail that somebody merged into the member still has is the member's own: it is taken off there."""
    for name in ("phone", "email"):
        if wanted.get(name) and wanted[name] != getattr(person, name):
            own = MemberPerson.objects.filter(member__merged_into_id=person.pk, **{name: wanted[name]})
            own.update(**{name: None})


def birthday_locked_until(person: MemberPerson | None) -> date | None:
    """Return the day from which the birthday may be changed again, in the programme's zone; None when it never changed."""
    if person is None or person.birthday_changed_at is None:
        return None
    changed = person.birthday_changed_at.astimezone(programme().tz).date()
    try:
        return changed.replace(year=changed.year + 1)
    except ValueError:  # 29 February
        return date(changed.year + 1, 3, 1)


def known_language(language: str) -> str:
    """Return a language of the portal. Raises ValueError for any other text: forms and serializers offer no others."""
    if language not in dict(settings.LANGUAGES):
        raise ValueError(f"{language} is no language of this portal")
    return language


#: Orders are told by phone or e-mail, and birthdays are rewarded.
_WORTH_POINTS: Final = ("phone", "email", "birthday")
_SILENT = frozenset({"name_pinyin", "name_initials", "birthday_changed_at"})


def _birthday_change(person: MemberPerson, wanted: date | None, may_correct: bool, at: datetime) -> dict[str, datetime]:
    """Return what else is written with a birthday. One that is told for the first time is no change."""
    if person.birthday == wanted or (person.birthday is None and person.birthday_changed_at is None):
        return {}
    open_from = birthday_locked_until(person)
    if open_from is not None and not may_correct and at.astimezone(programme().tz).date() < open_from:
        assert person.birthday_changed_at is not None  # noqa: S101 - there would be no day
        raise BirthdayLocked(changed=person.birthday_changed_at.astimezone(programme().tz).date(), day=open_from)
    return {"birthday_changed_at": at}


def _wanted(change: ProfileChange, at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the wanted values of the person and of the member, cleaned and checked."""
    person: dict[str, Any] = {}
    if not isinstance(change.full_name, _Unchanged):
        name = clean_name(change.full_name)
        pinyin, initials = search_keys(name)
        person |= {"full_name": name, "name_pinyin": pinyin, "name_initials": initials}
    if not isinstance(change.phone, _Unchanged):
        person["phone"] = parse_phone(change.phone, region=region()) if change.phone else None
    if not isinstance(change.email, _Unchanged):
        person["email"] = clean_email(change.email) if change.email else None
    if not isinstance(change.birthday, _Unchanged):
        check_birthday(change.birthday, at)
        person["birthday"] = change.birthday
    member: dict[str, Any] = {}
    if not isinstance(change.language, _Unchanged):
        member["language"] = known_language(change.language)
    if not isinstance(change.home_store_id, _Unchanged):
        member["home_store_id"] = change.home_store_id
    if not isinstance(change.home_region_id, _Unchanged):
        member["home_region_id"] = change.home_region_id
    return person, member


def _apply(row: Member | MemberPerson, wanted: dict[str, Any]) -> list[str]:
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        row.save(update_fields=changed)
    return changed
