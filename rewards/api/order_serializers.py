"""Answers about a member's own orders."""

from datetime import date
from typing import Any

from rest_framework import serializers

from loyalty.periods import business_date
from members.api.fields import Instant, Money, Ref
from members.api.serializers import StoreSerializer
from members.identifiers import PURCHASE
from members.queries import programme
from rewards.api.pos_serializers import RecordedLineSerializer, RecordedReturnSerializer, SettlementSerializer
from rewards.api.serializers import CurrencyField, ExplanationSerializer


class PointsOfSerializer(serializers.Serializer):
    """Points of one points currency."""

    currency = serializers.CharField(help_text="Code of the points currency.")
    points = serializers.IntegerField()


class CameBackSerializer(serializers.Serializer):
    """What came back of an order, all returns together."""

    amount = Money()
    points = serializers.IntegerField(help_text="Taken back.")
    times = serializers.IntegerField(help_text="How many returns.")


class MyOrderSerializer(serializers.Serializer):
    """An order of a member."""

    id = Ref(PURCHASE, source="purchase.public_id")
    external_order_no = serializers.CharField(source="purchase.external_order_no", help_text="As on the receipt.")
    ordered_at = Instant(source="purchase.ordered_at")
    ordered_on = serializers.SerializerMethodField(help_text="The day of it, in the programme's zone.")
    store = StoreSerializer(source="purchase.store", allow_null=True, help_text="Null where it was in none.")
    channel = serializers.CharField(source="purchase.channel.name", help_text="A till, the web shop … by its name.")
    total_amount = Money(source="purchase.total_amount", help_text="What was paid in money.")
    currency = CurrencyField()
    points_earned = serializers.IntegerField(help_text="By the order itself, before anything came back.")
    other_points = PointsOfSerializer(many=True, help_text="What it earned in other points currencies.")
    came_back = CameBackSerializer(allow_null=True, help_text="Null while nothing came back.")
    voided_at = Instant(allow_null=True, help_text="When the whole order was undone on its own day.")

    def get_ordered_on(self, told: dict[str, Any]) -> date:
        return business_date(told["purchase"].ordered_at, programme().tz)


class MyOrderDetailSerializer(MyOrderSerializer):
    """An order of a member with all that is known of it."""

    settlement = SettlementSerializer(allow_null=True, help_text="Null for an order that was not quoted.")
    explanation = ExplanationSerializer()
    lines = RecordedLineSerializer(many=True)
    returns = RecordedReturnSerializer(many=True)
