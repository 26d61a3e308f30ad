"""Vouchers that members fetch and pass on: offers, claims in the app and at the till, gifts to friends."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api.authentication import MemberAuthentication, MemberCaller, TillAuthentication
from members.api.base import ApiView, cacheable, caller_key, caller_member, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import IsMember, Public, till_may
from members.freeze_words import freeze_of
from members.identifiers import VOUCHER, VOUCHER_GIFT, NotFound, parse_ref
from members.models import Member
from members.queries import MemberNotFound, family_ids, member_id_by_public_id
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer, fingerprint_of
from members.services.keys import VOUCHERS_REDEEM
from members.services.phone_change import CoolingDown
from rewards.api import examples_voucher_claims as examples
from rewards.api.voucher_claim_serializers import (
    AcceptGiftSerializer,
    ClaimAtTillSerializer,
    ClaimReceiptSerializer,
    ClaimSerializer,
    EndedGiftSerializer,
    GiftSerializer,
    ReceivedGiftSerializer,
    VoucherOffersSerializer,
)
from rewards.models import Voucher, VoucherGift
from rewards.services.code_guessing import CLAIM, GIFT, counted
from rewards.services.orders import MemberClosed, MemberFrozen
from rewards.services.voucher_budgets import VoucherBudgetExhausted
from rewards.services.voucher_claims import (
    ClaimCodeWrong,
    ClaimReceipt,
    OfferNotForMember,
    OfferNotRunning,
    OfferUsedUp,
    claim_at_till,
    claim_by_code,
    claim_offer,
    offers_for,
)
from rewards.services.voucher_gifts import (
    GiftNotOpen,
    GiftToOneself,
    VoucherNotGiftable,
    accept_gift,
    cancel_gift,
    gift_token,
    offer_gift,
)
from rewards.services.voucher_issue import VoucherNotIssued
from rewards.vouchers_held import MostVouchersHeld

_CACHE_SECONDS: Final = 30
#: A claim that took longer was begun anew; nobody waits so long for a voucher.
_LONGEST_CLAIM: Final = timedelta(minutes=10)
_CLAIM_REFUSALS: Final = (
    *KEY_REFUSALS, TooManyTries, ClaimCodeWrong, OfferNotRunning, OfferNotForMember, OfferUsedUp, MostVouchersHeld,
    VoucherBudgetExhausted, VoucherNotIssued, MemberFrozen, MemberClosed,
)  # fmt: skip


class VoucherOffersView(ApiView):
    """The voucher offers that run now."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_voucher_offers",
        examples=examples.OFFERS,
        summary="Vouchers to be claimed",
        description="Offers that run now and are claimed by a button, newest first. With a member's token also those for the "
        "member's segments, and of each whether it can be claimed, and why not.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        responses=VoucherOffersSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        caller = request.user
        member_id = caller.member.pk if isinstance(caller, MemberCaller) else None
        offers = offers_for(member_id, at=timezone.now())
        data = VoucherOffersSerializer({"offers": offers}).data
        return cacheable(request, data, seconds=_CACHE_SECONDS, is_personal=member_id is not None)


class ClaimView(ApiView):
    """Fetches a voucher from an offer."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": _CLAIM_REFUSALS}

    @extend_schema(
        operation_id="claim_voucher",
        examples=examples.CLAIM,
        summary="Claim a voucher",
        description="From an offer in `/voucher-offers`, or by the code that was scanned or typed. Who has as many as the offer "
        "gives each member gets the last one again, with `already_claimed`.",
        tags=["Me"],
        request=ClaimSerializer,
        responses={201: ClaimReceiptSerializer, 200: ClaimReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        key = idempotency_key(request)
        asked = ClaimSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        told: dict[str, Any] = {
            "member_id": member.pk, "request_id": _request_id("api", member.pk, key), "took_ms": _took(said.get("scanned_at"), at),
            "by": caller_of(request).actor, "at": at,
        }  # fmt: skip

        def claim() -> Answer:
            with_code = "code" in said
            receipt = _telling_freeze(
                member,
                lambda: (
                    claim_by_code(code=said["code"], **told)
                    if with_code
                    else claim_offer(offer_ref=said["offer"], **told)
                ),
            )
            return _claimed(receipt, at)

        if "code" not in said:
            return respond_once(request, route="POST /me/vouchers/claim", effect=claim, at=at)
        with counted(
            kind=CLAIM, partitions=_tried_by(request, member), wrong=ClaimCodeWrong, at=at, member_id=member.pk
        ):
            return respond_once(request, route="POST /me/vouchers/claim", effect=claim, at=at)


class ClaimAtTillView(ApiView):
    """Fetches a voucher for a member at a till."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(VOUCHERS_REDEEM),)
    refusals: ClassVar = {"post": (*_CLAIM_REFUSALS, MemberNotFound)}

    @extend_schema(
        operation_id="claim_voucher_at_till",
        examples=examples.CLAIM_AT_TILL,
        summary="Claim a voucher for a member",
        description="By the code of an offer that the till has scanned, for the member it has found. As `/me/vouchers/claim`.",
        tags=["POS"],
        request=ClaimAtTillSerializer,
        responses={201: ClaimReceiptSerializer, 200: ClaimReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        till = caller_key(request)
        key = idempotency_key(request)
        asked = ClaimAtTillSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        member_id = member_id_by_public_id(said["member_ref"])

        def claim() -> Answer:
            receipt = claim_at_till(
                member_id=member_id, code=said["code"], store_id=till.store_id, request_id=_request_id("pos", till.pk, key),
                by=caller_of(request).actor, at=at,
            )  # fmt: skip
            return _claimed(receipt, at)

        partitions = {"key": str(till.pk), "address": place_of(request._request)}
        with counted(kind=CLAIM, partitions=partitions, wrong=ClaimCodeWrong, at=at):
            return respond_once(request, route="POST /pos/vouchers/claim", effect=claim, at=at)


class GiftView(ApiView):
    """Offers a voucher to a friend."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, VoucherNotGiftable, CoolingDown, MemberFrozen, MemberClosed)}

    @extend_schema(
        operation_id="give_voucher",
        examples=examples.GIFT,
        summary="Give a voucher to a friend",
        description="Returns a token for the friend, this once. Until a friend shows it at `/me/vouchers/gift/accept`, or "
        "`expires_at`, the voucher is `offered` and can not be used.",
        tags=["Me"],
        request=None,
        responses={201: GiftSerializer},
    )
    def post(self, request: Request, voucher_id: str) -> Response:
        at = timezone.now()
        member = caller_member(request)

        def give() -> Answer:
            own = _own_voucher(member, voucher_id)
            gift = _telling_freeze(
                member, lambda: offer_gift(member_id=member.pk, voucher_id=own, by=caller_of(request).actor, at=at)
            )
            return Answer(201, plain(GiftSerializer(gift, context={"at": at}).data))

        answer = respond_once(request, route="POST /me/vouchers/gift", effect=give, at=at)
        # The token is derived, so that the answer that is kept for a repeat does not hold it.
        gift = VoucherGift.objects.get(public_id=parse_ref(VOUCHER_GIFT, answer.data["id"]))
        answer.data["token"] = gift_token(gift)
        return answer


class CancelGiftView(ApiView):
    """Takes a voucher back that no friend has accepted."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, VoucherNotGiftable)}

    @extend_schema(
        operation_id="cancel_voucher_gift",
        examples=examples.CANCEL_GIFT,
        summary="Take a gift back",
        description="The voucher can be used again. A gift that has run out, or was taken back before, stays as it is.",
        tags=["Me"],
        request=None,
        responses=EndedGiftSerializer,
    )
    def post(self, request: Request, voucher_id: str) -> Response:
        at = timezone.now()
        member = caller_member(request)

        def cancel() -> Answer:
            own = _own_voucher(member, voucher_id)
            gift = cancel_gift(member_id=member.pk, voucher_id=own, by=caller_of(request).actor, at=at)
            return Answer(200, plain(EndedGiftSerializer(gift, context={"at": at}).data))

        return respond_once(request, route="POST /me/vouchers/gift/cancel", effect=cancel, at=at)


class AcceptGiftView(ApiView):
    """Accepts a voucher from a friend."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, TooManyTries, GiftNotOpen, GiftToOneself, MostVouchersHeld, VoucherBudgetExhausted, MemberFrozen,
            MemberClosed,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="accept_voucher_gift",
        examples=examples.ACCEPT_GIFT,
        summary="Accept a voucher from a friend",
        description="By the token that the friend passed on. The voucher is a new one with the same end; the friend's is void. "
        "Every wrong, used or old token gets the same answer.",
        tags=["Me"],
        request=AcceptGiftSerializer,
        responses={201: ReceivedGiftSerializer, 200: ReceivedGiftSerializer},
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        idempotency_key(request)
        asked = AcceptGiftSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        token = asked.validated_data["token"]

        def accept() -> Answer:
            accepted = _telling_freeze(
                member, lambda: accept_gift(member_id=member.pk, token=token, by=caller_of(request).actor, at=at)
            )
            body = plain(ReceivedGiftSerializer(accepted, context={"at": at}).data)
            return Answer(200 if accepted.already_accepted else 201, body)

        with counted(kind=GIFT, partitions=_tried_by(request, member), wrong=GiftNotOpen, at=at, member_id=member.pk):
            return respond_once(request, route="POST /me/vouchers/gift/accept", effect=accept, at=at)


def _tried_by(request: Request, member: Member) -> dict[str, str]:
    """Return under which keys a member's wrong codes are counted."""
    return {"member": str(member.pk), "address": place_of(request._request)}


def _claimed(receipt: ClaimReceipt, at: datetime) -> Answer:
    body = plain(ClaimReceiptSerializer(receipt, context={"at": at}).data)
    return Answer(200 if receipt.already_claimed else 201, body)


def _request_id(who: str, pk: int, key: str) -> str:
    return f"{who}:{pk}:{fingerprint_of(key).hex()[:40]}"


def _took(scanned_at: datetime | None, at: datetime) -> int | None:
    """Return the milliseconds since the code was scanned, as far as the client's clock can be believed."""
    took = None if scanned_at is None else at - scanned_at
    if took is None or not timedelta(0) <= took <= _LONGEST_CLAIM:
        return None
    return round(took.total_seconds() * 1_000)


def _own_voucher(member: Member, voucher_id: str) -> int:
    """Return the id of one of the member's own vouchers. Raises NotFound for all others."""
    own = Voucher.objects.filter(member__in=family_ids(member.pk), public_id=parse_ref(VOUCHER, voucher_id))
    found = own.values_list("pk", flat=True).first()
    if found is None:
        raise NotFound
    return found


def _telling_freeze[T](member: Member, act: Callable[[], T]) -> T:
    """Do what a member asked for; a frozen one is told what is frozen and until when."""
    try:
        return act()
    except MemberFrozen as refusal:
        refusal.by(freeze_of(member))
        raise
