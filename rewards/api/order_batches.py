"""Orders and returns of a shop's server, many at a time: taken at once, recorded by a job, answered line by line."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import TillAuthentication
from members.api.base import ApiView, CallLimit, caller_key
from members.api.bodies import Body
from members.api.fields import OrderNumber, Ref
from members.api.jobs import STATES, JobSerializer, told
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import till_may
from members.identifiers import JOB, NotFound, parse_ref
from members.services.idempotency import Answer
from members.services.jobs import JobFileGone
from members.services.keys import ORDERS_READ, ORDERS_WRITE
from members.services.rates import Limit
from rewards.api import examples_order_batches as examples
from rewards.api.pos_serializers import OrderSerializer, ReturnSerializer
from rewards.services.offline_batches import stored_order
from rewards.services.order_batches import (
    MOST_LINES,
    ORDER,
    OUTCOMES,
    RETURNED,
    Answered,
    ToldLine,
    answers_of,
    batch_of_key,
    tell_orders,
)
from rewards.services.orders import OrderLine
from rewards.services.payers import payer_hash

#: A batch is work; a server that has more to tell than this makes its batches larger.
_A_MINUTE: Final = Limit("order_batches", 30, 60)


class ToldOrderSerializer(OrderSerializer):
    """An order of a batch, as `POST /pos/orders` takes it. One that is not valid is answered by itself."""

    def run_validation(self, data: Any = serializers.empty) -> ToldLine:
        return _line(ORDER, "external_order_no", data, super().run_validation, _stored_order)


class ToldReturnSerializer(ReturnSerializer):
    """A return of a batch: the order it belongs to, and what came back. One that is not valid is answered by itself."""

    external_order_no = OrderNumber(help_text="The order, in the source of the key; it may stand in the same batch.")

    def run_validation(self, data: Any = serializers.empty) -> ToldLine:
        return _line(RETURNED, "external_return_no", data, super().run_validation, _stored_return)


class OrdersBatchRequestSerializer(Body):
    """Orders and returns; together 1 to 1,000. Orders are recorded first."""

    orders = ToldOrderSerializer(many=True, required=False, default=list, max_length=MOST_LINES)  # type: ignore[call-arg]
    returns = ToldReturnSerializer(many=True, required=False, default=list, max_length=MOST_LINES)  # type: ignore[call-arg]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= len(attrs["orders"]) + len(attrs["returns"]) <= MOST_LINES:
            words = _("Tell 1 to %(most)s orders and returns.") % {"most": MOST_LINES}
            raise serializers.ValidationError(words, "lines_out_of_range")
        return attrs


class AnsweredLineSerializer(serializers.Serializer):
    """What became of a line."""

    position = serializers.IntegerField(help_text="Among the orders, or among the returns, of the batch: from 1.")
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    code = serializers.CharField(help_text="Why it was refused, as a problem code; empty where it was not.")
    reason = serializers.CharField(help_text="The same in words.")
    fields = serializers.ListField(child=serializers.CharField(), help_text="Which fields were not valid.")  # type: ignore[assignment]


class AnsweredOrderSerializer(AnsweredLineSerializer):
    """What became of an order."""

    external_order_no = serializers.CharField(source="number")
    id = serializers.CharField(source="ref", allow_null=True, help_text="`ord_…`; null where it was refused.")
    points_earned = serializers.IntegerField(source="points")


class AnsweredReturnSerializer(AnsweredLineSerializer):
    """What became of a return."""

    external_return_no = serializers.CharField(source="number")
    id = serializers.CharField(source="ref", allow_null=True, help_text="`ret_…`; null where it was refused.")
    points_taken_back = serializers.IntegerField(source="points")


class OrdersBatchSerializer(serializers.Serializer):
    """What became of a batch so far."""

    job_id = Ref(JOB)
    state = serializers.ChoiceField(choices=STATES)
    total = serializers.IntegerField(help_text="Orders and returns in all.")
    done = serializers.IntegerField(help_text="So many are answered below.")
    orders = AnsweredOrderSerializer(many=True)
    returns = AnsweredReturnSerializer(many=True)


class OrdersBatchesView(ApiView):
    """Takes batches of orders and returns."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)
    refusals: ClassVar = {"post": KEY_REFUSALS}
    limits: ClassVar = {"post": (CallLimit("key", _A_MINUTE),)}

    @extend_schema(
        operation_id="record_orders_batch",
        examples=examples.POST,
        summary="Record orders and returns of a shop",
        description=(
            "At most 1,000 orders and returns together, in a body of at most 1 MB. Answers 202 with a job that records them one by "
            "one, as `POST /pos/orders` and `POST /pos/orders/{order_no}/returns` do: first the orders, then the returns. "
            "`GET /integration/orders:batch/{job}` tells what became of each; one that is refused leaves the others as they are. "
            "Order and return numbers are unique for ever, so a batch can be told again, with what was refused mended."
        ),
        tags=["Integration"],
        request=OrdersBatchRequestSerializer,
        responses={202: JobSerializer},
    )
    def post(self, request: Request) -> Response:
        at, key = timezone.now(), caller_key(request)
        idempotency_key(request)
        asked = OrdersBatchRequestSerializer.read(request.data)
        lines = [*asked["orders"], *asked["returns"]]

        def accept() -> Answer:
            return Answer(202, plain(JobSerializer(told(tell_orders(key=key, lines=lines, at=at), at)).data))

        return respond_once(request, route="POST /integration/orders:batch", effect=accept, at=at)


class OrdersBatchView(ApiView):
    """What became of one batch of the key."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_READ),)
    refusals: ClassVar = {"get": (NotFound, JobFileGone)}

    @extend_schema(
        operation_id="get_orders_batch",
        examples=examples.GET,
        summary="What became of orders and returns of a shop",
        description="Line by line, as far as they are recorded; kept for seven days.",
        tags=["Integration"],
        responses=OrdersBatchSerializer,
    )
    def get(self, request: Request, job: str) -> Response:
        found = batch_of_key(parse_ref(JOB, job), key=caller_key(request))
        answers = answers_of(found, at=timezone.now())
        orders = [one for one in answers if one.kind == ORDER]
        data = {
            "job_id": found.public_id,
            "state": found.state,
            "total": found.total,
            "done": len(answers),
            "orders": [_shown(one, one.position) for one in orders],
            "returns": [_shown(one, one.position - len(orders)) for one in answers if one.kind == RETURNED],
        }
        return Response(OrdersBatchSerializer(data).data)


def _shown(one: Answered, position: int) -> dict[str, Any]:
    return {
        "position": position, "number": one.number, "outcome": one.outcome, "ref": one.ref, "points": one.points,
        "code": one.code, "reason": one.reason, "fields": one.fields,
    }  # fmt: skip


def _line(
    kind: str, name: str, data: Any, validated: Callable[[Any], Any], stored: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> ToldLine:  # fmt: skip
    """Return a line as it is kept, or what is wrong with it."""
    number = data.get(name, "") if isinstance(data, dict) else ""
    number = number[:80].encode("utf-8", "replace").decode().replace("\0", "") if isinstance(number, str) else ""
    try:
        asked = validated(data)
    except serializers.ValidationError as refused:
        names = sorted(map(str, refused.detail)) if isinstance(refused.detail, dict) else []
        return ToldLine(kind, number, fields=names[:20])
    return ToldLine(kind, asked[name], {**stored(asked), "store": asked.get("store")})


def _stored_order(asked: Mapping[str, Any]) -> dict[str, Any]:
    quote, hold = asked.get("quote_id"), asked.get("hold_id")
    return stored_order(
        external_order_no=asked["external_order_no"],
        member_ref=asked.get("member_ref"),
        ordered_at=asked["ordered_at"],
        lines=[OrderLine(**line) for line in asked["lines"]],
        payer=payer_hash(asked["payer"]) if asked.get("payer") else None,
    ) | {
        "quote": quote.hex if quote else None,
        "hold": hold.hex if hold else None,
        "shipping": str(asked.get("shipping", "0.00")),
    }


def _stored_return(asked: Mapping[str, Any]) -> dict[str, Any]:
    amount = asked.get("amount")
    return {
        "order": asked["external_order_no"],
        "at": asked["returned_at"].isoformat(),
        "lines": [
            [line["line_no"], str(line.get("quantity", 0)), str(line["amount"]) if "amount" in line else None]
            for line in asked.get("lines", ())
        ],
        "amount": None if amount is None else str(amount),
    }
