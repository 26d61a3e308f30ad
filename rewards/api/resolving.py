"""Tills: who stands here, and what they may do: earn by anything that names them, spend by what shows that it is they."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.queries import standing_of
from members.addresses import place_of
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, CallLimit, caller_key
from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.api.permissions import till_may
from members.api.serializers import exactly_one
from members.identifiers import MEMBER, ONE_TIME_CODE, SHOWN
from members.models import ApiKey, Member
from members.names import mask_name
from members.ports import SmsUnavailable
from members.queries import MemberNotFound, programme
from members.services.at_till import (
    CODE,
    LOOK_UPS,
    Brought,
    Found,
    find_at_till,
    let_spend_at_till,
    send_code_to_spend,
)
from members.services.guessing import TooManyTries
from members.services.keys import MEMBERS_RESOLVE
from members.services.member_codes import CodeExpired, CodeReused, CodeUnknown
from members.services.one_time_codes import CodeOver, CodeWrong
from members.services.rates import Limit, RateLimited
from rewards.api.pos import named_tier
from rewards.api.pos_serializers import TierNameSerializer
from rewards.cart import elsewhere, untimely
from rewards.queries import balance_of
from rewards.services.orders import MemberClosed, MemberFrozen, check_active
from rewards.services.voucher_terms import voucher_terms_of

EARN: Final = "earn"
SPEND: Final = "spend"
PURPOSES: Final = [EARN, SPEND]
WAYS: Final = [CODE, *LOOK_UPS]
CODE_OR_SMS: Final = "code_or_one_time_code"
SPEND_NEEDS: Final = [CODE, CODE_OR_SMS]


class OneTimeCodeSerializer(Body):
    """A one-time code that the member read out at the till."""

    code_id = Ref(ONE_TIME_CODE, help_text="As it was answered when the code was sent.")
    code = Text(max_length=20)


class CodeOnItsWaySerializer(serializers.Serializer):
    """A one-time code on its way to the member's phone."""

    code_id = Ref(ONE_TIME_CODE, source="public_id")
    expires_at = Instant()


class ResolveSerializer(Body):
    """What the till knows of the member: one of these."""

    code = Text(required=False, max_length=40, help_text="The twenty digits that the member's phone shows.")
    member_no = Text(required=False, max_length=20, help_text="The member's number, as receipts show it.")
    card_no = Text(required=False, max_length=20, help_text="The number of a printed card; lost cards are not found.")
    phone = Text(required=False, max_length=40, help_text="In any usual form; without country code it is a local one.")
    purpose = serializers.ChoiceField(
        choices=[EARN, SPEND],
        required=False,
        default=EARN,
        help_text="spend: points or vouchers are to be used. It uses the code up.",
    )
    send_code = serializers.BooleanField(
        required=False,
        default=False,
        help_text="With spend: send the member a one-time code, to the phone that we know.",
    )
    one_time_code = OneTimeCodeSerializer(required=False, help_text="With spend: what the member read out.")  # fmt: skip

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        return exactly_one(attrs, *WAYS)


class ResolvedMemberSerializer(serializers.Serializer):
    """A member as the till may know them."""

    member_ref = Ref(MEMBER, help_text="For the order.")
    member_no = serializers.CharField()
    name = serializers.CharField(help_text="Masked; may be empty.")
    greeting = serializers.CharField(help_text="What to say, in the language of the call.")
    identified_by = serializers.ChoiceField(choices=WAYS)
    purpose = serializers.ChoiceField(choices=PURPOSES)
    may_spend = serializers.BooleanField(help_text="Whether points and vouchers may be used at this till now.")
    spend_needs = serializers.ChoiceField(
        choices=SPEND_NEEDS,
        allow_null=True,
        help_text="What has to be shown to spend; null when nothing more has to be, or nothing was asked for.",
    )
    resolution = Ref(SHOWN, allow_null=True, help_text="Names this permission to spend; null without one.")
    good_until = Instant(allow_null=True, help_text="Until when it may be spent.")
    sent_code = CodeOnItsWaySerializer(
        allow_null=True, help_text="The one-time code that was sent, if one was asked for."
    )
    tier = TierNameSerializer()
    points_available = serializers.IntegerField()
    vouchers_usable = serializers.IntegerField(
        help_text="Vouchers that can be used in this store now; whether the goods suit them the quote says."
    )


_MEMBER: Final = {
    "member_ref": "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z",
    "member_no": "100000016",
    "name": "张*丰",
    "greeting": "Welcome, 张*丰 (Gold).",
    "tier": {"code": "gold", "label": "Gold"},
    "points_available": 2340,
    "vouchers_usable": 2,
}
_EXAMPLES: Final = [
    OpenApiExample("By code, to spend", value={"code": "10273591846331492657", "purpose": "spend"}, request_only=True),
    OpenApiExample("By phone", value={"phone": "138 0013 8000"}, request_only=True),
    OpenApiExample(
        "By phone, to spend: send a one-time code", value={"phone": "138 0013 8000", "purpose": "spend", "send_code": True}, request_only=True
    ),
    OpenApiExample(
        "With the one-time code",
        value={
            "phone": "138 0013 8000", "purpose": "spend",
            "one_time_code": {"code_id": "otc_1q7w3e9r5t2y8v4p6a0s1d3f5g", "code": "4820193"},
        },
        request_only=True,
    ),
    OpenApiExample("By member number", value={"member_no": "100000016", "purpose": "earn"}, request_only=True),
    OpenApiExample(
        "May spend",
        value={
            **_MEMBER, "identified_by": "code", "purpose": "spend", "may_spend": True, "spend_needs": None,
            "resolution": "shw_5h1j7k3m9n2p4q6r8s0t1v3w5x", "good_until": "2026-07-05T06:15:12Z",
            "sent_code": None,
        },
        response_only=True,
    ),
    OpenApiExample(
        "May earn only",
        value={
            **_MEMBER, "identified_by": "phone", "purpose": "spend", "may_spend": False,
            "spend_needs": "code_or_one_time_code", "resolution": None, "good_until": None,
            "sent_code": {"code_id": "otc_1q7w3e9r5t2y8v4p6a0s1d3f5g", "expires_at": "2026-07-05T06:20:12Z"},
        },
        response_only=True,
    ),
]  # fmt: skip


class ResolveView(ApiView):
    """Finds the member who stands at the till."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(MEMBERS_RESOLVE),)
    refusals: ClassVar = {
        "post": (
            CodeUnknown,
            CodeExpired,
            CodeReused,
            TooManyTries,
            MemberNotFound,
            MemberFrozen,
            MemberClosed,
            CodeWrong,
            CodeOver,
            RateLimited,
            SmsUnavailable,
        )
    }

    #: More members in a minute than a till can meet: whoever has its key may not go through all phone numbers.
    limits: ClassVar = {"post": (CallLimit("key", Limit("resolve", 120, 60)),)}

    @extend_schema(
        operation_id="resolve_member",
        examples=_EXAMPLES,
        summary="Find a member",
        description=(
            "By the code on the member's phone, by member number, by phone, or by the number of a card: exactly one of "
            "them. To spend, the member shows the code or a card: then points and vouchers may be used at this till for "
            "five minutes. A code is used up by that: another till is answered `code_reused`, the same one gets the same "
            "answer again. A number or a phone lets the member earn only, unless they read out the one-time code that was "
            "sent to their phone."
        ),
        tags=["POS"],
        request=ResolveSerializer,
        responses=ResolvedMemberSerializer,
    )
    def post(self, request: Request) -> Response:
        at, key, address = timezone.now(), caller_key(request), place_of(request._request)
        asked = ResolveSerializer.read(request.data)
        way = next(name for name in WAYS if asked.get(name))
        found = find_at_till(way=way, value=asked[way], key_id=key.pk, address=place_of(request._request), at=at)
        _refuse_inactive(found.member, asked["purpose"])
        told = _told(found, asked["purpose"], key, at)
        if asked["purpose"] == SPEND:
            told |= _may_spend(found, asked, key.pk, address, at)
        return Response(ResolvedMemberSerializer(told).data)


def _may_spend(found: Found, asked: dict[str, Any], key_id: int, address: str, at: datetime) -> dict[str, Any]:
    """Return what is told of spending, once it was asked for."""
    brought = asked.get("one_time_code")
    shown = let_spend_at_till(
        found=found,
        key_id=key_id,
        brought=Brought(brought["code_id"], brought["code"]) if brought else None,
        address=address,
        at=at,
    )
    if shown is not None:
        return {"may_spend": True, "resolution": shown.public_id, "good_until": shown.good_until}
    sent = send_code_to_spend(found=found, key_id=key_id, address=address, at=at) if asked["send_code"] else None
    return {"spend_needs": CODE_OR_SMS if found.phone else CODE, "sent_code": sent}


def _refuse_inactive(member: Member, purpose: str) -> None:
    """Refuse who may not do what was asked for; without a purpose of spending, who may neither earn nor spend."""
    spends = member.status_to(Member.Act.SPEND)
    if purpose == SPEND:
        check_active(member.member_no, spends)
    elif Member.Status.ACTIVE not in (member.status_to(Member.Act.EARN), spends):
        check_active(member.member_no, member.status)


def _told(found: Found, purpose: str, key: ApiKey, at: datetime) -> dict[str, Any]:
    member = found.member
    person = getattr(member, "person", None)
    name = mask_name(person.full_name) if person else ""
    tier = named_tier(standing_of(member.pk, at).tier.code)
    today = at.astimezone(programme().tz).date()
    born = person.birthday if person else None
    return {
        "member_ref": member.public_id,
        "member_no": member.member_no,
        "name": name,
        "greeting": _greeting(
            name,
            tier["label"] if tier else "",
            is_birthday=born is not None and (born.month, born.day) == (today.month, today.day),
        ),
        "identified_by": found.way,
        "purpose": purpose,
        "may_spend": False,
        "spend_needs": None,
        "resolution": None,
        "good_until": None,
        "sent_code": None,
        "tier": tier,
        "points_available": balance_of(member.pk, at).available,
        "vouchers_usable": _usable_here(member.pk, key, at),
    }


def _usable_here(member_id: int, key: ApiKey, at: datetime) -> int:
    """Return how many vouchers can be used now in the store and channel of a till; the goods are not known yet."""
    local = timezone.localtime(at, programme().tz)
    return sum(
        untimely(terms, at) is None and elsewhere(terms, key.store_id, key.channel_id, local) is None
        for terms in voucher_terms_of(member_id, at)
    )


def _greeting(name: str, tier: str, *, is_birthday: bool) -> str:
    if not name:
        return _("Welcome.")
    if is_birthday:
        return _("Happy birthday, %(name)s (%(tier)s)!") % {"name": name, "tier": tier}
    return _("Welcome, %(name)s (%(tier)s).") % {"name": name, "tier": tier}
