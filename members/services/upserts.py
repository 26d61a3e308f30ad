"""Members as another system tells them, under its own id: made the first time, changed afterwards."""

from datetime import datetime
from typing import Any

from django.db import transaction

from members.actors import Actor
from members.models import Member
from members.queries import member_by_identity
from members.services.enrolment import enrol_member
from members.services.profile import UNCHANGED, ProfileChange, ProfileChanged, change_profile
from members.services.tokens import MemberIsClosed


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
) -> tuple[int, bool]:
    """Make or change the member whom a system knows under an id; return the member's id, and whether they are new.

    Somebody else's phone or e-mail is refused and never merged. Raises `ProfileChanged`, `MemberIsClosed` and whatever
    `enrol_member` and `change_profile` raise.
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
            member_id = joined.pk
        else:
            member_id = known.pk
        change_profile(member_id=member_id, change=change, expected_version=expected_version, by=by, at=at)
    return member_id, known is None


def _first_words(change: ProfileChange) -> dict[str, Any]:
    """Return what a change says of somebody new."""
    names = ("full_name", "phone", "email", "birthday", "language", "home_store_id")
    told = {name: getattr(change, name) for name in names}
    return {name: value for name, value in told.items() if value is not UNCHANGED}
