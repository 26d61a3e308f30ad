"""Tills: record orders and returns, use vouchers. A key acts for its own store, channel and source only."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.queries import tiers
from loyalty.refusals import FactFromFuture
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.bodies import written
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.api.queries import query_values
from members.identifiers import NotFound
from members.models import ApiKey
from members.queries import MemberNotFound, member_id_by_public_id
from members.services.idempotency import Answer
from members.services.key_bounds import KeyCeilingReached, act_for_store, count_against_ceiling, store_ids_of
from members.services.keys import ORDERS_READ, ORDERS_WRITE, VOUCHERS_REDEEM
from rewards.api import examples
from rewards.api.pos_serializers import (
    OrderReceiptSerializer,
    OrderSerializer,
    RecordedOrderSerializer,
    ReturnQuery,
    ReturnReceiptSerializer,
    ReturnSerializer,
    UsedVoucherSerializer,
    VoucherCodeSerializer,
    VoucherReceiptSerializer,
    VoucherUseRequestSerializer,
)
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
from rewards.services.returns import PurchaseNotFound, Return, ReturnExceedsOrder, ReturnItem, record_return
from rewards.services.voucher_checks import check_voucher
from rewards.services.vouchers import MinSpendNotReached, VoucherExpired, VoucherNotUsable, VoucherUsed, use_voucher


class WrongStore(RewardsRefusal):
    """The till says it stands in another store than its key."""

    code = "wrong_store"
    text = _("This key belongs to another store.")
    status = 403


class OrdersView(ApiView):
    """Records orders."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, WrongStore, MemberNotFound, MemberFrozen, MemberClosed, OrderConflict, OrderInFuture, FactFromFuture,
            KeyCeilingReached,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="record_order",
        examples=examples.RECORD_ORDER,
        summary="Record an order",
        description=(
            "Credits the points, counts towards the tier, and answers what the receipt prints. The same order again, also "
            "with a new key, answers 200 with `already_processed`; another order under the same number 409 `order_conflict`."
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
        _refuse_other_store(key, asked)

        def record() -> Answer:
            order = _order(key, asked)
            receipt = record_purchase_within(order=order, by=caller_of(request).actor, at=at)
            if not receipt.already_recorded:
                count_against_ceiling(key, points=receipt.points + sum(receipt.others.values()), at=at)
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
        purchase = _own_purchase(caller_key(request), order_no)
        receipt = receipt_of(purchase, timezone.now())
        answer = _receipt(purchase, purchase.member.public_id if purchase.member else None, receipt)
        answer["lines"] = purchase.lines.order_by("line_no")
        answer["returns"] = purchase.returns.order_by("returned_at", "id")
        return Response(RecordedOrderSerializer(answer).data)


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
        _refuse_other_store(key, asked)
        purchase = _own_purchase(key, order_no)

        def give_back() -> Answer:
            ret = _return(key, purchase, asked)
            receipt = record_return(ret=ret, by=caller_of(request).actor, at=at, dry_run=dry_run)
            answer = {
                "receipt": receipt,
                "external_return_no": ret.external_return_no,
                "external_order_no": purchase.external_order_no,
                "tier_change": _tier_change(receipt.tier_changed_to),
                "dry_run": dry_run,
            }
            is_new = not (dry_run or receipt.already_recorded)
            return Answer(201 if is_new else 200, plain(written(ReturnReceiptSerializer, answer)))

        if dry_run:
            answer = give_back()
            return Response(answer.body, status=answer.status)
        return respond_once(request, route="POST /pos/orders/{no}/returns", effect=give_back, at=at)


class VerifyVoucherView(ApiView):
    """Looks at a voucher without using it."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {"post": (WrongStore, VoucherNotUsable, VoucherUsed, VoucherExpired, MinSpendNotReached)}

    @extend_schema(
        operation_id="verify_voucher",
        examples=examples.VERIFY_VOUCHER,
        summary="Check a voucher",
        description="Says what using it would give, and changes nothing.",
        tags=["POS"],
        request=VoucherCodeSerializer,
        responses=VoucherReceiptSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        asked = VoucherCodeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _refuse_other_store(key, asked.validated_data)
        receipt = check_voucher(
            code=asked.validated_data["code"],
            store_id=key.store_id,
            spend_amount=asked.validated_data.get("spend_amount"),
            by=caller_of(request).actor,
            at=at,
        )
        return Response(VoucherReceiptSerializer(receipt).data)


class RedeemVoucherView(ApiView):
    """Uses a voucher for an order."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {
        "post": (*KEY_REFUSALS, WrongStore, VoucherNotUsable, VoucherUsed, VoucherExpired, MinSpendNotReached)
    }

    @extend_schema(
        operation_id="use_voucher",
        examples=examples.USE_VOUCHER,
        summary="Use a voucher",
        description="For one order, once. For the same order in the same store again, it answers with `already_processed`.",
        tags=["POS"],
        request=VoucherUseRequestSerializer,
        responses=UsedVoucherSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = VoucherUseRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _refuse_other_store(key, asked.validated_data)
        order_no = asked.validated_data["external_order_no"]

        def use() -> Answer:
            receipt = use_voucher(
                code=asked.validated_data["code"],
                store_id=key.store_id,
                external_order_no=order_no,
                spend_amount=asked.validated_data.get("spend_amount"),
                by=caller_of(request).actor,
                at=at,
            )
            answer = {
                "voucher": receipt.voucher,
                "off_amount": receipt.off_amount,
                "external_order_no": order_no,
                "already_used_here": receipt.already_used_here,
            }
            return Answer(200, plain(UsedVoucherSerializer(answer).data))

        return respond_once(request, route="POST /pos/vouchers/redeem", effect=use, at=at)


def named_tier(code: str) -> dict[str, str] | None:
    """Return a tier's code with its name in the active language; None for no code."""
    if not code:
        return None
    return {"code": code, "label": next((tier.name for tier in tiers() if tier.code == code), code)}


def _tier_change(code: str) -> dict[str, Any] | None:
    return {"to": named_tier(code)} if code else None


def _refuse_other_store(key: ApiKey, asked: dict[str, Any]) -> None:
    """Let the key act in the store that the till names: its own, or one of the others it may act for."""
    if "store" in asked and not act_for_store(key, code=asked["store"]):
        raise WrongStore


def _own_purchase(key: ApiKey, order_no: str) -> Purchase:
    found = Purchase.objects.select_related("member").filter(
        source=key.source, external_order_no=order_no, store_id__in=store_ids_of(key)
    )
    purchase = found.first()
    if purchase is None:
        raise NotFound
    return purchase


def _order(key: ApiKey, asked: dict[str, Any]) -> Order:
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


def _receipt(order: Order | Purchase, member_ref: object, receipt: PurchaseReceipt) -> dict[str, Any]:
    ordered_at: datetime = order.ordered_at
    return {
        "receipt": receipt,
        "external_order_no": order.external_order_no,
        "member_ref": member_ref,
        "ordered_at": ordered_at,
        "total_amount": order.total_amount,
        "explanation": explain(receipt.trace),
        "tier": named_tier(receipt.tier_changed_to or receipt.tier_code),
        "tier_change": _tier_change(receipt.tier_changed_to),
    }
