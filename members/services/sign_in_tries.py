"""Counting tries to sign in, exactly, in the database: whoever guesses is locked out for a while.

A try is counted before it is looked at, so that a hundred guesses at once are a hundred tries. What is counted stands
as a keyed hash: names that were typed (now and then a password by mistake) and addresses are not kept.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from members.models import SignInTries
from members.refusals import MembersRefusal

Kind = SignInTries.Kind


@dataclass(frozen=True, slots=True)
class Bound:
    """So many tries may fail within a time; the next one locks for that long."""

    tries: int
    within: timedelta


#: Stores put many colleagues behind one address, so it may fail more often than an account.
BOUNDS: Final[Mapping[str, Bound]] = {
    Kind.ACCOUNT: Bound(5, timedelta(minutes=15)),
    Kind.PLACE: Bound(30, timedelta(minutes=15)),
    Kind.DIGITS: Bound(5, timedelta(minutes=15)),
}
KEPT: Final = timedelta(days=1)
_FORGOTTEN_AT_ONCE: Final = 10_000

_COUNT = """
INSERT INTO members_signintries AS t (kind, key_hash, tries, since_at, locked_until)
VALUES (%(kind)s, %(key)s, 1, %(at)s, NULL)
ON CONFLICT (kind, key_hash) DO UPDATE SET
    tries = CASE WHEN t.locked_until > %(at)s THEN t.tries
                 WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN 1 ELSE t.tries + 1 END,
    since_at = CASE WHEN t.locked_until > %(at)s THEN t.since_at
                    WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN %(at)s ELSE t.since_at END,
    locked_until = CASE WHEN t.locked_until > %(at)s THEN t.locked_until
                        WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN NULL
                        WHEN t.tries + 1 > %(most)s THEN %(until)s END
RETURNING locked_until
"""


class SignInLocked(MembersRefusal):
    """Too many tries failed."""

    code = "sign_in_locked"
    text = _("Too many tries failed. Please try again in %(minutes)s minutes, or ask an administrator.")
    status = 429


def count_try(*, kind: str, key: str, at: datetime) -> None:
    """Count one try under a key, before it is looked at. Raises `SignInLocked` when it is one too many."""
    bound = BOUNDS[kind]
    figures: dict[str, Any] = {
        "kind": kind,
        "key": key_hash(kind, key),
        "at": at,
        "since": at - bound.within,
        "until": at + bound.within,
        "most": bound.tries,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, figures)
        until: datetime | None = cursor.fetchone()[0]
    if until is not None:
        raise SignInLocked(minutes=max(1, -(-int((until - at).total_seconds()) // 60)))


def forgive(*, kind: str, key: str) -> None:
    """Forget what was counted under a key, since whoever it is has signed in."""
    SignInTries.objects.filter(kind=kind, key_hash=key_hash(kind, key)).delete()


def take_back(*, kind: str, key: str) -> None:
    """Take one counted try back, since it did not fail. What others try under the same key stays counted."""
    counted = SignInTries.objects.filter(kind=kind, key_hash=key_hash(kind, key))
    counted.update(tries=Greatest(F("tries") - 1, 0))


def locked_until(*, kind: str, key: str, at: datetime) -> datetime | None:
    """Return until when a key is locked, or None."""
    row = SignInTries.objects.filter(kind=kind, key_hash=key_hash(kind, key), locked_until__gt=at).first()
    return row.locked_until if row else None


def forget_tries(*, at: datetime) -> int:
    """Delete what was counted a day ago and locks nobody any more, at most 10,000 rows; return how many."""
    old = SignInTries.objects.filter(since_at__lte=at - KEPT).filter(Q(locked_until=None) | Q(locked_until__lte=at))
    wanted = list(old.order_by("since_at").values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
    return SignInTries.objects.filter(pk__in=wanted).delete()[0]


def key_hash(kind: str, key: str) -> bytes:
    """Return under what a name or an address is counted. Capitals and ways of writing one character do not matter."""
    plain = unicodedata.normalize("NFKC", key).strip().casefold()
    return hmac.digest(settings.CODE_SECRET.encode(), f"sign-in:{kind}:{plain}".encode(), hashlib.sha256)
