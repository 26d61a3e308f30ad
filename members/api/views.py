"""The programme to everybody, and the sign-in of the demo."""

from typing import ClassVar

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.base import ApiView, cacheable
from members.api.permissions import Public
from members.api.serializers import DevLoginSerializer, ProgramSerializer, TokenSerializer
from members.queries import MemberNotFound, member_by_number, member_by_phone, programme
from members.services.tokens import MemberIsClosed, MemberIsFrozen, issue_member_token

_CACHE_SECONDS = 300


class ProgramView(ApiView):
    """The programme: names, money, zone, languages."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="get_program",
        summary="The programme",
        description="Names, unit of points, currency, time zone and languages. Carries an `ETag`; send it as `If-None-Match`.",
        tags=["Program"],
        responses=ProgramSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        current = programme()
        data = ProgramSerializer(
            {
                "name": current.name,
                "points_name": current.points_name,
                "currency": current.currency,
                "zone": current.zone,
                "languages": [code for code, _name in settings.LANGUAGES],
            }
        ).data
        return cacheable(request, data, seconds=_CACHE_SECONDS)


class DevLoginView(ApiView):
    """Signs a member in by phone or number alone. Its route exists in demo mode only."""

    authentication_classes = ()
    permission_classes = (Public,)
    refusals: ClassVar = {"post": (MemberIsFrozen, MemberIsClosed)}

    @extend_schema(exclude=True)  # the published schema is that of production
    def post(self, request: Request) -> Response:
        asked = DevLoginSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        phone = asked.validated_data.get("phone")
        member = member_by_phone(phone) if phone else member_by_number(asked.validated_data["member_no"])
        if member is None:
            raise MemberNotFound
        token = issue_member_token(member_id=member.pk, device="development login", at=timezone.now())
        return Response(TokenSerializer(token).data, status=201)
