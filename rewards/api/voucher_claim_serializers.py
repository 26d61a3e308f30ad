"""What is said and answered about offers, claims and gifts of vouchers."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.identifiers import MEMBER, VOUCHER_GIFT, VOUCHER_OFFER
from rewards.api.serializers import VoucherSerializer, VoucherTemplateSerializer


class VoucherOfferSerializer(serializers.Serializer):
    """An offer of vouchers as one may claim it now."""

    id = Ref(VOUCHER_OFFER, source="offer.public_id")
    name = serializers.CharField(source="offer.name", help_text="In the asked language.")
    voucher = VoucherTemplateSerializer(source="offer.template")
    begins_at = Instant(source="offer.begins_at")
    ends_at = Instant(source="offer.ends_at", allow_null=True, help_text="null: no end is known.")
    per_member = serializers.IntegerField(source="offer.per_member_limit", help_text="How many each member may claim.")
    claimed_by_me = serializers.IntegerField(allow_null=True, help_text="null without a member's token.")
    can_claim = serializers.BooleanField(allow_null=True, help_text="null without a member's token.")
    why_not = serializers.CharField(
        help_text="Code of the reason: already_claimed, out_of_stock or offer_not_for_member; more may come. Empty: none."
    )


class VoucherOffersSerializer(serializers.Serializer):
    """The offers that run now."""

    offers = VoucherOfferSerializer(many=True)


class ClaimSerializer(Body):
    """What is claimed: an offer from the list, or what a code stands for."""

    offer = Ref(VOUCHER_OFFER, required=False, help_text="An offer from the list; or `code`.")
    code = Text(
        required=False,
        max_length=40,
        help_text="As scanned or typed; spaces, hyphens and capitals do not matter.",
    )
    scanned_at = Instant(
        required=False, help_text="When the code was scanned or the offer opened, for the time that a claim takes."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("offer" in attrs) == ("code" in attrs):
            raise serializers.ValidationError(_("Send either an offer or a code."))
        return attrs


class ClaimAtTillSerializer(Body):
    """For whom a till claims, by which code."""

    member_ref = Ref(MEMBER)
    code = Text(max_length=40, help_text="Of the offer, as scanned.")


class ClaimReceiptSerializer(serializers.Serializer):
    """A claimed voucher."""

    offer_id = Ref(VOUCHER_OFFER, source="claim.offer.public_id")
    voucher = VoucherSerializer()
    already_claimed = serializers.BooleanField(
        help_text="The member had as many as the offer gives; this is the last one."
    )


class EndedGiftSerializer(serializers.Serializer):
    """A gift to a friend, without its token."""

    id = Ref(VOUCHER_GIFT, source="public_id")
    voucher = VoucherSerializer()
    state = serializers.CharField(help_text="offered, accepted, cancelled or expired; more may come.")
    state_label = serializers.CharField(source="get_state_display")
    expires_at = Instant(help_text="Until when a friend may accept it.")


class GiftSerializer(EndedGiftSerializer):
    """A gift to a friend, just offered."""

    token = serializers.CharField(
        default="", help_text="For the friend: whoever shows it gets the voucher. Not shown again."
    )


class AcceptGiftSerializer(Body):
    """The token of a gift."""

    token = Text(max_length=40, help_text="As the friend passed it on.")


class ReceivedGiftSerializer(serializers.Serializer):
    """A voucher from a friend."""

    gift_id = Ref(VOUCHER_GIFT, source="gift.public_id")
    voucher = VoucherSerializer()
    already_accepted = serializers.BooleanField(help_text="It was accepted by this member before.")
