"""Changing who a member is."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member, MemberPerson
from members.names import clean_name, search_keys
from members.phones import parse_phone
from members.queries import region
from members.services.enrolment import clean_email, raise_if_taken
from members.timeline import NewEntry, nudge, record


class _Unchanged:
    """Stands for a value that is left as it is, where None means that it is removed."""


UNCHANGED: Final = _Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """What shall be different. Whatever is not named stays; None removes."""

    full_name: str | _Unchanged = UNCHANGED
    phone: str | _Unchanged | None = UNCHANGED
    email: str | _Unchanged | None = UNCHANGED
    birthday: date | _Unchanged | None = UNCHANGED
    language: str | _Unchanged = UNCHANGED
    home_store_id: int | _Unchanged | None = UNCHANGED


def change_profile(*, member_id: int, change: ProfileChange, by: Actor, at: datetime) -> list[str]:
    """Change a member's profile and search keys; return the names of the fields that are different now.

    The timeline is told which fields changed, never the values. Raises `NotFound`, `PhoneInUse`, `EmailInUse`,
    `InvalidPhone`, `InvalidEmail`.
    """
    wanted_person, wanted_member = _wanted(change)
    try:
        with transaction.atomic():
            member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
            if member is None:
                raise NotFound
            person, _made = MemberPerson.objects.get_or_create(member=member)
            changed = _apply(person, wanted_person) + _apply(member, wanted_member)
            shown = sorted(name for name in changed if name not in ("name_pinyin", "name_initials"))
            if shown:
                record([NewEntry("members.profile_changed.v1", member.pk, at, by, {"fields": shown})])
                nudge()
    except IntegrityError as error:
        raise_if_taken(error)
        raise
    return shown


def _wanted(change: ProfileChange) -> tuple[dict[str, Any], dict[str, Any]]:
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
        person["birthday"] = change.birthday
    member: dict[str, Any] = {}
    if not isinstance(change.language, _Unchanged):
        member["language"] = change.language
    if not isinstance(change.home_store_id, _Unchanged):
        member["home_store_id"] = change.home_store_id
    return person, member


def _apply(row: Member | MemberPerson, wanted: dict[str, Any]) -> list[str]:
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        row.save(update_fields=changed)
    return changed
