"""A member's vouchers: the wallet, and one of them with its code."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember
from members.identifiers import VOUCHER, NotFound, parse_ref
from rewards.api import examples
from rewards.api.filters import VoucherFilter, filtered
from rewards.api.serializers import VoucherSerializer
from rewards.api.voucher_serializers import VoucherDetailSerializer
from rewards.models import Voucher
from rewards.queries import vouchers_of
from rewards.services.voucher_checks import reasons_not_now
from rewards.services.voucher_codes import voucher_code
from rewards.voucher_sentence import voucher_sentence


class VouchersView(ApiView):
    """A member's vouchers."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_vouchers",
        examples=examples.LIST_VOUCHERS,
        summary="My vouchers",
        description="Newest first, without their codes.",
        tags=["Me"],
        parameters=[
            OpenApiParameter("state", str, enum=list(Voucher.State.values), description="Only in this state."),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(VoucherSerializer, "VoucherPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        at = timezone.now()
        rows = filtered(VoucherFilter, vouchers_of(caller_member(request).pk), request, at=at)
        page = page_of(rows, request, by="issued_at")
        return Response(page.body(VoucherSerializer(page.items, many=True, context={"at": at}).data))


class VoucherView(ApiView):
    """One voucher with its code."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_voucher",
        examples=examples.GET_VOUCHER,
        summary="One of my vouchers, with its code",
        description="The code that the till reads, what it gives in words, and whether it can be used now or why not.",
        tags=["Me"],
        responses=VoucherDetailSerializer,
    )
    def get(self, request: Request, voucher_id: str) -> Response:
        at = timezone.now()
        rows = vouchers_of(caller_member(request).pk)
        voucher = rows.filter(public_id=parse_ref(VOUCHER, voucher_id)).first()
        if voucher is None:
            raise NotFound
        is_ready = voucher.state_at(at) == Voucher.State.ISSUED
        reasons = reasons_not_now(voucher=voucher, at=at)
        told = {
            "code": voucher_code(voucher.public_id) if is_ready else None,
            "sentence": voucher_sentence(voucher.template),
            "usable_now": not reasons,
            "reasons": [{"code": code, "detail": words} for code, words in reasons],
            "use": _use_of(voucher),
        }
        for name, value in told.items():
            setattr(voucher, name, value)
        return Response(VoucherDetailSerializer(voucher, context={"at": at}).data)


def _use_of(voucher: Voucher) -> object:
    """Return the event by which it was used, where it is still used."""
    if voucher.state != Voucher.State.USED:
        return None
    return voucher.events.filter(to_state=Voucher.State.USED).select_related("store").order_by("-id").first()
