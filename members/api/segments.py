"""Segments for other systems: what there is, and who is in it, for a customer data platform or for advertising."""

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members import consents
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_of
from members.api.fields import Instant, Ref
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import TillScope, till_may
from members.api.queries import BadQuery
from members.identifiers import MEMBER, SEGMENT, NotFound, parse_ref, public_ref
from members.models import MemberPerson, Purpose, SegmentSpan
from members.segment_queries import segment_by_ref, segments_in_use, stays
from members.services.keys import MEMBERS_READ, SEGMENTS_READ
from members.services.segments import tell_handed_out

_HASHED: Final = "phone_sha256"
_REF: Final = "ref"
_SEGMENT: Final = "seg_3t8v0m6d4q9j1x7k2c5n8r0w4z"


class SegmentSerializer(serializers.Serializer):
    """A segment in use."""

    id = Ref(SEGMENT, source="public_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["live", "static"], help_text="`live` ones are kept up to date.")
    members_count = serializers.IntegerField(help_text="Members in it now.")
    updated_at = Instant(source="compared_at", allow_null=True, help_text="When everybody was last compared with it.")


class SegmentsSerializer(serializers.Serializer):
    """All segments in use."""

    items = SegmentSerializer(many=True)


class SegmentMemberSerializer(serializers.Serializer):
    """One member of a segment: one of the two ids, as asked for."""

    phone_sha256 = serializers.CharField(
        required=False, help_text="SHA-256 of the phone number in E.164, in small hexadecimal letters."
    )
    member_ref = serializers.CharField(required=False, help_text="`mem_…`")
    since = Instant(help_text="Since when the member is in it.")


SegmentMembersSerializer = page_serializer(SegmentMemberSerializer, "SegmentMembers")


class SegmentsView(ApiView):
    """Lists the segments that can be used."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(SEGMENTS_READ),)

    @extend_schema(
        operation_id="list_segments",
        summary="The segments in use",
        description="Every segment that is filled, by name. There are at most some hundreds.",
        tags=["Integration"],
        responses={200: SegmentsSerializer},
        examples=[
            OpenApiExample(
                "One segment",
                value={
                    "items": [
                        {
                            "id": _SEGMENT,
                            "name": "Dormant for 90 days",
                            "kind": "live",
                            "members_count": 8120,
                            "updated_at": "2026-07-05T01:00:00Z",
                        }
                    ]
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        return Response(SegmentsSerializer({"items": segments_in_use()[:1_000]}).data)


class SegmentMembersView(ApiView):
    """Hands out who is in a segment. Every call is written down."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(SEGMENTS_READ),)
    refusals: ClassVar = {"get": (NotFound,)}

    @extend_schema(
        operation_id="list_segment_members",
        summary="Who is in a segment",
        description=(
            "Members of a segment in use, in the order in which they came in. By default each is named by the hash of their "
            "phone number, and only those are named who have a number, have agreed to being passed on to partners and have "
            "not switched off offers chosen for them; so a page may hold fewer items than asked for, or none. `ids=ref` names everybody by `mem_…`, for systems of "
            "the business itself; it needs the scope `members.read` too. Every call is written down as an export."
        ),
        tags=["Integration"],
        parameters=[
            OpenApiParameter("ids", str, enum=[_HASHED, _REF], default=_HASHED),
            *CURSOR_PARAMETERS,
        ],
        responses={200: SegmentMembersSerializer},
        examples=[
            OpenApiExample(
                "A page of hashes",
                value={
                    "items": [
                        {
                            "phone_sha256": "b64e2f0ad1aa2f5e5d17c6e1a1d6a7a0f3d5a7f6c7a3c3f0b0a9d3f0a5f1c2d4",
                            "since": "2026-07-01T03:00:00Z",
                        }
                    ],
                    "next": None,
                    "previous": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, segment: str) -> Response:
        at = timezone.now()
        ids = request.query_params.get("ids", _HASHED)
        if ids not in (_HASHED, _REF):
            raise BadQuery("ids", _("Ask for phone_sha256 or for ref."))
        if ids == _REF and not MayReadMembers().has_permission(request, self):
            self.permission_denied(request, message=str(MayReadMembers.message))
        found = segment_by_ref(parse_ref(SEGMENT, segment))
        page = page_of(stays(found).select_related("member"), request, by="id", newest_first=False)
        with transaction.atomic():
            items = _refs(page.items) if ids == _REF else _hashes(page.items, at)
            tell_handed_out(
                segment_id=found.pk, ids=ids, members=len(items), by=caller_of(request).actor, at=at
            )  # before anything leaves
        return Response(page.body(SegmentMemberSerializer(items, many=True).data))


class MayReadMembers(TillScope):
    """A key that may read members."""

    scope = MEMBERS_READ


def _refs(spans: Sequence[SegmentSpan]) -> list[dict[str, Any]]:
    return [{"member_ref": public_ref(MEMBER, span.member.public_id), "since": span.entered_at} for span in spans]


def _hashes(spans: Sequence[SegmentSpan], at: Any) -> list[dict[str, Any]]:
    """Return the hashes of those who agreed to being passed on, let offers be chosen for them, and have a number."""
    agreed = consents.allowed([span.member_id for span in spans], Purpose.SHARING, "", at)
    agreed = consents.allowed(agreed, Purpose.PERSONALISATION, "", at)
    phones = dict(MemberPerson.objects.filter(pk__in=agreed, phone__isnull=False).values_list("member_id", "phone"))
    return [
        {"phone_sha256": hashlib.sha256(str(phones[span.member_id]).encode()).hexdigest(), "since": span.entered_at}
        for span in spans
        if span.member_id in phones
    ]
