"""The timeline: tell up. Floors record what happened; floors above subscribe and read at their own pace.

A subscriber's cursor moves over committed entries only, in the order (epoch, transaction, id), and never past the
oldest transaction still running, so an entry that commits late is not skipped. The cursor moves in the transaction
of the subscriber's effects. Delivery is at least once; an entry that keeps failing is parked and holds nobody up.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any

from celery import current_app
from django.db import OperationalError, connection, transaction
from kombu.exceptions import OperationalError as BrokerError
from psycopg.errors import QueryCanceled

from members.actors import Actor
from members.copying import copy_rows
from members.models import ParkedEntry, Subscription, TimelineEntry
from members.personal_words import refuse_personal_words
from members.statements import Statement, run

logger = logging.getLogger(__name__)

Handler = Callable[[Sequence[TimelineEntry]], None]

_COLUMNS = "kind, member_id, subject, happened_at, actor_kind, actor_id, payload, cause_id, depth"
_SCAN_ROWS = 5_000
# Where a payload may hold words of staff, and what is a code and no words.
_FREE_WORDS = ("reason", "words", "note")
_CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
_COPY_ROWS = 5_000
_NUDGE_SECONDS = 0.5
_BROKER_REST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A fact about to be told. The payload holds ids and numbers only, never personal data."""

    kind: str
    member_id: int | None
    happened_at: datetime
    by: Actor
    payload: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    cause_id: int | None = None
    depth: int = 0

    def row(self) -> tuple[Any, ...]:
        """The columns of the entry, in the order of the table."""
        payload = json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False)
        return (
            self.kind, self.member_id, self.subject, self.happened_at, self.by.kind, self.by.id, payload, self.cause_id, self.depth,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader of the timeline, registered at start-up."""

    name: str
    handler: Handler
    kinds: Container[str]
    batch_size: int


_subscribers: dict[str, Subscriber] = {}


def subscribe(name: str, handler: Handler, kinds: Container[str], batch_size: int = 500) -> None:
    """Register a reader for some kinds of entries. Called once per process from `AppConfig.ready()`."""
    _subscribers[name] = Subscriber(name, handler, kinds, batch_size)


def subscribers() -> list[str]:
    """Return the names of all readers, sorted."""
    return sorted(_subscribers)


def record(entries: Sequence[NewEntry]) -> list[int]:
    """Write entries in one statement, within the caller's transaction; return their ids in order.

    The timeline outlives the person, so what staff wrote freely is read first. Raises `WordsNamePerson`.
    """
    return run(record_statement(entries)) if entries else []


def record_statement(entries: Sequence[NewEntry]) -> Statement[list[int]]:
    """Return what writes entries (at least one) and reads their ids in order, for those who send it with others.

    Raises `WordsNamePerson`.
    """
    for entry in entries:
        _refuse_names(entry)
    values = ", ".join(["(%s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)"] * len(entries))
    return Statement(
        f"INSERT INTO members_timelineentry ({_COLUMNS}) VALUES {values} RETURNING id",  # noqa: S608 - no value is in it
        [value for entry in entries for value in entry.row()],
        lambda rows: [row[0] for row in rows],
    )


def _refuse_names(entry: NewEntry) -> None:
    """Refuse words of staff that name the member. Codes, which are most reasons, need no look-up."""
    if entry.by.kind != "operator" or entry.member_id is None:
        return
    said = [entry.payload[key] for key in _FREE_WORDS if isinstance(entry.payload.get(key), str)]
    if any(not _CODE.fullmatch(words) for words in said):
        refuse_personal_words(*said, member_ids=[entry.member_id])


def record_many(entries: Iterable[NewEntry]) -> int:
    """Write many entries by COPY, within the caller's transaction; return how many.

    They are made before a COPY begins, some thousands at a time: what makes them may have to ask the database something.
    """
    into = f"members_timelineentry ({_COLUMNS})"
    return sum(copy_rows(into, [entry.row() for entry in some]) for some in batched(entries, _COPY_ROWS))


_last_nudge = 0.0


def _send_nudge() -> None:
    global _last_nudge
    if time.monotonic() - _last_nudge < _NUDGE_SECONDS:
        return
    _last_nudge = time.monotonic()
    try:
        current_app.send_task("members.relay_timeline", retry=False)
    except (BrokerError, OSError):
        _last_nudge += _BROKER_REST_SECONDS  # a purchase must not wait for a broker that is down
        logger.warning("the broker does not answer; beat will relay the timeline")


def nudge() -> None:
    """Ask a worker to relay the timeline soon after the commit. Only saves time: beat relays anyway."""
    transaction.on_commit(_send_nudge, robust=True)


def relay(*, at: datetime, name: str | None = None, batches: int = 50) -> int:
    """Let each subscriber (or one) read what is readable, at most `batches` batches each; return how many entries were handled.

    Two relays beside each other share the work: a subscriber that is being served elsewhere is passed over.
    """
    handled = 0
    trouble: OperationalError | None = None
    for subscriber in [_subscribers[name]] if name else list(_subscribers.values()):
        try:
            handled += _relay_to(subscriber, at, batches)
        except OperationalError as error:
            logger.exception("the timeline could not be relayed to %s; the others go on", subscriber.name)
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return handled


def _relay_to(subscriber: Subscriber, at: datetime, batches: int) -> int:
    Subscription.objects.get_or_create(name=subscriber.name)
    handled = 0
    for _ in range(batches):
        done = _relay_batch(subscriber, at)
        if done is None:
            break
        handled += done
    return handled


def lag() -> dict[str, int]:
    """Return for each subscriber how many entries lie beyond its cursor (counted to 10,000)."""
    result = {}
    for subscription in Subscription.objects.all():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM (SELECT 1 FROM members_timelineentry WHERE (epoch, xact, id) > (%s, %s, %s) LIMIT 10000) AS beyond",
                [subscription.epoch, subscription.xact, subscription.entry_id],
            )
            result[subscription.name] = cursor.fetchone()[0]
    return result


def replay(*, parked_id: int, at: datetime) -> None:
    """Give a parked entry to its subscriber again; on success it counts as replayed. Raises what the handler raises."""
    with transaction.atomic():
        parked = ParkedEntry.objects.select_for_update(no_key=True).get(pk=parked_id)
        if parked.replayed_at is not None:
            return
        _subscribers[parked.subscription_id].handler(list(TimelineEntry.objects.filter(pk=parked.entry_id)))
        parked.replayed_at = at
        parked.save(update_fields=["replayed_at"])


def _relay_batch(subscriber: Subscriber, at: datetime) -> int | None:
    """Handle the next batch; return how many entries were handled, or None when there is nothing (more) to read here."""
    with transaction.atomic():
        subscription = (
            Subscription.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=subscriber.name).first()
        )
        if subscription is None:
            return None
        scanned = _scan(subscription)
        if not scanned:
            return None
        wanted = [index for index, (_, _, _, kind) in enumerate(scanned) if kind in subscriber.kinds]
        if len(wanted) > subscriber.batch_size:
            scanned = scanned[: wanted[subscriber.batch_size - 1] + 1]
            wanted = wanted[: subscriber.batch_size]
        ids = [scanned[index][2] for index in wanted]
        if ids:
            found = {entry.pk: entry for entry in TimelineEntry.objects.filter(pk__in=ids)}
            _handle(subscriber, subscription, [found[pk] for pk in ids], at)
        subscription.epoch, subscription.xact, subscription.entry_id, _ = scanned[-1]
        subscription.advanced_at = at
        subscription.save(update_fields=["epoch", "xact", "entry_id", "advanced_at"])
        return len(ids)


def _scan(subscription: Subscription) -> list[tuple[int, int, int, str]]:
    return readable_after((subscription.epoch, subscription.xact, subscription.entry_id), limit=_SCAN_ROWS)


#: A place between two entries: (epoch, transaction, id) of the one before it.
Place = tuple[int, int, int]
BEGINNING: Place = (0, 0, 0)

_IS_READABLE = """
(epoch, xact) < (
    (SELECT max(epoch) FROM members_timelineentry),
    -- The oldest transaction still running in this database; those of other databases do not matter.
    coalesce(
        (SELECT min(running::text::bigint) FROM pg_snapshot_xip(pg_current_snapshot()) AS running
         WHERE NOT EXISTS (
             SELECT 1 FROM pg_stat_activity
             WHERE backend_xid = running::xid AND datname <> current_database())),
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint))
"""


def readable_after(place: Place, *, limit: int) -> list[tuple[int, int, int, str]]:
    """Return (epoch, transaction, id, kind) of the entries after a place, in order, that no late commit can precede."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT epoch, xact, id, kind FROM members_timelineentry
            WHERE (epoch, xact, id) > (%s, %s, %s) AND {_IS_READABLE}
            ORDER BY epoch, xact, id LIMIT %s
            """,  # noqa: S608 - no value is in it
            [*place, limit],
        )
        return cursor.fetchall()


def last_place() -> Place:
    """Return the place after the last entry that can be read now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT epoch, xact, id FROM members_timelineentry WHERE {_IS_READABLE}
            ORDER BY epoch DESC, xact DESC, id DESC LIMIT 1
            """  # noqa: S608 - no value is in it
        )
        return cursor.fetchone() or BEGINNING


def _handle(subscriber: Subscriber, subscription: Subscription, entries: list[TimelineEntry], at: datetime) -> None:
    """Give the batch to the handler; when it fails, entry by entry, parking those that fail alone.

    An error of the database itself (connection, lock) is no fault of an entry and stops the relay.
    """
    try:
        with transaction.atomic():
            subscriber.handler(entries)
            return
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):  # too slow is the entries' own fault
            raise  # a lost connection, a lock that was not to be had
        logger.exception("a batch took too long in %s; trying its entries one by one", subscriber.name)
    except Exception:
        logger.exception("a batch failed in %s; trying its entries one by one", subscriber.name)
    for entry in entries:
        try:
            with transaction.atomic():
                subscriber.handler([entry])
        except Exception as error:
            if isinstance(error, OperationalError) and not isinstance(error.__cause__, QueryCanceled):
                raise
            logger.exception("entry %s is parked for %s", entry.pk, subscriber.name)
            ParkedEntry.objects.update_or_create(
                subscription=subscription,
                entry_id=entry.pk,
                defaults={"error": f"{type(error).__name__}: {error}"[:2000], "parked_at": at},
            )
