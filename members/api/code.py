"""The short-lived code of the member who calls: shown at the till, also without a network."""

from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members import member_code
from members.api.auth import session_of
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView
from members.api.fields import Instant
from members.api.permissions import IsMember
from members.services.member_codes import code_now, seed_now
from members.services.tokens import MemberIsClosed, MemberIsFrozen

_SEED_ID: Final = "mcd_3t8v0m6d4q9j1x7k2c5n8r0w4z_20639"
_REFUSALS: Final = (MemberIsFrozen, MemberIsClosed)


class MemberCodeSerializer(serializers.Serializer):
    """The code of this half minute."""

    code = serializers.CharField(help_text="Twenty digits, for a square code or a bar code (Code 128).")
    refresh_after = Instant(help_text="From then on there is another one.")
    seed_id = serializers.CharField(
        help_text="Of the seed it was made with. Another than the phone's: fetch the seed anew."
    )
    server_time = Instant()


class CodeSeedSerializer(serializers.Serializer):
    """What a phone needs to make the code by itself, as RFC 6238 says. Keep it where no other app can read it."""

    seed_id = serializers.CharField()
    seed = serializers.CharField(help_text="Base 32.")
    algorithm = serializers.CharField(help_text="Of the HMAC: sha1.")
    digits = serializers.IntegerField()
    step_seconds = serializers.IntegerField()
    prefix = serializers.CharField(help_text="The twelve digits before those of the moment.")
    check = serializers.CharField(
        help_text="mod97-10: two digits after them, with which the whole number leaves 1 when it is divided by 97 (ISO 7064)."
    )
    server_time = Instant(help_text="Count half minutes by this clock, not by the phone's.")
    refresh_at = Instant(help_text="Fetch the next seed from then on.")
    good_until = Instant(help_text="Codes of this seed are read until then.")


class CodeView(ApiView):
    """The code now."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"get": _REFUSALS}

    @extend_schema(
        operation_id="get_my_code",
        summary="My code at the till",
        description=(
            "Changes every half minute and is read half a minute longer. For spending each is good once. It ends with "
            "the session of the phone that shows it."
        ),
        tags=["Me"],
        examples=[
            OpenApiExample(
                "A code",
                value={
                    "code": "10273591846331492657",
                    "refresh_after": "2026-07-05T06:10:30Z",
                    "seed_id": _SEED_ID,
                    "server_time": "2026-07-05T06:10:12Z",
                },
                response_only=True,
            )
        ],
        responses=MemberCodeSerializer,
    )
    def get(self, request: Request) -> Response:
        at = timezone.now()
        shown = code_now(session_id=session_of(request), at=at)
        answer = {
            "code": shown.code, "refresh_after": shown.refresh_after, "seed_id": shown.seed_id, "server_time": at,
        }  # fmt: skip
        return Response(MemberCodeSerializer(answer).data)


class CodeSeedView(ApiView):
    """The seed of the phone for today."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": _REFUSALS}

    @extend_schema(
        operation_id="get_my_code_seed",
        summary="A seed for the code without a network",
        description=(
            "Of the phone that calls, for today: the same all day, so it may be asked for again. Codes of it are read "
            "until the end of the next day (UTC). Shown to nobody else, and ended by signing out."
        ),
        tags=["Me"],
        request=None,
        examples=[
            OpenApiExample(
                "A seed",
                value={
                    "seed_id": _SEED_ID,
                    "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
                    "algorithm": "sha1",
                    "digits": 6,
                    "step_seconds": 30,
                    "prefix": "102735918463",
                    "check": "mod97-10",
                    "server_time": "2026-07-05T06:10:12Z",
                    "refresh_at": "2026-07-06T00:00:00Z",
                    "good_until": "2026-07-07T00:00:00Z",
                },
                response_only=True,
            )
        ],
        responses=CodeSeedSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        seed = seed_now(session_id=session_of(request), at=at)
        answer: dict[str, Any] = {
            "seed_id": seed.seed_id, "seed": seed.seed, "algorithm": "sha1", "digits": member_code.DIGITS,
            "step_seconds": member_code.STEP_SECONDS, "prefix": seed.prefix, "check": "mod97-10", "server_time": at,
            "refresh_at": seed.refresh_at, "good_until": seed.good_until,
        }  # fmt: skip
        return Response(CodeSeedSerializer(answer).data)
