"""The wallet pass of the member who calls."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.permissions import IsMember
from members.services.tokens import MemberIsClosed
from members.wallet.credentials import WalletPassUnavailable
from members.wallet.files import CONTENT_TYPE
from rewards.wallet_pass import wallet_pass_of


class FileOrProblem(BaseContentNegotiation):
    """Phones ask for the type of the file; what is rendered is only ever a problem."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class WalletPassView(ApiView):
    """The card as a file for the wallet of the phone."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    content_negotiation_class = FileOrProblem
    refusals: ClassVar = {"get": (MemberIsClosed, WalletPassUnavailable)}

    @extend_schema(
        operation_id="get_my_wallet_pass",
        summary="My card for the wallet of the phone",
        description=(
            "A signed pass (`.pkpass`) in three languages, with tier and points as of now and the name masked. A newer one "
            "takes the place of an older one on the phone. `wallet_passes` of `/me/card` says whether there is one."
        ),
        tags=["Me"],
        responses={(200, CONTENT_TYPE): OpenApiResponse(OpenApiTypes.BINARY, description="The file.")},
    )
    def get(self, request: Request) -> HttpResponse:
        member = caller_member(request)
        answer = HttpResponse(wallet_pass_of(member, timezone.now()), content_type=CONTENT_TYPE)
        answer["Content-Disposition"] = f'attachment; filename="card-{member.member_no}.pkpass"'
        return answer
