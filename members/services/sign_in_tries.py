"""Counting tries to sign in, exactly, in the database: whoever guesses is locked out for a while.

A try is counted before it is looked at, so that a hundred guesses at once are a hundred tries. It is counted under the
account and the place together, so that nobody locks a colleague out from elsewhere by knowing the name; under the
account alone, with a much wider bound against guesses from many places, which a place where the account has signed in
lately does not ask; and under the place. A try that is refused because of one of them counts under none of the others.

What is counted stands as a keyed hash: names that were typed (now and then a password by mistake) and addresses are not
kept. The hash of an account and a place begins with that of the account, so that its locks can be found and lifted.
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
from django.db.models import F, Max, Q, QuerySet
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


#: Stores put many colleagues behind one address, so it may fail more often than an account (at one place).
BOUNDS: Final[Mapping[str, Bound]] = {
    Kind.ACCOUNT: Bound(5, timedelta(minutes=15)),
    Kind.PLACE: Bound(30, timedelta(minutes=15)),
    Kind.DIGITS: Bound(5, timedelta(minutes=15)),
}
#: Of an account over all places where it has not signed in lately.
ANYWHERE: Final = Bound(100, timedelta(minutes=15))
KEPT: Final = timedelta(days=1)
#: So long a place is known from which an account has signed in.
PLACE_KNOWN: Final = timedelta(days=30)
_HALF: Final = 16
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


_KNOW = """
INSERT INTO members_signintries AS t (kind, key_hash, tries, since_at) VALUES (%s, %s, 0, %s)
ON CONFLICT (kind, key_hash) DO UPDATE SET since_at = greatest(t.since_at, excluded.since_at)
"""


@dataclass(frozen=True, slots=True)
class _Counter:
    """What a try is counted under, and how many may fail."""

    kind: str
    key_hash: bytes
    bound: Bound


class SignInLocked(MembersRefusal):
    """Too many tries failed."""

    code = "sign_in_locked"
    text = _("Too many tries failed. Please try again in %(minutes)s minutes, or ask an administrator.")
    status = 429


def count_sign_in(*, name: str, place: str, at: datetime) -> None:
    """Count a try with name and password, before it is looked at. Raises `SignInLocked` when it is one too many.

    A refused try is counted under what refused it only: who is locked out does not use up the tries of the colleagues
    behind the same address.
    """
    if until := locked_until(kind=Kind.PLACE, key=place, at=at):
        raise _locked(until, at)
    counted: list[_Counter] = []
    for counter in _counters(name, place, at):
        try:
            _count(counter, at)
        except SignInLocked:
            for one in counted:
                _take_back(one)
            raise
        counted.append(counter)


def forgive_sign_in(*, name: str, place: str, at: datetime) -> None:
    """Forget what was counted of an account at a place, since the password was right; elsewhere only this one try."""
    here, *others = _counters(name, place, at)
    _rows(here).delete()
    for counter in others:
        _take_back(counter)


def know_place(*, name: str, place: str, at: datetime) -> None:
    """Remember for thirty days that an account has signed in from a place."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOW, [Kind.ACCOUNT, _known_hash(name, place), at])


def lift_account(*, name: str, operator_id: int | None) -> int:
    """Lift every lock of an account, at all places and of its second step; return how many there were or were to come."""
    lifted = _of_account(name).delete()[0]
    if operator_id is not None:
        lifted += _rows(_counter(Kind.DIGITS, str(operator_id))).delete()[0]
    return lifted


def lift_places(*, at: datetime) -> int:
    """Lift the locks of all network addresses; return how many there were."""
    return SignInTries.objects.filter(kind=Kind.PLACE, locked_until__gt=at).delete()[0]


def account_locked_until(*, name: str, operator_id: int, at: datetime) -> datetime | None:
    """Return until when the last lock of an account, at any place or of its second step, lasts, or None."""
    until: datetime | None = _of_account(name).filter(locked_until__gt=at).aggregate(last=Max("locked_until"))["last"]
    ends = [one for one in (until, locked_until(kind=Kind.DIGITS, key=str(operator_id), at=at)) if one is not None]
    return max(ends, default=None)


def count_try(*, kind: str, key: str, place: str = "", at: datetime) -> None:
    """Count one try under a key (and, of an account, a place), before it is looked at. Raises `SignInLocked` when it is one too many."""
    _count(_counter(kind, key, place), at)


def forgive(*, kind: str, key: str, place: str = "") -> None:
    """Forget what was counted under a key, since whoever it is has signed in."""
    _rows(_counter(kind, key, place)).delete()


def take_back(*, kind: str, key: str, place: str = "") -> None:
    """Take one counted try back, since it did not fail. What others try under the same key stays counted."""
    _take_back(_counter(kind, key, place))


def locked_until(*, kind: str, key: str, place: str = "", at: datetime) -> datetime | None:
    """Return until when a key is locked, or None."""
    row = _rows(_counter(kind, key, place)).filter(locked_until__gt=at).first()
    return row.locked_until if row else None


def forget_tries(*, at: datetime) -> int:
    """Delete what was counted a day ago and locks nobody any more, and places that are known no more; return how many rows.

    At most 10,000 at once. What counts nothing is kept as long as places are known: it is nothing else but for a few rows.
    """
    old = SignInTries.objects.filter(
        Q(since_at__lte=at - PLACE_KNOWN) | Q(since_at__lte=at - KEPT, tries__gt=0),
        Q(locked_until=None) | Q(locked_until__lte=at),
    )
    wanted = list(old.order_by("since_at").values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
    return SignInTries.objects.filter(pk__in=wanted).delete()[0]


def _counters(name: str, place: str, at: datetime) -> list[_Counter]:
    """Return what a try with name and password is counted under, the narrowest first."""
    here, of_place = _counter(Kind.ACCOUNT, name, place), _counter(Kind.PLACE, place)
    is_known = SignInTries.objects.filter(
        kind=Kind.ACCOUNT, key_hash=_known_hash(name, place), since_at__gt=at - PLACE_KNOWN
    ).exists()
    if is_known:
        return [here, of_place]
    return [here, _Counter(Kind.ACCOUNT, _account_hash(name) + bytes(_HALF), ANYWHERE), of_place]


def _counter(kind: str, key: str, place: str = "") -> _Counter:
    if kind == Kind.ACCOUNT:
        return _Counter(kind, _account_hash(key) + _hash("account at", key, place)[:_HALF], BOUNDS[kind])
    return _Counter(kind, _hash(kind, key), BOUNDS[kind])


def _count(counter: _Counter, at: datetime) -> None:
    figures: dict[str, Any] = {
        "kind": counter.kind,
        "key": counter.key_hash,
        "at": at,
        "since": at - counter.bound.within,
        "until": at + counter.bound.within,
        "most": counter.bound.tries,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, figures)
        until: datetime | None = cursor.fetchone()[0]
    if until is not None:
        raise _locked(until, at)


def _take_back(counter: _Counter) -> None:
    _rows(counter).update(tries=Greatest(F("tries") - 1, 0))


def _locked(until: datetime, at: datetime) -> SignInLocked:
    return SignInLocked(minutes=max(1, -(-int((until - at).total_seconds()) // 60)))


def _rows(counter: _Counter) -> QuerySet[SignInTries]:
    return SignInTries.objects.filter(kind=counter.kind, key_hash=counter.key_hash)


def _of_account(name: str) -> QuerySet[SignInTries]:
    """Return what is counted of an account, at each place and anywhere."""
    first = _account_hash(name)
    return SignInTries.objects.filter(
        kind=Kind.ACCOUNT, key_hash__gte=first + bytes(_HALF), key_hash__lte=first + b"\xff" * _HALF
    )


def _account_hash(name: str) -> bytes:
    return _hash(Kind.ACCOUNT, name)[:_HALF]


def _known_hash(name: str, place: str) -> bytes:
    return _hash("known place", name, place)


def _hash(what: str, key: str, place: str = "") -> bytes:
    """Return under what a name or an address is counted. Capitals and ways of writing one character do not matter."""
    plain = unicodedata.normalize("NFKC", key).strip().casefold()
    return hmac.digest(settings.CODE_SECRET.encode(), f"sign-in:{what}:{plain}\n{place}".encode(), hashlib.sha256)
