"""Webhooks: what is sent, how it is signed, tried again, given up, sent again; against a receiver on this machine."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.query import QuerySet
from standardwebhooks import Webhook

from members.actors import SYSTEM, Actor
from members.models import TimelineEntry, WebhookDelivery, WebhookEndpoint
from members.services import webhook_sending, webhooks
from members.services.keys import revoke_key
from members.services.webhook_replays import (
    NothingToReplay,
    ReplayNotTyped,
    replay_deliveries,
)
from members.services.webhook_sending import (
    FAILING_FOR,
    KEPT,
    SCHEDULE,
    forget_deliveries,
    plan_deliveries,
    send_due,
    send_test,
)
from members.timeline import NewEntry, record, relay
from tests.factories.api import make_till
from tests.factories.people import a_member
from tests.harness.receiver import Receiver, a_receiver
from tests.harness.threads import together

TYPES = ["member.frozen", "member.unfrozen", "member.closed"]
KIND = "members.unfrozen.v1"


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with a_receiver() as one:
        yield one


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    """The receiver of this module, as new."""
    fresh = Receiver(url=listening.url)
    vars(listening).update(vars(fresh))
    return listening


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC) + timedelta(minutes=2)  # behind all that a slow machine is still planning

    def __call__(self) -> datetime:
        return self.at

    def on(self, **by: float) -> None:
        """Move on."""
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def an_endpoint(url: str, **wanted: Any) -> webhooks.MadeWebhook:
    """Return an address of staff with its secret, made a minute ago."""
    asked = {"types": TYPES, "key": None, "by": SYSTEM, "at": datetime.now(UTC) - timedelta(minutes=1), **wanted}
    return webhooks.create_webhook(url=url, **asked)


def happened(times: int = 1, **payload: Any) -> list[TimelineEntry]:
    """Let freezes of a new member end so many times; return the entries."""
    member = a_member()
    told = [NewEntry(KIND, member.pk, datetime.now(UTC), SYSTEM, payload) for _number in range(times)]
    ids = record(told)
    return list(TimelineEntry.objects.filter(pk__in=ids).order_by("pk"))


def planned(times: int = 1) -> list[TimelineEntry]:
    """Let something happen and plan what is sent of it."""
    entries = happened(times)
    plan_deliveries(entries, at=datetime.now(UTC))
    return entries


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


@pytest.mark.django_db
class TestAnEvent:
    def test_reaches_whoever_wants_its_type_signed_and_once(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        an_endpoint(receiver.url + "/other", types=["member.closed"])
        entries = planned()
        assert send_due(clock=clock) == 1
        assert send_due(clock=clock) == 0
        (call,) = receiver.calls
        event = call.verify(made.secret)
        assert event["type"] == "member.unfrozen"
        assert event["id"] == call.headers["webhook-id"]
        assert list(event["data"]) == ["member_ref"]
        assert entries[0].member is not None
        assert entries[0].member.member_no not in call.body.decode()
        assert call.headers["user-agent"] == "Perennial-Webhooks/1"
        assert (only().state, only().attempts, only().status) == (WebhookDelivery.State.DELIVERED, 1, 204)

    def test_is_planned_once_however_often_the_timeline_is_read(self, receiver: Receiver) -> None:
        an_endpoint(receiver.url)
        entries = planned()
        plan_deliveries(entries, at=datetime.now(UTC))
        assert WebhookDelivery.objects.count() == 1

    def test_of_before_the_address_and_of_history_is_not_sent(self, receiver: Receiver) -> None:
        an_endpoint(receiver.url, at=datetime.now(UTC) + timedelta(minutes=1))
        planned()
        an_endpoint(receiver.url)
        plan_deliveries(happened(quiet=True), at=datetime.now(UTC))
        assert WebhookDelivery.objects.count() == 0

    def test_has_two_signatures_while_the_secret_is_being_changed(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        second = webhooks.rotate_secret(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        planned()
        send_due(clock=clock)
        assert receiver.calls[0].verify(made.secret) == receiver.calls[0].verify(second.secret)
        clock.on(hours=25)
        planned()
        send_due(clock=clock)
        late = receiver.calls[1]
        assert len(late.headers["webhook-signature"].split(" ")) == 1
        signed = Webhook(second.secret).sign(late.headers["webhook-id"], clock(), late.body.decode())
        assert late.headers["webhook-signature"] == signed

    def test_stops_with_the_key_of_its_owner(self, receiver: Receiver, clock: Clock) -> None:
        till = make_till()
        an_endpoint(receiver.url, key=till.key)
        planned()
        revoke_key(key_id=till.key.pk, reason="lost", by=SYSTEM, at=clock())
        assert send_due(clock=clock) == 0
        planned()
        assert WebhookDelivery.objects.count() == 1

    def test_of_others_is_not_kept_waiting_by_addresses_whose_keys_are_gone(
        self, receiver: Receiver, clock: Clock, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(webhook_sending, "ENDPOINTS_AT_ONCE", 1)
        gone, till = make_till(), make_till()
        for number in range(5):
            an_endpoint(f"{receiver.url}/gone{number}", key=gone.key)
        an_endpoint(receiver.url + "/till", key=till.key)
        an_endpoint(receiver.url + "/staff")
        planned()
        revoke_key(key_id=gone.key.pk, reason="lost", by=SYSTEM, at=clock())
        assert send_due(clock=clock) == 2
        assert WebhookDelivery.objects.filter(state="delivered").count() == 2


@pytest.mark.django_db
class TestAFailure:
    def test_is_tried_again_by_the_schedule_and_then_given_up(self, receiver: Receiver, clock: Clock) -> None:
        an_endpoint(receiver.url)
        planned()
        receiver.status, receiver.answer = 500, "出错 call 13800138000 or a@b.example\x00".encode()
        for number, wait in enumerate(SCHEDULE, start=1):
            assert send_due(clock=clock) == 1
            failed = only()
            assert (failed.state, failed.attempts, failed.fault) == ("failed", number, "status")
            assert wait * 0.79 <= failed.next_at - clock() <= wait * 1.21
            assert send_due(clock=clock) == 0
            clock.at = max(failed.next_at, clock() + timedelta(minutes=5))
            WebhookEndpoint.objects.update(failing_since=clock())  # this is about the schedule
        assert send_due(clock=clock) == 1
        assert (only().state, only().attempts) == ("given_up", len(SCHEDULE) + 1)
        assert only().answer == "出错 call … or …"
        assert len(set(receiver.ids)) == 1

    def test_of_one_address_keeps_no_other_waiting(self, receiver: Receiver, clock: Clock, monkeypatch: Any) -> None:
        monkeypatch.setattr("members.webhook_http.TIMEOUT_SECONDS", 0.4)
        with a_receiver() as slow:
            slow.delay = 0.8
            an_endpoint(slow.url)
            an_endpoint(receiver.url)
            planned(20)
            began = time.monotonic()
            send_due(clock=clock)
            assert time.monotonic() - began < 5
        assert len(receiver.calls) == 20
        assert WebhookDelivery.objects.filter(state="delivered").count() == 20
        tried = WebhookDelivery.objects.filter(attempts__gt=0).exclude(state="delivered")
        assert 1 <= tried.count() <= webhook_sending.LANES  # the others wait until the address has rested
        assert {one.fault for one in tried} == {"timeout"}

    def test_with_retry_after_waits_so_long(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        planned(2)
        receiver.status, receiver.headers = 429, {"Retry-After": "900"}
        send_due(clock=clock)
        made.endpoint.refresh_from_db()
        assert made.endpoint.rest_until == clock() + timedelta(seconds=900)
        clock.on(seconds=600)
        assert send_due(clock=clock) == 0
        clock.on(seconds=301)
        receiver.status = 204
        assert send_due(clock=clock) == 2

    def test_of_410_switches_the_address_off(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        planned()
        receiver.status = 410
        send_due(clock=clock)
        made.endpoint.refresh_from_db()
        assert (made.endpoint.state, made.endpoint.why) == ("disabled", "gone")
        assert only().state == "given_up"
        planned()
        assert WebhookDelivery.objects.count() == 1
        assert webhooks.worrying_webhooks(clock()) == [made.endpoint]
        assert TimelineEntry.objects.filter(kind="members.webhook_disabled.v1").count() == 1

    def test_for_days_switches_the_address_off_and_resuming_sends_what_waits(
        self, receiver: Receiver, clock: Clock
    ) -> None:
        made = an_endpoint(receiver.url)
        planned()
        receiver.status = 503
        send_due(clock=clock)
        clock.on(hours=2)
        assert webhooks.worrying_webhooks(clock()) == [made.endpoint]
        clock.at += FAILING_FOR
        send_due(clock=clock)
        made.endpoint.refresh_from_db()
        assert (made.endpoint.state, made.endpoint.why) == ("disabled", "failing")
        receiver.status = 204
        clock.on(hours=2)
        assert send_due(clock=clock) == 0
        webhooks.resume_webhook(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        assert send_due(clock=clock) == 1
        assert only().state == "delivered"

    def test_by_redirect_is_not_followed(self, receiver: Receiver, clock: Clock) -> None:
        an_endpoint(receiver.url)
        planned()
        receiver.status, receiver.headers = 302, {"Location": receiver.url + "/inside"}
        send_due(clock=clock)
        assert (only().fault, only().status) == ("redirect", 302)
        assert len(receiver.calls) == 1

    def test_by_an_answer_that_trickles_in_ends_in_time(
        self, receiver: Receiver, clock: Clock, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("members.webhook_http.WHOLE_SECONDS", 0.5)
        an_endpoint(receiver.url)
        planned()
        receiver.trickle = 0.05
        began = time.monotonic()
        send_due(clock=clock)
        assert time.monotonic() - began < 3
        assert only().fault == "timeout"

    def test_by_nobodylistening_is_one_of_connection(self, clock: Clock) -> None:
        an_endpoint("http://127.0.0.1:9/")
        planned()
        send_due(clock=clock)
        assert only().fault == "connection"


@pytest.mark.django_db
class TestAKilledWorker:
    def test_between_sending_and_marking_leads_to_the_same_id_again(
        self, receiver: Receiver, clock: Clock, monkeypatch: Any
    ) -> None:
        an_endpoint(receiver.url)
        planned()

        class Killed(BaseException):
            pass

        def kill(*_args: object) -> None:
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(webhook_sending, "_mark", kill)
            # A killed process does not give its lease back either.
            patched.setattr("django.db.models.query.QuerySet.update", _without_giving_back())
            with pytest.raises(Killed):
                send_due(clock=clock)
        assert send_due(clock=clock) == 0  # its lease still holds
        clock.on(seconds=61)
        assert send_due(clock=clock) == 1
        assert only().state == "delivered"
        assert len(receiver.ids) == 2
        assert len(set(receiver.ids)) == 1


def _without_giving_back() -> Any:
    real = QuerySet.update

    def update(self: Any, **changes: Any) -> int:
        return 0 if changes.get("busy_until", "") is None else real(self, **changes)

    return update


@pytest.mark.django_db
class TestAPause:
    def test_lets_events_wait(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        webhooks.pause_webhook(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        planned(2)
        assert send_due(clock=clock) == 0
        webhooks.resume_webhook(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        assert send_due(clock=clock) == 2

    def test_is_refused_twice_and_changes_nothing(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        webhooks.pause_webhook(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        before = WebhookEndpoint.objects.values().get()
        told = TimelineEntry.objects.count()
        with pytest.raises(webhooks.WebhookNotInState):
            webhooks.pause_webhook(endpoint_id=made.endpoint.pk, by=SYSTEM, at=clock())
        assert WebhookEndpoint.objects.values().get() == before
        assert TimelineEntry.objects.count() == told


@pytest.mark.django_db
class TestATest:
    def test_says_what_was_answered(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        receiver.status, receiver.answer = 200, b"hello"
        outcome = send_test(endpoint=made.endpoint, by=SYSTEM, clock=clock)
        assert (outcome.status, outcome.is_delivered, outcome.answer) == (200, True, "hello")
        assert receiver.calls[0].verify(made.secret)["type"] == "webhook.test"
        assert WebhookDelivery.objects.count() == 0


@pytest.mark.django_db
class TestAReplay:
    def test_of_a_span_sends_what_failed_again_under_its_old_id(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        planned(3)
        send_due(clock=clock)
        WebhookDelivery.objects.filter(pk=WebhookDelivery.objects.order_by("pk")[0].pk).update(state="given_up")
        span = (clock() - timedelta(hours=1), clock() + timedelta(hours=1))
        count = replay_deliveries(endpoint_id=made.endpoint.pk, span=span, by=SYSTEM, at=clock())
        assert count == 1
        assert send_due(clock=clock) == 1
        assert len(set(receiver.ids)) == 3
        everything = replay_deliveries(
            endpoint_id=made.endpoint.pk, span=span, with_delivered=True, by=SYSTEM, at=clock()
        )
        assert everything == 3
        assert send_due(clock=clock) == 3

    def test_of_one_event(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        planned(2)
        send_due(clock=clock)
        one = WebhookDelivery.objects.order_by("pk")[0]
        assert replay_deliveries(endpoint_id=made.endpoint.pk, events=[one.event], by=SYSTEM, at=clock()) == 1
        assert send_due(clock=clock) == 1

    def test_of_many_is_typed_by_staff(self, receiver: Receiver, clock: Clock, monkeypatch: Any) -> None:
        monkeypatch.setattr("members.services.webhook_replays.TYPED_FROM", 1)
        made = an_endpoint(receiver.url)
        planned(2)
        span = (clock() - timedelta(hours=1), clock() + timedelta(hours=1))
        endpoint_id = made.endpoint.pk
        staff = Actor("operator", 1)
        with pytest.raises(ReplayNotTyped) as refused:
            replay_deliveries(endpoint_id=endpoint_id, span=span, with_delivered=True, by=staff, at=clock())
        assert refused.value.params == {"count": 2}
        count = replay_deliveries(
            endpoint_id=endpoint_id, span=span, with_delivered=True, typed=2, by=staff, at=clock()
        )
        assert count == 2

    def test_of_nothing_is_refused_and_tells_nothing(self, receiver: Receiver, clock: Clock) -> None:
        made = an_endpoint(receiver.url)
        told = TimelineEntry.objects.count()
        with pytest.raises(NothingToReplay):
            replay_deliveries(
                endpoint_id=made.endpoint.pk, span=(clock() - timedelta(1), clock()), by=SYSTEM, at=clock()
            )
        assert TimelineEntry.objects.count() == told


@pytest.mark.django_db
class TestDeliveries:
    def test_are_forgotten_when_their_time_is_over(self, receiver: Receiver, clock: Clock) -> None:
        an_endpoint(receiver.url)
        planned(2)
        oldest = WebhookDelivery.objects.order_by("pk")[0]
        WebhookDelivery.objects.filter(pk=oldest.pk).update(created_at=clock() - KEPT - timedelta(days=1))
        assert forget_deliveries(at=clock()) == 1
        assert only().pk != oldest.pk


def test_two_workers_share_the_addresses_and_send_nothing_twice(committed_db: str, listening: Receiver) -> None:
    """Real connections: whoever comes second passes over the address that is being served."""
    vars(listening).update(vars(Receiver(url=listening.url, delay=0.05)))
    clock = Clock()
    an_endpoint(listening.url)
    an_endpoint(listening.url + "/two")
    happened(8)
    relay(at=clock(), name="members.webhooks")
    assert WebhookDelivery.objects.count() == 16
    served = together([lambda: send_due(clock=clock) for _worker in range(3)])
    while send_due(clock=clock):
        pass
    assert WebhookDelivery.objects.filter(state="delivered", attempts=1).count() == 16
    assert len(listening.calls) == 16
    assert sum(served) <= 16
