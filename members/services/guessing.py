"""Guessing at what is secret: wrong tries are counted per key, lock it for a time, and are shown on the risk page.

A kind of secret (one-time codes, member codes, voucher codes …) is registered with its bounds. A wrong try counts under
several keys at once (the member who asks, the till, the address, the phone), each with a bound of its own; the first one
beyond its bound is locked, twice as long each time in a row. All wrong tries of a kind in a minute together have a
line: beyond it the alarm goes off, however many keys they are spread over.

Both functions are called outside of the transaction of the effect: a wrong try stays counted when the call is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from members.actors import SYSTEM, Actor
from members.figures import grouped
from members.identifiers import NotFound
from members.models import GuessingAlarm, RiskRule, WrongTries
from members.refusals import MembersRefusal
from members.risk import Found, RiskSignal, register_signal
from members.services.rates import hashed, seconds_until
from members.services.risk import open_reviews
from members.services.status import words_of_reason
from members.timeline import NewEntry, nudge, record

#: The code of the risk rule: a member under whose name somebody guesses.
RULE: Final = "guessing"
ALARM: Final = "members.guessing_alarm.v1"
#: Under which a kind is counted as a whole.
EVERYBODY: Final = "everybody"
_LONGEST: Final = timedelta(days=1)
_KEPT: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_FORGOTTEN_AT_ONCE: Final = 10_000

AXES: Final[Mapping[str, str | Promise]] = {
    EVERYBODY: pgettext_lazy("guessing", "all together"),
    "member": _("members"),
    "phone": _("phone numbers"),
    "key": _("tills"),
    "address": _("network addresses"),
    "operator": _("staff"),
}

_COUNT: Final = """
INSERT INTO members_wrongtries AS t (kind, axis, partition, tries, locks, since_at, last_at, locked_until)
VALUES (%(kind)s, %(axis)s, %(partition)s, 1, 0, %(at)s, %(at)s, NULL)
ON CONFLICT (kind, axis, partition) DO UPDATE SET
    last_at = greatest(t.last_at, %(at)s),
    tries = CASE WHEN t.locked_until > %(at)s THEN t.tries + 1
                 WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN 1 ELSE t.tries + 1 END,
    since_at = CASE WHEN t.locked_until > %(at)s THEN t.since_at
                    WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN %(at)s ELSE t.since_at END,
    locks = CASE WHEN t.locked_until > %(at)s THEN t.locks
                 WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s
                    THEN CASE WHEN t.last_at <= %(forgotten)s THEN 0 ELSE t.locks END
                 WHEN t.tries + 1 >= %(most)s THEN t.locks + 1 ELSE t.locks END,
    locked_until = CASE WHEN t.locked_until > %(at)s THEN t.locked_until
                        WHEN t.locked_until IS NOT NULL OR t.since_at <= %(since)s THEN NULL
                        WHEN t.tries + 1 >= %(most)s
                            THEN %(at)s + least(%(lock)s * power(2, least(t.locks, 12)), %(longest)s) END
RETURNING tries, locks, locked_until, since_at
"""
_TELL: Final = """
INSERT INTO members_guessingalarm AS a (kind, axis, hour_at, first_at, last_at, locks, most_in_a_minute, reason)
VALUES (%(kind)s, %(axis)s, date_trunc('hour', %(at)s::timestamptz), %(at)s, %(at)s, %(locks)s, %(most)s, '')
ON CONFLICT (kind, axis, hour_at) DO UPDATE SET
    last_at = greatest(a.last_at, %(at)s), locks = a.locks + %(locks)s,
    most_in_a_minute = greatest(a.most_in_a_minute, %(most)s)
RETURNING (xmax = 0)
"""


class TooManyTries(MembersRefusal):
    """Too many wrong tries: nothing is looked at for a while, not even what is right."""

    code = "too_many_tries"
    text = _("Too many wrong tries. Please try again in %(retry_after_seconds)s seconds.")
    status = 429


@dataclass(frozen=True, slots=True)
class Bound:
    """So many wrong tries within a time lock; the first lock lasts so long."""

    tries: int
    within: timedelta = timedelta(hours=1)
    lock: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class GuessKind:
    """A kind of secret that may be guessed at: its bounds by axis (`AXES`), and the line of all wrong tries in a minute."""

    code: str
    label: str | Promise
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    alarm_in_a_minute: int = 60


_kinds: dict[str, GuessKind] = {}


def register_guessing(kind: GuessKind) -> None:
    """Register a kind of secret. Called once, from `AppConfig.ready()` or where the module is loaded."""
    assert kind.bounds.keys() <= AXES.keys()  # noqa: S101 - a slip of the pen
    _kinds[kind.code] = kind


def guess_label(code: str) -> str:
    """Return the name of a kind of secret in the active language."""
    return str(_kinds[code].label) if code in _kinds else code


def refuse_if_locked(*, kind: str, partitions: Mapping[str, str], at: datetime) -> None:
    """Raise `TooManyTries` while one of the keys is locked. `partitions` names keys by axis: `{"member": "17"}`."""
    keys = Q()
    for axis, text in partitions.items():
        keys |= Q(axis=axis, partition=_hash(kind, axis, text))
    locked = WrongTries.objects.filter(keys, kind=kind, locked_until__gt=at)
    until = locked.order_by("-locked_until").values_list("locked_until", flat=True).first() if partitions else None
    if until is not None:
        raise TooManyTries(retry_after_seconds=seconds_until(until, at))


def wrong_try(*, kind: str, partitions: Mapping[str, str], at: datetime, member_id: int | None = None) -> None:
    """Count a wrong try under each key, lock those beyond their bound, and tell the risk page.

    With `member_id`, a lock opens a risk review of the member. Counted in statements of their own, keys in one order.
    """
    known = _kinds[kind]
    locks: list[str] = []
    for axis in sorted(partitions):
        bound = known.bounds.get(axis)
        if bound is not None and _count(kind, axis, partitions[axis], bound, at):
            locks.append(axis)
    in_a_minute = _count_minute(kind, at)
    if in_a_minute == known.alarm_in_a_minute:
        _tell(kind, EVERYBODY, at, locks=0, most=in_a_minute)
    for axis in locks:
        _tell(kind, axis, at, locks=1, most=in_a_minute)
    if locks and member_id is not None:
        rule = RiskRule.objects.filter(code=RULE, is_on=True).first()
        if rule is not None and _locks_of(kind, partitions) >= rule.most:
            day = at.date().isoformat()
            found = Found(member_id, f"{kind} {day}", {"kind": kind, "day": day, "locks": _locks_of(kind, partitions)})
            open_reviews(rule=RULE, found=[found], by=SYSTEM, at=at)


def right_try(*, kind: str, partitions: Mapping[str, str]) -> None:
    """Forget what was counted under keys that have shown to be whose they are. Addresses and tills are not among them."""
    for axis, text in sorted(partitions.items()):
        WrongTries.objects.filter(kind=kind, axis=axis, partition=_hash(kind, axis, text)).delete()


def settle_alarm(*, alarm_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Note what was found behind an alarm; once. Raises `NotFound` (settled before, or none), `ReasonMissing`."""
    words = words_of_reason(reason)
    with transaction.atomic():
        alarm = GuessingAlarm.objects.select_for_update().filter(pk=alarm_id, seen_at__isnull=True).first()
        if alarm is None:
            raise NotFound
        GuessingAlarm.objects.filter(pk=alarm.pk).update(seen_at=at, seen_by_id=by.id, reason=words)
        payload = {"kind": alarm.kind, "axis": alarm.axis, "reason": words}
        record([NewEntry("members.guessing_alarm_settled.v1", None, at, by, payload, f"guessing:{alarm.pk}")])
        nudge()


def forget_wrong_tries(*, at: datetime) -> int:
    """Delete what was counted a day ago and locks nobody any more, at most 10,000; return how many."""
    old = WrongTries.objects.filter(
        Q(locked_until=None) | Q(locked_until__lte=at - _KEPT), last_at__lte=at - _KEPT
    ).order_by("last_at")
    return WrongTries.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])).delete()[0]


def _count(kind: str, axis: str, text: str, bound: Bound, at: datetime) -> bool:
    """Count one wrong try; return whether it locked the key just now."""
    figures: dict[str, Any] = {
        "kind": kind,
        "axis": axis,
        "partition": _hash(kind, axis, text),
        "at": at,
        "since": at - bound.within,
        "forgotten": at - _KEPT,
        "most": bound.tries,
        "lock": bound.lock,
        "longest": _LONGEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, figures)
        tries, _locks, until, _since = cursor.fetchone()
    return until is not None and tries == bound.tries


def _count_minute(kind: str, at: datetime) -> int:
    """Count one wrong try of anybody; return how many there were in this minute. The same rows, and never a lock."""
    figures: dict[str, Any] = {
        "kind": kind,
        "axis": EVERYBODY,
        "partition": _hash(kind, EVERYBODY, ""),
        "at": at,
        "since": at - _MINUTE,
        "forgotten": at,
        "most": 2**31 - 1,
        "lock": _MINUTE,
        "longest": _MINUTE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, figures)
        return int(cursor.fetchone()[0])


def _tell(kind: str, axis: str, at: datetime, *, locks: int, most: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TELL, {"kind": kind, "axis": axis, "at": at, "locks": locks, "most": most})
        if cursor.fetchone()[0] and axis == EVERYBODY:
            record([NewEntry(ALARM, None, at, SYSTEM, {"kind": kind, "tries": most}, f"guessing:{kind}")])
            nudge()


def _locks_of(kind: str, partitions: Mapping[str, str]) -> int:
    hashes = [_hash(kind, axis, text) for axis, text in partitions.items() if axis in ("member", "phone")]
    found = WrongTries.objects.filter(kind=kind, partition__in=hashes).order_by("-locks")
    return found.values_list("locks", flat=True).first() or 0


def _hash(kind: str, axis: str, text: str) -> bytes:
    return hashed("guess", kind, axis, text)


def _words(figures: Mapping[str, Any]) -> str:
    locks = int(figures.get("locks", 1))
    words = ngettext(
        "Somebody guessed (%(what)s) until it was locked once, last on %(day)s.",
        "Somebody guessed (%(what)s) until it was locked %(locks)s times in a row, last on %(day)s.",
        locks,
    )
    what = guess_label(str(figures.get("kind", "")))
    return words % {"what": what, "locks": grouped(locks), "day": figures.get("day", "")}


def _sentence(most: int) -> str:
    words = ngettext(
        "%(most)s lock of a member in a row after wrong codes",
        "%(most)s locks of a member in a row after wrong codes",
        most,
    )
    return words % {"most": grouped(most)}


def register() -> None:
    """Register the risk rule. It is told by wrong tries themselves and finds nobody at night."""
    register_signal(RiskSignal(RULE, _("guessing at codes"), lambda question: (), _sentence, _words))
