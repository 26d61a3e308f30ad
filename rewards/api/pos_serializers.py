"""Requests of tills and the answers to them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Money, OrderNumber, Ref, Text
from members.identifiers import MEMBER, PURCHASE, RETURN, VOUCHER
from members.queries import programme
from rewards.api.serializers import (
    CurrencyField,
    ExplainedLineSerializer,
    NotAppliedSerializer,
    VoucherTemplateSerializer,
)

MOST_LINES = 200
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
    payer = Text(
        max_length=100,
        required=False,
        help_text="What the payment service calls the payer's account. Kept for 60 days as a keyed hash, to see one payer behind many members.",
    )

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


class TierChangeSerializer(serializers.Serializer):
    """A tier that changed by this."""

    to = TierNameSerializer()


class OrderReceiptSerializer(serializers.Serializer):
    """What an order did: ready to print."""

    id = Ref(PURCHASE, source="receipt.public_id")
    external_order_no = serializers.CharField()
    member_ref = Ref(MEMBER, allow_null=True)
    ordered_at = Instant()
    total_amount = Money()
    currency = CurrencyField()
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
    tier_credits = serializers.IntegerField(source="receipt.credits", help_text="Tier credits taken back.")
    tier_change = TierChangeSerializer(allow_null=True)
    dry_run = serializers.BooleanField()
    already_processed = serializers.BooleanField(source="receipt.already_recorded")


class VoucherCodeSerializer(StoreOfTillMixin):
    """A code as the till read it."""

    code = Text(max_length=40, help_text="Spaces, hyphens and capitals do not matter.")
    spend_amount = Money(
        max_digits=9,
        min_value=Decimal(0),
        required=False,
        allow_null=True,
        help_text="The order's total before the voucher.",
    )


class VoucherUseRequestSerializer(VoucherCodeSerializer):
    """A voucher to be used for an order."""

    external_order_no = OrderNumber(help_text="The order it is used for.")


class VoucherReceiptSerializer(serializers.Serializer):
    """What a voucher gives."""

    id = Ref(VOUCHER, source="voucher.public_id")
    template = VoucherTemplateSerializer(source="voucher.template")
    off_amount = Money(allow_null=True, help_text="Null for an exchange voucher.")
    currency = CurrencyField()


class UsedVoucherSerializer(VoucherReceiptSerializer):
    """A voucher that was used."""

    external_order_no = serializers.CharField()
    already_processed = serializers.BooleanField(source="already_used_here")
