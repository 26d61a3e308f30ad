"""Points that other systems give and take: at once where the key's bounds allow it, else after staff approved."""

from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import TillAuthentication
from members.api.base import ApiView, CallLimit, caller_key
from members.api.bodies import Body
from members.api.fields import Instant, OrderNumber, Ref, Text
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.identifiers import MEMBER, PROPOSAL, NotFound, parse_ref
from members.models import ApiKey, Member, Proposal
from members.personal_words import WordsNamePerson
from members.queries import MemberNotFound, member_by_identity, member_id_by_public_id, survivor_id
from members.services.idempotency import Answer
from members.services.keys import ADJUSTMENTS_WRITE
from members.services.rates import Limit
from rewards.explanation import in_active_language
from rewards.ledger import InsufficientPoints
from rewards.services.adjustments import NoteMissing, ReasonDoesNotFit, ReasonNotOffered
from rewards.services.by_hand import NOTE_LENGTH
from rewards.services.key_adjustments import AdjustmentConflict, KeyAdjustment, adjust_by_key, adjustment_of_key
from rewards.services.orders import MemberClosed, MemberFrozen

MOST_POINTS: Final = 10_000_000
_A_MINUTE: Final = Limit("adjustments", 60, 60)
PENDING: Final = "pending_approval"
STATES: Final = tuple(PENDING if state == Proposal.State.WAITING else state.value for state in Proposal.State)
_ID: Final = "prp_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_MEMBER: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"


class AdjustmentRequestSerializer(Body):
    """An adjustment of a member's points."""

    external_ref = OrderNumber(help_text="Your number of it, unique for ever in the source of the key.")
    member_ref = Ref(MEMBER, required=False)
    external_id = Text(
        max_length=80, required=False, help_text="Instead of `member_ref`: the id under which you told the member."
    )
    points = serializers.IntegerField(
        min_value=-MOST_POINTS, max_value=MOST_POINTS, help_text="Above 0: given; below 0: taken."
    )
    reason_code = Text(
        max_length=40, help_text="One of the reasons that the shop offers (Settings, reasons for adjustments)."
    )
    note = Text(
        max_length=NOTE_LENGTH,
        required=False,
        allow_blank=True,
        default="",
        help_text="For staff; members do not see it. No names.",
    )

    def validate_points(self, points: int) -> int:
        if points == 0:
            raise serializers.ValidationError(_("Say how many points."), "points_missing")
        return points

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("member_ref" in attrs) == ("external_id" in attrs):
            raise serializers.ValidationError(_("Name the member by one of the two ids."), "one_member")
        return attrs


class AdjustmentSerializer(serializers.Serializer):
    """What became of an adjustment."""

    id = Ref(PROPOSAL, help_text="Of the proposal that staff see.")
    external_ref = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES, help_text="Points move with `carried_out` alone.")
    member_ref = Ref(MEMBER)
    points = serializers.IntegerField()
    reason_code = serializers.CharField()
    reason_label = serializers.CharField()
    approvals_missing = serializers.IntegerField(help_text="So many people have to approve it still.")
    created_at = Instant()
    expires_at = Instant(allow_null=True, help_text="When it ends if nobody decides; null once it is decided.")
    decided_at = Instant(allow_null=True)
    already_processed = serializers.BooleanField(help_text="Whether it was told before.")


_ASKED: Final = OpenApiExample(
    "Points for a complaint",
    value={"external_ref": "CRM-88121", "external_id": "C-1009", "points": 500, "reason_code": "goodwill", "note": "Ticket 88121"},
    request_only=True,
)  # fmt: skip
_DONE: Final[dict[str, Any]] = {
    "id": _ID, "external_ref": "CRM-88121", "state": "carried_out", "member_ref": _MEMBER, "points": 500, "reason_code": "goodwill",
    "reason_label": "Goodwill", "approvals_missing": 0, "created_at": "2026-07-05T06:10:00Z", "expires_at": None,
    "decided_at": "2026-07-05T06:10:00Z", "already_processed": False,
}  # fmt: skip
_WAITS: Final = _DONE | {
    "state": PENDING, "points": 50_000, "approvals_missing": 1, "expires_at": "2026-07-08T06:10:00Z", "decided_at": None,
}  # fmt: skip


class AdjustmentsView(ApiView):
    """Takes adjustments."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ADJUSTMENTS_WRITE),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, MemberNotFound, MemberFrozen, MemberClosed, ReasonNotOffered, ReasonDoesNotFit, NoteMissing, WordsNamePerson,
            InsufficientPoints, AdjustmentConflict,
        )
    }  # fmt: skip
    limits: ClassVar = {"post": (CallLimit("key", _A_MINUTE),)}

    @extend_schema(
        operation_id="adjust_points",
        summary="Give or take points",
        description=(
            "At once (201) while the key is within the points that it may move in a day. What is beyond, all that a key without such "
            "a ceiling asks for, and very large adjustments wait for staff: 202 with `pending_approval`, and the state can be asked "
            "for. A key approves nothing. Told again under the same `external_ref`, also with a new key, it answers with what became of it: 200, or 202 while it waits."
        ),
        tags=["Integration"],
        request=AdjustmentRequestSerializer,
        responses={200: AdjustmentSerializer, 201: AdjustmentSerializer, 202: AdjustmentSerializer},
        examples=[
            _ASKED,
            OpenApiExample("Done", value=_DONE, response_only=True, status_codes=["201"]),
            OpenApiExample("Waits for staff", value=_WAITS, response_only=True, status_codes=["202"]),
            OpenApiExample("Told before", value=_DONE | {"already_processed": True}, response_only=True, status_codes=["200"]),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        at, key = timezone.now(), caller_key(request)
        idempotency_key(request)
        asked = AdjustmentRequestSerializer.read(request.data)

        def adjust() -> Answer:
            done = adjust_by_key(
                key=key, external_ref=asked["external_ref"], member_id=_member_id(key, asked), points=asked["points"],
                reason_code=asked["reason_code"], note=asked["note"], at=at,
            )  # fmt: skip
            status = 202 if done.proposal.state == Proposal.State.WAITING else 200 if done.already_told else 201
            return Answer(status, plain(AdjustmentSerializer(_told(done)).data))

        return respond_once(request, route="POST /integration/adjustments", effect=adjust, at=at)


class AdjustmentView(ApiView):
    """One adjustment of the key's source."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ADJUSTMENTS_WRITE),)
    refusals: ClassVar = {"get": (NotFound,)}

    @extend_schema(
        operation_id="get_adjustment",
        summary="What became of an adjustment",
        description="One that keys of the same source told.",
        tags=["Integration"],
        responses=AdjustmentSerializer,
        examples=[OpenApiExample("Waits for staff", value=_WAITS | {"already_processed": True}, response_only=True)],
    )
    def get(self, request: Request, adjustment: str) -> Response:
        found = adjustment_of_key(parse_ref(PROPOSAL, adjustment), key=caller_key(request))
        return Response(AdjustmentSerializer(_told(KeyAdjustment(found, already_told=True))).data)


def _member_id(key: ApiKey, asked: dict[str, Any]) -> int:
    """Return the member meant. Raises MemberNotFound."""
    if "member_ref" in asked:
        return survivor_id(member_id_by_public_id(asked["member_ref"]))
    found = member_by_identity(key.source, asked["external_id"])
    if found is None:
        raise MemberNotFound
    return found.pk


def _told(done: KeyAdjustment) -> dict[str, Any]:
    proposal = done.proposal
    waits = proposal.state == Proposal.State.WAITING
    given = (proposal.first_checker_id is not None) + (proposal.second_checker_id is not None)
    return {
        "id": proposal.public_id,
        "external_ref": proposal.request_id,
        "state": PENDING if waits else proposal.state,
        "member_ref": Member.objects.values_list("public_id", flat=True).get(pk=survivor_id(proposal.params["member"])),
        "points": proposal.params["points"],
        "reason_code": proposal.params["reason"],
        "reason_label": in_active_language(proposal.params["label"]),
        "approvals_missing": max(proposal.approvals_needed - given, 0) if waits else 0,
        "created_at": proposal.created_at,
        "expires_at": proposal.expires_at if waits else None,
        "decided_at": proposal.decided_at,
        "already_processed": done.already_told,
    }
