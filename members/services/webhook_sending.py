"""Events on their way to other systems: planned by a reader of the timeline, sent by workers, tried again for days.

The network is left to threads; this thread alone speaks with the database. A worker takes an address by a lease, so one
address is served by one worker at a time, and whoever is slow or down keeps only itself waiting. What was sent and not
marked, because the worker was killed, is sent again under the same id: at least once.
"""

import logging
import queue
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from celery import current_app
from django.db import connection, transaction
from django.db.models import Q
from kombu.exceptions import OperationalError as BrokerError

from members.actors import SYSTEM, Actor
from members.identifiers import EVENT, public_ref
from members.models import TimelineEntry, WebhookDelivery, WebhookEndpoint
from members.services import webhooks
from members.webhook_http import WHOLE_SECONDS, Call, Outcome, Sender
from members.webhook_types import events_of, test_event

logger = logging.getLogger(__name__)
State, Fault = WebhookDelivery.State, WebhookDelivery.Fault

#: How long after a failed try the next one comes, as Standard Webhooks proposes; then it is given up, after some three days.
SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
#: An address that answers nothing well for so long is switched off.
FAILING_FOR: Final = timedelta(days=3)
KEPT: Final = timedelta(days=30)
ENDPOINTS_AT_ONCE: Final = 8
LANES: Final = 2
_OF_ONE: Final = 50
_LANE_SECONDS: Final = 20.0
_LEASE: Final = timedelta(seconds=60)
_JITTER: Final = 0.2
_LONGEST_REST: Final = timedelta(minutes=5)
_FORGOTTEN_AT_ONCE: Final = 5_000
_UNFINISHED: Final = (State.WAITING, State.FAILED)
Clock = Callable[[], datetime]


def plan_deliveries(entries: Sequence[TimelineEntry], *, at: datetime) -> int:
    """Plan what is to be sent of some entries, for whoever wants it; return how many deliveries that are.

    The same entries again plan nothing. What happened before an address was made is not sent to it, and neither is
    history that was brought in; both stand in the log.
    """
    wanting = webhooks.with_live_owner(at) & Q(state__in=("active", "paused"))
    endpoints = list(WebhookEndpoint.objects.filter(wanting).only("types", "created_at"))
    if not endpoints:
        return 0
    types = {one for endpoint in endpoints for one in endpoint.types}
    planned = [
        WebhookDelivery(
            endpoint=endpoint, event=event.id, type=event.type, entry_id=event.entry_id, created_at=at, next_at=at
        )
        for event in events_of(entries, types)
        if not event.quiet
        for endpoint in endpoints
        if event.type in endpoint.types and event.recorded_at >= endpoint.created_at
    ]
    if not planned:
        return 0
    WebhookDelivery.objects.bulk_create(planned, ignore_conflicts=True, batch_size=1_000)
    ask_to_send()
    return len(planned)


def ask_to_send() -> None:
    """Ask a worker to send what is due, soon after the commit. Only saves time: beat does so anyway."""

    def send() -> None:
        try:
            current_app.send_task("members.send_due_webhooks", retry=False, expires=60)
        except (BrokerError, OSError):
            logger.warning("the broker does not answer; beat will send the webhooks")

    transaction.on_commit(send, robust=True)


def send_due(*, clock: Clock, seconds: float = 25.0) -> int:
    """Send what is due, for about so many seconds at most; return how many tries were made.

    Safe beside itself: an address that another worker serves is passed over.
    """
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until:
        served = _serve(clock)
        tried += served
        if not served:
            break
    return tried


def send_test(*, endpoint: WebhookEndpoint, reason: str = "", by: Actor, clock: Clock) -> Outcome:
    """Send a test event to an address now, whatever its state; return what it answered. Nothing is kept but that it was done."""
    at = clock()
    test = test_event(at)
    with Sender() as sender:
        call = Call(endpoint.url, public_ref(EVENT, test.id), test.body(), webhooks.secrets_of(endpoint, at))
        outcome = sender.send(call, at=at)
    webhooks.tell_tested(endpoint=endpoint, status=outcome.status, reason=reason, by=by, at=at)
    return outcome


def forget_deliveries(*, at: datetime) -> int:
    """Delete the oldest deliveries whose time is over, some thousands at most; return how many."""
    oldest = WebhookDelivery.objects.order_by("id").values("id", "created_at")[:_FORGOTTEN_AT_ONCE]
    ids = [row["id"] for row in oldest if row["created_at"] < at - KEPT]
    return WebhookDelivery.objects.filter(pk__in=ids).delete()[0] if ids else 0


@dataclass(slots=True)
class _Lane:
    """Some deliveries to one address, sent one after another until one fails. `stop` is shared by the lanes of the address."""

    endpoint: WebhookEndpoint
    calls: list[tuple[WebhookDelivery, Call]]
    stop: threading.Event


Result = tuple[WebhookDelivery, Outcome, datetime] | None


def _serve(clock: Clock) -> int:
    """Serve some addresses that have something due, the longest unserved first; return how many tries were made."""
    at = clock()
    leased = _lease(at)
    if not leased:
        return 0
    try:
        lanes, ended = _lanes(leased, at)
        results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(max_workers=ENDPOINTS_AT_ONCE * LANES, thread_name_prefix="webhook")
        try:
            for lane in lanes:
                pool.submit(_run, lane, results, clock)
            tried = _mark_all(results, len(lanes))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    finally:
        # Only while the lease is still ours: what took longer than that, another worker may be serving by now.
        mine = WebhookEndpoint.objects.filter(pk__in=[one.pk for one in leased], busy_until=at + _LEASE)
        mine.update(busy_until=None, served_at=at)
    return tried + ended


def _lease(at: datetime) -> list[WebhookEndpoint]:
    """Take addresses that have something due and are served by nobody; return them.

    Whose keys have all ended is left out before they are counted (as `webhooks.with_live_owner` says it): nobody ever
    serves these, so they would stay the longest unserved, and keep the others out.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT e.id FROM members_webhookendpoint e
                WHERE e.state = 'active' AND (e.busy_until IS NULL OR e.busy_until <= %(at)s)
                  AND (e.rest_until IS NULL OR e.rest_until <= %(at)s)
                  AND EXISTS (
                      SELECT 1 FROM members_webhookdelivery d
                      WHERE d.endpoint_id = e.id AND d.state IN ('waiting', 'failed') AND d.next_at <= %(at)s)
                  AND (e.key_id IS NULL OR EXISTS (
                      SELECT 1 FROM members_apikey o JOIN members_apikey k ON k.family = o.family
                      WHERE o.id = e.key_id AND k.revoked_at IS NULL AND (k.ends_at IS NULL OR k.ends_at > %(at)s)))
                ORDER BY e.served_at NULLS FIRST, e.id LIMIT %(most)s
                FOR NO KEY UPDATE OF e SKIP LOCKED
                """,
                {"at": at, "most": ENDPOINTS_AT_ONCE},
            )
            ids = [row[0] for row in cursor.fetchall()]
        by_id = WebhookEndpoint.objects.in_bulk(ids)
        taken = [by_id[pk] for pk in ids]
        WebhookEndpoint.objects.filter(pk__in=[one.pk for one in taken]).update(busy_until=at + _LEASE)
    return taken


def _lanes(endpoints: Iterable[WebhookEndpoint], at: datetime) -> tuple[list[_Lane], int]:
    """Return what is due for each address, ready to be sent; the first lanes of all come before the second of any.

    What has no event any more is given up; the number of these is returned beside the lanes.
    """
    due: dict[int, list[WebhookDelivery]] = {}
    for endpoint in endpoints:
        waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state__in=_UNFINISHED, next_at__lte=at)
        due[endpoint.pk] = list(waiting.order_by("next_at", "id")[:_OF_ONE])
    bodies = bodies_of([one for some in due.values() for one in some])
    by_place: defaultdict[int, list[_Lane]] = defaultdict(list)
    ended = 0
    for endpoint in endpoints:
        stop, secrets = threading.Event(), webhooks.secrets_of(endpoint, at)
        calls = []
        for delivery in due[endpoint.pk]:
            body = bodies.get(delivery.pk)
            if body is None:
                _give_up(delivery, at)
                ended += 1
            else:
                calls.append((delivery, Call(endpoint.url, public_ref(EVENT, delivery.event), body, secrets)))
        for place in range(LANES):
            if calls[place::LANES]:
                by_place[place].append(_Lane(endpoint, calls[place::LANES], stop))
    return [lane for place in range(LANES) for lane in by_place[place]], ended


def bodies_of(deliveries: Sequence[WebhookDelivery]) -> dict[int, str]:
    """Return the bodies of deliveries by their numbers, made from their entries; what has no event any more is left out."""
    entries = TimelineEntry.objects.filter(pk__in={one.entry_id for one in deliveries}).order_by("pk")
    events = {event.id: event for event in events_of(list(entries), {one.type for one in deliveries})}
    return {one.pk: events[one.event].body() for one in deliveries if one.event in events}


def _run(lane: _Lane, results: "queue.SimpleQueue[Result]", clock: Clock) -> None:
    """Send a lane: in a thread, without the database. None in the results says that it has ended."""
    began = time.monotonic()
    try:
        with Sender() as sender:
            for delivery, call in lane.calls:
                if lane.stop.is_set() or time.monotonic() - began > _LANE_SECONDS:
                    break
                at = clock()
                outcome = sender.send(call, at=at)
                results.put((delivery, outcome, at))
                if not outcome.is_delivered:
                    lane.stop.set()
    except Exception:
        logger.exception("a lane of webhook %s broke off", lane.endpoint.pk)
    finally:
        results.put(None)


def _mark_all(results: "queue.SimpleQueue[Result]", lanes: int) -> int:
    """Write down what became of each try as soon as it is known, until all lanes have ended; return how many tries."""
    until = time.monotonic() + _LANE_SECONDS + WHOLE_SECONDS * 2
    tried = 0
    while lanes:
        try:
            result = results.get(timeout=max(until - time.monotonic(), 0.01))
        except queue.Empty:
            logger.error("webhooks: a call did not end in time; what it was sending is sent again")
            break
        if result is None:
            lanes -= 1
        else:
            _mark(*result)
            tried += 1
    return tried


def _mark(delivery: WebhookDelivery, outcome: Outcome, at: datetime) -> None:
    """Keep the outcome of a try, and what it says of the address."""
    attempts = delivery.attempts + 1
    kept = {
        "attempts": attempts, "tried_at": at, "status": outcome.status, "fault": outcome.fault, "took_ms": outcome.took_ms,
        "answer": outcome.answer,
    }  # fmt: skip
    same = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, state__in=_UNFINISHED)
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    if outcome.is_delivered:
        with transaction.atomic():
            same.update(state=State.DELIVERED, **kept)
            endpoint.update(delivered_at=at, failing_since=None, failures=0, rest_until=None)
        return
    wait = max(_wait(attempts), outcome.retry_after or timedelta(0))
    is_last = outcome.is_gone or attempts > len(SCHEDULE)
    with transaction.atomic():
        same.update(state=State.GIVEN_UP if is_last else State.FAILED, next_at=at + wait, **kept)
        now = endpoint.select_for_update(no_key=True).get()
        now.failing_since = now.failing_since or at
        now.failures = min(now.failures + 1, 30_000)
        now.rest_until = at + max(_rest(now.failures), outcome.retry_after or timedelta(0))
        now.save(update_fields=["failing_since", "failures", "rest_until"])
        if outcome.is_gone:
            webhooks.disable_webhook(endpoint_id=now.pk, why=webhooks.Why.GONE, by=SYSTEM, at=at)
        elif now.failing_since <= at - FAILING_FOR:
            webhooks.disable_webhook(endpoint_id=now.pk, why=webhooks.Why.FAILING, by=SYSTEM, at=at)


def _give_up(delivery: WebhookDelivery, at: datetime) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk, state__in=_UNFINISHED).update(
        state=State.GIVEN_UP, fault=Fault.NO_EVENT, tried_at=at
    )


def _wait(attempts: int) -> timedelta:
    """Return how long to wait after so many tries, give or take a fifth, so that what failed together does not come together."""
    planned = SCHEDULE[min(attempts, len(SCHEDULE)) - 1]
    return planned * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret


def _rest(failures: int) -> timedelta:
    """Return how long an address is left alone after so many failures in a row."""
    return min(timedelta(seconds=5 * 2 ** min(failures - 1, 10)), _LONGEST_REST)
