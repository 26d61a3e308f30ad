"""What members do besides buying, told by their own app, or by tills and servers of the business."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.actors import Actor
from members.api.authentication import MemberAuthentication, TillAuthentication
from members.api.base import ApiView, caller_key, caller_member, caller_of
from members.api.bodies import Body
from members.api.fields import Instant, OrderNumber, Ref, Text
from members.api.permissions import IsMember, till_may
from members.identifiers import MEMBER
from members.models import ActivityKind
from members.queries import MemberNotFound, member_by_public_id
from members.refusals import Refusal
from members.services.activities import ActivityConflict, ActivityInFuture, ActivityKindUnknown, record_activity
from members.services.behaviours import NewBehaviour, kept_kinds, record_behaviours
from members.services.keys import ACTIVITIES_WRITE
from members.services.tokens import MemberIsClosed, MemberIsFrozen

MOST_EVENTS: Final = 50
_LARGEST = 2**31 - 1
_MEMBER: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"


#: What became of one thing that was told.
RESULTS: Final = ["recorded", "known", "refused"]


class WholeFigure(serializers.IntegerField):
    """A whole number of the behaviour, such as a rating or steps."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=-_LARGEST, max_value=_LARGEST, **kwargs)


class ActivitySerializer(Body):
    """One behaviour of a member. `kind` and `external_ref` name it for ever within the source of the key."""

    member_ref = Ref(MEMBER)
    kind = Text(max_length=30, help_text="Code of a behaviour that the programme records, such as `review`.")
    external_ref = OrderNumber(help_text="The sender's own id of what happened.")
    happened_at = Instant()
    value = WholeFigure(required=False, allow_null=True, help_text="A figure of the behaviour, such as a rating.")


class ActivityReceiptSerializer(serializers.Serializer):
    """What was recorded."""

    member_ref = Ref(MEMBER)
    kind = serializers.CharField()
    external_ref = serializers.CharField()
    already_processed = serializers.BooleanField(help_text="It was known before; nothing was done again.")


class EventSerializer(Body):
    """One behaviour of the member who calls."""

    id = OrderNumber(help_text="Made by the app, once for each event; a repeat is known by it.")
    kind = Text(max_length=30)
    happened_at = Instant()
    value = WholeFigure(required=False, allow_null=True)
    subject = Text(
        required=False,
        allow_blank=True,
        max_length=60,
        help_text="What it was about: the code of an article or page. Only for kinds that are kept for a set time.",
    )


class EventsSerializer(Body):
    """Up to 50 events."""

    events = EventSerializer(many=True, allow_empty=False, max_length=MOST_EVENTS)  # type: ignore[call-arg]


class EventResultSerializer(serializers.Serializer):
    """What became of one event."""

    id = serializers.CharField()
    result = serializers.ChoiceField(choices=RESULTS)
    code = serializers.CharField(allow_null=True, help_text="Why it was refused.")
    detail = serializers.CharField(allow_null=True)


class EventResultsSerializer(serializers.Serializer):
    """What became of the events, in their order."""

    events = EventResultSerializer(many=True)


_HAPPENED: Final = {"kind": "review", "external_ref": "review-88121"}
_ACTIVITY_EXAMPLES = [
    OpenApiExample(
        "A review with four stars",
        value={"member_ref": _MEMBER, **_HAPPENED, "happened_at": "2026-07-05T19:30:00+08:00", "value": 4},
        request_only=True,
    ),
    *(
        OpenApiExample(
            title,
            value={"member_ref": _MEMBER, **_HAPPENED, "already_processed": status == 200},
            response_only=True,
            status_codes=[str(status)],
        )
        for title, status in (("Recorded", 201), ("Known before", 200))
    ),
]
_EVENTS_EXAMPLES = [
    OpenApiExample(
        "A share",
        value={"events": [{"id": "7f3a90", "kind": "share", "happened_at": "2026-07-05T19:30:00+08:00"}]},
        request_only=True,
    ),
    OpenApiExample(
        "One recorded, one refused",
        value={
            "events": [
                {"id": "7f3a90", "result": "recorded", "code": None, "detail": None},
                {
                    "id": "7f3a91",
                    "result": "refused",
                    "code": "activity_kind_unknown",
                    "detail": "“dance” is no behaviour that is recorded here.",
                },
            ]
        },
        response_only=True,
        status_codes=["202"],
    ),
]


class ActivitiesView(ApiView):
    """Records behaviours that tills and servers tell."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ACTIVITIES_WRITE),)
    refusals: ClassVar = {
        "post": (
            MemberNotFound, MemberIsFrozen, MemberIsClosed, ActivityKindUnknown, ActivityConflict, ActivityInFuture,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="record_activity",
        examples=_ACTIVITY_EXAMPLES,
        summary="Record a behaviour",
        description=(
            "A visit, a review, a share: whatever the programme records besides purchases. The same `kind` and "
            "`external_ref` again answers 200 with `already_processed`; with another content 409 `activity_conflict`."
        ),
        tags=["POS"],
        request=ActivitySerializer,
        responses={201: ActivityReceiptSerializer, 200: ActivityReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        asked = ActivitySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        recorded = record_activity(
            member_id=member_by_public_id(told["member_ref"]).pk,
            kind=told["kind"],
            source=key.source,
            external_ref=told["external_ref"],
            happened_at=told["happened_at"],
            value=told.get("value"),
            store_id=key.store_id,
            channel_id=key.channel_id,
            by=caller_of(request).actor,
            at=at,
        )
        receipt = ActivityReceiptSerializer({**told, "already_processed": recorded.repeated})
        return Response(receipt.data, status=200 if recorded.repeated else 201)


class EventsView(ApiView):
    """Records behaviours that the member's own app tells."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="record_my_events",
        examples=_EVENTS_EXAMPLES,
        summary="Tell what I did",
        description=(
            f"Up to {MOST_EVENTS} behaviours of kinds that the programme takes from apps. Each is answered by itself: recorded, "
            "known from before by its id, or refused with the reason. What is done in passing (views, searches, visits) is kept "
            "for a set time, and only with the member's consent to `behaviour`."
        ),
        tags=["Me"],
        request=EventsSerializer,
        responses={202: EventResultsSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        asked = EventsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        events = asked.validated_data["events"]
        actor = caller_of(request).actor
        kept = kept_kinds([event["kind"] for event in events])
        passing = [event for event in events if event["kind"] in kept]
        results = _told_in_passing(member.pk, passing, actor, at) if passing else {}
        lasting = [event for event in events if event["kind"] not in kept]
        results |= _told_for_ever(member.pk, lasting, actor, at)
        return Response(EventResultsSerializer({"events": [results[id(event)] for event in events]}).data, status=202)


def _told_in_passing(member_id: int, events: list[dict[str, Any]], by: Actor, at: datetime) -> dict[int, Any]:
    """Record events of kinds that are kept for a set time, all at once; return their results by event."""
    told = [
        NewBehaviour(event["id"], event["kind"], event["happened_at"], event.get("value"), event.get("subject", ""))
        for event in events
    ]
    found = {}
    for event, outcome in zip(
        events, record_behaviours(member_id=member_id, behaviours=told, by=by, at=at), strict=True
    ):
        refusal = outcome.refusal
        code, detail = (refusal.code, refusal.sentence()) if refusal else (None, None)
        found[id(event)] = _result(event["id"], outcome.result, code, detail)
    return found


def _told_for_ever(member_id: int, events: list[dict[str, Any]], by: Actor, at: datetime) -> dict[int, Any]:
    """Record events that stay and may be worth points, one by one; return their results by event."""
    kinds = {event["kind"] for event in events}
    open_kinds = set(
        ActivityKind.objects.filter(code__in=kinds, is_open_to_members=True).values_list("code", flat=True)
    )
    found = {}
    for event in events:
        try:
            if event["kind"] not in open_kinds:
                raise ActivityKindUnknown(kind=event["kind"])
            recorded = record_activity(
                member_id=member_id,
                kind=event["kind"],
                source=f"member:{member_id}",  # ids of one member's app can not meet those of another's
                external_ref=event["id"],
                happened_at=event["happened_at"],
                value=event.get("value"),
                by=by,
                at=at,
            )
        except Refusal as refusal:
            found[id(event)] = _result(event["id"], "refused", refusal.code, refusal.sentence())
        else:
            found[id(event)] = _result(event["id"], "known" if recorded.repeated else "recorded")
    return found


def _result(event_id: str, result: str, code: str | None = None, detail: str | None = None) -> dict[str, Any]:
    return {"id": event_id, "result": result, "code": code, "detail": detail}
