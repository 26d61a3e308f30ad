"""Points that a member gives to a friend: a code to the own phone, the gift, and what was given."""

from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api.auth_serializers import SentCodeSerializer
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember
from members.freeze_words import freeze_of
from members.ports import SmsUnavailable
from members.queries import family_ids
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer, fingerprint_of, kept_answer
from members.services.one_time_codes import CodeOver, CodeWrong
from rewards.api import examples_me as examples
from rewards.api.transfer_serializers import AskTransferSerializer, GivePointsSerializer, TransferSerializer
from rewards.ledger import InsufficientPoints
from rewards.models import PointsCurrency, PointsTransfer
from rewards.services.code_guessing import RECIPIENT, counted
from rewards.services.orders import MemberClosed, MemberFrozen
from rewards.services.own_transfers import (
    Brought,
    Gift,
    PhoneMissing,
    RecipientNotFound,
    check_transfer_code,
    give_points,
    given_before,
    request_of,
    send_transfer_code,
)
from rewards.services.transfers import (
    TransferDayLimit,
    TransferMonthLimit,
    TransfersNotPossible,
    TransferTooLarge,
    TransferTooSmall,
    TransferTooSoon,
    TransferToSelf,
)

_ROUTE: Final = "POST /me/points/transfers"
_GIVER: Final = (
    PhoneMissing, TransfersNotPossible, TransferTooSmall, TransferTooLarge, TransferDayLimit, TransferMonthLimit,
    TransferTooSoon, InsufficientPoints, MemberFrozen, MemberClosed, TooManyTries,
)  # fmt: skip


class TransferCodesView(ApiView):
    """Sends the code with which a member gives points away."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*_GIVER, SmsUnavailable)}

    @extend_schema(
        operation_id="send_transfer_code",
        examples=examples.TRANSFER_CODE,
        summary="Send a code to my phone, to give points away",
        description="The code is good for these points to this friend and nothing else. Says nothing of whether anybody has the "
        "number; what lies with the giver (limits, balance, a new phone number) is refused here already.",
        tags=["Me"],
        request=AskTransferSerializer,
        responses={201: SentCodeSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = AskTransferSerializer.read(request.data)
        at, member = timezone.now(), caller_member(request)
        try:
            sent = send_transfer_code(
                member=member, gift=_gift(asked), principal=caller_of(request).principal, place=place_of(request._request), at=at
            )  # fmt: skip
        except MemberFrozen as refusal:
            refusal.by(freeze_of(member))
            raise
        return Response(SentCodeSerializer(sent).data, status=201)


class TransfersView(ApiView):
    """What a member gave to others, and a new gift."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, CodeWrong, CodeOver, *_GIVER, TransferToSelf, RecipientNotFound)}

    @extend_schema(
        operation_id="list_my_transfers",
        examples=examples.TRANSFERS,
        summary="Points that I gave to others",
        description="Newest first. What was received is in the history of points.",
        tags=["Me"],
        parameters=[*CURSOR_PARAMETERS],
        responses=page_serializer(TransferSerializer, "TransferPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        rows = PointsTransfer.objects.filter(sender__in=family_ids(caller_member(request).pk))
        page = page_of(rows.select_related("receiver", "currency"), request, by="happened_at")
        return Response(page.body(TransferSerializer(page.items, many=True).data))

    @extend_schema(
        operation_id="give_points",
        examples=examples.TRANSFER,
        summary="Give points to a friend",
        description="With the code that `/me/points/transfers/codes` sent for the same friend and points. The points keep their "
        "expiry. `transfer_limit` says which limit it is: `each_time`, `day` or `month`. `recipient_not_found` is the one answer for "
        "every number that can not be given points, whatever the reason, after all that lies with the giver was looked at; "
        "a few of them in a day and nothing more can be given on that day.",
        tags=["Me"],
        request=GivePointsSerializer,
        responses={201: TransferSerializer, 200: TransferSerializer},
    )
    def post(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        key = idempotency_key(request)
        asked = GivePointsSerializer.read(request.data)
        gift = _gift(asked)
        request_id = request_of(member_id=member.pk, key=key, gift=gift)
        partitions = {"member": str(member.pk), "address": place_of(request._request)}

        def give() -> Answer:
            made, was_made = give_points(
                sender_id=member.pk,
                gift=gift,
                code_id=code_id,
                request_id=request_id,
                by=caller_of(request).actor,
                at=at,
            )
            return Answer(200 if was_made else 201, plain(TransferSerializer(made).data))

        with counted(kind=RECIPIENT, partitions=partitions, wrong=RecipientNotFound, at=at, member_id=member.pk):
            code_id = None if _was_answered(request, key, request_id) else _checked(request, asked, gift)
            try:
                return respond_once(request, route=_ROUTE, effect=give, at=at)
            except MemberFrozen as refusal:
                refusal.by(freeze_of(member))
                raise


def _was_answered(request: Request, key: str, request_id: str) -> bool:
    """Whether it is a repeat: codes are good once, so a repeat does not look at its own again."""
    fingerprint = fingerprint_of(request.get_full_path(), request.data)
    kept = kept_answer(principal=caller_of(request).principal, route=_ROUTE, key=key, fingerprint=fingerprint)
    return kept is not None or given_before(request_id=request_id) is not None


def _checked(request: Request, asked: dict[str, Any], gift: Gift) -> int:
    return check_transfer_code(
        member_id=caller_member(request).pk,
        gift=gift,
        brought=Brought(asked["code_id"], asked["code"]),
        principal=caller_of(request).principal,
        place=place_of(request._request),
        at=timezone.now(),
    )


def _gift(asked: dict[str, Any]) -> Gift:
    """Return what is to be given. Raises ValidationError for a currency that there is not."""
    found = PointsCurrency.objects.filter(code=asked["currency"]).values_list("pk", flat=True).first()
    if found is None:
        words = _("There is no points currency of this code.")
        raise serializers.ValidationError({"currency": [ErrorDetail(words, code="invalid")]})
    return Gift(asked["to"], asked["points"], found)
