"""Webhooks of a system: its addresses, their secrets, what was sent there, and sending it again."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import webhook_examples as examples
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, CallLimit, caller_key, caller_of
from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import till_may
from members.api.preconditions import IF_MATCH, PreconditionRequired, version_asked, with_etag
from members.identifiers import EVENT, WEBHOOK, NotFound, parse_ref
from members.models import WebhookDelivery, WebhookEndpoint
from members.services.keys import WEBHOOKS_MANAGE
from members.services.rates import Limit
from members.services.webhook_replays import NothingToReplay, TooManyReplayed, replay_deliveries
from members.services.webhook_sending import send_test
from members.services.webhooks import (
    LONGEST_OVERLAP,
    MOST_OF_ONE,
    OVERLAP,
    EventTypeUnknown,
    OverlapOutOfRange,
    TooManyWebhooks,
    WebhookChanged,
    WebhookNotInState,
    change_webhook,
    create_webhook,
    owned_by,
    pause_webhook,
    remove_webhook,
    resume_webhook,
    rotate_secret,
    webhook_of,
)
from members.webhook_urls import LONGEST, WebhookHostRefused, WebhookHostUnknown, WebhookUrlInvalid

_HOUR: Final = timedelta(hours=1)
_MOST_EVENTS: Final = 100
ADDRESS_REFUSALS: Final = (EventTypeUnknown, WebhookUrlInvalid, WebhookHostRefused, WebhookHostUnknown)
#: What the owner of an address may set; the other states come about by themselves.
WISHED_STATES: Final = [("active", "active"), ("paused", "paused")]
SHOWN_STATES: Final = [*WISHED_STATES, ("disabled", "disabled")]
FAULTS: Final = [(value, value) for value in WebhookDelivery.Fault.values if value]


class WebhookWriteSerializer(Body):
    """An address and what is sent there."""

    url = Text(max_length=LONGEST, help_text="Begins with `https://`; leads to the public Internet.")
    types = serializers.ListField(
        child=Text(max_length=40),
        min_length=1,
        max_length=100,
        help_text="Types of events; see `webhooks` of this description.",
    )
    description = Text(max_length=120, required=False, allow_blank=True, help_text="For people.")


class WebhookPatchSerializer(WebhookWriteSerializer):
    """What is to be changed of an address."""

    url = Text(max_length=LONGEST, required=False)
    types = serializers.ListField(child=Text(max_length=40), min_length=1, max_length=100, required=False)
    state = serializers.ChoiceField(
        choices=WISHED_STATES, required=False, help_text="`paused`: events wait. `active`: they are sent again."
    )


class WebhookSerializer(serializers.Serializer):
    """An address that events are sent to."""

    id = Ref(WEBHOOK, source="public_id")
    url = serializers.CharField()
    description = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(
        choices=SHOWN_STATES,
        help_text="`disabled`: it was switched off for what it answered; set it to `active` again.",
    )
    state_reason = serializers.SerializerMethodField(help_text="Why it is not active; null while it is.")
    created_at = Instant()
    delivered_at = Instant(allow_null=True, help_text="When something was delivered last.")
    failing_since = Instant(allow_null=True, help_text="Since when nothing was delivered that was tried.")
    earlier_secret_until = Instant(
        source="earlier_until", allow_null=True, help_text="Until when the earlier secret signs beside the new one."
    )

    def get_state_reason(self, endpoint: WebhookEndpoint) -> str | None:
        return endpoint.why or None


class WebhooksSerializer(serializers.Serializer):
    """All addresses of the caller."""

    items = WebhookSerializer(many=True)


class MadeWebhookSerializer(WebhookSerializer):
    """An address with its secret."""

    secret = serializers.CharField(help_text="Shown this once: what the signatures are checked with.")


class RotateSecretSerializer(Body):
    """How long the earlier secret goes on signing."""

    overlap_hours = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_OVERLAP // _HOUR,
        help_text=f"{OVERLAP // _HOUR} unless said otherwise.",
    )


class WebhookSecretSerializer(serializers.Serializer):
    """A new secret."""

    secret = serializers.CharField(help_text="Shown this once.")
    earlier_secret_until = Instant(allow_null=True)


class WebhookTestSerializer(serializers.Serializer):
    """What an address answered to a test."""

    delivered = serializers.BooleanField(help_text="Whether it answered with a status of 200 to 299.")
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null when there was no answer.")
    fault = serializers.ChoiceField(choices=FAULTS, allow_null=True, help_text="What went wrong.")
    took_ms = serializers.IntegerField(help_text="Milliseconds.")
    answer = serializers.CharField(help_text="The beginning of what it answered.")


class WebhookDeliverySerializer(serializers.Serializer):
    """An event on its way to an address, and how the last try went."""

    event_id = Ref(EVENT, source="event")
    type = serializers.CharField()
    state = serializers.ChoiceField(choices=WebhookDelivery.State.values)
    attempts = serializers.IntegerField(help_text="Tries so far.")
    created_at = Instant()
    tried_at = Instant(allow_null=True)
    next_at = serializers.SerializerMethodField(help_text="When it is tried next; null when it is not.")
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status of the last try.")
    fault = serializers.SerializerMethodField(help_text="What went wrong with it.")
    took_ms = serializers.IntegerField(allow_null=True)
    answer = serializers.CharField(help_text="The beginning of what was answered.")

    def get_next_at(self, delivery: WebhookDelivery) -> str | None:
        is_over = delivery.state in (WebhookDelivery.State.DELIVERED, WebhookDelivery.State.GIVEN_UP)
        return None if is_over else Instant().to_representation(delivery.next_at)

    def get_fault(self, delivery: WebhookDelivery) -> str | None:
        return delivery.fault or None


WebhookDeliveriesSerializer = page_serializer(WebhookDeliverySerializer, "WebhookDeliveries")


class ReplaySerializer(Body):
    """Which deliveries are sent again: those of some events, or those of a span of time."""

    event_ids = serializers.ListField(child=Ref(EVENT), required=False, min_length=1, max_length=_MOST_EVENTS)
    since = Instant(required=False, help_text="From this moment, with `until`.")
    until = Instant(required=False, help_text="Before this moment.")
    include_delivered = serializers.BooleanField(
        required=False, default=False, help_text="Those of the span that were delivered, too."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        by_time = {"since", "until"} & attrs.keys()
        if ("event_ids" in attrs) == bool(by_time) or len(by_time) == 1:
            raise serializers.ValidationError(_("Give event_ids, or since and until."), "invalid")
        return attrs


class ReplayedSerializer(serializers.Serializer):
    """How much is sent again."""

    deliveries = serializers.IntegerField()


class _Owned(ApiView):
    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(WEBHOOKS_MANAGE),)

    def endpoint(self, request: Request, webhook: str) -> WebhookEndpoint:
        """Return the address that is meant, when it is the caller's own. Raises `NotFound`."""
        return webhook_of(caller_key(request), parse_ref(WEBHOOK, webhook))


class WebhooksView(_Owned):
    """The caller's addresses, and new ones."""

    refusals: ClassVar = {"post": (*ADDRESS_REFUSALS, TooManyWebhooks)}

    @extend_schema(
        operation_id="list_webhooks",
        summary="My webhooks",
        description=f"The addresses of the caller's key and of those whose place it took: {MOST_OF_ONE} at most.",
        tags=["Integration"],
        responses=WebhooksSerializer,
        examples=examples.LIST,
    )
    def get(self, request: Request) -> Response:
        return Response(WebhooksSerializer({"items": owned_by(caller_key(request))}).data)

    @extend_schema(
        operation_id="create_webhook",
        summary="Have events sent to an address",
        description=(
            "Events of these types are sent from now on, as Standard Webhooks: signed with the `secret` of this answer, "
            "which is shown only once. An address has to lead to the public Internet; redirects are not followed. What "
            "is not answered with 2xx within five seconds is tried again for three days; 410 switches the address off."
        ),
        tags=["Integration"],
        request=WebhookWriteSerializer,
        responses={201: MadeWebhookSerializer},
        examples=examples.CREATE,
    )
    def post(self, request: Request) -> Response:
        asked = WebhookWriteSerializer.read(request.data)
        made = create_webhook(**asked, key=caller_key(request), by=caller_of(request).actor, at=timezone.now())
        return Response({**WebhookSerializer(made.endpoint).data, "secret": made.secret}, status=201)


class WebhookView(_Owned):
    """One address."""

    refusals: ClassVar = {
        "get": (NotFound,),
        "patch": (PreconditionRequired, WebhookChanged, WebhookNotInState, *ADDRESS_REFUSALS),
        "delete": (NotFound,),
    }

    @extend_schema(
        operation_id="get_webhook",
        summary="One of my webhooks",
        description="With the `ETag` that changing it needs.",
        tags=["Integration"],
        responses=WebhookSerializer,
        examples=examples.GET,
    )
    def get(self, request: Request, webhook: str) -> Response:
        return _tagged(self.endpoint(request, webhook))

    @extend_schema(
        operation_id="change_webhook",
        summary="Change a webhook, pause it, resume it",
        description="Whatever is not named stays. While it is paused its events wait; they follow when it is active again.",
        tags=["Integration"],
        parameters=[IF_MATCH],
        request=WebhookPatchSerializer,
        responses=WebhookSerializer,
        examples=examples.CHANGE,
    )
    def patch(self, request: Request, webhook: str) -> Response:
        endpoint = self.endpoint(request, webhook)
        version = version_asked(request, is_required=True)
        asked = WebhookPatchSerializer.read(request.data)
        state = asked.pop("state", None)
        by, at = caller_of(request).actor, timezone.now()
        if asked:
            endpoint = change_webhook(endpoint_id=endpoint.pk, **asked, expected_version=version, by=by, at=at)
            version = None if version is None else endpoint.version
        if state is not None and state != endpoint.state:
            set_state = pause_webhook if state == "paused" else resume_webhook
            endpoint = set_state(endpoint_id=endpoint.pk, expected_version=version, by=by, at=at)
        elif version is not None and version != endpoint.version:
            raise WebhookChanged
        return _tagged(endpoint)

    @extend_schema(
        operation_id="delete_webhook",
        summary="Remove a webhook",
        description="Nothing is sent there any more, what waits neither.",
        tags=["Integration"],
        responses={204: None},
    )
    def delete(self, request: Request, webhook: str) -> Response:
        endpoint = self.endpoint(request, webhook)
        remove_webhook(endpoint_id=endpoint.pk, by=caller_of(request).actor, at=timezone.now())
        return Response(status=204)


class WebhookTestView(_Owned):
    """Tries an address. Each test is a call to another system that somebody waits for, so there are few in a minute."""

    limits: ClassVar = {"post": (CallLimit("key", Limit("webhook_test", 10, 60)),)}
    refusals: ClassVar = {"post": (NotFound,)}

    @extend_schema(
        operation_id="test_webhook",
        summary="Send a test to a webhook",
        description="An event of the type `webhook.test` without data is sent at once, and what was answered is returned.",
        tags=["Integration"],
        request=None,
        responses=WebhookTestSerializer,
        examples=examples.TEST,
    )
    def post(self, request: Request, webhook: str) -> Response:
        endpoint = self.endpoint(request, webhook)
        outcome = send_test(endpoint=endpoint, by=caller_of(request).actor, clock=timezone.now)
        answer = {
            "delivered": outcome.is_delivered,
            "status": outcome.status,
            "fault": str(outcome.fault) or None,
            "took_ms": outcome.took_ms,
            "answer": outcome.answer,
        }
        return Response(WebhookTestSerializer(answer).data)


class WebhookSecretView(_Owned):
    """Gives an address another secret."""

    refusals: ClassVar = {"post": (OverlapOutOfRange,)}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Change the secret of a webhook",
        description="For some hours each event has two signatures, with the new secret and with the earlier one.",
        tags=["Integration"],
        request=RotateSecretSerializer,
        responses=WebhookSecretSerializer,
        examples=examples.ROTATE,
    )
    def post(self, request: Request, webhook: str) -> Response:
        endpoint = self.endpoint(request, webhook)
        asked = RotateSecretSerializer.read(request.data)
        hours = asked.get("overlap_hours", OVERLAP // _HOUR)
        made = rotate_secret(
            endpoint_id=endpoint.pk, overlap=hours * _HOUR, by=caller_of(request).actor, at=timezone.now()
        )
        answer = {"secret": made.secret, "earlier_secret_until": made.endpoint.earlier_until}
        return Response(WebhookSecretSerializer(answer).data)


class WebhookDeliveriesView(_Owned):
    """What was sent to an address."""

    refusals: ClassVar = {"get": (NotFound,)}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        summary="What was sent to a webhook",
        description="The newest first. Deliveries are kept for thirty days; the events themselves stay in the log.",
        tags=["Integration"],
        parameters=[*CURSOR_PARAMETERS],
        responses=WebhookDeliveriesSerializer,
        examples=examples.DELIVERIES,
    )
    def get(self, request: Request, webhook: str) -> Response:
        rows = WebhookDelivery.objects.filter(endpoint=self.endpoint(request, webhook))
        page = page_of(rows, request, by="created_at")
        return Response(page.body(WebhookDeliverySerializer(page.items, many=True).data))


class WebhookReplayView(_Owned):
    """Sends again."""

    refusals: ClassVar = {"post": (WebhookNotInState, NothingToReplay, TooManyReplayed)}

    @extend_schema(
        operation_id="replay_webhook",
        summary="Send deliveries again",
        description=(
            "Under their old ids, so that a receiver that has an event already passes over it. What was never meant for "
            "this address, or was while it was switched off, is read from `/integration/events`."
        ),
        tags=["Integration"],
        request=ReplaySerializer,
        responses={202: ReplayedSerializer},
        examples=examples.REPLAY,
    )
    def post(self, request: Request, webhook: str) -> Response:
        endpoint = self.endpoint(request, webhook)
        asked = ReplaySerializer.read(request.data)
        span = (asked["since"], asked["until"]) if "since" in asked else None
        count = replay_deliveries(
            endpoint_id=endpoint.pk, events=asked.get("event_ids", ()), span=span,
            with_delivered=asked["include_delivered"], by=caller_of(request).actor, at=timezone.now(),
        )  # fmt: skip
        return Response(ReplayedSerializer({"deliveries": count}).data, status=202)


def _tagged(endpoint: WebhookEndpoint) -> Response:
    return with_etag(WebhookSerializer(endpoint).data, endpoint.version)
