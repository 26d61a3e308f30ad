"""Sessions of members: the next pair of tokens, the list of devices, signing out.

A refresh token is good once. One that comes again after its next pair was given has been copied, so the whole session
ends, and the member is told. Except within half a minute, while nobody has used the refresh token of the pair that was
given: then an answer was lost on a bad line, which happens every day. The pair that was given is revoked and another one
given. A thief who is faster than that gets a pair, too, but the owner's next refresh then comes with a revoked token and
ends the session.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Least
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import Member, MemberPerson, MemberSession, MemberToken, OneTimeCode, RefreshToken, WeChatBinding
from members.queries import programme
from members.refusals import MembersRefusal
from members.services.one_time_codes import notify
from members.services.status import words_of_reason
from members.services.tokens import (
    IssuedToken,
    TokenExpired,
    begin_session,
    end_sessions,
    end_sessions_of,
    hash_of,
    issue_pair,
    refuse_inactive,
)
from members.timeline import NewEntry, nudge, record

BEGUN: Final = "members.session_begun.v1"
ENDED: Final = "members.session_ended.v1"
#: So long a used refresh token is taken for one whose answer was lost.
GRACE: Final = timedelta(seconds=30)
#: So long an access token lives on after the next one was given: calls under way end well.
_OVERLAP: Final = timedelta(seconds=60)
_KEPT: Final = timedelta(days=90)
_AT_ONCE: Final = 2_000
End = MemberSession.End


class RefreshTokenReused(MembersRefusal):
    """An old refresh token came again, so somebody has copied it: the session is over."""

    code = "refresh_token_reused"
    text = _("This sign-in was ended, because an old token of it was used again. Please sign in anew.")
    status = 401


def sign_in(*, member_id: int, way: str, device: str = "", at: datetime) -> IssuedToken:
    """Sign a member in and tell the timeline. The caller has made sure who it is.

    Raises `MemberIsFrozen`, `MemberIsClosed`.
    """
    with transaction.atomic():
        issued = begin_session(member_id=member_id, way=way, device=device, at=at)
        told = {"session": issued.session.pk, "way": str(way)}
        record([NewEntry(BEGUN, member_id, at, Actor("member", member_id), told)])
        nudge()
    return issued


def refresh(*, secret: str, at: datetime) -> IssuedToken:
    """Give the next pair of tokens for a refresh token, which is used up by it.

    Raises `TokenExpired` (unknown, or over), `RefreshTokenReused` (the session ends with it, and stays ended),
    `MemberIsFrozen`, `MemberIsClosed`.
    """
    with transaction.atomic():
        found = RefreshToken.objects.filter(token_sha256=hash_of(secret)).values_list("pk", "session_id").first()
        if found is None:
            raise TokenExpired
        # In the order of all who end or use sessions: the member, the session, its tokens.
        session = MemberSession.objects.get(pk=found[1])
        member = Member.objects.select_for_update(no_key=True).get(pk=session.member_id)
        session = MemberSession.objects.select_for_update(no_key=True).get(pk=session.pk)
        token = RefreshToken.objects.select_for_update().get(pk=found[0])
        refuse_inactive(member)
        if session.ended_at is not None or token.expires_at <= at:
            raise TokenExpired
        if not _was_copied(token, at):
            return _next_pair(session, token, at)
        _end(session, End.REUSE, SYSTEM, at)
    _tell_of_copy(member)  # after the commit: the session stays ended
    raise RefreshTokenReused


def sign_out(*, session_id: int, by: Actor, at: datetime) -> None:
    """End the session of whoever calls. Repeating it changes nothing."""
    _end_one(MemberSession.objects.filter(pk=session_id), End.LOGOUT, by, at)


def end_own_session(*, member_id: int, public_id: UUID, current_id: int, by: Actor, at: datetime) -> None:
    """End one session of a member at the member's wish; the one that calls is signed out. Raises `NotFound`."""
    mine = MemberSession.objects.filter(member_id=member_id, public_id=public_id, ended_at__isnull=True)
    session_id = mine.values_list("pk", flat=True).first()
    if session_id is None:
        raise NotFound
    _end_one(mine, End.LOGOUT if session_id == current_id else End.MEMBER, by, at)


def sign_member_out(*, member_id: int, reason: str, session_id: int | None = None, by: Actor, at: datetime) -> int:
    """End one session of a member, or all of them, by staff; return how many were live.

    Raises `ReasonMissing`, `WordsNamePerson`, `NotFound` (no such live session).
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).get(pk=member_id)
        if session_id is None:
            ended = end_sessions_of(member_ids=[member_id], end=End.STAFF, at=at)
        else:
            live = MemberSession.objects.filter(pk=session_id, member_id=member_id, ended_at__isnull=True)
            ended = end_sessions(list(live.values_list("pk", flat=True)), end=End.STAFF, at=at)
        if not ended:
            raise NotFound
        record([NewEntry(ENDED, member_id, at, by, {"end": End.STAFF.value, "sessions": ended, "reason": words})])
        nudge()
    return ended


def sessions_of(member_id: int, at: datetime) -> Sequence[MemberSession]:
    """Return the live sessions of a member, the one used last first."""
    live = MemberSession.objects.filter(member_id=member_id, ended_at__isnull=True, expires_at__gt=at)
    return list(live.order_by("-last_used_at", "-pk"))


def forget_sign_ins(*, at: datetime) -> int:
    """Delete codes and bindings that are over, and sessions that were over ninety days ago, some thousands; return how many rows."""
    gone = 0
    for rows in (
        OneTimeCode.objects.filter(expires_at__lte=at - timedelta(days=1)),
        WeChatBinding.objects.filter(expires_at__lte=at),
        MemberToken.objects.filter(expires_at__lte=at - timedelta(days=1)),
        RefreshToken.objects.filter(expires_at__lte=at),
    ):
        ids = list(rows.order_by("expires_at").values_list("pk", flat=True)[:_AT_ONCE])
        gone += rows.model.objects.filter(pk__in=ids).delete()[0]
    old = MemberSession.objects.filter(expires_at__lte=at - _KEPT).order_by("expires_at")
    ids = list(old.values_list("pk", flat=True)[:_AT_ONCE])
    with transaction.atomic():
        MemberToken.objects.filter(session_id__in=ids).delete()
        RefreshToken.objects.filter(session_id__in=ids).delete()
        gone += MemberSession.objects.filter(pk__in=ids).delete()[0]
    return gone


def _was_copied(token: RefreshToken, at: datetime) -> bool:
    if token.revoked_at is not None:
        return True
    if token.used_at is None:
        return False
    is_late = at - token.used_at > GRACE
    return (
        is_late
        or RefreshToken.objects.filter(
            session_id=token.session_id, created_at__gte=token.used_at, used_at__isnull=False
        )
        .exclude(pk=token.pk)
        .exists()
    )


def _next_pair(session: MemberSession, token: RefreshToken, at: datetime) -> IssuedToken:
    lost = token.used_at is not None
    if lost:  # whoever got the pair of before must not use it any more
        RefreshToken.objects.filter(session=session, used_at__isnull=True, revoked_at__isnull=True).update(
            revoked_at=at
        )
        MemberToken.objects.filter(session=session, created_at__gte=token.used_at, revoked_at__isnull=True).update(
            revoked_at=at
        )
    else:
        RefreshToken.objects.filter(pk=token.pk).update(used_at=at)
    soon = at + _OVERLAP
    MemberToken.objects.filter(session=session, revoked_at__isnull=True, created_at__lt=at).update(
        expires_at=Least("expires_at", soon)
    )
    issued = issue_pair(session, at)
    session.last_used_at, session.expires_at = at, issued.refresh_expires_at
    session.save(update_fields=["last_used_at", "expires_at"])
    return issued


def _end_one(sessions: object, end: str, by: Actor, at: datetime) -> None:
    with transaction.atomic():
        session = sessions.filter(ended_at__isnull=True).select_for_update(no_key=True).first()  # type: ignore[attr-defined]
        if session is not None:
            _end(session, end, by, at)


def _end(session: MemberSession, end: str, by: Actor, at: datetime) -> None:
    if end_sessions([session.pk], end=end, at=at):
        told = {"session": session.pk, "end": str(end)}
        record([NewEntry(ENDED, session.member_id, at, by, told)])
        nudge()


def _tell_of_copy(member: Member) -> None:
    """Tell a member that somebody used a copy of their sign-in."""
    phone = MemberPerson.objects.filter(pk=member.pk).values_list("phone", flat=True).first()
    if not phone:
        return
    with override(member.language):
        words = _now(
            "%(programme)s: a sign-in of yours was ended, because a copy of it was used. If you lost a phone, please call us."
        ) % {"programme": programme().name}
    notify(phone=phone, kind="session_ended", language=member.language, words=words)
