"""Members as another system tells them, under its own id: made the first time, changed afterwards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from members.actors import Actor
from members.models import Member
from members.queries import member_by_identity
from members.services.enrolment import enrol_member
from members.services.phone_change import PhoneChanged, guard_after_change, phone_of_member
from members.services.profile import UNCHANGED, ProfileChange, ProfileChanged, change_profile
from members.services.tokens import MemberIsClosed


@dataclass(frozen=True, slots=True)
class Upserted:
    """The member whom a system told, whether they are new, and the change of the phone to be told with `announce`, if any."""

    member_id: int
    is_new: bool
    phone_changed: PhoneChanged | None = None


def upsert_member(
    *,
    issuer: str,
    external_id: str,
    change: ProfileChange,
    channel_id: int,
    joined_store_id: int | None,
    expected_version: int | None = None,
    by: Actor,
    at: datetime,
) -> Upserted:
    """Make or change the member whom a system knows under an id; return who it is, and what to tell after the commit.

    Whoever has a member's number signs in as them: where a number that is there becomes another, or goes, sessions end and
    points stay in as after any change of it. Somebody else's phone or e-mail is refused and never merged. Raises
    `ProfileChanged`, `MemberIsClosed` and whatever `enrol_member` and `change_profile` raise.
    """
    with transaction.atomic():
        known = member_by_identity(issuer, external_id)
        if known is None and expected_version is not None:
            raise ProfileChanged
        if known is not None and known.status == Member.Status.CLOSED:
            raise MemberIsClosed
        if known is None:
            joined = enrol_member(
                channel_id=channel_id,
                joined_store_id=joined_store_id,
                identity=(issuer, external_id),
                **_first_words(change),
                by=by,
                at=at,
            )
            change_profile(member_id=joined.pk, change=change, by=by, at=at)
            return Upserted(joined.pk, is_new=True)
        member = Member.objects.select_for_update(no_key=True).get(pk=known.pk)
        old = phone_of_member(member.pk)
        changed = change_profile(member_id=member.pk, change=change, expected_version=expected_version, by=by, at=at)
        if not old or "phone" not in changed:
            return Upserted(member.pk, is_new=False)
        until = guard_after_change(member_id=member.pk, told={"source": issuer}, by=by, at=at)
        new = phone_of_member(member.pk) or ""
        return Upserted(member.pk, is_new=False, phone_changed=PhoneChanged(old, new, member.language, until))


def _first_words(change: ProfileChange) -> dict[str, Any]:
    """Return what a change says of somebody new."""
    names = ("full_name", "phone", "email", "birthday", "language", "home_store_id")
    told = {name: getattr(change, name) for name in names}
    return {name: value for name, value in told.items() if value is not UNCHANGED}
