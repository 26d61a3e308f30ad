"""Letting tills in: staff make a one-time code for a store, and the till trades it for a key of its own."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor, ActorKind
from members.models import TillActivation
from members.names import clean_name
from members.refusals import MembersRefusal
from members.services.guessing import Bound, GuessKind, refuse_if_locked, register_guessing, wrong_try
from members.services.keys import (
    BENEFITS_USE,
    HOLDS_WRITE,
    MEMBERS_ENROL,
    MEMBERS_RESOLVE,
    ORDERS_READ,
    ORDERS_WRITE,
    PICKUPS_COMPLETE,
    QUOTES_WRITE,
    VOUCHERS_REDEEM,
    IssuedKey,
    SourceIsOurOwn,
    issue_key,
    known_scopes,
)
from members.services.status import words_of_reason
from members.sources import OWN_SOURCES
from members.timeline import NewEntry, nudge, record

GOOD_FOR: Final = timedelta(minutes=15)
#: What a till may usually do.
TILL_SCOPES: Final = (
    MEMBERS_RESOLVE, MEMBERS_ENROL, ORDERS_READ, ORDERS_WRITE, QUOTES_WRITE, HOLDS_WRITE, VOUCHERS_REDEEM, PICKUPS_COMPLETE,
    BENEFITS_USE,
)  # fmt: skip
DEVICE_LENGTH: Final = 120
GUESSING: Final = "till_activation"
register_guessing(GuessKind(GUESSING, _("codes that activate tills"), {"address": Bound(10)}, alarm_in_a_minute=20))
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing that is easily misread
_MISREAD: Final = str.maketrans("OIL", "011")
_CODE_LENGTH: Final = 12  # 60 bits


class ActivationCodeUnknown(MembersRefusal):
    """There is no such code, it was used, or its quarter of an hour is over: one answer for all of it."""

    code = "activation_code_unknown"
    text = _(
        "This code does not activate a till. It may have been used, or its 15 minutes are over: ask for a new one."
    )
    status = 404


@dataclass(frozen=True, slots=True)
class MadeCode:
    """An activation with its code, which is shown this once and kept nowhere."""

    activation: TillActivation
    code: str

    def square_text(self, address: str) -> str:
        """Return what the square code holds: where the API is, and the code. A till reads both."""
        return json.dumps({"perennial": address, "code": self.code}, separators=(",", ":"))


def make_activation(
    *,
    store_id: int,
    channel_id: int,
    name: str,
    source: str,
    scopes: Iterable[str] = TILL_SCOPES,
    daily_points_ceiling: int | None = None,
    reason: str,
    by: Actor,
    at: datetime,
) -> MadeCode:
    """Make a code with which one till becomes one of a store, for fifteen minutes.

    Raises `UnknownScope`, `SourceIsOurOwn`, `ReasonMissing`.
    """
    if source in OWN_SOURCES:
        raise SourceIsOurOwn(source=source)
    words = words_of_reason(reason)
    code = "".join(secrets.choice(_ALPHABET) for _place in range(_CODE_LENGTH))
    with transaction.atomic():
        activation = TillActivation.objects.create(
            code_hmac=_hash(code),
            store_id=store_id,
            channel_id=channel_id,
            name=clean_name(name),
            source=source,
            scopes=known_scopes(scopes),
            daily_points_ceiling=daily_points_ceiling,
            made_at=at,
            expires_at=at + GOOD_FOR,
            actor_kind=by.kind,
            actor_id=by.id,
        )
        told = {"activation": activation.pk, "store": store_id, "reason": words}
        record([NewEntry("members.till_activation_made.v1", None, at, by, told, f"activation:{activation.pk}")])
        nudge()
    return MadeCode(activation, "-".join(code[place : place + 4] for place in range(0, _CODE_LENGTH, 4)))


def activate_till(*, code: str, device: str, address: str, at: datetime) -> IssuedKey:
    """Trade a code for a key, once; its secret is in the answer and nowhere else. `device` is what the till says it is.

    Outside of a transaction: wrong codes are counted by address. Raises `ActivationCodeUnknown`, `TooManyTries`.
    """
    counted = {"address": address}
    refuse_if_locked(kind=GUESSING, partitions=counted, at=at)
    try:
        return _activate(code, device, at)
    except ActivationCodeUnknown:
        wrong_try(kind=GUESSING, partitions=counted, at=at)
        raise


def _activate(code: str, device: str, at: datetime) -> IssuedKey:
    with transaction.atomic():
        found = TillActivation.objects.select_for_update(no_key=True).filter(
            code_hmac=_hash(code), used_at__isnull=True, expires_at__gt=at, made_at__lte=at
        )
        activation = found.first()
        if activation is None:
            raise ActivationCodeUnknown
        issued = issue_key(
            name=activation.name,
            store_id=activation.store_id,
            channel_id=activation.channel_id,
            source=activation.source,
            scopes=activation.scopes,
            daily_points_ceiling=activation.daily_points_ceiling,
            by=Actor(cast(ActorKind, activation.actor_kind), activation.actor_id),
            at=at,
        )
        activation.used_at = at
        activation.key = issued.key
        activation.device = clean_name(device)[:DEVICE_LENGTH]
        activation.save(update_fields=["used_at", "key", "device"])
        told = {"activation": activation.pk, "key": issued.key.pk, "store": activation.store_id}
        by = Actor("device", issued.key.pk)
        record([NewEntry("members.till_activated.v1", None, at, by, told, f"key:{issued.key.pk}")])
        nudge()
    return issued


def _hash(code: str) -> bytes:
    plain = "".join(character for character in code.upper().translate(_MISREAD) if character in _ALPHABET)
    return hmac.digest(settings.CODE_SECRET.encode(), b"till-activation:" + plain.encode(), hashlib.sha256)
