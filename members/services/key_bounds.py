"""What bounds a key while it is used: its networks, its stores, the points it moves in a day; and when it was used last."""

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.models import ApiKey, Store
from members.queries import programme
from members.refusals import MembersRefusal

#: The last use of a key is known to this; so it is written at most once in this time.
USE_KNOWN_TO: Final = timedelta(minutes=5)

_COUNT = """
INSERT INTO members_keyday AS day (family, business_date, points) VALUES (%(family)s, %(date)s, %(points)s)
ON CONFLICT (family, business_date) DO UPDATE SET points = day.points + excluded.points
RETURNING points
"""
_USED = """
INSERT INTO members_keyuse AS uses (key_id, last_used_at) VALUES (%s, %s)
ON CONFLICT (key_id) DO UPDATE SET last_used_at = excluded.last_used_at WHERE uses.last_used_at <= %s
"""


class NetworkNotAllowed(MembersRefusal):
    """The key is used from elsewhere than it may be."""

    code = "network_not_allowed"
    text = _("This key may not be used from this network.")
    status = 403


class KeyCeilingReached(MembersRefusal):
    """More points in one business day than the key may move."""

    code = "key_ceiling_reached"
    text = _(
        "This key may move %(ceiling)s points a day and has moved %(used)s today, so that %(points)s more are too many. "
        "It goes on tomorrow."
    )
    status = 409


def check_network(key: ApiKey, *, address: str) -> None:
    """Raise `NetworkNotAllowed` unless a key may be used from an address. One without networks may be used from anywhere."""
    if not key.networks:
        return
    try:
        place = ip_address(address)
    except ValueError as error:
        raise NetworkNotAllowed from error
    place = getattr(place, "ipv4_mapped", None) or place
    if not any(place in ip_network(text) for text in key.networks):
        raise NetworkNotAllowed


def note_use(key: ApiKey, *, at: datetime) -> None:
    """Remember when a key was used last: by itself, and at most once in five minutes."""
    known: datetime | None = getattr(key, "last_used_at", None)
    if known is None or known <= at - USE_KNOWN_TO:
        with connection.cursor() as cursor:
            cursor.execute(_USED, [key.pk, at, at - USE_KNOWN_TO])


def store_ids_of(key: ApiKey) -> list[int]:
    """Return the stores for which a key may act, its own first."""
    more: list[int] | None = getattr(key, "more_store_ids", None)
    return [key.store_id, *(key.stores.values_list("pk", flat=True) if more is None else more)]


def act_for_store(key: ApiKey, *, code: str | None) -> bool:
    """Let a key act in the store with this code for the rest of the call (None: its own); return whether it may."""
    if code is None or code == key.store.code:
        return True
    own, *more = store_ids_of(key)
    store = Store.objects.filter(pk__in=more, code=code).first() if more else None
    if store is None:
        return False
    key.more_store_ids = [own, *more]  # type: ignore[attr-defined]  # all of them stay those for which it may act
    key.store = store  # of this call's copy; nobody saves it
    return True


def count_against_ceiling(key: ApiKey, *, points: int, at: datetime) -> None:
    """Count points that a key moved against what it may move in a business day, all keys of its family together.

    Earned, spent and adjusted points count alike. Within the transaction of the effect, and last in it: a refusal undoes
    both. Keys without a ceiling cost nothing. Raises `KeyCeilingReached`.
    """
    if key.daily_points_ceiling is None or points <= 0:
        return
    counted: dict[str, Any] = {
        "family": key.family,
        "date": at.astimezone(programme().tz).date(),
        "points": points,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, counted)
        used = int(cursor.fetchone()[0])
    if used > key.daily_points_ceiling:
        raise KeyCeilingReached(ceiling=key.daily_points_ceiling, used=used - points, points=points)
