"""Requests of tills and the answers to them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Money, OrderNumber, Ref, Text
from members.identifiers import MEMBER, ORDER_HOLD, PURCHASE, QUOTE, RETURN, VOUCHER
from members.queries import programme
from rewards.api.serializers import (
    CurrencyField,
    ExplainedLineSerializer,
    NotAppliedSerializer,
)
from rewards.models import OrderDeduction

MOST_LINES = 200
DEDUCTION_KINDS = tuple(OrderDeduction.Kind.values)
LARGEST_ORDER = Decimal("9999999.99")
_PRICE_STEP = Decimal("0.0001")
_POSITIVE = [MinValueValidator(Decimal("0.001"))]


class TierNameSerializer(serializers.Serializer):
    """A tier by its code, with its name."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class StoreOfTillMixin(Body):
    """A till may name its store, so that one with a foreign key is noticed."""

    store = Text(
        required=False, max_length=30, help_text="Code of the till's store. Refused when the key belongs to another."
    )


class OrderLineSerializer(Body):
    """One line of the receipt, after discounts."""

    sku = Text(max_length=60)
    name = Text(max_length=200, required=False, default="", allow_blank=True)
    quantity = serializers.DecimalField(max_digits=9, decimal_places=3, validators=_POSITIVE)
    unit_price = serializers.DecimalField(
        max_digits=12,
        decimal_places=4,
        min_value=Decimal(0),
        required=False,
        help_text="Amount divided by quantity when left out.",
    )
    amount = Money(
        max_digits=9, min_value=Decimal(0), help_text="What was paid for the line, in the programme's currency."
    )
    earns = serializers.BooleanField(required=False, default=True, help_text="False for postage, fees and gift cards.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "unit_price" not in attrs:
            price = (attrs["amount"] / attrs["quantity"]).quantize(_PRICE_STEP, ROUND_HALF_UP)
            attrs["unit_price"] = min(price, LARGEST_ORDER)
        return attrs


class OrderSerializer(StoreOfTillMixin):
    """An order that was paid."""

    external_order_no = OrderNumber(help_text="The receipt's number, unique in the till's source.")
    member_ref = Ref(
        MEMBER, required=False, allow_null=True, help_text="From /pos/members/resolve; left out for guests."
    )
    ordered_at = Instant()
    currency = serializers.CharField(
        required=False, max_length=3, help_text="The programme's; refused when it is another."
    )
    lines = OrderLineSerializer(many=True, allow_empty=False, max_length=MOST_LINES)  # type: ignore[call-arg]
    quote_id = Ref(
        QUOTE,
        required=False,
        help_text="The quote by which it was paid. `lines` and `shipping` are then those of the quote, before deductions.",
    )
    hold_id = Ref(
        ORDER_HOLD,
        required=False,
        help_text="What was set aside for it: points, vouchers, benefits. Left out: earn only.",
    )
    shipping = Money(
        max_digits=9,
        min_value=Decimal(0),
        required=False,
        help_text="Postage, as it was quoted. Without a quote postage is a line that does not earn.",
    )
    payer = Text(
        max_length=100,
        required=False,
        help_text="What the payment service calls the payer's account. Kept for 60 days as a keyed hash, to see one payer behind many members.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "shipping" in attrs and not ("quote_id" in attrs or "hold_id" in attrs):
            raise serializers.ValidationError(
                {"shipping": [_("Only an order that was quoted names its postage apart.")]}, "shipping_without_quote"
            )
        return attrs

    def validate_currency(self, value: str) -> str:
        expected = programme().currency
        if value != expected:
            raise serializers.ValidationError(
                _("Amounts are in %(currency)s here.") % {"currency": expected}, "wrong_currency"
            )
        return value

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if sum(line["amount"] for line in lines) > LARGEST_ORDER:
            raise serializers.ValidationError(_("The order is too large to be true."), "order_too_large")
        return lines


class DeductionLineSerializer(serializers.Serializer):
    """What is taken off one line."""

    line_no = serializers.IntegerField(help_text="In the order of the cart; postage is the one after the last.")
    amount = Money()


class DeductionSerializer(serializers.Serializer):
    """One thing that makes the order cheaper."""

    kind = serializers.ChoiceField(choices=DEDUCTION_KINDS)
    label = serializers.CharField()  # type: ignore[assignment]
    voucher_id = Ref(VOUCHER, allow_null=True, help_text="Which voucher; null for everything else.")
    amount = Money(help_text="0.00 for a gift, or for a voucher that only adds points.")
    lines = DeductionLineSerializer(many=True)


class SettlementSerializer(serializers.Serializer):
    """How a quoted order came to what was paid for it."""

    quote_id = Ref(QUOTE)
    total = Money(help_text="Before anything was taken off, with postage.")
    discount = Money(help_text="By benefits and vouchers.")
    points_paid = serializers.IntegerField()
    points_worth = Money(help_text="What these points paid.")
    deductions = DeductionSerializer(many=True)


class TierChangeSerializer(serializers.Serializer):
    """A tier that changed by this."""

    to = TierNameSerializer()


class OrderReceiptSerializer(serializers.Serializer):
    """What an order did: ready to print."""

    id = Ref(PURCHASE, source="receipt.public_id")
    external_order_no = serializers.CharField()
    member_ref = Ref(MEMBER, allow_null=True)
    ordered_at = Instant()
    total_amount = Money(help_text="What was paid in money.")
    currency = CurrencyField()
    settlement = SettlementSerializer(allow_null=True, help_text="Null for an order that was not quoted.")
    points_earned = serializers.IntegerField(source="receipt.points")
    points_are_pending = serializers.BooleanField(source="receipt.pending", help_text="They can not be spent yet.")
    explain = ExplainedLineSerializer(
        source="explanation.lines", many=True, help_text="The points line by line; they add up."
    )
    not_applied = NotAppliedSerializer(source="explanation.not_applied", many=True)
    tier = TierNameSerializer(allow_null=True, help_text="The tier after the order; null for guests.")
    tier_change = TierChangeSerializer(allow_null=True)
    tier_credits = serializers.IntegerField(source="receipt.credits", help_text="Tier credits that the order counts.")
    points_available = serializers.IntegerField(source="receipt.available", help_text="After the order.")
    points_pending = serializers.IntegerField(source="receipt.pending_points")
    already_processed = serializers.BooleanField(source="receipt.already_recorded")


class RecordedLineSerializer(serializers.Serializer):
    """One line of a recorded order, with the number that returns name."""

    line_no = serializers.IntegerField()
    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.DecimalField(max_digits=12, decimal_places=3)
    amount = Money()
    earns = serializers.BooleanField()


class RecordedReturnSerializer(serializers.Serializer):
    """A return of a recorded order."""

    id = Ref(RETURN, source="public_id")
    external_return_no = serializers.CharField()
    returned_at = Instant()
    amount = Money(source="total_amount")
    points = serializers.IntegerField(help_text="Taken back.")


class RecordedOrderSerializer(OrderReceiptSerializer):
    """What happened to an order so far."""

    lines = RecordedLineSerializer(many=True)
    returns = RecordedReturnSerializer(many=True)
    voided_at = Instant(allow_null=True, help_text="When the whole order was undone on its own day.")


class ReturnLineSerializer(Body):
    """So many pieces of one line come back, or so much money is paid back for it while the goods stay."""

    line_no = serializers.IntegerField(min_value=1, max_value=MOST_LINES)
    quantity = serializers.DecimalField(
        max_digits=9, decimal_places=3, validators=_POSITIVE, required=False, help_text="Pieces that come back."
    )
    amount = Money(
        max_digits=9,
        validators=_POSITIVE,
        required=False,
        help_text="Instead of `quantity`: money paid back for the line while the goods stay.",
    )

    def validate(self, line: dict[str, Any]) -> dict[str, Any]:
        if ("quantity" in line) == ("amount" in line):
            raise serializers.ValidationError(_("Give the quantity or the amount, not both."), "quantity_or_amount")
        return line


class ReturnSerializer(StoreOfTillMixin):
    """Goods that come back."""

    external_return_no = OrderNumber(help_text="The return's number, unique in the till's source.")
    returned_at = Instant()
    lines = ReturnLineSerializer(  # type: ignore[call-arg]
        many=True,
        required=False,
        allow_empty=False,
        max_length=MOST_LINES,
        help_text="Left out, and no `amount`: all that has not come back yet.",
    )
    amount = Money(
        max_digits=9,
        validators=_POSITIVE,
        required=False,
        help_text="Instead of `lines`: money paid back for the order as a whole, spread over its lines.",
    )

    def validate(self, ret: dict[str, Any]) -> dict[str, Any]:
        ret = super().validate(ret)
        if "lines" in ret and "amount" in ret:
            raise serializers.ValidationError(_("Give the lines or the amount, not both."), "lines_or_amount")
        return ret

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({line["line_no"] for line in lines}) < len(lines):
            raise serializers.ValidationError(_("Name each line once."), "repeated_line")
        return lines


class ReturnQuery(serializers.Serializer):
    """Whether to do it, or only to say what it would do."""

    dry_run = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Say what the return would do and change nothing; needs no `Idempotency-Key`.",
    )


class ReturnReceiptSerializer(serializers.Serializer):
    """What a return did, or would do."""

    id = Ref(RETURN, source="receipt.public_id", help_text="Of no use after a dry run.")
    external_return_no = serializers.CharField()
    external_order_no = serializers.CharField()
    amount = Money(source="receipt.amount")
    currency = CurrencyField()
    points_taken_back = serializers.IntegerField(source="receipt.points")
    points_from_balance = serializers.IntegerField(source="receipt.points_from_balance")
    points_to_arrears = serializers.IntegerField(
        source="receipt.points_to_arrears", help_text="Were spent already; the next points earned pay them first."
    )
    points_given_back = serializers.IntegerField(
        source="receipt.points_back", help_text="Points that had paid a part of the order; they are back in their lots."
    )
    vouchers_given_back = serializers.IntegerField(
        source="receipt.given_back.vouchers", help_text="Vouchers of the order that can be used again."
    )
    vouchers_kept = serializers.IntegerField(
        source="receipt.given_back.vouchers_kept", help_text="Vouchers of the order that stay used so far."
    )
    benefit_uses_given_back = serializers.IntegerField(source="receipt.given_back.uses")
    tier_credits = serializers.IntegerField(source="receipt.credits", help_text="Tier credits taken back.")
    tier_change = TierChangeSerializer(allow_null=True)
    sentence = serializers.CharField(help_text="What is done, in the asked language, to be said before it is done.")
    dry_run = serializers.BooleanField()
    already_processed = serializers.BooleanField(source="receipt.already_recorded")
