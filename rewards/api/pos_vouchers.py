"""Vouchers at the till by themselves: looked at, used, the use taken back."""

from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.models import ApiKey
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer
from members.services.keys import VOUCHERS_REDEEM
from rewards.api import examples
from rewards.api.pos import WrongStore, refuse_other_store
from rewards.api.voucher_serializers import (
    UnusedAgainSerializer,
    UsedVoucherSerializer,
    VoucherCodeSerializer,
    VoucherReceiptSerializer,
    VoucherUndoRequestSerializer,
    VoucherUseRequestSerializer,
)
from rewards.cart import CartLine
from rewards.services.bulk_rows import goods_of
from rewards.services.code_guessing import VOUCHER, counted
from rewards.services.purchases import MemberClosed, MemberFrozen
from rewards.services.voucher_checks import check_voucher
from rewards.services.voucher_refusals import (
    USE_REFUSALS,
    VoucherNotUsable,
    VoucherNotUsedHere,
    VoucherOfOrder,
    VoucherUndoTooLate,
)
from rewards.services.vouchers import Basket, VoucherReceipt, undo_voucher_use, use_voucher


class VerifyVoucherView(ApiView):
    """Looks at a voucher without using it."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {"post": (WrongStore, TooManyTries, *USE_REFUSALS, MemberFrozen, MemberClosed)}

    @extend_schema(
        operation_id="verify_voucher",
        examples=examples.VERIFY_VOUCHER,
        summary="Check a voucher",
        description=(
            "Says what using it would give, and changes nothing. With the lines of the order also whether its goods are among "
            "them, and how it is split over them. A wrong code always answers the same."
        ),
        tags=["POS"],
        request=VoucherCodeSerializer,
        responses=VoucherReceiptSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        asked = VoucherCodeSerializer.read(request.data)
        refuse_other_store(key, asked)
        basket = _basket(key, asked)
        with _counting(request, at):
            receipt = check_voucher(
                code=asked["code"], store_id=key.store_id, spend_amount=basket.spend_amount, by=caller_of(request).actor, at=at,
                basket=basket,
            )  # fmt: skip
        return Response(VoucherReceiptSerializer(_told(receipt)).data)


class RedeemVoucherView(ApiView):
    """Uses a voucher for an order."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, WrongStore, TooManyTries, *USE_REFUSALS, MemberFrozen, MemberClosed)}

    @extend_schema(
        operation_id="use_voucher",
        examples=examples.USE_VOUCHER,
        summary="Use a voucher",
        description=(
            "For one order, once. For the same order in the same store again, it answers with `already_processed`. Within five "
            "minutes `/pos/vouchers/unredeem` takes it back."
        ),
        tags=["POS"],
        request=VoucherUseRequestSerializer,
        responses=UsedVoucherSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = VoucherUseRequestSerializer.read(request.data)
        refuse_other_store(key, asked)
        order_no = asked["external_order_no"]

        def use() -> Answer:
            basket = _basket(key, asked)
            receipt = use_voucher(
                code=asked["code"], store_id=key.store_id, external_order_no=order_no, spend_amount=basket.spend_amount,
                by=caller_of(request).actor, at=at, source=key.source, basket=basket,
            )  # fmt: skip
            answer = {**_told(receipt), "external_order_no": order_no, "already_used_here": receipt.already_used_here}
            return Answer(200, plain(UsedVoucherSerializer(answer).data))

        with _counting(request, at):
            return respond_once(request, route="POST /pos/vouchers/redeem", effect=use, at=at)


class UnredeemVoucherView(ApiView):
    """Takes the use of a voucher back."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, WrongStore, TooManyTries, VoucherNotUsable, VoucherNotUsedHere, VoucherUndoTooLate, VoucherOfOrder
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="undo_voucher_use",
        examples=examples.UNDO_VOUCHER_USE,
        summary="Take the use of a voucher back",
        description=(
            "Within five minutes, for the order in the store where it was used. The member has it again. Once more, it answers "
            "with `already_processed`. What was paid with a quoted order comes back by voiding or returning that order."
        ),
        tags=["POS"],
        request=VoucherUndoRequestSerializer,
        responses=UnusedAgainSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = VoucherUndoRequestSerializer.read(request.data)
        refuse_other_store(key, asked)
        order_no = asked["external_order_no"]

        def undo() -> Answer:
            receipt = undo_voucher_use(
                code=asked["code"],
                store_id=key.store_id,
                external_order_no=order_no,
                by=caller_of(request).actor,
                at=at,
            )
            answer = {
                "voucher": receipt.voucher,
                "external_order_no": order_no,
                "already_processed": receipt.already_used_here,
            }
            return Answer(200, plain(UnusedAgainSerializer(answer).data))

        with _counting(request, at):
            return respond_once(request, route="POST /pos/vouchers/unredeem", effect=undo, at=at)


def _counting(request: Request, at: datetime) -> AbstractContextManager[None]:
    """Count wrong codes against the till and its address."""
    partitions = {"key": str(caller_key(request).pk), "address": place_of(request._request)}
    return counted(kind=VOUCHER, partitions=partitions, wrong=VoucherNotUsable, at=at)


def _basket(key: ApiKey, asked: dict[str, Any]) -> Basket:
    """Return what the till said of the order; categories are those of the catalogue."""
    if "lines" not in asked:
        return Basket(asked.get("spend_amount"), channel_id=key.channel_id)
    known = goods_of({line["sku"] for line in asked["lines"]})
    lines = []
    for number, line in enumerate(asked["lines"], start=1):
        goods = known.get(line["sku"])
        category = (goods.category_id,) if goods is not None and goods.category_id is not None else ()
        brand = goods.brand if goods is not None else ""
        lines.append(
            CartLine(number, line["sku"], line["quantity"], line["amount"], category, brand, line["discountable"])
        )
    return Basket(sum((line.amount for line in lines), Decimal(0)), tuple(lines), channel_id=key.channel_id)


def _told(receipt: VoucherReceipt) -> dict[str, Any]:
    shares = receipt.use.shares if receipt.use is not None and receipt.use.shares else {}
    return {
        "voucher": receipt.voucher,
        "off_amount": receipt.off_amount,
        "shares": [{"line_no": number, "amount": amount} for number, amount in sorted(shares.items())],
    }
