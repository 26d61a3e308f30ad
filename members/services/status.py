"""Freezing a member and taking it back. A frozen member neither earns nor spends, and is signed out everywhere."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member
from members.names import clean_name
from members.refusals import MembersRefusal
from members.services.tokens import MemberIsClosed, revoke_tokens_of
from members.timeline import NewEntry, nudge, record

REASON_LENGTH = 200


class AlreadyFrozen(MembersRefusal):
    """The member is frozen."""

    code = "already_frozen"
    text = _("The member is frozen already.")


class NotFrozen(MembersRefusal):
    """The member is not frozen."""

    code = "not_frozen"
    text = _("The member is not frozen.")


class ReasonMissing(MembersRefusal):
    """Staff must say why."""

    code = "reason_missing"
    text = _("Please say why.")
    status = 422


def freeze_member(*, member_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Freeze a member and revoke every token. The reason, without names or numbers of people, goes to the timeline.

    Raises `AlreadyFrozen`, `MemberIsClosed`, `ReasonMissing`, `NotFound`.
    """
    words = _words(reason)
    with transaction.atomic():
        member = _locked(member_id)
        if member.status == Member.Status.FROZEN:
            raise AlreadyFrozen
        _set_status(member, Member.Status.FROZEN)
        revoke_tokens_of(member_id=member.pk, at=at)
        record([NewEntry("members.frozen.v1", member.pk, at, by, {"reason": words})])
        nudge()


def unfreeze_member(*, member_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Make a frozen member active again; tokens stay revoked. Raises `NotFrozen`, `MemberIsClosed`, `ReasonMissing`, `NotFound`."""
    words = _words(reason)
    with transaction.atomic():
        member = _locked(member_id)
        if member.status != Member.Status.FROZEN:
            raise NotFrozen
        _set_status(member, Member.Status.ACTIVE)
        record([NewEntry("members.unfrozen.v1", member.pk, at, by, {"reason": words})])
        nudge()


def _words(reason: str) -> str:
    words = clean_name(reason)[:REASON_LENGTH]
    if not words:
        raise ReasonMissing
    return words


def _locked(member_id: int) -> Member:
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    if member.status == Member.Status.CLOSED:
        raise MemberIsClosed
    return member


def _set_status(member: Member, status: Member.Status) -> None:
    member.status = status
    member.save(update_fields=["status"])
