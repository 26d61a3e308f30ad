"""Requests and answers of points that members give to friends."""

from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.identifiers import ONE_TIME_CODE, TRANSFER
from rewards.models import PointsTransfer

MOST_POINTS = 2_000_000_000
_SHOWN_DIGITS = 4


class AskTransferSerializer(Body):
    """Points to give away, and to whom."""

    to = Text(max_length=40, help_text="The friend's phone, in any usual form, or member number.")
    points = serializers.IntegerField(min_value=1, max_value=MOST_POINTS)
    currency = Text(
        max_length=20, required=False, default="points", help_text="Code of a points currency; left out: points."
    )


class GivePointsSerializer(AskTransferSerializer):
    """Points to give away, with the code that was sent for just that."""

    code_id = Ref(ONE_TIME_CODE)
    code = Text(max_length=10)


class TransferSerializer(serializers.Serializer):
    """Points that were given to somebody."""

    id = Ref(TRANSFER, source="public_id")
    points = serializers.IntegerField()
    currency = serializers.CharField(source="currency.code", help_text="Code of the points currency.")
    to_member_no_ending = serializers.SerializerMethodField(
        help_text="The last digits of the other's member number. Nothing else is told of them."
    )
    given_at = Instant(source="happened_at")

    def get_to_member_no_ending(self, transfer: PointsTransfer) -> str:
        return transfer.receiver.member_no[-_SHOWN_DIGITS:]
