"""A member's orders of rewards: quoted, placed, looked at, cancelled; handed over at a till."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api.authentication import MemberAuthentication, TillAuthentication
from members.api.base import ApiView, caller_key, caller_member, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember, till_may
from members.freeze_words import freeze_of
from members.identifiers import REDEMPTION, NotFound, parse_ref
from members.models import Member, Store
from members.phones import InvalidPhone
from members.queries import family_ids
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer, fingerprint_of
from members.services.keys import PICKUPS_COMPLETE
from members.services.phone_change import CoolingDown
from rewards.api import examples_rewards as examples
from rewards.api.pos import WrongStore, refuse_other_store
from rewards.api.redemption_serializers import (
    PickedUpSerializer,
    PickupSerializer,
    QuoteRewardSerializer,
    RedeemSerializer,
    RedemptionDetailSerializer,
    RedemptionReceiptSerializer,
    RedemptionSerializer,
)
from rewards.api.reward_serializers import RewardQuoteSerializer
from rewards.ledger import InsufficientPoints
from rewards.models import Redemption, RedemptionState, Reward
from rewards.reward_refusals import (
    DeliveryMissing,
    EventIsOver,
    NotActiveEnough,
    NotForThisMember,
    OutOfStock,
    PartnerAccountMissing,
    PriceChanged,
    RewardLimitReached,
    RewardNotAvailable,
    RewardPeriodLimitReached,
    SaleLimitReached,
    TierTooLow,
)
from rewards.services.addresses import AddressMissing, addresses_of, checked_address
from rewards.services.code_guessing import PICKUP, counted
from rewards.services.conversions import (
    ConversionDayLimit,
    ConversionTooSmall,
    PartnerAccountInvalid,
    PartnerNotActive,
)
from rewards.services.donations import ProjectTakesNothing
from rewards.services.fulfilment import (
    PickupElsewhere,
    PickupNotFound,
    PickupNotReady,
    RedemptionNotCancellable,
    cancel_redemption,
    complete_pickup,
)
from rewards.services.purchases import MemberClosed, MemberFrozen
from rewards.services.redemptions import Wanted, pickup_code, redeem_reward
from rewards.services.reward_quotes import quote_reward, quoted_terms
from rewards.services.till_terms import QuoteExpired
from rewards.services.transfers import TransferTooSoon
from rewards.services.voucher_budgets import VoucherBudgetExhausted
from rewards.services.voucher_issue import VoucherNotIssued
from rewards.vouchers_held import MostVouchersHeld

_REDEEM_REFUSALS: Final = (
    *KEY_REFUSALS, InsufficientPoints, OutOfStock, RewardNotAvailable, PriceChanged, QuoteExpired, RewardLimitReached,
    RewardPeriodLimitReached, SaleLimitReached, TierTooLow, NotForThisMember, NotActiveEnough, EventIsOver, DeliveryMissing,
    AddressMissing, InvalidPhone, PartnerAccountMissing, PartnerAccountInvalid, PartnerNotActive, ConversionTooSmall,
    ConversionDayLimit, ProjectTakesNothing, TransferTooSoon, VoucherNotIssued, VoucherBudgetExhausted, MostVouchersHeld,
    CoolingDown, MemberFrozen, MemberClosed,
)  # fmt: skip


class QuoteView(ApiView):
    """What a reward costs a member now."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (RewardNotAvailable,)}

    @extend_schema(
        operation_id="quote_reward",
        examples=examples.QUOTE,
        summary="Ask what a reward costs me",
        description="Points, money besides, pieces left, ways to get it, and what stands in the way. Nothing is set aside. The "
        "quote counts for five minutes.",
        tags=["Me"],
        request=QuoteRewardSerializer,
        responses=RewardQuoteSerializer,
    )
    def post(self, request: Request) -> Response:
        asked = QuoteRewardSerializer.read(request.data)
        return Response(_quoted(request, caller_member(request), asked["reward"]))


class RedemptionsView(ApiView):
    """A member's redemptions, and a new one."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": _REDEEM_REFUSALS}

    @extend_schema(
        operation_id="list_my_redemptions",
        examples=examples.REDEMPTIONS,
        summary="My redemptions",
        description="Newest first, without their codes.",
        tags=["Me"],
        parameters=[*CURSOR_PARAMETERS],
        responses=page_serializer(RedemptionSerializer, "RedemptionPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        page = page_of(_redemptions_of(caller_member(request).pk), request, by="redeemed_at")
        rows = RedemptionSerializer(page.items, many=True, context={"at": timezone.now()}).data
        return Response(page.body(rows))

    @extend_schema(
        operation_id="redeem_reward",
        examples=examples.REDEEM,
        summary="Redeem points for a reward",
        description="Points, stock, limits, voucher or code in one step: all or nothing. With a quote the price is that of the "
        "quote, else 409 `price_changed` with a new quote in `quote`. Codes are at `/me/vouchers/{voucher_id}` and "
        "`/me/redemptions/{redemption_id}`.",
        tags=["Me"],
        request=RedeemSerializer,
        responses={201: RedemptionReceiptSerializer, 200: RedemptionReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        key = idempotency_key(request)
        asked = RedeemSerializer.read(request.data)
        request_id = f"api:{member.pk}:{fingerprint_of(key).hex()[:40]}"

        def redeem() -> Answer:
            known = Redemption.objects.filter(request_id=request_id).values_list("reward_id", flat=True).first()
            reward_id, quoted = (known, None) if known else _price(asked, member.pk, at)
            wanted = _wanted(asked)
            try:
                receipt = redeem_reward(
                    member_id=member.pk, reward_id=reward_id, request_id=request_id, by=caller_of(request).actor, at=at,
                    wanted=wanted, quote_ref=asked.get("quote"), quoted=quoted,
                )  # fmt: skip
            except MemberFrozen as refusal:
                refusal.by(freeze_of(member))  # in words for whom it concerns
                raise
            context = {"at": at, "receipt": receipt}
            body = plain(RedemptionReceiptSerializer(receipt.redemption, context=context).data)
            return Answer(200 if receipt.already_recorded else 201, body)

        try:
            return respond_once(request, route="POST /me/redemptions", effect=redeem, at=at)
        except PriceChanged as refusal:
            reward_id, _terms = quoted_terms(quote_ref=asked["quote"], member_id=member.pk, at=at)
            refusal.params["quote"] = _quoted(
                request, member, Reward.objects.values_list("public_id", flat=True).get(pk=reward_id)
            )
            raise


class RedemptionView(ApiView):
    """One redemption."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_redemption",
        examples=examples.REDEMPTION,
        summary="One of my redemptions",
        description="With its voucher, its parcel, its pick-up code or its digital code.",
        tags=["Me"],
        responses=RedemptionDetailSerializer,
    )
    def get(self, request: Request, redemption_id: str) -> Response:
        redemption = _own(request, redemption_id)
        waits = redemption.state in (RedemptionState.PLACED, RedemptionState.PREPARING, RedemptionState.READY)
        has_code = waits and redemption.delivery == Redemption.Delivery.STORE
        redemption.pickup_code = pickup_code(redemption) if has_code else None  # type: ignore[attr-defined]
        redemption.address_told = addresses_of([redemption.pk]).get(redemption.pk)  # type: ignore[attr-defined]
        return Response(RedemptionDetailSerializer(redemption, context={"at": timezone.now()}).data)


class CancelView(ApiView):
    """Cancels a redemption."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, RedemptionNotCancellable)}

    @extend_schema(
        operation_id="cancel_redemption",
        examples=examples.CANCEL,
        summary="Cancel a redemption",
        description="Before it is under way, handed over or used, and within the time that the programme allows. The very "
        "points come back, with their old expiry; a point that has expired lives on for some days.",
        tags=["Me"],
        request=None,
        responses=RedemptionSerializer,
    )
    def post(self, request: Request, redemption_id: str) -> Response:
        at = timezone.now()
        redemption = _own(request, redemption_id)

        def cancel() -> Answer:
            cancel_redemption(redemption_id=redemption.pk, by=caller_of(request).actor, at=at)
            return Answer(200, plain(RedemptionSerializer(_own(request, redemption_id), context={"at": at}).data))

        return respond_once(request, route="POST /me/redemptions/cancel", effect=cancel, at=at)


class CompletePickupView(ApiView):
    """Hands a redemption over at a till."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(PICKUPS_COMPLETE),)
    refusals: ClassVar = {
        "post": (*KEY_REFUSALS, WrongStore, TooManyTries, PickupNotFound, PickupElsewhere, PickupNotReady)
    }

    @extend_schema(
        operation_id="complete_pickup",
        examples=examples.PICKUP,
        summary="Hand a reward over",
        description="By the pick-up code of the member, once, in the store where it lies. Again in the same store it answers with "
        "`already_processed`. `cash_amount` is what the member still has to pay. A wrong code always answers the same.",
        tags=["POS"],
        request=PickupSerializer,
        responses=PickedUpSerializer,
    )
    def post(self, request: Request, code: str) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        refuse_other_store(key, PickupSerializer.read(request.data))

        def complete() -> Answer:
            redemption, known = complete_pickup(code=code, store_id=key.store_id, by=caller_of(request).actor, at=at)
            redemption.already_processed = known  # type: ignore[attr-defined]
            return Answer(200, plain(PickedUpSerializer(redemption).data))

        partitions = {"key": str(key.pk), "address": place_of(request._request)}
        with counted(kind=PICKUP, partitions=partitions, wrong=PickupNotFound, at=at):
            return respond_once(request, route="POST /pos/pickups/complete", effect=complete, at=at)


def _price(asked: dict[str, Any], member_id: int, at: datetime) -> tuple[int, tuple[int, Decimal] | None]:
    """Return the reward that is asked for, and its price where it was quoted. Raises QuoteExpired, RewardNotAvailable."""
    if "quote" in asked:
        return quoted_terms(quote_ref=asked["quote"], member_id=member_id, at=at)
    found = Reward.objects.filter(public_id=asked["reward"]).values_list("pk", flat=True).first()
    if found is None:
        raise RewardNotAvailable
    return found, None


def _wanted(asked: dict[str, Any]) -> Wanted:
    """Return how a reward is to reach the member. Raises NotFound for a store that there is not, AddressMissing, InvalidPhone."""
    store_id = None
    if "store" in asked:
        store_id = Store.objects.filter(public_id=asked["store"], is_open=True).values_list("pk", flat=True).first()
        if store_id is None:
            raise NotFound
    address = checked_address(**asked["address"]) if "address" in asked else None
    return Wanted(asked.get("delivery", ""), store_id, address, asked.get("partner_account", ""))


def _quoted(request: Request, member: Member, reward_ref: UUID) -> dict[str, Any]:
    """Return a new quote as it is answered."""
    quote = quote_reward(member=member, reward_ref=reward_ref, by=caller_of(request).actor, at=timezone.now())
    return plain(RewardQuoteSerializer(quote).data)


def _redemptions_of(member_id: int) -> QuerySet[Redemption]:
    rows = Redemption.objects.filter(member_id__in=family_ids(member_id)).defer("pickup_hmac")
    return rows.select_related("reward", "voucher__template", "store")


def _own(request: Request, redemption_id: str) -> Redemption:
    rows = _redemptions_of(caller_member(request).pk)
    redemption = rows.filter(public_id=parse_ref(REDEMPTION, redemption_id)).first()
    if redemption is None:
        raise NotFound
    return redemption
