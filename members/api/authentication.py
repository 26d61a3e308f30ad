"""Who calls: a member by token, or a till by key, both in `Authorization: Bearer …`."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from members.actors import Actor
from members.addresses import address_of
from members.models import ApiKey, Member, MemberToken
from members.services import keys, tokens
from members.services.key_bounds import check_network, note_use

_LONGEST_SECRET = 200


@dataclass(frozen=True, slots=True)
class MemberCaller:
    """A member who acts for themself."""

    member: Member

    @property
    def actor(self) -> Actor:
        return Actor("member", self.member.pk)

    @property
    def principal(self) -> str:
        """The one whose idempotency keys these are; the token may change."""
        return f"member:{self.member.pk}"


@dataclass(frozen=True, slots=True)
class TillCaller:
    """A till, which acts for its own store, channel and source only."""

    key: ApiKey

    @property
    def actor(self) -> Actor:
        return Actor("device", self.key.pk)

    @property
    def principal(self) -> str:
        return f"device:{self.key.pk}"

    def may(self, scope: str) -> bool:
        """Whether the key was given this scope."""
        return scope in self.key.scopes


class BearerAuthentication(BaseAuthentication):
    """Reads the bearer secret of the request; its beginning tells members' tokens from tills' keys."""

    def authenticate(self, request: Request) -> tuple[MemberCaller, MemberToken] | tuple[TillCaller, ApiKey] | None:
        secret = _bearer_secret(request)
        if secret is None:
            return None
        if secret.startswith(keys.PREFIX):
            at = timezone.now()
            key = keys.authenticate_key(secret=secret, at=at)
            if key is not None:
                check_network(key, address=address_of(request._request))
                note_use(key, at=at)
                return TillCaller(key), key
        elif secret.startswith(tokens.PREFIX):
            token = tokens.authenticate_token(secret=secret, at=timezone.now())
            if token is not None:
                return MemberCaller(token.member), token
        raise AuthenticationFailed(_("This token or key is not known."))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="perennial"'


class MemberAuthentication(BearerAuthentication):
    """For the views of members. A till's key is known here, too, and then refused for want of rights."""


class TillAuthentication(BearerAuthentication):
    """For the views of tills. A member's token is known here, too, and then refused for want of rights."""


def _bearer_secret(request: Request) -> str | None:
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    secret = secret.strip()
    if not (secret.isascii() and 0 < len(secret) <= _LONGEST_SECRET):
        raise AuthenticationFailed(_("This token or key is not known."))
    return secret
