"""Member tokens: opaque, kept as a hash, valid for two hours."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.freeze_words import TellsFreeze, freeze_of
from members.models import Member, MemberToken
from members.refusals import MembersRefusal

PREFIX: Final = "mt_"
LIFETIME: Final = timedelta(hours=2)
_SECRET_BYTES = 32


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
    """A token as its owner gets it, once; only its hash is kept."""

    secret: str
    expires_at: datetime


def issue_member_token(*, member_id: int, device: str = "", at: datetime) -> IssuedToken:
    """Give a member a token. The caller has made sure who it is. Raises `MemberIsFrozen`, `MemberIsClosed`."""
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    expires_at = at + LIFETIME
    with transaction.atomic():
        # Beside a freeze, either this waits and is refused, or the freeze waits and revokes the new token.
        member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
        refuse_inactive(member)
        MemberToken.objects.create(
            member=member, token_sha256=_hash(secret), device=device, created_at=at, expires_at=expires_at
        )
    return IssuedToken(secret, expires_at)


def authenticate_token(*, secret: str, at: datetime) -> MemberToken | None:
    """Return the token (its member loaded) that a secret belongs to; None when there is none.

    The look-up is by hash, so its time says nothing about the secret. Raises `TokenExpired`, `MemberIsFrozen`.
    """
    token = MemberToken.objects.select_related("member").filter(token_sha256=_hash(secret)).first()
    if token is None:
        return None
    if token.expires_at <= at:
        raise TokenExpired
    refuse_inactive(token.member)
    if token.revoked_at is not None:
        raise TokenExpired
    return token


def revoke_token(*, token_id: int, at: datetime) -> None:
    """End one token. Repeating it changes nothing."""
    MemberToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=at)


def revoke_tokens_of(*, member_id: int, at: datetime) -> int:
    """End all live tokens of a member; return how many there were."""
    live = Q(member_id=member_id, revoked_at__isnull=True, expires_at__gt=at)
    return MemberToken.objects.filter(live).update(revoked_at=at)


def refuse_inactive(member: Member) -> None:
    """Raise `MemberIsFrozen` or `MemberIsClosed` unless the member may sign in."""
    status = member.status_to(Member.Act.SIGN_IN)
    if status == Member.Status.FROZEN:
        raise MemberIsFrozen().by(freeze_of(member))
    if status == Member.Status.CLOSED:
        raise MemberIsClosed


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
