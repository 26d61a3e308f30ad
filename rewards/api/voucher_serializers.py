"""What members read of one voucher, and what tills ask and read of vouchers by themselves."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Money, OrderNumber, Ref, Text
from members.api.serializers import StoreSerializer
from members.identifiers import VOUCHER
from rewards.api.pos_serializers import LARGEST_ORDER, MOST_LINES, StoreOfTillMixin
from rewards.api.serializers import CurrencyField, VoucherSerializer, VoucherTemplateSerializer


class VoucherUseSerializer(serializers.Serializer):
    """Where a voucher was used."""

    used_at = Instant(source="happened_at")
    store = StoreSerializer(allow_null=True)
    external_order_no = serializers.CharField()


class VoucherReasonSerializer(serializers.Serializer):
    """Why a voucher can not be used now."""

    code = serializers.CharField(help_text="more may come")
    detail = serializers.CharField(help_text="Ready to show, in the language asked for.")


class VoucherDetailSerializer(VoucherSerializer):
    """A voucher with the code that the till reads. Only its owner sees it."""

    code = serializers.CharField(allow_null=True, help_text="Null while it can not be used, and once it was.")
    sentence = serializers.CharField(help_text="What it gives, when and where, in words.")
    usable_now = serializers.BooleanField(help_text="As far as the moment goes; what the order needs, the till says.")
    reasons = VoucherReasonSerializer(many=True, help_text="Why it can not be used now; empty where it can.")
    is_giftable = serializers.BooleanField(source="template.is_giftable", help_text="May be given to a friend.")
    use = VoucherUseSerializer(allow_null=True)


class VoucherLineSerializer(Body):
    """One line of the order, as far as a voucher looks at it."""

    sku = Text(max_length=60)
    quantity = serializers.DecimalField(
        max_digits=9, decimal_places=3, min_value=Decimal("0.001"), required=False, default=Decimal(1)
    )
    amount = Money(max_digits=9, min_value=Decimal(0), help_text="What the line costs before the voucher.")
    discountable = serializers.BooleanField(
        required=False, default=True, help_text="False where vouchers may not make it cheaper."
    )


class VoucherCodeSerializer(StoreOfTillMixin):
    """A code as the till read it, with what is known of the order."""

    code = Text(max_length=40, help_text="Spaces, hyphens and capitals do not matter.")
    spend_amount = Money(
        max_digits=9,
        min_value=Decimal(0),
        required=False,
        allow_null=True,
        help_text="The order's total before the voucher. Left out where the lines are given.",
    )
    lines = VoucherLineSerializer(  # type: ignore[call-arg]
        many=True,
        required=False,
        allow_empty=False,
        max_length=MOST_LINES,
        help_text="With them the goods are looked at too; without, whoever stands at the till does.",
    )

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if sum(line["amount"] for line in lines) > LARGEST_ORDER:
            raise serializers.ValidationError(_("The order is too large to be true."), "order_too_large")
        return lines


class VoucherUseRequestSerializer(VoucherCodeSerializer):
    """A voucher to be used for an order."""

    external_order_no = OrderNumber(help_text="The order it is used for.")


class VoucherUndoRequestSerializer(StoreOfTillMixin):
    """A use that is to be taken back."""

    code = Text(max_length=40, help_text="Spaces, hyphens and capitals do not matter.")
    external_order_no = OrderNumber(help_text="The order it was used for.")


class VoucherShareSerializer(serializers.Serializer):
    """What a voucher takes off one line."""

    line_no = serializers.IntegerField(help_text="1 is the first.")
    amount = Money()


class VoucherReceiptSerializer(serializers.Serializer):
    """What a voucher gives."""

    id = Ref(VOUCHER, source="voucher.public_id")
    template = VoucherTemplateSerializer(source="voucher.template")
    off_amount = Money(allow_null=True, help_text="Null where it is not money, or the order's total was not said.")
    currency = CurrencyField()
    shares = VoucherShareSerializer(
        many=True, help_text="By lines, where they were given; they add up to `off_amount`."
    )


class UsedVoucherSerializer(VoucherReceiptSerializer):
    """A voucher that was used."""

    external_order_no = serializers.CharField()
    already_processed = serializers.BooleanField(source="already_used_here")


class UnusedAgainSerializer(serializers.Serializer):
    """A voucher whose use was taken back."""

    id = Ref(VOUCHER, source="voucher.public_id")
    template = VoucherTemplateSerializer(source="voucher.template")
    external_order_no = serializers.CharField()
    already_processed = serializers.BooleanField()
