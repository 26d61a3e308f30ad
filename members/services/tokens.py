"""Members' access tokens: opaque, kept as a hash, valid for two hours, each of a session.

A session is one sign-in on one device. It also has a refresh token, which gets the next pair and is used up by it
(`member_sessions`). Ending a session ends all of its tokens with the same commit.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.freeze_words import TellsFreeze, freeze_of
from members.models import Member, MemberSession, MemberToken, RefreshToken
from members.plain_rows import PlainRows
from members.refusals import MembersRefusal

PREFIX: Final = "mt_"
REFRESH_PREFIX: Final = "mr_"
LIFETIME: Final = timedelta(hours=2)
REFRESH_LIFETIME: Final = timedelta(days=30)
#: How exactly `last_used_at` is kept: one write an hour and session, not one a call.
USED_EXACTLY: Final = timedelta(hours=1)
#: So many sessions a member may have at a time; the one that was not used for the longest ends for the next.
MOST_SESSIONS: Final = 10
_SECRET_BYTES = 32
_TOKEN: Final = PlainRows(
    MemberToken,
    "WHERE token_sha256 = %s",
    left_out=["token_sha256"],
    more={"session_used_at": "(SELECT last_used_at FROM members_membersession WHERE id = session_id)"},
)
_MEMBER: Final = PlainRows(Member, "WHERE id = %s")
_DEVICE_LENGTH = 80


class MemberIsFrozen(TellsFreeze, MembersRefusal):
    """A member whose sign-in or earning is frozen can not sign in, or have that recorded which earns."""

    code = "member_frozen"
    text = _("This membership is frozen. Please ask the staff.")
    status = 403


class MemberIsClosed(MembersRefusal):
    """Who has left the programme can not sign in."""

    code = "member_closed"
    text = _("The member has left the programme.")
    status = 403


class TokenExpired(MembersRefusal):
    """The token has ended: by time, by signing out, or because it was revoked."""

    code = "token_expired"
    text = _("Please sign in again.")
    status = 401


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """The tokens of a session as their owner gets them, once; only their hashes are kept."""

    secret: str
    expires_at: datetime
    refresh_secret: str
    refresh_expires_at: datetime
    session: MemberSession


def begin_session(*, member_id: int, way: str, device: str = "", at: datetime) -> IssuedToken:
    """Sign a member in on a device. The caller has made sure who it is. Raises `MemberIsFrozen`, `MemberIsClosed`."""
    with transaction.atomic():
        # Beside a freeze, either this waits and is refused, or the freeze waits and ends the new session.
        member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
        refuse_inactive(member)
        _make_room(member_id, at)
        session = MemberSession.objects.create(
            member=member,
            way=way,
            device=device[:_DEVICE_LENGTH],
            created_at=at,
            last_used_at=at,
            expires_at=at + REFRESH_LIFETIME,
        )
        return issue_pair(session, at)


def issue_member_token(*, member_id: int, device: str = "", at: datetime) -> IssuedToken:
    """Begin a session of the demo: for whom nobody has asked who it is. Raises `MemberIsFrozen`, `MemberIsClosed`."""
    return begin_session(member_id=member_id, way=MemberSession.Way.DEMO, device=device, at=at)


def issue_pair(session: MemberSession, at: datetime) -> IssuedToken:
    """Give a session, which the caller has made or locked, a new pair of tokens; the session lives thirty days from now."""
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    refresh = REFRESH_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    expires_at, refresh_expires_at = at + LIFETIME, at + REFRESH_LIFETIME
    MemberToken.objects.create(
        member_id=session.member_id,
        session=session,
        token_sha256=hash_of(secret),
        created_at=at,
        expires_at=expires_at,
    )
    RefreshToken.objects.create(
        session=session, token_sha256=hash_of(refresh), created_at=at, expires_at=refresh_expires_at
    )
    return IssuedToken(secret, expires_at, refresh, refresh_expires_at, session)


def authenticate_token(*, secret: str, at: datetime) -> MemberToken | None:
    """Return the token (its member loaded) that a secret belongs to; None when there is none.

    The look-up is by hash, so its time says nothing about the secret. Notes once an hour that the session is in use.
    Raises `TokenExpired`, `MemberIsFrozen`.
    """
    token = _TOKEN.first(hash_of(secret))
    if token is None:
        return None
    if token.expires_at <= at:
        raise TokenExpired
    token.member = _MEMBER.first(token.member_id)  # type: ignore[assignment]  # who has a token is there
    refuse_inactive(token.member)
    if token.revoked_at is not None:
        raise TokenExpired
    stale = at - USED_EXACTLY
    if token.session_used_at <= stale:  # type: ignore[attr-defined]
        MemberSession.objects.filter(pk=token.session_id, last_used_at__lte=stale).update(last_used_at=at)
    return token


def revoke_token(*, token_id: int, at: datetime) -> None:
    """End one token. Repeating it changes nothing."""
    MemberToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=at)


def revoke_tokens_of(*, member_id: int, at: datetime) -> int:
    """End all sessions of a member because of how the membership stands; return how many there were."""
    return end_sessions_of(member_ids=[member_id], end=MemberSession.End.STANDING, at=at)


def end_sessions_of(*, member_ids: Collection[int], end: str, keep: int | None = None, at: datetime) -> int:
    """End the live sessions of members, but for one that is kept, with all their tokens; return how many sessions."""
    live = MemberSession.objects.filter(member_id__in=member_ids, ended_at__isnull=True)
    if keep is not None:
        live = live.exclude(pk=keep)
    with transaction.atomic():
        ended = list(live.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        return end_sessions(ended, end=end, at=at)


def end_sessions(session_ids: Collection[int], *, end: str, at: datetime) -> int:
    """End sessions with all their tokens, inside the caller's transaction; return how many were live."""
    if not session_ids:
        return 0
    ended = MemberSession.objects.filter(pk__in=session_ids, ended_at__isnull=True).update(ended_at=at, end=end)
    MemberToken.objects.filter(session_id__in=session_ids, revoked_at__isnull=True).update(revoked_at=at)
    return ended


def refuse_inactive(member: Member) -> None:
    """Raise `MemberIsFrozen` or `MemberIsClosed` unless the member may sign in."""
    status = member.status_to(Member.Act.SIGN_IN)
    if status == Member.Status.FROZEN:
        raise MemberIsFrozen().by(freeze_of(member))
    if status == Member.Status.CLOSED:
        raise MemberIsClosed


def hash_of(secret: str) -> bytes:
    """Return what is kept of a token: it is random, so a plain hash says nothing."""
    return hashlib.sha256(secret.encode()).digest()


def _make_room(member_id: int, at: datetime) -> None:
    """End the sessions that are too many, before one more begins."""
    live = MemberSession.objects.filter(member_id=member_id, ended_at__isnull=True, expires_at__gt=at)
    crowd = list(live.order_by("-last_used_at", "-pk").values_list("pk", flat=True)[MOST_SESSIONS - 1 :])
    end_sessions(crowd, end=MemberSession.End.CROWDED, at=at)
