"""The till before an order is paid: what a cart costs and earns, and what is set aside for it."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.sentences import rise_sentence
from loyalty.services.entitlements import BenefitExhausted, BenefitNotHeld, NotInWindow
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.bodies import written
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.api.queries import BadQuery, query_values
from members.identifiers import ORDER_HOLD, NotFound, parse_ref
from members.models import ApiKey
from members.queries import MemberNotFound, member_by_public_id
from members.services.idempotency import Answer
from members.services.key_bounds import KeyCeilingReached, count_against_ceiling
from members.services.keys import HOLDS_WRITE, QUOTES_WRITE
from members.services.phone_change import CoolingDown
from rewards import deductions
from rewards.api import examples_till
from rewards.api.pos import WrongStore, named_tier, refuse_other_store
from rewards.api.settlements import told_deductions
from rewards.api.till_serializers import (
    HoldRequestSerializer,
    HoldSerializer,
    QuoteQuery,
    QuoteRequestSerializer,
    QuoteSerializer,
)
from rewards.explanation import explain, in_active_language
from rewards.ledger import InsufficientPoints
from rewards.services.orders import MemberClosed, MemberFrozen, OrderLine
from rewards.services.till_holds import (
    HoldCaptured,
    HoldConflict,
    NothingToHold,
    OrderHoldReceipt,
    SpendingNotShown,
    hold_of_till,
    hold_order,
    release_order_hold,
)
from rewards.services.till_quotes import CartRequest, CartTooLarge, TillQuote, quote_cart
from rewards.services.till_terms import QuoteDiffers, QuoteExpired
from rewards.services.voucher_refusals import VoucherExpired, VoucherHeld, VoucherNotUsable, VoucherUsed
from rewards.till_words import why_no_points
from rewards.voucher_words import not_used_words


class QuotesView(ApiView):
    """Quotes carts."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(QUOTES_WRITE),)
    refusals: ClassVar = {
        "post": (WrongStore, MemberNotFound, MemberFrozen, MemberClosed, VoucherNotUsable, CartTooLarge)
    }

    @extend_schema(
        operation_id="quote_cart",
        examples=examples_till.QUOTE,
        summary="What a cart costs and earns",
        description=(
            "Takes off what the member's tier gives, then the best set of vouchers (or those named), then points; and says "
            "what the order would earn, with reasons, also for what does not apply. Nothing is set aside. The quote holds "
            "for 30 minutes. The cart is told as the shop would sell it, after its own discounts."
        ),
        tags=["POS"],
        parameters=[QuoteQuery],
        request=QuoteRequestSerializer,
        responses=QuoteSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        moment = query_values(QuoteQuery, request).get("at")
        if moment is not None and not settings.DEMO:
            raise BadQuery("at", _("Another moment can be asked for in the demo only."))
        asked = QuoteRequestSerializer.read(request.data)
        refuse_other_store(key, asked)
        ref = asked.get("member_ref")
        quote = quote_cart(
            cart=_cart(key, asked),
            member=member_by_public_id(ref) if ref else None,
            by=caller_of(request).actor,
            at=at,
            moment=moment,
        )
        return Response(written(QuoteSerializer, _told(quote)))


class HoldsView(ApiView):
    """Sets aside what quoted orders use."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(HOLDS_WRITE),)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, NotFound, QuoteExpired, QuoteDiffers, NothingToHold, HoldConflict, InsufficientPoints, VoucherHeld,
            VoucherUsed, VoucherExpired, VoucherNotUsable, BenefitNotHeld, BenefitExhausted, NotInWindow, SpendingNotShown,
            CoolingDown, KeyCeilingReached, MemberFrozen, MemberClosed,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="hold_order",
        examples=examples_till.HOLD,
        summary="Set aside what an order uses",
        description=(
            "Points, vouchers and counted benefits of a quote, under one end. Past it everything is given back by itself. "
            "Points and vouchers are set aside once the member has shown here, within the last five minutes, that they may "
            "spend (`/pos/members/resolve` with `purpose: spend`), else 403 `spending_not_shown`. A "
            "quote is set aside once: told again, the same hold is answered with `already_processed`."
        ),
        tags=["POS"],
        request=HoldRequestSerializer,
        responses={201: HoldSerializer, 200: HoldSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = HoldRequestSerializer.read(request.data)

        def hold() -> Answer:
            receipt = hold_order(
                quote_ref=asked["quote_id"], source=key.source, store_id=key.store_id, key_id=key.pk, points=asked.get("points"),
                voucher_refs=asked.get("vouchers"), minutes=asked["minutes"], by=caller_of(request).actor, at=at,
            )  # fmt: skip
            if not receipt.already_recorded:
                count_against_ceiling(key, points=receipt.hold.points, at=at)
            body = written(HoldSerializer, receipt)
            return Answer(200 if receipt.already_recorded else 201, plain(body))

        return respond_once(request, route="POST /pos/holds", effect=hold, at=at)


class HoldView(ApiView):
    """What is set aside for one order."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(HOLDS_WRITE),)
    refusals: ClassVar = {"delete": (HoldCaptured,)}

    @extend_schema(
        operation_id="release_hold",
        examples=examples_till.RELEASE,
        summary="Give back what is set aside",
        description="All of it. Told again, or past its end, the hold is answered as it is. Refused once its order is recorded.",
        tags=["POS"],
        request=None,
        responses={200: HoldSerializer},
    )
    def delete(self, request: Request, hold_id: str) -> Response:
        key = caller_key(request)
        hold = hold_of_till(parse_ref(ORDER_HOLD, hold_id), source=key.source, store_id=key.store_id)
        was_open = hold.state == hold.State.OPEN
        released = release_order_hold(hold_id=hold.pk, by=caller_of(request).actor, at=timezone.now())
        return Response(written(HoldSerializer, OrderHoldReceipt(released, not was_open)))


def _cart(key: ApiKey, asked: dict[str, Any]) -> CartRequest:
    vouchers = asked.get("vouchers")
    lines = [dict(line) for line in asked["lines"]]
    discountable = [line.pop("discountable") for line in lines]
    return CartRequest(
        source=key.source,
        store_id=key.store_id,
        channel_id=key.channel_id,
        lines=tuple(OrderLine(**line) for line in lines),
        postage=asked["shipping"],
        voucher_refs=None if vouchers is None else tuple(vouchers),
        points=asked["points"],
        no_discount=frozenset(place for place, may in enumerate(discountable) if not may),
    )


def _told(quote: TillQuote) -> dict[str, Any]:
    settled = quote.settled
    explained = explain(quote.trace)
    points = quote.points
    uses = any(one.voucher_id is not None or one.entitlement_id is not None for one in settled.deductions)
    return {
        "quote_id": quote.quote_ref,
        "expires_at": quote.expires_at,
        "can_be_ordered": not quote.is_trial,
        "needs_hold": bool(uses or points.applied),
        "total": settled.gross_amount,
        "discount": settled.gross_amount - settled.payable - settled.taken_by(deductions.POINTS),
        "payable": settled.payable,
        "deductions": told_deductions(settled.deductions),
        "vouchers_not_used": list(_not_used(quote)),
        "points_payable": {
            "max": points.most, "applied": points.applied, "worth": points.worth, "step": points.step, "least": points.least,
            "reason": why_no_points(points),
        },
        "earn": {"total": quote.earned, "explain": explained.lines, "not_applied": explained.not_applied},
        "tier": _tier(quote),
    }  # fmt: skip


def _not_used(quote: TillQuote) -> Iterable[dict[str, Any]]:
    for terms, reason in quote.not_used:
        yield {
            "voucher_id": terms.public_id, "label": in_active_language(terms.label), "code": reason.code,
            "reason": not_used_words(reason),
        }  # fmt: skip


def _tier(quote: TillQuote) -> dict[str, Any] | None:
    if quote.tier is None or quote.progress is None:
        return None
    named = named_tier(quote.tier.code) or {}
    return {**named, "credits_to_next": quote.progress.gap, "sentence": rise_sentence(quote.progress)}
