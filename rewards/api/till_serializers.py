"""What tills ask when they quote, set aside and void, and the answers."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Money, Ref
from members.identifiers import MEMBER, ORDER_HOLD, PURCHASE, QUOTE, VOUCHER
from rewards.api.pos_serializers import (
    LARGEST_ORDER,
    MOST_LINES,
    DeductionSerializer,
    OrderLineSerializer,
    ReturnReceiptSerializer,
    StoreOfTillMixin,
    TierNameSerializer,
)
from rewards.api.serializers import CurrencyField, ExplainedLineSerializer, NotAppliedSerializer
from rewards.models import OrderHold
from rewards.services.till_holds import LONGEST, SHORTEST, USUAL

HOLD_STATES = tuple(OrderHold.State.values)
_MOST_VOUCHERS = 50
_MOST_POINTS = 1_000_000_000


class CartLineSerializer(OrderLineSerializer):
    """One line of the cart, after the shop's own discounts."""

    amount = Money(
        max_digits=9,
        min_value=Decimal(0),
        help_text="What the line costs after the shop's own discounts, before anything of the programme.",
    )
    discountable = serializers.BooleanField(
        required=False, default=True, help_text="False where neither benefits nor vouchers may make it cheaper."
    )


class QuoteRequestSerializer(StoreOfTillMixin):
    """A cart that is to be quoted."""

    member_ref = Ref(MEMBER, required=False, allow_null=True, help_text="Left out for guests.")
    lines = CartLineSerializer(many=True, allow_empty=False, max_length=MOST_LINES)  # type: ignore[call-arg]
    shipping = Money(
        max_digits=9, min_value=Decimal(0), required=False, default=Decimal("0.00"), help_text="Postage of the order."
    )
    vouchers = serializers.ListField(
        child=Ref(VOUCHER),
        required=False,
        max_length=_MOST_VOUCHERS,
        help_text="The vouchers to use; empty: none. Left out: the best set that may be used together.",
    )
    points = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=_MOST_POINTS,
        help_text="How many points are to pay; what is more than can pay is left out.",
    )

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if sum(line["amount"] for line in lines) > LARGEST_ORDER:
            raise serializers.ValidationError(_("The order is too large to be true."), "order_too_large")
        return lines


class QuoteQuery(serializers.Serializer):
    """Another moment, to look at rules to come."""

    at = Instant(
        required=False,
        help_text="In the demo only: what the cart would cost at this moment. Such a quote can not be ordered.",
    )


class UnusedVoucherSerializer(serializers.Serializer):
    """A voucher that is not used, and why."""

    voucher_id = Ref(VOUCHER)
    label = serializers.CharField()  # type: ignore[assignment]
    code = serializers.CharField()
    reason = serializers.CharField()


class PointsPayableSerializer(serializers.Serializer):
    """How many points can pay this order."""

    max = serializers.IntegerField()
    applied = serializers.IntegerField()
    worth = Money(help_text="What the applied points pay.")
    step = serializers.IntegerField(help_text="Points pay in multiples of it.")
    least = serializers.IntegerField(help_text="Fewer can not pay.")
    reason = serializers.CharField(allow_blank=True, help_text="Why none can pay; empty where some can.")


class QuotedEarningSerializer(serializers.Serializer):
    """What the order would earn, and why."""

    total = serializers.IntegerField()
    explain = ExplainedLineSerializer(many=True)
    not_applied = NotAppliedSerializer(many=True)


class QuotedTierSerializer(TierNameSerializer):
    """The member's tier, and how far it is to the next."""

    credits_to_next = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField(help_text="Before this order.")


class QuoteSerializer(serializers.Serializer):
    """What the cart costs and earns."""

    quote_id = Ref(QUOTE)
    expires_at = Instant(help_text="Until then it can be ordered or set aside.")
    can_be_ordered = serializers.BooleanField(help_text="False for another moment than now.")
    needs_hold = serializers.BooleanField(help_text="Whether points, vouchers or counted benefits are to be set aside.")
    currency = CurrencyField()
    total = Money(help_text="Before anything is taken off, with postage.")
    discount = Money(help_text="By benefits and vouchers.")
    payable = Money(help_text="What is left to be paid in money.")
    deductions = DeductionSerializer(many=True)
    vouchers_not_used = UnusedVoucherSerializer(many=True)
    points_payable = PointsPayableSerializer()
    earn = QuotedEarningSerializer(help_text="As things stand; caps may be reached meanwhile.")
    tier = QuotedTierSerializer(allow_null=True, help_text="Null for guests.")


class HoldRequestSerializer(Body):
    """What is to be set aside."""

    quote_id = Ref(QUOTE)
    points = serializers.IntegerField(
        required=False, min_value=0, max_value=_MOST_POINTS, help_text="Left out: those that the quote applied."
    )
    vouchers = serializers.ListField(
        child=Ref(VOUCHER),
        required=False,
        max_length=_MOST_VOUCHERS,
        help_text="Left out: those of the quote; no others.",
    )
    minutes = serializers.IntegerField(required=False, default=USUAL, min_value=SHORTEST, max_value=LONGEST)


class HoldSerializer(serializers.Serializer):
    """What is set aside for an order."""

    id = Ref(ORDER_HOLD, source="hold.public_id")
    quote_id = Ref(QUOTE, source="hold.quote_ref")
    state = serializers.ChoiceField(choices=HOLD_STATES, source="hold.state")
    expires_at = Instant(source="hold.expires_at", help_text="Then everything is given back by itself.")
    points = serializers.IntegerField(source="hold.points")
    points_worth = Money(source="hold.points_amount")
    currency = CurrencyField()
    vouchers = serializers.IntegerField(source="hold.vouchers", help_text="How many are set aside.")
    benefit_uses = serializers.IntegerField(source="hold.uses")
    already_processed = serializers.BooleanField(source="already_recorded")


class VoidRequestSerializer(StoreOfTillMixin):
    """Nothing has to be said."""


class VoidReceiptSerializer(serializers.Serializer):
    """What voiding the order did."""

    id = Ref(PURCHASE, source="order_ref")
    external_order_no = serializers.CharField()
    voided_at = Instant()
    took_back = ReturnReceiptSerializer()
    already_processed = serializers.BooleanField()
