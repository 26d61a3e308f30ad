"""Joining at the till: a member with what they agree to, or nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.models import ConsentEntry, Member, Purpose
from members.refusals import MembersRefusal
from members.services.consents import give_consent
from members.services.enrolment import enrol_member

#: What nobody joins without having been shown: the words about notices of one's own membership.
NEEDED: Final = Purpose.SERVICE


@dataclass(frozen=True, slots=True)
class SaidYes:
    """A yes to one version of the words of a purpose; no channels mean all of them."""

    purpose: str
    version: int
    channels: Sequence[str] = ()
    by_guardian: bool = False


class JoiningNeedsConsent(MembersRefusal):
    """The words about one's own membership were not agreed to."""

    code = "consent_required"
    text = _("To join, somebody has to agree to the words of “%(purpose_label)s”. Show them, and send their version.")
    status = 422


def join_in_store(
    *,
    store_id: int,
    channel_id: int,
    phone: str,
    full_name: str,
    birthday: date | None,
    language: str,
    said: Sequence[SaidYes],
    by: Actor,
    at: datetime,
) -> Member:
    """Enrol somebody who stands in a store, with what they said yes to; return the member.

    Whoever has the phone number already stays untouched and unnamed. Raises `JoiningNeedsConsent`, and whatever
    `enrol_member` and `give_consent` raise.
    """
    if NEEDED not in {one.purpose for one in said}:
        raise JoiningNeedsConsent(purpose=NEEDED.value, purpose_label=NEEDED.label)
    with transaction.atomic():
        member = enrol_member(
            channel_id=channel_id,
            home_store_id=store_id,
            full_name=full_name,
            phone=phone,
            birthday=birthday,
            language=language,
            by=by,
            at=at,
        )
        for one in said:
            give_consent(
                member_id=member.pk,
                purpose=one.purpose,
                channels=one.channels,
                version=one.version,
                way=ConsentEntry.Way.STORE,
                by_guardian=one.by_guardian,
                by=by,
                at=at,
            )
    return member
