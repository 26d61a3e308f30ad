"""A member's inbox."""

from typing import Any, ClassVar, Final

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.models import MessageTemplate
from campaigns.services.inbox import inbox_of, mark_read, unread_of, words_of
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, cacheable, caller_member
from members.api.bodies import Body
from members.api.fields import Instant, Ref
from members.api.pagination import CURSOR_PARAMETERS, MOST, page_of, page_serializer
from members.api.permissions import IsMember
from members.api.serializers import exactly_one
from members.identifiers import MESSAGE, NotFound

UNREAD: Final = "Unread-Count"
_MESSAGE: Final = "msg_2f4h6k8n0q2s4v6x8z0b2d4f6h"


class MessageSerializer(serializers.Serializer):
    """A message to a member, in words."""

    id = Ref(MESSAGE, source="message.public_id")
    occasion = serializers.CharField(
        source="message.template.occasion",
        help_text=f"{', '.join(MessageTemplate.Occasion.values)}; more may come.",
    )
    occasion_label = serializers.CharField(source="message.template.get_occasion_display")
    title = serializers.CharField(source="words.title")
    body = serializers.CharField(source="words.body", help_text="Plain text, with line breaks.")
    told_at = Instant(source="message.created_at")
    read_at = Instant(source="message.read_at", allow_null=True)


class ReadSerializer(Body):
    """Which messages were read: these, or all until a moment."""

    ids = serializers.ListField(child=Ref(MESSAGE), required=False, allow_empty=False, max_length=MOST)
    until = Instant(required=False, help_text="All that were told until then.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return exactly_one(attrs, "ids", "until")


class UnreadSerializer(serializers.Serializer):
    """What is left to read."""

    unread = serializers.IntegerField()


_LIST: Final = [
    OpenApiExample(
        "One that is new",
        value={
            "items": [
                {
                    "id": _MESSAGE,
                    "occasion": "points_expiring",
                    "occasion_label": "points are about to expire",
                    "title": "310 points expire on July 31, 2026",
                    "body": "Dear Zhang Feng, 310 points expire in 26 days. Spend them until July 31, 2026.",
                    "told_at": "2026-07-05T02:00:00Z",
                    "read_at": None,
                }
            ],
            "next": None,
            "previous": None,
        },
        response_only=True,
        status_codes=["200"],
    )
]
_READ: Final = [
    OpenApiExample("These", value={"ids": [_MESSAGE]}, request_only=True),
    OpenApiExample("All so far", value={"until": "2026-07-05T06:10:00Z"}, request_only=True),
    OpenApiExample("Read", value={"unread": 0}, response_only=True, status_codes=["200"]),
]


class MessagesView(ApiView):
    """What a member was told."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_messages",
        examples=_LIST,
        summary="My messages",
        description="What I was told, newest first, in the asked language; also what could not reach me elsewhere. `Unread-Count` "
        "says how many are unread. Carries an `ETag`; send it as `If-None-Match`.",
        tags=["Me"],
        parameters=[
            OpenApiParameter(
                UNREAD,
                int,
                OpenApiParameter.HEADER,
                response=[200, 304],
                description="How many messages are unread, on all pages.",
            ),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(MessageSerializer, "MessagePageSerializer"),
    )
    def get(self, request: Request) -> HttpResponseBase:
        member = caller_member(request)
        page = page_of(inbox_of(member.pk), request, by="created_at")
        person = getattr(member, "person", None)
        words = words_of(page.items, full_name=person.full_name if person else "")
        rows = [{"message": message, "words": told} for message, told in zip(page.items, words, strict=True)]
        answer = cacheable(request, page.body(MessageSerializer(rows, many=True).data), seconds=0, is_personal=True)
        answer.headers[UNREAD] = str(unread_of(member.pk))
        return answer


class MessagesReadView(ApiView):
    """Marks messages as read."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (NotFound,)}

    @extend_schema(
        operation_id="mark_my_messages_read",
        examples=_READ,
        summary="Mark messages as read",
        description="These, or all until a moment. What was read before stays as it is, so it may be sent again.",
        tags=["Me"],
        request=ReadSerializer,
        responses=UnreadSerializer,
    )
    def post(self, request: Request) -> Response:
        asked = ReadSerializer.read(request.data)
        unread = mark_read(
            member_id=caller_member(request).pk,
            message_refs=asked.get("ids"),
            until=asked.get("until"),
            at=timezone.now(),
        )
        return Response(UnreadSerializer({"unread": unread}).data)
