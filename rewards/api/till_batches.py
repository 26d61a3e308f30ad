"""The till without a line to us: what it must know to earn offline, and the orders it tells afterwards."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import TillAuthentication
from members.api.base import ApiView, cacheable, caller_key
from members.api.fields import Instant, OrderNumber, Ref
from members.api.once import KEY_REFUSALS, idempotency_key, respond_once
from members.api.permissions import till_may
from members.api.signatures import OPTIONAL_SIGNATURE_HEADERS, SIGNATURE_REFUSALS, require_signature
from members.identifiers import BATCH, PURCHASE, NotFound, parse_ref, public_ref
from members.models import ApiKey
from members.queries import programme
from members.refusals import refusal_sentence
from members.services.idempotency import Answer, fingerprint_of
from members.services.keys import ORDERS_READ, ORDERS_WRITE, signs_batches
from rewards.api import examples_batches
from rewards.api.pos import WrongStore, refuse_other_store
from rewards.api.pos_serializers import MOST_LINES, OrderSerializer, StoreOfTillMixin
from rewards.explanation import in_active_language
from rewards.models import EarnRule, EarnRuleVersion, OfflineBatch, OfflineBatchLine
from rewards.payment_book import PaymentRuleInForce, payment_rule
from rewards.services.offline_batches import (
    INVALID,
    MOST_ORDERS,
    SPENDING,
    BatchConflict,
    ToldOrder,
    accept_batch,
    batch_of_till,
    stored_order,
    work_off_batch,
)
from rewards.services.orders import OrderLine
from rewards.services.payers import payer_hash
from rewards.services.till_holds import LONGEST, SHORTEST, USUAL
from rewards.services.till_quotes import QUOTE_VALID
from rewards.till_words import payment_sentence
from rewards.ways_to_earn import WayToEarn, ways_to_earn

_CACHE_SECONDS: Final = 60
_SPENDS: Final = ("quote_id", "hold_id", "points", "vouchers")
#: When the answer was made, also with an answer that has no body: the till's clock may be wrong.
CLOCK: Final = "X-Server-Time"


class OfflineOrderSerializer(OrderSerializer):
    """An order of a batch. One that is not valid, or would spend something, is answered by itself."""

    points = serializers.IntegerField(required=False, help_text="Refused: nothing is spent offline.")
    vouchers = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        max_length=20,
        help_text="Refused: nothing is spent offline.",
    )

    def run_validation(self, data: Any = serializers.empty) -> ToldOrder:
        number = data.get("external_order_no", "") if isinstance(data, dict) else ""
        number = number[:80] if isinstance(number, str) else ""
        if isinstance(data, dict) and any(data.get(name) for name in _SPENDS):
            return ToldOrder(number, code=SPENDING)
        try:
            asked = super().run_validation(data)
        except serializers.ValidationError as refused:
            return ToldOrder(number, code=INVALID, params={"fields": sorted(map(str, refused.detail))[:20]})
        return ToldOrder(
            number,
            stored_order(
                external_order_no=asked["external_order_no"],
                member_ref=asked.get("member_ref"),
                ordered_at=asked["ordered_at"],
                lines=[OrderLine(**line) for line in asked["lines"]],
                payer=payer_hash(asked["payer"]) if asked.get("payer") else None,
            ),
        )


class BatchRequestSerializer(StoreOfTillMixin):
    """Orders that were taken offline."""

    external_batch_no = OrderNumber(help_text="The batch's number, unique in the till's source.")
    orders = OfflineOrderSerializer(many=True, allow_empty=False, max_length=MOST_ORDERS)  # type: ignore[call-arg]


class BatchLineSerializer(serializers.Serializer):
    """What became of one order."""

    position = serializers.IntegerField(help_text="In the order of the batch, from 1.")
    external_order_no = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in OfflineBatchLine.Outcome])
    id = Ref(PURCHASE, allow_null=True, help_text="Null where it was refused.")
    points_earned = serializers.IntegerField()
    code = serializers.CharField(help_text="Why it was refused; empty where it was not.")
    reason = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField(), help_text="Which fields were not valid.")  # type: ignore[assignment]


class BatchSerializer(serializers.Serializer):
    """What became of a batch."""

    id = Ref(BATCH)
    external_batch_no = serializers.CharField()
    is_done = serializers.BooleanField(help_text="Whether each order has its answer; else ask again.")
    total = serializers.IntegerField()
    recorded = serializers.IntegerField()
    known = serializers.IntegerField(help_text="Orders that were recorded before.")
    refused = serializers.IntegerField()
    lines = BatchLineSerializer(many=True)


class BatchesView(ApiView):
    """Takes orders that were made offline."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, *SIGNATURE_REFUSALS, WrongStore, BatchConflict)}

    @extend_schema(
        operation_id="record_batch",
        examples=examples_batches.BATCH,
        summary="Record orders that were taken offline",
        description=(
            "At most 500. Each is recorded by itself, as if it were told alone, and answered by a line; one that is refused "
            "leaves the others as they are. They earn only: orders with points, vouchers, a quote or a hold are refused. A "
            "batch that is told again goes on where it stopped and gives the same answers. Points count against what the key may "
            "move in a day; an order beyond it is refused and may be told another day, in a batch with another number. A key that "
            "was given a secret to sign with signs each call as Standard Webhooks are, with `POST` and the address before the body: "
            "`id.timestamp.POST /api/v1/pos/batches.body`."
        ),
        tags=["POS"],
        parameters=OPTIONAL_SIGNATURE_HEADERS,
        request=BatchRequestSerializer,
        responses=BatchSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        if signs_batches(key):
            require_signature(
                request, key=key, at=at, with_address=True, most_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            )
        asked = BatchRequestSerializer.read(request.data)
        refuse_other_store(key, asked)
        fingerprint = fingerprint_of(request.data["orders"] if isinstance(request.data, dict) else [])

        def accept() -> Answer:
            batch = accept_batch(
                key=key,
                external_batch_no=asked["external_batch_no"],
                fingerprint=fingerprint,
                told=asked["orders"],
                at=at,
            )
            return Answer(200, {"id": public_ref(BATCH, batch.public_id)})

        accepted = respond_once(request, route="POST /pos/batches", effect=accept, at=at)
        batch = batch_of_till(parse_ref(BATCH, accepted.data["id"]), source=key.source, store_id=key.store_id)
        if batch.done_at is None:
            batch = work_off_batch(batch_id=batch.pk, at=at)
        accepted.data = BatchSerializer(_told(batch)).data
        return accepted


class BatchView(ApiView):
    """What became of one batch of the till's store."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_READ),)
    refusals: ClassVar = {"get": (NotFound,)}

    @extend_schema(
        operation_id="get_batch",
        examples=examples_batches.GET_BATCH,
        summary="What became of a batch",
        tags=["POS"],
        responses=BatchSerializer,
    )
    def get(self, request: Request, batch_id: str) -> Response:
        key = caller_key(request)
        batch = batch_of_till(parse_ref(BATCH, batch_id), source=key.source, store_id=key.store_id)
        return Response(BatchSerializer(_told(batch)).data)


def _told(batch: OfflineBatch) -> dict[str, Any]:
    rows = list(batch.lines.select_related("purchase").order_by("position"))
    outcomes = [row.outcome for row in rows]
    return {
        "id": batch.public_id,
        "external_batch_no": batch.external_batch_no,
        "is_done": batch.done_at is not None,
        "total": batch.total,
        **{outcome.value: outcomes.count(outcome) for outcome in OfflineBatchLine.Outcome},
        "lines": [
            {
                "position": row.position,
                "external_order_no": row.external_order_no,
                "outcome": row.outcome,
                "id": row.purchase.public_id if row.purchase else None,
                "points_earned": row.points,
                "code": row.code,
                "reason": _reason(row),
                "fields": row.params.get("fields", []),
            }
            for row in rows
        ],
    }


def _reason(row: OfflineBatchLine) -> str:
    if not row.code:
        return ""
    if row.code == INVALID:
        return _("This order is not valid.")
    return refusal_sentence(row.code, row.params)


class OfflineRuleSerializer(serializers.Serializer):
    """One way to earn on purchases, in words and in figures."""

    name = serializers.CharField(source="version.rule.name")
    sentence = serializers.CharField()
    is_extra = serializers.SerializerMethodField(
        help_text="Whether it adds to the base points, or is what they come from."
    )
    points = serializers.SerializerMethodField(help_text="For each step, or in all.")
    step = serializers.SerializerMethodField(help_text="Of money; null: so many points in all.")
    counts_everything = serializers.SerializerMethodField(
        help_text="Whether it counts all goods, everywhere and always. Others are worked out when the order is told."
    )

    def get_is_extra(self, way: WayToEarn) -> bool:
        return way.version.mode == EarnRuleVersion.Mode.EXTRA

    def get_points(self, way: WayToEarn) -> int:
        fixed = way.version.points_fixed
        return fixed if fixed is not None else way.version.points_per_step

    def get_step(self, way: WayToEarn) -> str | None:
        return None if way.version.points_fixed is not None else str(way.version.step_amount)

    def get_counts_everything(self, way: WayToEarn) -> bool:
        row = way.version
        narrowed = (
            row.category_ids, row.skus, row.brands, row.excluded_category_ids, row.excluded_skus, row.excluded_brands,
            row.channel_ids, row.store_ids, row.weekdays, row.condition, row.first_order_only, row.min_spend_amount,
        )  # fmt: skip
        return not any(narrowed) and row.hour_from is None


class PointsPaymentSerializer(serializers.Serializer):
    """How points pay here."""

    sentence = serializers.CharField()
    money_per_point = serializers.CharField()
    step = serializers.IntegerField()
    least = serializers.IntegerField()
    max_share_percent = serializers.IntegerField()
    pays_shipping = serializers.BooleanField()


class PosStoreSerializer(serializers.Serializer):
    """The till's store."""

    code = serializers.CharField()
    name = serializers.CharField()


class PosLimitsSerializer(serializers.Serializer):
    """How much of what."""

    lines_per_order = serializers.IntegerField()
    orders_per_batch = serializers.IntegerField()
    quote_minutes = serializers.IntegerField()
    hold_minutes_min = serializers.IntegerField()
    hold_minutes_max = serializers.IntegerField()
    hold_minutes = serializers.IntegerField(help_text="Unless asked otherwise.")


class PosConfigSerializer(serializers.Serializer):
    """What a till must know."""

    store = PosStoreSerializer()
    source = serializers.CharField(help_text="Order numbers are unique in it.")  # type: ignore[assignment]
    currency = serializers.CharField()
    timezone = serializers.CharField(help_text="Of business days.")
    languages = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField(), help_text="What the till's key may do.")
    limits = PosLimitsSerializer()
    earning = OfflineRuleSerializer(
        many=True, help_text="Enough to tell a customer roughly what he will earn while offline."
    )
    points_payment = PointsPaymentSerializer(allow_null=True, help_text="Null where points do not pay here now.")


class PosConfigView(ApiView):
    """What the till must know to work, also without a line to us."""

    is_cacheable = True
    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)

    @extend_schema(
        operation_id="get_pos_config",
        examples=examples_batches.CONFIG,
        summary="What a till must know",
        description=(
            "Store, rules, limits, languages. Ask with `If-None-Match`; `X-Server-Time` tells our clock with each answer, so "
            "that a till can correct its own."
        ),
        tags=["POS"],
        parameters=[
            OpenApiParameter(CLOCK, str, OpenApiParameter.HEADER, response=[200, 304], description="Our clock.")
        ],
        responses=PosConfigSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        at = timezone.now()
        data = PosConfigSerializer(_config(caller_key(request), at)).data
        answer = cacheable(request, data, seconds=_CACHE_SECONDS, is_personal=True)
        answer.headers[CLOCK] = Instant().to_representation(at)
        return answer


def _config(key: ApiKey, at: datetime) -> dict[str, Any]:
    ways = [way for way in ways_to_earn(moment=at) if way.version.rule.kind == EarnRule.Kind.SPEND]
    paying = payment_rule(key.store_id, at)
    return {
        "store": key.store,
        "source": key.source,
        "currency": programme().currency,
        "timezone": str(programme().tz),
        "languages": [code for code, _name in settings.LANGUAGES],
        "scopes": key.scopes,
        "limits": {
            "lines_per_order": MOST_LINES, "orders_per_batch": MOST_ORDERS,
            "quote_minutes": int(QUOTE_VALID.total_seconds()) // 60, "hold_minutes_min": SHORTEST, "hold_minutes_max": LONGEST,
            "hold_minutes": USUAL,
        },
        "earning": ways,
        "points_payment": _paying(paying) if paying and not paying.reason else None,
    }  # fmt: skip


def _paying(rule: PaymentRuleInForce) -> dict[str, Any]:
    value = rule.value
    return {
        "sentence": payment_sentence(value, in_active_language(rule.names)), "money_per_point": str(value.money_per_point),
        "step": value.step_points, "least": value.min_points, "max_share_percent": value.max_share_percent,
        "pays_shipping": value.pays_postage,
    }  # fmt: skip
