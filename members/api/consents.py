"""What a member agrees to, told and changed by the member; and the copy of the member's data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.bodies import Body
from members.api.fields import Instant
from members.api.jobs import JobSerializer, told
from members.api.permissions import IsMember
from members.consents import ALLOWED_UNTIL_NO, channels_of, is_allowed
from members.models import ConsentEntry, ConsentState, ContactChannel, Job, Member, Purpose
from members.services.consents import (
    ConsentChannelUnknown,
    ConsentTextMissing,
    ConsentTextOutdated,
    GuardianNeeded,
    PurposeUnknown,
    give_consent,
    text_in_force,
    withdraw_consent,
)
from members.services.privacy import PersonErased, request_copy

_CHANNELS: Final = [channel.value for channel in ContactChannel]


class ConsentTextSerializer(serializers.Serializer):
    """The words in force."""

    version = serializers.IntegerField()
    body = serializers.CharField(help_text="Show these words when you ask.")


class ConsentChannelSerializer(serializers.Serializer):
    """What holds in one channel; of a purpose without channels there is one, named null."""

    channel = serializers.ChoiceField(choices=_CHANNELS, allow_null=True)
    said = serializers.ChoiceField(choices=["given", "withdrawn", "nothing"], help_text="What the member last said.")
    since = Instant(allow_null=True)
    is_allowed = serializers.BooleanField(
        help_text="What follows from everything that was said, also for other purposes."
    )


class ConsentSerializer(serializers.Serializer):
    """One purpose, and what the member says to it."""

    purpose = serializers.ChoiceField(choices=[purpose.value for purpose in Purpose])
    label = serializers.CharField()  # type: ignore[assignment]
    needs_yes = serializers.BooleanField(help_text="False: allowed until the member says no.")
    text = ConsentTextSerializer(allow_null=True)
    channels = ConsentChannelSerializer(many=True)


class ConsentsSerializer(serializers.Serializer):
    """All purposes."""

    consents = ConsentSerializer(many=True)


class SayConsentSerializer(Body):
    """A yes or a no."""

    given = serializers.BooleanField()
    channels = serializers.ListField(
        child=serializers.ChoiceField(choices=_CHANNELS), required=False, default=list, max_length=len(_CHANNELS),
        help_text="Where the purpose has channels: these only. None: all of them.",
    )  # fmt: skip
    text_version = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=32_767,
        help_text="Of the words that were shown. Needed for a yes.",
    )
    by_guardian = serializers.BooleanField(
        required=False, default=False, help_text="A parent or guardian says it, which members under 14 need."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["given"] and not attrs.get("text_version"):
            # The words that were seen are part of the answer.
            raise serializers.ValidationError(
                {"text_version": self.fields["text_version"].error_messages["required"]}, "required"
            )
        return attrs


_OFFERS: Final[Mapping[str, Any]] = {
    "purpose": "marketing", "label": "offers and news", "needs_yes": True,
    "text": {"version": 1, "body": "I agree to receive offers and news through the channels that I choose."},
    "channels": [
        {"channel": "sms", "said": "given", "since": "2026-07-05T11:30:00Z", "is_allowed": True},
        {"channel": "email", "said": "nothing", "since": None, "is_allowed": False},
    ],
}  # fmt: skip
_STOP: Final[Mapping[str, Any]] = {
    "purpose": "contact", "label": "being contacted at all", "needs_yes": False,
    "text": {"version": 1, "body": "You may contact me. For what, and how, I choose separately."},
    "channels": [{"channel": None, "said": "nothing", "since": None, "is_allowed": True}],
}  # fmt: skip
_CONSENT_EXAMPLES: Final = [
    OpenApiExample("Offers by text message only", value=_OFFERS, response_only=True),
    OpenApiExample(
        "Yes to offers by text message",
        value={"given": True, "channels": ["sms"], "text_version": 1},
        request_only=True,
    ),
    OpenApiExample("No to all offers", value={"given": False}, request_only=True),
]


class ConsentsView(ApiView):
    """Everything that members are asked about."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_consents",
        summary="What I agree to",
        description=(
            "Every purpose with the words in force and what I said to it. `contact` is the stop for everything: a no to it "
            "ends all messages at once and leaves the single answers as they are."
        ),
        tags=["Me"],
        examples=[OpenApiExample("Two of them", value={"consents": [_STOP, _OFFERS]}, response_only=True)],
        responses=ConsentsSerializer,
    )
    def get(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        return Response(ConsentsSerializer({"consents": [consent_of(member, one, at) for one in Purpose]}).data)


class ConsentView(ApiView):
    """One purpose."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {
        "get": (PurposeUnknown,),
        "put": (PurposeUnknown, ConsentChannelUnknown, ConsentTextMissing, ConsentTextOutdated, GuardianNeeded),
    }

    @extend_schema(
        operation_id="get_my_consent",
        summary="What I agree to: one purpose",
        description="The words in force, and what I said to them in each channel.",
        tags=["Me"],
        examples=_CONSENT_EXAMPLES,
        responses=ConsentSerializer,
    )
    def get(self, request: Request, purpose: str) -> Response:
        at, member = timezone.now(), caller_member(request)
        return Response(ConsentSerializer(consent_of(member, purpose, at)).data)

    @extend_schema(
        operation_id="say_my_consent",
        summary="Agree, or take it back",
        description=(
            "Holds at once, for every message that has not left yet. A no needs no more than a yes. Said again, it changes "
            "nothing. A yes names the version of the words that were shown; when others are in force by now, it is refused."
        ),
        tags=["Me"],
        examples=_CONSENT_EXAMPLES,
        request=SayConsentSerializer,
        responses=ConsentSerializer,
    )
    def put(self, request: Request, purpose: str) -> Response:
        at, member = timezone.now(), caller_member(request)
        asked = SayConsentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        by, way = caller_of(request).actor, ConsentEntry.Way.SELF
        if said["given"]:
            give_consent(
                member_id=member.pk, purpose=purpose, channels=said["channels"], version=said["text_version"], way=way,
                by=by, at=at, by_guardian=said["by_guardian"],
            )  # fmt: skip
        else:
            withdraw_consent(member_id=member.pk, purpose=purpose, channels=said["channels"], way=way, by=by, at=at)
        return Response(ConsentSerializer(consent_of(member, purpose, at)).data)


class DataCopyView(ApiView):
    """The copy of everything that is kept of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (PersonErased,)}

    @extend_schema(
        operation_id="copy_my_data",
        summary="A copy of my data",
        description=(
            "Starts the work and answers 202 with the job; see `GET /jobs/{id}`. Its result is an archive with `data.json` "
            "and a table for each part, and can be fetched for 24 hours. While one can be fetched, that one is answered."
        ),
        tags=["Me"],
        examples=[
            OpenApiExample(
                "Asked for",
                value={
                    "id": "job_3t8v0m6d4q9j1x7k2c5n8r0w4z", "title": "Copy of my data", "state": "queued", "total": 1, "done": 0,
                    "ok": 0, "failed": 0, "percent": 0, "seconds_left": None, "created_at": "2026-07-05T11:30:00Z",
                    "finished_at": None, "problem": None, "result": None,
                },
                response_only=True,
                status_codes=["202"],
            )
        ],
        request=None,
        responses={202: JobSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        wish = request_copy(member_id=member.pk, way=ConsentEntry.Way.SELF, by=caller_of(request).actor, at=at)
        return Response(JobSerializer(told(Job.objects.get(pk=wish.job_id or 0), at)).data, status=202)


def consent_of(member: Member, purpose: str, at: datetime) -> dict[str, Any]:
    """Return what a member says to one purpose, for the serializer. Raises `PurposeUnknown`."""
    if purpose not in Purpose.values:
        raise PurposeUnknown(purpose=purpose)
    states = {state.channel: state for state in ConsentState.objects.filter(member=member, purpose=purpose)}
    text = text_in_force(purpose, at)
    return {
        "purpose": str(purpose),
        "label": str(Purpose(purpose).label),
        "needs_yes": purpose not in ALLOWED_UNTIL_NO,
        "text": text,
        "channels": [
            {
                "channel": channel or None,
                "said": _said(states.get(channel)),
                "since": states[channel].since_at if channel in states else None,
                "is_allowed": is_allowed(member.pk, purpose, channel, at=at),
            }
            for channel in channels_of(purpose)
        ],
    }


def _said(state: ConsentState | None) -> str:
    if state is None:
        return "nothing"
    return "given" if state.is_given else "withdrawn"
