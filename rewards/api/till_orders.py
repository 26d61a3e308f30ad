"""The till after an order was recorded: goods that come back, and orders that are undone as a whole on their own day."""

from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.bodies import written
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.api.queries import query_values
from members.identifiers import NotFound
from members.models import ApiKey
from members.services.idempotency import Answer
from members.services.keys import ORDERS_WRITE
from rewards.api import examples, examples_till
from rewards.api.pos import WrongStore, own_purchase, refuse_other_store, tier_change
from rewards.api.pos_serializers import ReturnQuery, ReturnReceiptSerializer, ReturnSerializer
from rewards.api.till_serializers import VoidReceiptSerializer, VoidRequestSerializer
from rewards.models import Purchase
from rewards.services.orders import OrderConflict, OrderInFuture
from rewards.services.returns import (
    PurchaseNotFound,
    Return,
    ReturnExceedsOrder,
    ReturnItem,
    ReturnReceipt,
    record_return,
)
from rewards.services.voids import OrderHasReturns, VoidTooLate, void_number, void_order
from rewards.till_words import return_sentence


class ReturnsView(ApiView):
    """Records returns of an order of the till's store."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {
        "post": (*KEY_REFUSALS, WrongStore, PurchaseNotFound, OrderConflict, ReturnExceedsOrder, OrderInFuture)
    }

    @extend_schema(
        operation_id="record_return",
        examples=examples.RECORD_RETURN,
        summary="Record a return",
        description=(
            "Takes back the points, tier credits and promotion points that belong to what came back; a rise of tier that "
            "the order caused is undone when all of it came back. What was spent already becomes arrears. "
            "`dry_run=true` says so beforehand."
        ),
        tags=["POS"],
        parameters=[ReturnQuery],
        request=ReturnSerializer,
        responses={201: ReturnReceiptSerializer, 200: ReturnReceiptSerializer},
    )
    def post(self, request: Request, order_no: str) -> Response:
        at = timezone.now()
        key = caller_key(request)
        dry_run: bool = query_values(ReturnQuery, request)["dry_run"]
        if not dry_run:
            idempotency_key(request)
        asked = ReturnSerializer.read(request.data)
        refuse_other_store(key, asked)
        purchase = own_purchase(key, order_no)

        def give_back() -> Answer:
            ret = _return(key, purchase, asked)
            receipt = record_return(ret=ret, by=caller_of(request).actor, at=at, dry_run=dry_run)
            answer = told_return(ret.external_return_no, purchase, receipt, dry_run=dry_run)
            is_new = not (dry_run or receipt.already_recorded)
            return Answer(201 if is_new else 200, plain(written(ReturnReceiptSerializer, answer)))

        if dry_run:
            answer = give_back()
            return Response(answer.body, status=answer.status)
        return respond_once(request, route="POST /pos/orders/{no}/returns", effect=give_back, at=at)


class VoidView(ApiView):
    """Undoes orders of the till's store as a whole."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, WrongStore, NotFound, VoidTooLate, OrderHasReturns)}

    @extend_schema(
        operation_id="void_order",
        examples=examples_till.VOID,
        summary="Void an order",
        description=(
            "On the business day of the order, and as a whole: what it earned is taken back; points that paid it, vouchers "
            "and uses of benefits come back, caps and budgets are free again. Told again, it answers with `already_processed`."
        ),
        tags=["POS"],
        request=VoidRequestSerializer,
        responses={201: VoidReceiptSerializer, 200: VoidReceiptSerializer},
    )
    def post(self, request: Request, order_no: str) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = VoidRequestSerializer.read(request.data)
        refuse_other_store(key, asked)
        purchase = own_purchase(key, order_no)

        def void() -> Answer:
            done = void_order(purchase_id=purchase.pk, by=caller_of(request).actor, at=at)
            answer = {
                "order_ref": purchase.public_id,
                "external_order_no": purchase.external_order_no,
                "voided_at": done.void.voided_at,
                "took_back": told_return(void_number(purchase), purchase, done.receipt, dry_run=False),
                "already_processed": done.already_recorded,
            }
            return Answer(200 if done.already_recorded else 201, plain(written(VoidReceiptSerializer, answer)))

        return respond_once(request, route="POST /pos/orders/{no}/void", effect=void, at=at)


def told_return(return_no: str, purchase: Purchase, receipt: ReturnReceipt, *, dry_run: bool) -> dict[str, Any]:
    """Return what a return did, or would do, as it is answered."""
    return {
        "receipt": receipt,
        "external_return_no": return_no,
        "external_order_no": purchase.external_order_no,
        "tier_change": tier_change(receipt.tier_changed_to),
        "sentence": return_sentence(receipt),
        "dry_run": dry_run,
    }


def _return(key: ApiKey, purchase: Purchase, asked: dict[str, Any]) -> Return:
    return Return(
        source=key.source,
        external_return_no=asked["external_return_no"],
        external_order_no=purchase.external_order_no,
        channel_id=key.channel_id,
        store_id=key.store_id,
        returned_at=asked["returned_at"],
        items=tuple(
            ReturnItem(line["line_no"], line.get("quantity", Decimal(0)), line.get("amount"))
            for line in asked.get("lines", ())
        ),
        amount=asked.get("amount"),
    )
