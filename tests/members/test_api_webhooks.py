"""Webhooks over the API: an owner's own addresses, secrets shown once, and the log."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from members.actors import SYSTEM
from members.identifiers import WEBHOOK, public_ref
from members.models import TimelineEntry, WebhookDelivery, WebhookEndpoint
from members.services.keys import EVENTS_READ, ORDERS_READ, WEBHOOKS_MANAGE
from members.services.webhook_sending import plan_deliveries, send_due
from members.services.webhooks import MOST_OF_ONE
from members.timeline import NewEntry, record
from tests.factories.api import Till, make_member, make_store, make_till
from tests.harness.receiver import Receiver, a_receiver

pytestmark = pytest.mark.django_db
TYPES = ["member.closed", "member.unfrozen"]
PATH = "/integration/webhooks"


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with a_receiver() as one:
        yield one


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    """The receiver of this module, as new."""
    vars(listening).update(vars(Receiver(url=listening.url)))
    return listening


@pytest.fixture
def server() -> Till:
    """Another system, with a key that may have events sent to it."""
    return make_till(scopes=[WEBHOOKS_MANAGE], source="crm")


def patch(caller: Till, path: str, body: dict[str, Any], **headers: str) -> Any:
    given = {"authorization": f"Bearer {caller.secret}"} | {
        name.replace("_", "-"): one for name, one in headers.items()
    }
    return caller.client.patch(f"/api/v1{path}", body, content_type="application/json", headers=given)


def made(server: Till, url: str) -> dict[str, Any]:
    answer = server.post(PATH, {"url": url, "types": TYPES, "description": "CRM"})
    assert answer.status_code == 201, answer.content
    # The transaction of a test began before: what it records is as old as that.
    WebhookEndpoint.objects.update(created_at=datetime.now(UTC) - timedelta(hours=1))
    new: dict[str, Any] = answer.json()
    return new


def happened(times: int = 1) -> list[int]:
    member = make_member()
    now = datetime.now(UTC)
    ids = record([NewEntry("members.unfrozen.v1", member.pk, now, SYSTEM) for _number in range(times)])
    plan_deliveries(list(TimelineEntry.objects.filter(pk__in=ids)), at=now)
    return ids


def later() -> datetime:
    """A moment behind all that a slow machine is still planning."""
    return datetime.now(UTC) + timedelta(minutes=2)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestAWebhook:
    def test_is_made_with_a_secret_that_is_shown_once(self, server: Till, receiver: Receiver) -> None:
        new = made(server, receiver.url)
        assert new["secret"].startswith("whsec_")
        assert new["secret"].encode() not in bytes(WebhookEndpoint.objects.get().secret)
        shown = server.get(f"{PATH}/{new['id']}").json()
        moved = {"secret", "created_at"}
        assert shown | {"created_at": new["created_at"]} == {name: new[name] for name in new.keys() - moved} | {
            "created_at": new["created_at"]
        }
        assert server.get(PATH).json()["items"] == [shown]
        answer = server.post(f"{PATH}/{new['id']}/test", {})
        assert answer.json()["delivered"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert receiver.calls[0].verify(new["secret"])["type"] == "webhook.test"

    def test_of_somebody_else_is_not_found(self, server: Till, receiver: Receiver) -> None:
        new = made(server, receiver.url)
        other = make_till(make_store("S02"), scopes=[WEBHOOKS_MANAGE], source="other")
        path = f"{PATH}/{new['id']}"
        before = WebhookEndpoint.objects.values().get()
        answers = [
            other.get(path), other.get(f"{path}/deliveries"), other.post(f"{path}/test", {}), other.post(f"{path}/rotate-secret", {}),
            other.post(f"{path}/replay", {"event_ids": [public_ref("evt", before["public_id"])]}),
            patch(other, path, {"state": "paused"}, if_match="*"),
            other.client.delete(f"/api/v1{path}", headers={"authorization": f"Bearer {other.secret}"}),
            server.get(f"{PATH}/{public_ref(WEBHOOK, other.key.public_id)}"), server.get(f"{PATH}/nothing"),
        ]  # fmt: skip
        assert {problem(answer) for answer in answers} == {(404, "not_found")}
        assert other.get(PATH).json()["items"] == []
        assert WebhookEndpoint.objects.values().get() == before
        assert receiver.calls == []

    def test_is_refused_with_its_reason_and_nothing_kept(self, server: Till, settings: Any) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"url": "https://10.0.0.1/", "types": TYPES}, "webhook_host_refused"),
            ({"url": "http://crm.example.com/", "types": TYPES}, "webhook_url_invalid"),
            ({"url": "https://8.8.8.8/", "types": ["member.exploded"]}, "event_type_unknown"),
            ({"url": "https://8.8.8.8/", "types": []}, "validation_error"),
            ({"url": "https://8.8.8.8/", "types": TYPES, "secret": "mine"}, "validation_error"),
        ]
        for body, code in wrong:
            assert problem(server.post(PATH, body))[1] == code
        assert not WebhookEndpoint.objects.exists()
        for _number in range(MOST_OF_ONE):
            made(server, "https://8.8.8.8/")
        assert problem(server.post(PATH, {"url": "https://8.8.8.8/", "types": TYPES})) == (409, "too_many_webhooks")

    def test_needs_its_scope(self, receiver: Receiver) -> None:
        till = make_till(scopes=[ORDERS_READ, EVENTS_READ])
        assert problem(till.get(PATH)) == (403, "insufficient_scope")
        assert problem(till.post(PATH, {"url": receiver.url, "types": TYPES})) == (403, "insufficient_scope")

    def test_is_changed_by_whoever_has_read_it(self, server: Till, receiver: Receiver) -> None:
        path = f"{PATH}/{made(server, receiver.url)['id']}"
        assert problem(patch(server, path, {"state": "paused"})) == (428, "precondition_required")
        etag = server.get(path).headers["ETag"]
        changed = patch(server, path, {"types": ["member.closed"], "state": "paused"}, if_match=etag)
        assert (changed.json()["types"], changed.json()["state"]) == (["member.closed"], "paused")
        assert changed.json()["state_reason"] == "owner"
        before = WebhookEndpoint.objects.values().get()
        assert problem(patch(server, path, {"url": receiver.url + "/x"}, if_match=etag)) == (412, "precondition_failed")
        assert problem(patch(server, path, {"state": "paused"}, if_match=etag)) == (412, "precondition_failed")
        assert WebhookEndpoint.objects.values().get() == before
        resumed = patch(server, path, {"state": "active"}, if_match=changed.headers["ETag"])
        assert (resumed.json()["state"], resumed.json()["state_reason"]) == ("active", None)

    def test_is_gone_when_it_was_removed(self, server: Till, receiver: Receiver) -> None:
        path = f"{PATH}/{made(server, receiver.url)['id']}"
        answer = server.client.delete(f"/api/v1{path}", headers={"authorization": f"Bearer {server.secret}"})
        assert answer.status_code == 204
        assert problem(server.get(path)) == (404, "not_found")
        happened()
        assert not WebhookDelivery.objects.exists()

    def test_gets_another_secret(self, server: Till, receiver: Receiver) -> None:
        new = made(server, receiver.url)
        answer = server.post(f"{PATH}/{new['id']}/rotate-secret", {"overlap_hours": 2}).json()
        happened()
        send_due(clock=later)
        assert receiver.calls[0].verify(new["secret"]) == receiver.calls[0].verify(answer["secret"])
        at_once = server.post(f"{PATH}/{new['id']}/rotate-secret", {"overlap_hours": 0}).json()
        assert at_once["earlier_secret_until"] is None
        assert problem(server.post(f"{PATH}/{new['id']}/rotate-secret", {"overlap_hours": 169}))[0] == 400


class TestDeliveries:
    def test_are_listed_and_sent_again(self, server: Till, receiver: Receiver) -> None:
        path = f"{PATH}/{made(server, receiver.url)['id']}"
        receiver.status, receiver.answer = 500, b"broken"
        happened(2)
        send_due(clock=later)
        page = server.get(f"{path}/deliveries?limit=1").json()
        assert page["next"]
        rest = server.get(f"{path}/deliveries?limit=1&cursor={page['next']}").json()["items"]
        shown = {one["state"]: one for one in [*page["items"], *rest]}
        failed = shown["failed"]
        assert (failed["status"], failed["fault"], failed["answer"]) == (500, "status", "broken")
        receiver.status = 204
        assert server.post(f"{path}/replay", {"event_ids": [failed["event_id"]]}).json() == {"deliveries": 1}
        send_due(clock=later)
        assert receiver.ids.count(failed["event_id"]) == 2
        span = {
            "since": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
            "until": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        }
        before = {"since": (datetime.now(UTC) - timedelta(days=2)).isoformat(), "until": span["since"]}
        assert problem(server.post(f"{path}/replay", before)) == (409, "nothing_to_replay")
        assert server.post(f"{path}/replay", {**span, "include_delivered": True}).json() == {"deliveries": 2}
        for body in ({}, {"since": span["since"]}, {**span, "event_ids": [failed["event_id"]]}):
            assert problem(server.post(f"{path}/replay", body))[0] == 400


class TestTheLog:
    def test_is_read_by_who_may(self) -> None:
        happened()
        assert problem(make_till(scopes=[WEBHOOKS_MANAGE]).get("/integration/events")) == (403, "insufficient_scope")
        reader = make_till(scopes=[EVENTS_READ], source="reader")
        page = reader.get("/integration/events?types=member.closed").json()
        assert page["items"] == []  # in a test's transaction nothing is committed
        assert reader.get("/integration/events?after=latest").json()["next"]
        for query in ("after=nonsense", "types=member.exploded", "limit=101"):
            answer = reader.get(f"/integration/events?{query}")
            assert problem(answer) == (400, "validation_error"), query
            assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]
