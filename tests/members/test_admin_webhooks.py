"""Pages of webhooks: made with a secret shown once, tested, paused, changed; deliveries read in words and sent again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from members.actors import SYSTEM
from members.admin.timeline import told_kinds
from members.models import TimelineEntry, WebhookDelivery, WebhookEndpoint
from members.services import webhooks
from members.services.webhook_sending import plan_deliveries, send_due
from members.timeline import NewEntry, record
from tests.factories.people import a_member
from tests.factories.portal import signed_in
from tests.harness.receiver import Receiver, a_receiver

pytestmark = pytest.mark.django_db
LIST = "admin:members_webhookendpoint_changelist"
DELIVERIES = "admin:members_webhookdelivery_changelist"


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
def office() -> Client:
    return signed_in(superuser=True)


def an_endpoint(url: str) -> WebhookEndpoint:
    at = datetime.now(UTC) - timedelta(hours=1)
    return webhooks.create_webhook(
        url=url, types=["member.unfrozen"], description="CRM", key=None, by=SYSTEM, at=at
    ).endpoint


def dialog(client: Client, endpoint: Any, action: str, **fields: Any) -> Any:
    """Post a dialog of a page."""
    name = f"admin:members_{endpoint._meta.model_name}_{action}"
    return client.post(reverse(name, args=[endpoint.pk]), {"_form_submitted": "True", **fields})


def happened() -> None:
    now = datetime.now(UTC)
    ids = record([NewEntry("members.unfrozen.v1", a_member().pk, now, SYSTEM)])
    plan_deliveries(list(TimelineEntry.objects.filter(pk__in=ids)), at=now)


class TestAWebhookPage:
    def test_shows_the_secret_of_a_new_one_this_once(self, office: Client, receiver: Receiver) -> None:
        wanted = {"url": receiver.url, "types": ["member.unfrozen"], "description": "CRM", "reason": "asked by letter"}
        made = office.post(reverse("admin:members_webhookendpoint_add"), wanted)
        page = made.content.decode()
        assert "whsec_" in page
        assert "no-store" in made.headers["Cache-Control"]
        endpoint = WebhookEndpoint.objects.get()
        shown = office.get(reverse("admin:members_webhookendpoint_change", args=[endpoint.pk])).content.decode()
        assert "whsec_" not in shown
        assert "a freeze ended" in shown
        told = TimelineEntry.objects.get(kind="members.webhook_made.v1")
        assert told.payload["reason"] == "asked by letter"

    def test_refuses_an_address_of_our_own_networks_in_words(self, office: Client, settings: Any) -> None:
        settings.WEBHOOK_LOOPBACK = False
        wanted = {"url": "https://10.0.0.1/", "types": ["member.unfrozen"], "reason": "a try"}
        page = office.post(reverse("admin:members_webhookendpoint_add"), wanted)
        assert "Events are not sent to" in page.content.decode()
        assert not WebhookEndpoint.objects.exists()

    def test_tests_it_and_shows_the_answer(self, office: Client, receiver: Receiver) -> None:
        endpoint = an_endpoint(receiver.url)
        receiver.status, receiver.answer = 500, b"<b>broken</b>"
        page = dialog(office, endpoint, "test").content.decode()
        assert "It does not work." in page
        assert "&lt;b&gt;broken&lt;/b&gt;" in page
        receiver.status = 200
        assert "It works." in dialog(office, endpoint, "test").content.decode()

    def test_pauses_resumes_changes_and_removes_with_a_reason(self, office: Client, receiver: Receiver) -> None:
        endpoint = an_endpoint(receiver.url)
        steps: list[tuple[str, dict[str, Any], str]] = [
            ("pause", {}, "paused"),
            ("resume", {}, "active"),
            ("edit", {"url": receiver.url + "/2", "types": ["member.closed"], "description": "x"}, "active"),
            ("remove", {}, "removed"),
        ]
        for action, fields, state in steps:
            dialog(office, endpoint, action, **fields)  # without a reason: nothing
            before = endpoint.version
            endpoint.refresh_from_db()
            assert endpoint.version == before
            dialog(office, endpoint, action, reason="as agreed", **fields)
            endpoint.refresh_from_db()
            assert endpoint.state == state, action
        assert (endpoint.url, endpoint.types) == (receiver.url + "/2", ["member.closed"])
        told = TimelineEntry.objects.filter(subject=f"webhook:{endpoint.pk}").exclude(kind="members.webhook_made.v1")
        assert {entry.payload["reason"] for entry in told} == {"as agreed"}
        assert told.count() == 4

    def test_changes_the_secret(self, office: Client, receiver: Receiver) -> None:
        endpoint = an_endpoint(receiver.url)
        answer = dialog(office, endpoint, "rotate", hours="24", reason="yearly")
        assert "whsec_" in answer.content.decode()
        endpoint.refresh_from_db()
        assert endpoint.earlier_until is not None

    def test_is_for_those_with_the_right(self, receiver: Receiver) -> None:
        endpoint = an_endpoint(receiver.url)
        clerk = signed_in("service")
        assert clerk.get(reverse(LIST)).status_code == 403
        assert dialog(clerk, endpoint, "pause", reason="no").status_code in (302, 403)
        endpoint.refresh_from_db()
        assert endpoint.state == "active"


class TestDeliveries:
    def test_begin_with_what_failed_and_say_it_in_words(self, office: Client, receiver: Receiver) -> None:
        endpoint = an_endpoint(receiver.url)
        happened()
        send_due(clock=lambda: datetime.now(UTC))
        receiver.status = 500
        happened()
        send_due(clock=lambda: datetime.now(UTC))
        first = office.get(reverse(DELIVERIES))
        assert first.headers["Location"].endswith("?went=failed")
        page = office.get(first.headers["Location"]).content.decode()
        assert "it answered with an error (status 500)" in page
        assert "1 try of 10" in page
        failed = WebhookDelivery.objects.get(state="failed")
        shown = office.get(reverse("admin:members_webhookdelivery_change", args=[failed.pk])).content.decode()
        assert "member.unfrozen" in shown
        assert "evt_" in shown
        receiver.status = 204
        dialog(office, failed, "send_again", reason="they mended it")
        send_due(clock=lambda: datetime.now(UTC))
        failed.refresh_from_db()
        assert failed.state == "delivered"
        today = datetime.now(UTC).date()
        span = {"first_date": today - timedelta(days=1), "last_date": today + timedelta(days=1), "with_delivered": "on"}
        dialog(office, endpoint, "replay", reason="again", **span)
        assert WebhookDelivery.objects.filter(state="waiting").count() == 2


def test_all_that_is_told_of_webhooks_has_a_sentence() -> None:
    assert told_kinds() >= {*webhooks.MILESTONES}
