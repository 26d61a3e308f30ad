"""Tills: record orders and returns, use vouchers. A key acts for its own store, channel and source only."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.queries import tiers
from loyalty.refusals import FactFromFuture
from members.actors import Actor
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.bodies import written
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.identifiers import NotFound
from members.models import ApiKey
from members.queries import MemberNotFound, member_id_by_public_id
from members.services.idempotency import Answer
from members.services.key_bounds import KeyCeilingReached, act_for_store, count_against_ceiling, store_ids_of
from members.services.keys import ORDERS_READ, ORDERS_WRITE
from rewards.api import examples
from rewards.api.pos_serializers import (
    OrderReceiptSerializer,
    OrderSerializer,
    RecordedOrderSerializer,
)
from rewards.api.settlements import told_settlement
from rewards.explanation import explain
from rewards.models import Purchase
from rewards.refusals import RewardsRefusal
from rewards.services.payers import payer_hash
from rewards.services.purchases import (
    MemberClosed,
    MemberFrozen,
    Order,
    OrderConflict,
    OrderInFuture,
    OrderLine,
    PurchaseReceipt,
    receipt_of,
    record_purchase_within,
)
from rewards.services.till_holds import HoldCaptured, HoldExpired, hold_of_till
from rewards.services.till_orders import HoldRequired, QuotedOrder, confirm_order
from rewards.services.till_terms import QuoteDiffers, QuoteExpired


class WrongStore(RewardsRefusal):
    """The till says it stands in another store than its key."""

    code = "wrong_store"
    text = _("This key belongs to another store.")
    status = 403


#: What an order that was quoted may be refused with besides.
QUOTED_REFUSALS: Final = (QuoteExpired, QuoteDiffers, HoldRequired, HoldExpired, HoldCaptured)


class OrdersView(ApiView):
    """Records orders."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, WrongStore, MemberNotFound, MemberFrozen, MemberClosed, OrderConflict, OrderInFuture, FactFromFuture,
            KeyCeilingReached,
            *QUOTED_REFUSALS,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="record_order",
        examples=examples.RECORD_ORDER,
        summary="Record an order",
        description=(
            "Credits the points, counts towards the tier, and answers what the receipt prints. The same order again, also "
            "with a new key, answers 200 with `already_processed`; another order under the same number 409 `order_conflict`. "
            "With `hold_id` what was set aside for it pays, and it earns on what is left; with `quote_id` alone an order that "
            "needs nothing set aside. `lines` and `shipping` are then those of the quote."
        ),
        tags=["POS"],
        request=OrderSerializer,
        responses={201: OrderReceiptSerializer, 200: OrderReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = OrderSerializer.read(request.data)
        refuse_other_store(key, asked)

        def record() -> Answer:
            order = order_of(key, asked)
            by = caller_of(request).actor
            if "quote_id" in asked or "hold_id" in asked:
                body = written(OrderReceiptSerializer, _confirmed(key, order, asked, by, at))
                return Answer(200 if body["already_processed"] else 201, plain(body))
            receipt = record_purchase_within(order=order, by=by, at=at)
            if not receipt.already_recorded:
                count_against_ceiling(key, points=receipt.points_in_all, at=at)
            body = written(OrderReceiptSerializer, _receipt(order, asked.get("member_ref"), receipt))
            return Answer(200 if receipt.already_recorded else 201, plain(body))

        return respond_once(request, route="POST /pos/orders", effect=record, at=at)


class OrderView(ApiView):
    """What happened to one order of the till's store."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_READ),)

    @extend_schema(
        operation_id="get_order",
        examples=examples.GET_ORDER,
        summary="What happened to an order",
        description="With its lines and returns. Balances are those of now.",
        tags=["POS"],
        responses=RecordedOrderSerializer,
    )
    def get(self, request: Request, order_no: str) -> Response:
        purchase = own_purchase(caller_key(request), order_no)
        receipt = receipt_of(purchase, timezone.now())
        answer = _receipt(purchase, purchase.member.public_id if purchase.member else None, receipt)
        answer["lines"] = purchase.lines.order_by("line_no")
        answer["returns"] = purchase.returns.order_by("returned_at", "id")
        void = getattr(purchase, "void", None)
        answer["voided_at"] = void.voided_at if void else None
        return Response(RecordedOrderSerializer(answer).data)


def named_tier(code: str) -> dict[str, str] | None:
    """Return a tier's code with its name in the active language; None for no code."""
    if not code:
        return None
    return {"code": code, "label": next((tier.name for tier in tiers() if tier.code == code), code)}


def tier_change(code: str) -> dict[str, Any] | None:
    """Return a change to a tier as it is answered; None for no code."""
    return {"to": named_tier(code)} if code else None


def refuse_other_store(key: ApiKey, asked: dict[str, Any]) -> None:
    """Let the key act in the store that the till names: its own, or one of the others it may act for. Raises WrongStore."""
    if "store" in asked and not act_for_store(key, code=asked["store"]):
        raise WrongStore


def own_purchase(key: ApiKey, order_no: str) -> Purchase:
    """Return an order of the till's stores with its settlement and its void. Raises NotFound."""
    found = Purchase.objects.select_related("member", "settlement", "void").filter(
        source=key.source, external_order_no=order_no, store_id__in=store_ids_of(key)
    )
    purchase = found.first()
    if purchase is None:
        raise NotFound
    return purchase


def order_of(key: ApiKey, asked: dict[str, Any]) -> Order:
    """Return an order as a till tells it. Raises MemberNotFound."""
    ref = asked.get("member_ref")
    return Order(
        source=key.source,
        external_order_no=asked["external_order_no"],
        member_id=member_id_by_public_id(ref) if ref else None,
        channel_id=key.channel_id,
        store_id=key.store_id,
        ordered_at=asked["ordered_at"],
        lines=tuple(OrderLine(**line) for line in asked["lines"]),
        payer=payer_hash(asked["payer"]) if asked.get("payer") else None,
    )


def _confirmed(key: ApiKey, order: Order, asked: dict[str, Any], by: Actor, at: datetime) -> dict[str, Any]:
    """Record a quoted order; return what it did as it is answered."""
    hold_ref = asked.get("hold_id")
    hold = hold_of_till(hold_ref, source=key.source, store_id=key.store_id) if hold_ref else None
    told = QuotedOrder(order, asked.get("shipping", Decimal("0.00")), asked.get("quote_id"), hold)
    receipt = confirm_order(told=told, by=by, at=at)
    if not receipt.already_recorded:
        count_against_ceiling(key, points=receipt.points_in_all, at=at)
    found = Purchase.objects.select_related("member", "settlement").get(pk=receipt.purchase_id)
    return _receipt(found, found.member.public_id if found.member else None, receipt)


def _receipt(order: Order | Purchase, member_ref: object, receipt: PurchaseReceipt) -> dict[str, Any]:
    ordered_at: datetime = order.ordered_at
    return {
        "settlement": told_settlement(getattr(order, "settlement", None)),
        "receipt": receipt,
        "external_order_no": order.external_order_no,
        "member_ref": member_ref,
        "ordered_at": ordered_at,
        "total_amount": order.total_amount,
        "explanation": explain(receipt.trace),
        "tier": named_tier(receipt.tier_changed_to or receipt.tier_code),
        "tier_change": tier_change(receipt.tier_changed_to),
    }
