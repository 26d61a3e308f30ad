"""How often somebody may call: counted in the database, exactly, by whoever serves the call.

A window begins with the first call in it. One upsert counts, in a statement of its own: it is called outside of the
transaction of the effect, so that a refusal does not take its own counting back. A limit that is wide is leased in blocks: a
process fetches some calls at once and gives them out itself, so most calls cost no statement. What is granted is never
more than the limit; what a process has left when the window ends is lost, so that with several processes up to a block
each may be missing. What a process was refused it refuses itself until the window ends.
"""

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.models import RateCounter
from members.refusals import MembersRefusal

#: A block is this part of a limit: of narrow limits every call is counted by itself.
_BLOCKS: Final = 50
_MOST_LEASES: Final = 20_000
_FORGOTTEN_AT_ONCE: Final = 10_000

_TAKE: Final = """
INSERT INTO members_ratecounter AS c ("limit", partition, window_at, ends_at, used, granted)
VALUES (%(limit)s, %(partition)s, %(at)s, %(end)s, %(wanted)s, %(wanted)s)
ON CONFLICT ("limit", partition) DO UPDATE SET
    window_at = CASE WHEN c.ends_at <= %(at)s THEN %(at)s ELSE c.window_at END,
    ends_at = CASE WHEN c.ends_at <= %(at)s THEN %(end)s ELSE c.ends_at END,
    granted = CASE WHEN c.ends_at <= %(at)s THEN %(wanted)s ELSE greatest(least(%(wanted)s, %(most)s - c.used), 0) END,
    used = CASE WHEN c.ends_at <= %(at)s THEN %(wanted)s ELSE greatest(c.used, least(c.used + %(wanted)s, %(most)s)) END
RETURNING granted, used, ends_at
"""


class RateLimited(MembersRefusal):
    """Too many calls in a time."""

    code = "rate_limited"
    text = _("Too many requests. Please try again in %(retry_after_seconds)s seconds.")
    status = 429


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls under one key in so many seconds."""

    name: str
    count: int
    seconds: int

    @property
    def block(self) -> int:
        """How many calls a process leases at once."""
        return max(1, self.count // _BLOCKS)


@dataclass(frozen=True, slots=True)
class Taken:
    """One call that was let through: how many were counted, and may still come (about, where blocks are leased), until when."""

    count: int
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class _Lease:
    """What a process may give out by itself: none after a refusal."""

    left: int
    remaining: int
    ends_at: datetime


class Leases:
    """What one process has fetched of limits and not given out yet. Bounded: the oldest are given up."""

    def __init__(self) -> None:
        self._leases: OrderedDict[tuple[str, bytes], _Lease] = OrderedDict()
        self._lock = Lock()

    def take(self, *, limit: Limit, partition: str, at: datetime) -> Taken:
        """Count one call. Raises `RateLimited`."""
        key = (limit.name, hashed("rate", limit.name, partition))
        with self._lock:
            lease = self._leases.get(key)
            if lease is not None and lease.ends_at > at:
                if lease.left > 0:
                    lease.left -= 1
                    return _taken(limit, lease.remaining + lease.left, lease.ends_at, at)
                if lease.remaining == 0:
                    raise _limited(lease.ends_at, at)
        granted, used, ends_at = _fetch(limit, key[1], at)
        fresh = _Lease(max(granted - 1, 0), max(limit.count - used, 0), ends_at)
        with self._lock:
            known = self._leases.pop(key, None)
            if known is not None and known.ends_at == ends_at:  # another thread of this process fetched meanwhile
                fresh.left += known.left
                fresh.remaining = min(fresh.remaining, known.remaining)
            self._leases[key] = fresh
            while len(self._leases) > _MOST_LEASES:
                self._leases.popitem(last=False)
        if not granted:
            raise _limited(ends_at, at)
        return _taken(limit, fresh.remaining + fresh.left, ends_at, at)

    def forget(self) -> None:
        """Give everything up that was fetched."""
        with self._lock:
            self._leases.clear()


_own = Leases()


def take(*, limit: Limit, partition: str, at: datetime) -> Taken:
    """Count one call under a key (a member, a till, an address, a phone: kept as a keyed hash). Raises `RateLimited`.

    Called outside of the transaction of the effect.
    """
    return _own.take(limit=limit, partition=partition, at=at)


def forget_leases() -> None:
    """Give up what this process has fetched. For tests, whose database forgets it too."""
    _own.forget()


def forget_counters(*, at: datetime) -> int:
    """Delete counters whose window is over, at most 10,000; return how many."""
    old = RateCounter.objects.filter(ends_at__lte=at).order_by("ends_at").values_list("pk", flat=True)
    return RateCounter.objects.filter(pk__in=list(old[:_FORGOTTEN_AT_ONCE]), ends_at__lte=at).delete()[0]


def hashed(*parts: str) -> bytes:
    """Return the keyed hash under which something is counted or looked up: it can not be told from it what that was."""
    return hmac.digest(settings.CODE_SECRET.encode(), "\n".join(parts).encode("utf-8", "replace"), hashlib.sha256)


def _fetch(limit: Limit, partition: bytes, at: datetime) -> tuple[int, int, datetime]:
    figures: dict[str, Any] = {
        "limit": limit.name,
        "partition": partition,
        "at": at,
        "end": at + timedelta(seconds=limit.seconds),
        "wanted": min(limit.block, limit.count),
        "most": limit.count,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, figures)
        granted, used, ends_at = cursor.fetchone()
    return granted, used, ends_at


def _taken(limit: Limit, remaining: int, ends_at: datetime, at: datetime) -> Taken:
    return Taken(limit.count - remaining, remaining, seconds_until(ends_at, at))


def _limited(ends_at: datetime, at: datetime) -> RateLimited:
    return RateLimited(retry_after_seconds=seconds_until(ends_at, at))


def seconds_until(moment: datetime, at: datetime) -> int:
    """Return the whole seconds until a moment, rounded up, at least 1."""
    return max(1, -(-int((moment - at).total_seconds() * 1000) // 1000))
