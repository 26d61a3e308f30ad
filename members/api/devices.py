"""Tills: activated with a one-time code; people join at them."""

from typing import ClassVar, Final

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, CallLimit, caller_key, caller_of
from members.api.bodies import Body
from members.api.fields import Ref, Text
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import Public, till_may
from members.identifiers import MEMBER
from members.models import ContactChannel, Purpose
from members.names import mask_name
from members.phones import InvalidPhone
from members.services.consents import (
    ConsentChannelUnknown,
    ConsentTextMissing,
    ConsentTextOutdated,
    GuardianNeeded,
)
from members.services.devices import ActivationCodeUnknown, activate_till
from members.services.enrolment import InvalidBirthday, PhoneInUse
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer
from members.services.joining import JoiningNeedsConsent, SaidYes, join_in_store
from members.services.keys import MEMBERS_ENROL, SCOPES
from members.services.rates import Limit

CHANNELS: Final = [channel.value for channel in ContactChannel]
PURPOSES: Final = [purpose.value for purpose in Purpose]
_LANGUAGES: Final = [code for code, _name in settings.LANGUAGES]


class ActivationSerializer(Body):
    """The code from the store's page, and what the till says it is."""

    code = Text(
        max_length=40, help_text="As shown, or as read from the square code; dashes and small letters do no harm."
    )
    device = Text(max_length=120, required=False, default="", allow_blank=True, help_text="Make, model and software.")


class StoreOfKeySerializer(serializers.Serializer):
    """A store."""

    code = serializers.CharField()
    label = serializers.CharField(source="name")  # type: ignore[assignment]


class ActivatedTillSerializer(serializers.Serializer):
    """The till, with its key, which is in this answer and nowhere else."""

    key = serializers.CharField(help_text="For `Authorization: Bearer …`. Keep it; it is not shown again.")
    name = serializers.CharField()
    store = StoreOfKeySerializer()
    order_source = serializers.CharField(help_text="Order numbers are unique within it.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(SCOPES)))


class ActivateView(ApiView):
    """Makes a till one of ours."""

    authentication_classes = ()
    permission_classes = (Public,)
    refusals: ClassVar = {"post": (ActivationCodeUnknown, TooManyTries)}
    limits: ClassVar = {"post": (CallLimit("address", Limit("activate_till", 60, 3_600)),)}

    @extend_schema(
        operation_id="activate_till",
        summary="Activate a till",
        description=(
            "Trades the one-time code that staff made on the store's page for a key. The code is good once and for 15 "
            "minutes. A lost answer needs a new code; the key that got lost is revoked on the store's page."
        ),
        tags=["POS"],
        examples=[
            OpenApiExample(
                "A till", value={"code": "7K3M-9P2X-4WQT", "device": "Sunmi T2, POS 5.1"}, request_only=True
            ),
            OpenApiExample(
                "Activated",
                value={
                    "key": "pk_live_x8sT0q5vK1rY7mB3nC9dF2gH4jL6pW0zA5eU7iO1",
                    "name": "Till 2",
                    "store": {"code": "S01", "label": "Sanlitun"},
                    "order_source": "till",
                    "scopes": ["members.resolve", "orders.read", "orders.write", "vouchers.redeem"],
                },
                response_only=True,
                status_codes=["201"],
            ),
        ],
        request=ActivationSerializer,
        responses={201: ActivatedTillSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = ActivationSerializer.read(request.data)
        issued = activate_till(
            code=asked["code"], device=asked["device"], address=place_of(request._request), at=timezone.now()
        )
        answer = {
            "key": issued.secret, "name": issued.key.name, "store": issued.key.store, "order_source": issued.key.source,
            "scopes": issued.key.scopes,
        }  # fmt: skip
        return Response(ActivatedTillSerializer(answer).data, status=201)


class SaidYesSerializer(Body):
    """A yes to words that were shown."""

    purpose = serializers.ChoiceField(choices=PURPOSES)
    text_version = serializers.IntegerField(min_value=1, max_value=32_767, help_text="Of the words that were shown.")
    channels = serializers.ListField(
        child=serializers.ChoiceField(choices=CHANNELS), required=False, default=list, max_length=len(CHANNELS),
        help_text="Where the purpose has channels: these only. None: all of them.",
    )  # fmt: skip
    by_guardian = serializers.BooleanField(required=False, default=False)


class JoinSerializer(Body):
    """Who joins, and what they agree to."""

    phone = Text(max_length=40, help_text="In any usual form; without country code it is a local one.")
    name = Text(max_length=80, required=False, default="", allow_blank=True)
    birthday = serializers.DateField(required=False, allow_null=True, default=None)
    language = serializers.ChoiceField(choices=_LANGUAGES, required=False, default=_LANGUAGES[0])
    consents = SaidYesSerializer(  # type: ignore[call-arg]
        many=True, max_length=len(PURPOSES), help_text="At least `service`: the words about one's own membership."
    )


class JoinedMemberSerializer(serializers.Serializer):
    """The new member, as the till may know them."""

    member_ref = Ref(MEMBER, source="public_id", help_text="For the order.")
    member_no = serializers.CharField()
    name = serializers.CharField(help_text="Masked; may be empty.")


class JoinView(ApiView):
    """Lets somebody join at the till."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(MEMBERS_ENROL),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, PhoneInUse, InvalidPhone, InvalidBirthday, JoiningNeedsConsent, ConsentTextMissing,
            ConsentTextOutdated, ConsentChannelUnknown, GuardianNeeded,
        )
    }  # fmt: skip
    #: Also how often a till may ask whether a phone number is known.
    limits: ClassVar = {"post": (CallLimit("key", Limit("join", 120, 3_600)),)}

    @extend_schema(
        operation_id="join_at_till",
        summary="Join at the till",
        description=(
            "Enrols somebody who stands at the till, in the store of the key, with what they agree to. A phone number that "
            "is known already is answered with 409, and with nothing about whose it is."
        ),
        tags=["POS"],
        examples=[
            OpenApiExample(
                "With a yes to notices and offers",
                value={
                    "phone": "138 0013 8000", "name": "张三丰", "birthday": "1990-05-17", "language": "zh-hans",
                    "consents": [
                        {"purpose": "service", "text_version": 1},
                        {"purpose": "marketing", "text_version": 1, "channels": ["sms"]},
                    ],
                },
                request_only=True,
            ),
            OpenApiExample(
                "Joined",
                value={"member_ref": "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z", "member_no": "100000016", "name": "张*丰"},
                response_only=True,
                status_codes=["201"],
            ),
        ],
        request=JoinSerializer,
        responses={201: JoinedMemberSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        at, key = timezone.now(), caller_key(request)
        idempotency_key(request)
        asked = JoinSerializer.read(request.data)

        def join() -> Answer:
            member = join_in_store(
                store_id=key.store_id,
                channel_id=key.channel_id,
                phone=asked["phone"],
                full_name=asked["name"],
                birthday=asked["birthday"],
                language=asked["language"],
                said=[
                    SaidYes(one["purpose"], one["text_version"], one["channels"], one["by_guardian"])
                    for one in asked["consents"]
                ],
                by=caller_of(request).actor,
                at=at,
            )
            answer = {
                "public_id": member.public_id, "member_no": member.member_no, "name": mask_name(asked["name"]),
            }  # fmt: skip
            return Answer(201, plain(JoinedMemberSerializer(answer).data))

        return respond_once(request, route="POST /pos/members", effect=join, at=at)
