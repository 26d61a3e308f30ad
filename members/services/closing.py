"""Leaving the programme: asked for with a reason, thought over for some days, in effect, and opened again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import lifecycle
from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import ClosingReason, Closure, Member, MemberFreeze, MemberSession
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.queries import programme
from members.refusals import MembersRefusal
from members.services.privacy import refuse_erased
from members.services.status import NOTHING_LEFT_OPEN, REASON_LENGTH, words_of_reason
from members.services.tokens import MemberIsClosed, end_sessions_of
from members.timeline import NewEntry, nudge, record

_CLOSED_AT_ONCE = 500
_ASKED_FOR: Final = (Closure.State.ASKED, Closure.State.CLOSED)


class LeavingAlready(MembersRefusal):
    """The member has asked to leave before."""

    code = "leaving_already"
    text = _("The membership ends on %(day)s already.")


class NotLeaving(MembersRefusal):
    """There is nothing to take back."""

    code = "not_leaving"
    text = _("The member has not asked to leave.")


class ClosingReasonUnknown(MembersRefusal):
    """There is no such reason, or the one who asks may not use it."""

    code = "closing_reason_unknown"
    text = _("Choose one of the reasons that are offered.")
    status = 422


def ask_to_leave(
    *, member_id: int, reason: str, note: str = "", at_once: bool = False, by: Actor, at: datetime
) -> Closure:
    """Note that a member leaves, for the reason of this code; return the closure with the moment it takes effect.

    That is after the programme's days to think it over, or now (for staff). Until then nothing changes for the member.
    Raises `LeavingAlready`, `MemberIsClosed`, `ClosingReasonUnknown`, `NotFound`.
    """
    chosen = _reason(reason, by)
    days = 0 if at_once else programme().closing_days
    with transaction.atomic():
        member = _locked(member_id)
        if member.status == Member.Status.CLOSED:
            raise MemberIsClosed
        known = Closure.objects.filter(member=member, state__in=_ASKED_FOR).first()
        if known is not None:
            raise LeavingAlready(day=known.effective_at.astimezone(programme().tz).date())
        closure = Closure.objects.create(
            member=member,
            reason=chosen,
            note=clean_name(note)[:REASON_LENGTH],
            asked_at=at,
            effective_at=at + timedelta(days=days),
            actor_kind=by.kind,
            actor_id=by.id,
        )
        payload = {"reason": chosen.pk, "on": closure.effective_at.isoformat()}
        record([NewEntry("members.leave_asked.v1", member.pk, at, by, payload)])
        nudge()
        if days == 0:
            _close([closure], by, at)
    return Closure.objects.select_related("reason").get(pk=closure.pk)


def stay_after_all(*, member_id: int, by: Actor, at: datetime) -> None:
    """Take back what the member asked for, before it takes effect. Raises `NotLeaving`, `MemberIsClosed`, `NotFound`."""
    with transaction.atomic():
        member = _locked(member_id)
        if member.status == Member.Status.CLOSED:
            raise MemberIsClosed
        taken_back = Closure.objects.filter(member=member, state=Closure.State.ASKED).update(
            state=Closure.State.TAKEN_BACK, taken_back_at=at
        )
        if not taken_back:
            raise NotLeaving
        record([NewEntry("members.leave_taken_back.v1", member.pk, at, by)])
        nudge()


def reopen_member(*, member_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Open a closed membership again. What is left of points and vouchers can be used; sign-ins stay ended.

    Raises `NotLeaving` (the member is not closed), `OwnAccount`, `PersonErased`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        member = _locked(member_id)
        if member.status != Member.Status.CLOSED or member.merged_into_id is not None:
            raise NotLeaving
        refuse_own_account(by, [member.pk])
        refuse_erased(member.pk)
        Closure.objects.filter(member=member, state=Closure.State.CLOSED).update(
            state=Closure.State.TAKEN_BACK, taken_back_at=at
        )
        Member.objects.filter(pk=member.pk).update(status=Member.Status.ACTIVE)
        record([NewEntry("members.reopened.v1", member.pk, at, by, {"reason": words})])
        nudge()


def close_due(*, at: datetime) -> int:
    """Close the memberships whose days to think it over are up, at most 500; return how many."""
    # Who is merged into another is closed by that; their own wish rests, in case they are taken apart again.
    due = Closure.objects.filter(state=Closure.State.ASKED, effective_at__lte=at, member__merged_into__isnull=True)
    with transaction.atomic():
        wanted = due.order_by("effective_at").values_list("member_id", flat=True)[:_CLOSED_AT_ONCE]
        members = Member.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=sorted(wanted))
        locked = list(members.order_by("pk").values_list("pk", flat=True))
        closures = list(due.filter(member_id__in=locked).order_by("member_id"))
        _close(closures, SYSTEM, at)
    return len(closures)


def what_is_lost(member_id: int, at: datetime) -> list[lifecycle.PreviewLine]:
    """Return what a member gives up by leaving now: points, vouchers and whatever else the floors above keep."""
    return [line for part in lifecycle.parts() for line in part.settle(member_id, at)]


def reasons_for(by: Actor) -> list[ClosingReason]:
    """Return the reasons that are offered to staff, or to members, in their order."""
    reasons = ClosingReason.objects.filter(is_on=True)
    return list(reasons if by.kind == "operator" else reasons.filter(is_open_to_members=True))


def _reason(code: str, by: Actor) -> ClosingReason:
    for reason in reasons_for(by):
        if reason.code == code:
            return reason
    raise ClosingReasonUnknown


def _close(closures: Sequence[Closure], by: Actor, at: datetime) -> None:
    """Close members that the caller has locked: a freeze ends with the membership, and so does every sign-in."""
    members = [closure.member_id for closure in closures]
    if not members:
        return
    Closure.objects.filter(pk__in=[closure.pk for closure in closures]).update(state=Closure.State.CLOSED, closed_at=at)
    MemberFreeze.objects.filter(member_id__in=members, released_at__isnull=True).update(released_at=at)
    Member.objects.filter(pk__in=members).update(status=Member.Status.CLOSED, **NOTHING_LEFT_OPEN)
    end_sessions_of(member_ids=members, end=MemberSession.End.STANDING, at=at)
    record([
        NewEntry("members.closed.v1", closure.member_id, at, by, {"reason": closure.reason_id}) for closure in closures
    ])  # fmt: skip
    nudge()


def _locked(member_id: int) -> Member:
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    return member
