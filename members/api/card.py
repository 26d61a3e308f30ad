"""The electronic card of the member who calls."""

from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.auth import session_of
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.fields import Instant
from members.api.permissions import IsMember
from members.electronic_card import electronic_card_of, svg_of
from members.models import MemberPerson
from members.services.member_codes import code_now
from members.services.tokens import MemberIsClosed, MemberIsFrozen
from members.wallet.credentials import what_is_missing

_APPLE: Final = "apple"


class BarcodeSerializer(serializers.Serializer):
    """What the till reads."""

    format = serializers.CharField(help_text="qr; more may come.")
    value = serializers.CharField(
        source="number", help_text="The number of the card in use, otherwise the member number."
    )
    svg = serializers.CharField(help_text="The square code as an SVG document, black on white, of any size.")


class CodeOfCardSerializer(serializers.Serializer):
    """The short-lived code beside the card: it lets the member spend, which a number alone does not."""

    value = serializers.CharField(help_text="Twenty digits.")
    svg = serializers.CharField(help_text="The square code as an SVG document, black on white, of any size.")
    refresh_after = Instant(help_text="From then on there is another one; see `/me/code`.")


class CardSerializer(serializers.Serializer):
    """The electronic card of a member, to themself."""

    member_no = serializers.CharField()
    card_no = serializers.CharField(allow_null=True, help_text="Of the printed card in use; null without one.")
    name = serializers.CharField(help_text="May be empty.")
    barcode = BarcodeSerializer()
    code = CodeOfCardSerializer(allow_null=True, help_text="Null while the membership is frozen.")
    wallet_passes = serializers.ListField(
        child=serializers.CharField(),
        help_text="Wallets for which a pass can be had at `/me/card/wallet-pass`: apple, or none.",
    )


_EXAMPLE: Final = OpenApiExample(
    "Without a printed card",
    value={
        "member_no": "100000016",
        "card_no": None,
        "name": "张三丰",
        "barcode": {
            "format": "qr",
            "value": "100000016",
            "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29">…</svg>',
        },
        "code": {
            "value": "10273591846331492657",
            "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 33 33">…</svg>',
            "refresh_after": "2026-07-05T06:10:30Z",
        },
        "wallet_passes": [_APPLE],
    },
    response_only=True,
)


class CardView(ApiView):
    """The electronic card of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"get": (MemberIsClosed,)}

    @extend_schema(
        operation_id="get_my_card",
        examples=[_EXAMPLE],
        summary="My electronic card",
        description=(
            "Shown at the till instead of a printed card. Ask anew after a card was lost or replaced. The number lets the "
            "member earn; the code beside it, which changes every half minute, lets them spend."
        ),
        tags=["Me"],
        responses=CardSerializer,
    )
    def get(self, request: Request) -> Response:
        member = caller_member(request)
        card = electronic_card_of(member)
        name = MemberPerson.objects.filter(pk=member.pk).values_list("full_name", flat=True).first()
        shown: dict[str, Any] = {
            "member_no": card.member_no,
            "card_no": card.card_no,
            "name": name or "",
            "barcode": {"format": "qr", "number": card.number, "svg": card.svg},
            "code": _code(session_of(request)),
            "wallet_passes": [] if what_is_missing(timezone.now()) else [_APPLE],
        }
        return Response(CardSerializer(shown).data)


def _code(session_id: int) -> dict[str, Any] | None:
    try:
        shown = code_now(session_id=session_id, at=timezone.now())
    except MemberIsFrozen:
        return None
    return {"value": shown.code, "svg": svg_of(shown.code), "refresh_after": shown.refresh_after}
