"""What members say to redeem a reward, and what they read of their orders."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from members.actors import Actor
from members.api.bodies import Body
from members.api.fields import Instant, Money, Ref, Text
from members.api.serializers import StoreSerializer, exactly_one
from members.identifiers import QUOTE, REDEMPTION, REWARD, STORE
from rewards.api.pos_serializers import StoreOfTillMixin
from rewards.api.reward_serializers import WAYS
from rewards.api.serializers import CurrencyField, VoucherSerializer
from rewards.models import Redemption, RedemptionState, Reward
from rewards.services.addresses import LONGEST_LINE, LONGEST_NAME, MOST_LINES
from rewards.services.digital_codes import code_of
from rewards.services.fulfilment import may_be_cancelled


class RedeemedRewardSerializer(serializers.Serializer):
    """The reward of a redemption."""

    id = Ref(REWARD, source="public_id")
    kind = serializers.ChoiceField(choices=Reward.Kind.choices)
    name = serializers.CharField()


class RedemptionSerializer(serializers.Serializer):
    """Points given for a reward, and where it stands. The voucher's code is at /me/vouchers/{id}."""

    id = Ref(REDEMPTION, source="public_id")
    reward = RedeemedRewardSerializer()
    points = serializers.IntegerField(source="price_points")
    cash_amount = Money(help_text="To be paid besides, at the till or in the shop.")
    currency = CurrencyField()
    state = serializers.ChoiceField(choices=RedemptionState.choices)
    state_label = serializers.CharField(source="get_state_display")
    state_at = Instant(help_text="Since when.")
    delivery = serializers.ChoiceField(choices=Redemption.Delivery.choices)
    store = StoreSerializer(allow_null=True, help_text="Where it is handed over; null: in any store that has it.")
    ready_by = Instant(source="due_at", allow_null=True, help_text="When it is to be under way or put aside.")
    carrier = serializers.CharField(help_text="Who brings the parcel; empty until it is under way.")
    tracking_no = serializers.CharField(help_text="Number of the parcel with the carrier.")
    cancellable = serializers.SerializerMethodField(help_text="Whether it can be cancelled now.")
    redeemed_at = Instant()
    voucher = VoucherSerializer(allow_null=True)

    def get_cancellable(self, redemption: Redemption) -> bool:
        return may_be_cancelled(redemption, by=Actor("member", redemption.member_id), at=self.context["at"])


class AddressSerializer(serializers.Serializer):
    """Where a parcel goes."""

    name = serializers.CharField()
    phone = serializers.CharField(help_text="E.164.")
    lines = serializers.ListField(child=serializers.CharField())


class RedemptionDetailSerializer(RedemptionSerializer):
    """An order with its codes. Only its member sees it."""

    pickup_code = serializers.CharField(allow_null=True, help_text="What the till reads, until it was handed over.")
    digital_code = serializers.SerializerMethodField(help_text="Null for other rewards, or once it was taken back.")
    digital_code_until = serializers.SerializerMethodField(help_text="Until when it can be used, where that is known.")
    address = AddressSerializer(
        source="address_told", allow_null=True, help_text="Null for other ways, and a month after the parcel was sent."
    )

    def get_digital_code(self, redemption: Redemption) -> str | None:
        found = self._code(redemption)
        return found.plain if found else None

    @extend_schema_field(Instant(allow_null=True))
    def get_digital_code_until(self, redemption: Redemption) -> str | None:
        found = self._code(redemption)
        return Instant().to_representation(found.expires_at) if found and found.expires_at else None

    def _code(self, redemption: Redemption) -> Any:
        if redemption.reward.kind != Reward.Kind.DIGITAL:
            return None
        return code_of(redemption.pk)


class RedemptionReceiptSerializer(RedemptionSerializer):
    """A redemption just made. Codes are at /me/redemptions/{id} and /me/vouchers/{id}."""

    points_available = serializers.SerializerMethodField(help_text="Left after it.")
    already_processed = serializers.SerializerMethodField()

    def get_points_available(self, _redemption: Redemption) -> int:
        available: int = self.context["receipt"].available
        return available

    def get_already_processed(self, _redemption: Redemption) -> bool:
        known: bool = self.context["receipt"].already_recorded
        return known


class DeliveryAddressSerializer(Body):
    """Where a parcel is to go."""

    name = Text(max_length=LONGEST_NAME)
    phone = Text(max_length=40)
    lines = serializers.ListField(
        child=Text(max_length=LONGEST_LINE),
        min_length=1,
        max_length=MOST_LINES,
        help_text="From the province to the door.",
    )


class QuoteRewardSerializer(Body):
    """Which reward."""

    reward = Ref(REWARD)


class RedeemSerializer(Body):
    """What to redeem, and how it is to reach the member."""

    quote = Ref(QUOTE, required=False, help_text="From /me/redemptions/quote: refused when the price has changed.")
    reward = Ref(REWARD, required=False, help_text="Without a quote: at the price of the moment.")
    delivery = serializers.ChoiceField(choices=WAYS, required=False, help_text="Needed where there are two ways.")
    store = Ref(STORE, required=False, help_text="For a gift that is handed over in a store.")
    address = DeliveryAddressSerializer(required=False, help_text="For what is sent by post.")
    partner_account = Text(
        max_length=40, required=False, help_text="The member's number at the partner, for its points."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        exactly_one(attrs, "quote", "reward")
        return attrs


class PickupSerializer(StoreOfTillMixin):
    """The till may name its store."""


class PickedUpSerializer(serializers.Serializer):
    """What was handed over, and what is to be paid for it."""

    id = Ref(REDEMPTION, source="public_id")
    reward = RedeemedRewardSerializer()
    cash_amount = Money(help_text="To be collected now.")
    currency = CurrencyField()
    state = serializers.ChoiceField(choices=RedemptionState.choices)
    state_label = serializers.CharField(source="get_state_display")
    already_processed = serializers.BooleanField(help_text="It was handed over in this store before.")
