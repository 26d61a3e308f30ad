"""A member's own orders: what was bought, what it earned, what came back."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember
from members.identifiers import PURCHASE, NotFound, parse_ref
from rewards.api import examples_me as examples
from rewards.api.filters import OrderFilter, filtered
from rewards.api.order_serializers import MyOrderDetailSerializer, MyOrderSerializer
from rewards.api.settlements import told_settlement
from rewards.explanation import explain
from rewards.models import PointsCurrency, Purchase
from rewards.queries import came_back_of, earnings_of, points_in_trace, purchases_of

_DAY = "in the programme's zone, included"


class MyOrdersView(ApiView):
    """The orders of a member."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_orders",
        examples=examples.ORDERS,
        summary="My orders",
        description="What is known of what I bought, newest first, with the points of each order and what came back of it. Orders "
        "of cards that were merged into mine are among them.",
        tags=["Me"],
        parameters=[
            OpenApiParameter("since", {"type": "string", "format": "date"}, description=f"From this day, {_DAY}."),
            OpenApiParameter("until", {"type": "string", "format": "date"}, description=f"To this day, {_DAY}."),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(MyOrderSerializer, "MyOrderPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        rows = filtered(OrderFilter, purchases_of(caller_member(request).pk), request)
        page = page_of(rows.select_related("store", "channel", "void").defer("fingerprint"), request, by="ordered_at")
        return Response(page.body(MyOrderSerializer(_told(page.items), many=True).data))


class MyOrderView(ApiView):
    """One order of a member."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_order",
        examples=examples.ORDER,
        summary="One of my orders",
        description="With its lines, how it was paid, why the points are what they are, and its returns.",
        tags=["Me"],
        responses=MyOrderDetailSerializer,
    )
    def get(self, request: Request, order_id: str) -> Response:
        rows = purchases_of(caller_member(request).pk).select_related("store", "channel", "void", "settlement")
        purchase = rows.defer("fingerprint").filter(public_id=parse_ref(PURCHASE, order_id)).first()
        if purchase is None:
            raise NotFound
        (told,) = _told([purchase])
        told["settlement"] = told_settlement(getattr(purchase, "settlement", None))
        told["explanation"] = explain(told["trace"])
        told["lines"] = purchase.lines.order_by("line_no")
        told["returns"] = purchase.returns.defer("fingerprint").order_by("returned_at", "id")
        return Response(MyOrderDetailSerializer(told).data)


def _told(purchases: Sequence[Purchase]) -> list[dict[str, Any]]:
    """Return orders as they are told, with points and returns: three queries for all."""
    postings, back = earnings_of(purchases), came_back_of(purchases)
    others = {posted.currency_id for found in postings.values() for posted in found[1:]}
    codes = dict(PointsCurrency.objects.filter(pk__in=others).values_list("pk", "code")) if others else {}
    told = []
    for purchase in purchases:
        found = postings.get(purchase.pk, [])
        earned = found[0] if found else None  # that of the default currency comes first
        void = getattr(purchase, "void", None)
        told.append(
            {
                "purchase": purchase,
                "points_earned": points_in_trace(earned),
                "other_points": [
                    {"currency": codes[posted.currency_id], "points": points_in_trace(posted)} for posted in found[1:]
                ],
                "came_back": back.get(purchase.pk),
                "voided_at": void.voided_at if void else None,
                "trace": earned.trace if earned else None,
            }
        )
    return told
