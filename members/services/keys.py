"""Till keys: bearer secrets bound to a store, shown once, kept as a hash. Rotated by issuing a second one first."""

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import ApiKey
from members.refusals import MembersRefusal
from members.sources import OWN_SOURCES
from members.timeline import NewEntry, nudge, record

PREFIX: Final = "pk_live_"
_SECRET_CHARACTERS = string.ascii_letters + string.digits
_SECRET_LENGTH = 40
_SHOWN_LENGTH = 12

MEMBERS_RESOLVE: Final = "members.resolve"
ORDERS_READ: Final = "orders.read"
ORDERS_WRITE: Final = "orders.write"
QUOTES_WRITE: Final = "quotes.write"
HOLDS_WRITE: Final = "holds.write"
VOUCHERS_REDEEM: Final = "vouchers.redeem"
PICKUPS_COMPLETE: Final = "pickups.complete"
ACTIVITIES_WRITE: Final = "activities.write"
MEMBERS_READ: Final = "members.read"
MEMBERS_WRITE: Final = "members.write"
SEGMENTS_READ: Final = "segments.read"
BENEFITS_USE: Final = "benefits.use"
PLANS_CONFIRM: Final = "plans.confirm"
#: What its key signs with, besides bearing it.
SIGNED_SCOPES: Final = frozenset({PLANS_CONFIRM})
SIGNING_PREFIX: Final = "whsec_"

SCOPES: Final[dict[str, Promise]] = {
    MEMBERS_RESOLVE: _("find members"),
    ORDERS_READ: _("see its own orders"),
    ORDERS_WRITE: _("record purchases and returns"),
    QUOTES_WRITE: _("ask what a cart costs and earns"),
    HOLDS_WRITE: _("set points, vouchers and benefits aside for orders"),
    VOUCHERS_REDEEM: _("check and use vouchers"),
    PICKUPS_COMPLETE: _("hand over rewards that members pick up"),
    ACTIVITIES_WRITE: _("tell what members do besides buying"),
    MEMBERS_READ: _("read the members it told us of, with name and phone"),
    MEMBERS_WRITE: _("enrol and change members under its own ids"),
    SEGMENTS_READ: _("fetch who is in segments"),
    BENEFITS_USE: _("let members use benefits"),
    PLANS_CONFIRM: _("confirm payments of plans, signed"),
}


class UnknownScope(MembersRefusal):
    """A scope that does not exist, or none at all."""

    code = "unknown_scope"
    text = _("Choose at least one of the scopes that exist.")
    status = 422


class SourceIsOurOwn(MembersRefusal):
    """Orders of a till can not come from a source that the portal posts under itself."""

    code = "source_is_our_own"
    text = _("“%(source)s” is a name that the portal uses itself. Please choose another source.")
    status = 422


class KeyIsRevoked(MembersRefusal):
    """The key was revoked before."""

    code = "key_revoked"
    text = _("This key is revoked already.")


class ScopeNeedsNewKey(MembersRefusal):
    """What signs is shown once, when a key is issued."""

    code = "scope_needs_new_key"
    text = _(
        "A key can not be given this later: “%(scope)s”. Please issue a new one, which shows the secret to sign with."
    )
    status = 422


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is shown this once and kept nowhere."""

    key: ApiKey
    secret: str


def issue_key(
    *, name: str, store_id: int, channel_id: int, source: str, scopes: Iterable[str], by: Actor, at: datetime
) -> IssuedKey:
    """Make a key for a till. `source` names the space its order numbers are unique in.

    Raises `UnknownScope`, `SourceIsOurOwn`.
    """
    if source in OWN_SOURCES:
        raise SourceIsOurOwn(source=source)
    asked = _known(scopes)
    secret = PREFIX + "".join(secrets.choice(_SECRET_CHARACTERS) for _position in range(_SECRET_LENGTH))
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name,
            prefix=secret[:_SHOWN_LENGTH],
            key_sha256=_hash(secret),
            scopes=asked,
            store_id=store_id,
            channel_id=channel_id,
            source=source,
            created_at=at,
        )
        record(
            [
                NewEntry(
                    "members.key_issued.v1",
                    None,
                    at,
                    by,
                    {"key": key.pk, "store": store_id, "scopes": key.scopes},
                    f"key:{key.pk}",
                )
            ]
        )
        nudge()
    return IssuedKey(key, secret)


def authenticate_key(*, secret: str) -> ApiKey | None:
    """Return the live key that a secret belongs to, or None.

    The look-up is by hash, so its time says nothing about the secret. Raw, because every call of a till begins with it
    and building the query costs more than running it.
    """
    live = "SELECT * FROM members_apikey WHERE key_sha256 = %s AND revoked_at IS NULL"
    return next(iter(ApiKey.objects.raw(live, [_hash(secret)])), None)


def change_scopes(*, key_id: int, scopes: Iterable[str], reason: str, by: Actor, at: datetime) -> ApiKey:
    """Let the holder of a key do exactly this from now on; the secret stays. Return the key.

    Raises `UnknownScope`, `ScopeNeedsNewKey`, `KeyIsRevoked`, `NotFound`.
    """
    asked = _known(scopes)
    with transaction.atomic():
        key = _live(key_id)
        signed = next((scope for scope in asked if scope in SIGNED_SCOPES and scope not in key.scopes), None)
        if signed:
            raise ScopeNeedsNewKey(scope=SCOPES[signed])
        before, key.scopes = key.scopes, asked
        if before != asked:
            key.save(update_fields=["scopes"])
            told = {"key": key.pk, "scopes": asked, "before": before, "reason": reason}
            record([NewEntry("members.key_scopes_changed.v1", None, at, by, told, f"key:{key.pk}")])
            nudge()
    return key


def revoke_key(*, key_id: int, by: Actor, at: datetime) -> None:
    """End a key at once. Raises `KeyIsRevoked`, `NotFound`."""
    with transaction.atomic():
        key = _live(key_id)
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        record([NewEntry("members.key_revoked.v1", None, at, by, {"key": key.pk}, f"key:{key.pk}")])
        nudge()


def signing_secret(key: ApiKey) -> str:
    """Return the secret with which a key's holder signs bodies: derived outside the database, so that a copy of it signs nothing."""
    digest = hmac.digest(settings.CODE_SECRET.encode(), b"key-signing:" + key.public_id.bytes, hashlib.sha256)
    return SIGNING_PREFIX + base64.b64encode(digest).decode()


def _known(scopes: Iterable[str]) -> list[str]:
    asked = set(scopes)
    if not asked or not asked <= SCOPES.keys():
        raise UnknownScope
    return [scope for scope in SCOPES if scope in asked]


def _live(key_id: int) -> ApiKey:
    """Return a key that is not revoked, locked."""
    key = ApiKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is not None:
        raise KeyIsRevoked
    return key


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
