"""Till keys: bearer secrets bound to stores, shown once, kept as a hash. A new one takes an old one's place with an overlap."""

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import ApiKey
from members.plain_rows import PlainRows
from members.refusals import MembersRefusal
from members.services.status import words_of_reason
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
MEMBERS_ENROL: Final = "members.enrol"
ADJUSTMENTS_WRITE: Final = "adjustments.write"
EVENTS_READ: Final = "events.read"
WEBHOOKS_MANAGE: Final = "webhooks.manage"
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
    EVENTS_READ: _("read what happens, in order"),
    WEBHOOKS_MANAGE: _("have events sent to its own addresses"),
    MEMBERS_ENROL: _("let people join at the till"),
    ADJUSTMENTS_WRITE: _("give and take points within its ceiling of the day, and propose more"),
}
#: So long an old key goes on beside the new one, unless another time is asked for.
OVERLAP_DAYS: Final = 7
LONGEST_OVERLAP_DAYS: Final = 30
MOST_NETWORKS: Final = 20

_LIVE = PlainRows(
    ApiKey,
    "WHERE key_sha256 = %s AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > %s)",
    left_out=["key_sha256"],
    more={
        "last_used_at": "(SELECT last_used_at FROM members_keyuse WHERE key_id = members_apikey.id)",
        "more_store_ids": "ARRAY(SELECT store_id FROM members_apikey_stores WHERE apikey_id = members_apikey.id)",
    },
)


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


class KeyIsReplaced(MembersRefusal):
    """Another key takes its place already."""

    code = "key_replaced"
    text = _("Another key takes the place of this one already. Rotate that one.")


class OverlapOutOfRange(MembersRefusal):
    """The old key would end in the past, or live on too long."""

    code = "overlap_out_of_range"
    text = _("The old key can live on for 0 to %(days)s days.")
    status = 422


class NetworkInvalid(MembersRefusal):
    """What was written is no network, or there are too many of them."""

    code = "network_invalid"
    text = _("“%(network)s” is no network. Write them like 10.20.0.0/16 or 203.0.113.7, at most %(most)s of them.")
    status = 422


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is shown this once and kept nowhere."""

    key: ApiKey
    secret: str


def issue_key(
    *,
    name: str,
    store_id: int,
    channel_id: int,
    source: str,
    scopes: Iterable[str],
    store_ids: Iterable[int] = (),
    networks: Iterable[str] = (),
    daily_points_ceiling: int | None = None,
    by: Actor,
    at: datetime,
) -> IssuedKey:
    """Make a key for a till or a server. `source` names the space its order numbers are unique in.

    It stands in `store_id` and may act for `store_ids` besides. Raises `UnknownScope`, `SourceIsOurOwn`, `NetworkInvalid`.
    """
    if source in OWN_SOURCES:
        raise SourceIsOurOwn(source=source)
    asked, allowed = known_scopes(scopes), checked_networks(networks)
    with transaction.atomic():
        issued = _make(
            {
                "name": name,
                "scopes": asked,
                "store_id": store_id,
                "channel_id": channel_id,
                "source": source,
                "networks": allowed,
                "daily_points_ceiling": daily_points_ceiling,
            },
            store_ids,
            at,
        )
        _tell("members.key_issued.v1", issued.key, {"store": store_id, "scopes": asked}, by, at)
    return issued


def authenticate_key(*, secret: str, at: datetime) -> ApiKey | None:
    """Return the live key that a secret belongs to, or None. It knows its `more_store_ids` and when it was `last_used_at`.

    The look-up is by hash, so its time says nothing about the secret.
    """
    return _LIVE.first(_hash(secret), at)


def rotate_key(*, key_id: int, overlap_days: int = OVERLAP_DAYS, reason: str, by: Actor, at: datetime) -> IssuedKey:
    """Issue a key that takes another's place, with the same rights and bounds; the old one ends by itself after the overlap.

    Raises `KeyIsReplaced`, `OverlapOutOfRange`, `KeyIsRevoked`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    if not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
        raise OverlapOutOfRange(days=LONGEST_OVERLAP_DAYS)
    with transaction.atomic():
        old = live_key(key_id, at)
        if ApiKey.objects.filter(replaces=old).exists():
            raise KeyIsReplaced
        kept = (
            "name", "scopes", "store_id", "channel_id", "source", "networks", "daily_points_ceiling", "family", "signing_version",
        )  # fmt: skip
        issued = _make(
            {name: getattr(old, name) for name in kept} | {"replaces": old},
            old.stores.values_list("pk", flat=True),
            at,
        )
        old.ends_at = min(at + timedelta(days=overlap_days), old.ends_at or datetime.max.replace(tzinfo=at.tzinfo))
        old.save(update_fields=["ends_at"])
        told = {"new": issued.key.pk, "until": old.ends_at.isoformat(), "reason": words}
        _tell("members.key_rotated.v1", old, told, by, at)
    return issued


def change_bounds(
    *,
    key_id: int,
    store_ids: Iterable[int],
    networks: Iterable[str],
    daily_points_ceiling: int | None,
    ends_at: datetime | None,
    reason: str,
    by: Actor,
    at: datetime,
) -> ApiKey:
    """Set for which stores besides its own a key may act, from which networks, for how many points a day, and until when.

    Raises `NetworkInvalid`, `KeyIsRevoked`, `ReasonMissing`, `NotFound`.
    """
    words, allowed, stores = words_of_reason(reason), checked_networks(networks), sorted(set(store_ids))
    with transaction.atomic():
        key = live_key(key_id, at)
        before_stores = sorted(key.stores.values_list("pk", flat=True))
        wanted: dict[str, Any] = {"networks": allowed, "daily_points_ceiling": daily_points_ceiling, "ends_at": ends_at}
        if ends_at is not None:
            wanted["ends_at"] = max(ends_at, at)
        changed = [name for name, value in wanted.items() if getattr(key, name) != value]
        if before_stores != stores:
            key.stores.set(stores)
        for name in changed:
            setattr(key, name, wanted[name])
        if changed:
            key.save(update_fields=changed)
        if changed or before_stores != stores:
            told = {
                "stores": stores, "networks": allowed, "ceiling": daily_points_ceiling,
                "until": wanted["ends_at"].isoformat() if wanted["ends_at"] else None, "reason": words,
            }  # fmt: skip
            _tell("members.key_bounds_changed.v1", key, told, by, at)
    return key


def change_scopes(*, key_id: int, scopes: Iterable[str], reason: str, by: Actor, at: datetime) -> ApiKey:
    """Let the holder of a key do exactly this from now on; the secret stays. Return the key.

    Raises `UnknownScope`, `ScopeNeedsNewKey`, `KeyIsRevoked`, `NotFound`.
    """
    asked = known_scopes(scopes)
    with transaction.atomic():
        key = live_key(key_id, at)
        signed = next((scope for scope in asked if scope in SIGNED_SCOPES and scope not in key.scopes), None)
        if signed:
            raise ScopeNeedsNewKey(scope=SCOPES[signed])
        before, key.scopes = key.scopes, asked
        if before != asked:
            key.save(update_fields=["scopes"])
            _tell("members.key_scopes_changed.v1", key, {"scopes": asked, "before": before, "reason": reason}, by, at)
    return key


def revoke_key(*, key_id: int, reason: str, by: Actor, at: datetime) -> None:
    """End a key at once. Raises `KeyIsRevoked`, `ReasonMissing`, `NotFound`."""
    words = words_of_reason(reason)
    with transaction.atomic():
        key = live_key(key_id, at)
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        _tell("members.key_revoked.v1", key, {"reason": words}, by, at)


def rotate_signing_secret(
    *, key_id: int, overlap_days: int = OVERLAP_DAYS, reason: str, by: Actor, at: datetime
) -> str:
    """Give a key another secret to sign with, and return it; the one before is good for the overlap.

    Raises `OverlapOutOfRange`, `KeyIsRevoked`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    if not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
        raise OverlapOutOfRange(days=LONGEST_OVERLAP_DAYS)
    with transaction.atomic():
        key = live_key(key_id, at)
        key.signing_version += 1
        key.signing_overlap_until = at + timedelta(days=overlap_days)
        key.save(update_fields=["signing_version", "signing_overlap_until"])
        told = {"until": key.signing_overlap_until.isoformat(), "reason": words}
        _tell("members.key_signing_rotated.v1", key, told, by, at)
    return signing_secret(key)


def signs_batches(key: ApiKey) -> bool:
    """Return whether a key sends offline batches signed only: since staff drew a secret to sign with for it, or for the one before."""
    return key.signing_version > 1


def signing_secrets(key: ApiKey, at: datetime) -> list[str]:
    """Return the secrets whose signatures are good now: that of the key, and the one before while it overlaps."""
    overlaps = key.signing_version > 1 and key.signing_overlap_until is not None and at < key.signing_overlap_until
    return [signing_secret(key), *([_signing_secret(key, key.signing_version - 1)] if overlaps else [])]


def signing_secret(key: ApiKey) -> str:
    """Return the secret with which a key's holder signs bodies: derived outside the database, so that a copy of it signs nothing."""
    return _signing_secret(key, key.signing_version)


def known_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes in the order in which they are listed. Raises `UnknownScope` for none, or one that does not exist."""
    asked = set(scopes)
    if not asked or not asked <= SCOPES.keys():
        raise UnknownScope
    return [scope for scope in SCOPES if scope in asked]


def live_key(key_id: int, at: datetime) -> ApiKey:
    """Return a key that has not ended, locked. Raises `KeyIsRevoked`, `NotFound`."""
    key = ApiKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is not None or (key.ends_at is not None and key.ends_at <= at):
        raise KeyIsRevoked
    return key


def _make(values: dict[str, Any], store_ids: Iterable[int], at: datetime) -> IssuedKey:
    secret = PREFIX + "".join(secrets.choice(_SECRET_CHARACTERS) for _position in range(_SECRET_LENGTH))
    key = ApiKey.objects.create(**values, prefix=secret[:_SHOWN_LENGTH], key_sha256=_hash(secret), created_at=at)
    more = [store_id for store_id in store_ids if store_id != key.store_id]
    if more:
        key.stores.set(more)
    return IssuedKey(key, secret)


def _tell(kind: str, key: ApiKey, payload: dict[str, Any], by: Actor, at: datetime) -> None:
    record([NewEntry(kind, None, at, by, {"key": key.pk, **payload}, f"key:{key.pk}")])
    nudge()


def checked_networks(written: Iterable[str]) -> list[str]:
    """Return networks as they are kept. Raises `NetworkInvalid`."""
    texts = [text.strip() for text in written if text.strip()]
    if len(texts) > MOST_NETWORKS:
        raise NetworkInvalid(network=texts[MOST_NETWORKS][:60], most=MOST_NETWORKS)
    found = []
    for text in texts:
        try:
            found.append(str(ip_network(text)))
        except ValueError as error:
            raise NetworkInvalid(network=text[:60], most=MOST_NETWORKS) from error
    return sorted(set(found))


def _signing_secret(key: ApiKey, version: int) -> str:
    told = b"key-signing:" + key.public_id.bytes + (b":%d" % version if version > 1 else b"")
    digest = hmac.digest(settings.CODE_SECRET.encode(), told, hashlib.sha256)
    return SIGNING_PREFIX + base64.b64encode(digest).decode()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
