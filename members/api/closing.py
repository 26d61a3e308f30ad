"""Leaving the programme, and taking it back."""

from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.actors import Actor
from members.api import profile_examples as examples
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.bodies import Body
from members.api.fields import Instant, Text
from members.api.permissions import IsMember
from members.models import Closure
from members.queries import programme
from members.services.closing import (
    ClosingReasonUnknown,
    LeavingAlready,
    NotLeaving,
    ask_to_leave,
    reasons_for,
    stay_after_all,
    what_is_lost,
)


class ClosingReasonSerializer(serializers.Serializer):
    """Why members leave."""

    code = serializers.CharField()
    label = serializers.CharField(source="name")  # type: ignore[assignment]


class GivenUpSerializer(serializers.Serializer):
    """One thing that is lost by leaving, in words."""

    label = serializers.CharField()  # type: ignore[assignment]
    what = serializers.CharField(source="kept")


class ClosureSerializer(serializers.Serializer):
    """Whether the member leaves, and what that means."""

    state = serializers.ChoiceField(choices=["member", "leaving"])
    reason = ClosingReasonSerializer(allow_null=True)
    asked_at = Instant(allow_null=True)
    effective_at = Instant(allow_null=True, help_text="Until then it can be taken back and nothing changes.")
    days = serializers.IntegerField(help_text="Days to think it over.")
    gives_up = GivenUpSerializer(many=True, help_text="What is lost when it takes effect.")
    reasons = ClosingReasonSerializer(many=True, help_text="What can be given as the reason.")


class AskToLeaveSerializer(Body):
    """Why the member leaves."""

    reason = Text(max_length=30, help_text="Code of one of the reasons that are offered.")


class ClosureView(ApiView):
    """The leave of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (LeavingAlready, ClosingReasonUnknown), "delete": (NotLeaving,)}

    @extend_schema(
        operation_id="get_my_closure",
        examples=examples.CLOSURE,
        summary="What leaving means for me",
        description="What would be given up, how many days there are to think it over, and whether it was asked for.",
        tags=["Me"],
        responses=ClosureSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(_closure_of(caller_member(request).pk, timezone.now()))

    @extend_schema(
        operation_id="ask_to_leave",
        examples=examples.ASK_TO_LEAVE,
        summary="Leave the programme",
        description="Takes effect after the days to think it over. Until then it can be taken back.",
        tags=["Me"],
        request=AskToLeaveSerializer,
        responses={201: ClosureSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        asked = AskToLeaveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ask_to_leave(member_id=member.pk, reason=asked.validated_data["reason"], by=caller_of(request).actor, at=at)
        return Response(_closure_of(member.pk, at), status=201)

    @extend_schema(
        operation_id="stay_after_all",
        summary="Stay after all",
        description="Takes the wish to leave back.",
        tags=["Me"],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        stay_after_all(member_id=caller_member(request).pk, by=caller_of(request).actor, at=timezone.now())
        return Response(status=204)


def _closure_of(member_id: int, at: datetime) -> Any:
    asked = Closure.objects.select_related("reason").filter(member_id=member_id).exclude(state=Closure.State.TAKEN_BACK)
    closure = asked.first()
    return ClosureSerializer(
        {
            "state": "leaving" if closure else "member",
            "reason": closure.reason if closure else None,
            "asked_at": closure.asked_at if closure else None,
            "effective_at": closure.effective_at if closure else None,
            "days": programme().closing_days,
            "gives_up": what_is_lost(member_id, at),
            "reasons": reasons_for(Actor("member", member_id)),
        }
    ).data
