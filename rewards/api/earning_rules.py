"""Ways to earn points, to everybody; with a member's token, also those that are for the member alone."""

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from members.api.authentication import MemberAuthentication, MemberCaller
from members.api.base import ApiView, cacheable
from members.api.fields import Instant
from members.api.permissions import Public
from rewards.models import EarnRule
from rewards.ways_to_earn import WayToEarn, ways_to_earn

EARNED_BY = tuple(EarnRule.Kind.values)
_CACHE_SECONDS = 300


class EarningRuleSerializer(serializers.Serializer):
    """One way to earn points."""

    key = serializers.SerializerMethodField(help_text="The same from version to version, and in the published rules.")
    name = serializers.CharField(source="version.rule.name", help_text="In the asked language, as on receipts.")
    sentence = serializers.CharField(help_text="What is earned for what, with every limit.")
    earned_by = serializers.ChoiceField(choices=EARNED_BY, source="version.rule.kind")
    activity = serializers.CharField(
        source="version.rule.activity_kind",
        help_text="The code of the behaviour that earns, such as check_in or birthday; empty for purchases.",
    )
    points_currency = serializers.CharField(source="version.rule.currency.code", help_text="Which points.")
    valid_from = Instant(source="version.valid_from")
    valid_to = Instant(source="version.valid_to", allow_null=True, help_text="null: no end is known.")
    is_for_me = serializers.BooleanField(
        allow_null=True, help_text="Whether the member meets what it asks of members; null without a member's token."
    )

    def get_key(self, way: WayToEarn) -> str:
        return f"rule_{way.version.rule_id}"


class EarningRulesSerializer(serializers.Serializer):
    """All ways to earn."""

    rules = EarningRuleSerializer(many=True)


class EarningRulesView(ApiView):
    """The ways to earn in force now."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_earning_rules",
        summary="Ways to earn points",
        description="Those in force now that everybody may know: purchases first, then behaviours. With a member's token, also "
        "those for some members only that are for this one, and of each whether it is. Promotions and the multiplier of the "
        "tier come on top.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        responses=EarningRulesSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        caller = request.user
        member_id = caller.member.pk if isinstance(caller, MemberCaller) else None
        ways = ways_to_earn(moment=timezone.now(), member_id=member_id)
        data = EarningRulesSerializer({"rules": ways}).data
        return cacheable(request, data, seconds=_CACHE_SECONDS, is_personal=member_id is not None)
