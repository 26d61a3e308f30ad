"""Freezing a member and taking it back: earning, spending and signing in apart, until a day on which it ends by itself."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import Member, MemberFreeze
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.refusals import MembersRefusal
from members.services.tokens import MemberIsClosed, revoke_tokens_of
from members.timeline import NewEntry, nudge, record

REASON_LENGTH: Final = 200
LONGEST_FREEZE: Final = timedelta(days=366)
EVERYTHING: Final = frozenset(Member.Act)
_RELEASED_AT_ONCE = 500


class AlreadyFrozen(MembersRefusal):
    """The member is frozen."""

    code = "already_frozen"
    text = _("The member is frozen already.")


class NotFrozen(MembersRefusal):
    """The member is not frozen."""

    code = "not_frozen"
    text = _("The member is not frozen.")


class NothingFrozen(MembersRefusal):
    """A freeze that forbids nothing."""

    code = "nothing_frozen"
    text = _("Say what is frozen: earning, spending or signing in.")
    status = 422


class ReleaseOutOfRange(MembersRefusal):
    """A freeze must end, and not in the past."""

    code = "release_out_of_range"
    text = _("A freeze ends by itself on a day to come, at most %(days)s days from now.")
    status = 422


class ReasonMissing(MembersRefusal):
    """Staff must say why."""

    code = "reason_missing"
    text = _("Please say why.")
    status = 422


def freeze_member(
    *,
    member_id: int,
    reason: str,
    release_at: datetime,
    acts: Collection[Member.Act] = EVERYTHING,
    by: Actor,
    at: datetime,
) -> MemberFreeze:
    """Forbid a member some acts until a moment; return the freeze. Without sign-in every token is revoked.

    The reason, without names or numbers of people, goes to the timeline. Raises `AlreadyFrozen`, `MemberIsClosed`,
    `NothingFrozen`, `ReleaseOutOfRange`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    if not acts:
        raise NothingFrozen
    if not at < release_at <= at + LONGEST_FREEZE:
        raise ReleaseOutOfRange(days=LONGEST_FREEZE.days)
    with transaction.atomic():
        member = _locked(member_id)
        if member.status == Member.Status.FROZEN:
            raise AlreadyFrozen
        freeze = MemberFreeze.objects.create(
            member=member,
            stops_earning=Member.Act.EARN in acts,
            stops_spending=Member.Act.SPEND in acts,
            stops_sign_in=Member.Act.SIGN_IN in acts,
            reason=words,
            frozen_at=at,
            release_at=release_at,
            actor_kind=by.kind,
            actor_id=by.id,
        )
        member.status = Member.Status.FROZEN
        member.frozen_but_earns = not freeze.stops_earning
        member.frozen_but_spends = not freeze.stops_spending
        member.frozen_but_signs_in = not freeze.stops_sign_in
        member.save(update_fields=["status", *_LEFT_OPEN])
        if freeze.stops_sign_in:
            revoke_tokens_of(member_id=member.pk, at=at)
        payload = {"reason": words, "acts": [act.value for act in freeze.acts], "until": release_at.isoformat()}
        record([NewEntry("members.frozen.v1", member.pk, at, by, payload)])
        nudge()
    return freeze


def unfreeze_member(*, member_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Make a frozen member active again; tokens stay revoked.

    Raises `OwnAccount`, `NotFrozen`, `MemberIsClosed`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        member = _locked(member_id)
        refuse_own_account(by, [member.pk])
        if member.status != Member.Status.FROZEN:
            raise NotFrozen
        MemberFreeze.objects.filter(member=member, released_at__isnull=True).update(released_at=at)
        Member.objects.filter(pk=member.pk).update(status=Member.Status.ACTIVE, **NOTHING_LEFT_OPEN)
        record([NewEntry("members.unfrozen.v1", member.pk, at, by, {"reason": words})])
        nudge()


def release_freezes(*, at: datetime) -> int:
    """End the freezes whose time is up, at most 500; return how many. Members that somebody works on wait for the next time."""
    due = MemberFreeze.objects.filter(released_at__isnull=True, release_at__lte=at)
    with transaction.atomic():
        wanted = due.order_by("release_at").values_list("member_id", flat=True)[:_RELEASED_AT_ONCE]
        members = Member.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=sorted(wanted))
        locked = list(members.order_by("pk").values_list("pk", flat=True))
        ended = sorted(due.filter(member_id__in=locked).values_list("member_id", flat=True))
        due.filter(member_id__in=ended).update(released_at=at)
        Member.objects.filter(pk__in=ended, status=Member.Status.FROZEN).update(
            status=Member.Status.ACTIVE, **NOTHING_LEFT_OPEN
        )
        record([NewEntry("members.unfrozen.v1", pk, at, SYSTEM, {"by_itself": True}) for pk in ended])
        if ended:
            nudge()
    return len(ended)


def words_of_reason(reason: str) -> str:
    """Return a reason on one line, at most 200 characters. Raises `ReasonMissing`."""
    words = clean_name(reason)[:REASON_LENGTH]
    if not words:
        raise ReasonMissing
    return words


_LEFT_OPEN = ("frozen_but_earns", "frozen_but_spends", "frozen_but_signs_in")
#: What a member who is not frozen says of freezes.
NOTHING_LEFT_OPEN: Final = dict.fromkeys(_LEFT_OPEN, False)


def _locked(member_id: int) -> Member:
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    if member.status == Member.Status.CLOSED:
        raise MemberIsClosed
    return member
