"""The devices on which a member is signed in."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import auth_examples as examples
from members.api.auth import session_of
from members.api.auth_serializers import MySessionsSerializer
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.permissions import IsMember
from members.identifiers import SESSION, NotFound, parse_ref
from members.services.member_sessions import end_own_session, sessions_of


class SessionsView(ApiView):
    """The sessions of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_sessions",
        examples=examples.SESSIONS,
        summary="Where I am signed in",
        description="All devices, the one used last first; at most ten, since an eleventh ends the oldest.",
        tags=["Me"],
        responses=MySessionsSerializer,
    )
    def get(self, request: Request) -> Response:
        current = session_of(request)
        found = sessions_of(caller_member(request).pk, timezone.now())
        for session in found:
            session.is_current = session.pk == current  # type: ignore[attr-defined]
        return Response(MySessionsSerializer({"sessions": found}).data)


class SessionView(ApiView):
    """One session of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"delete": (NotFound,)}

    @extend_schema(
        operation_id="end_my_session",
        summary="Sign out on a device",
        description="Ends one session at once, with all of its tokens.",
        tags=["Me"],
        responses={204: None},
    )
    def delete(self, request: Request, session: str) -> Response:
        end_own_session(
            member_id=caller_member(request).pk,
            public_id=parse_ref(SESSION, session),
            current_id=session_of(request),
            by=caller_of(request).actor,
            at=timezone.now(),
        )
        return Response(status=204)
