"""Requests and answers of signing in."""

from typing import Final

from rest_framework import serializers

from members.api.bodies import Body
from members.api.devices import SaidYesSerializer
from members.api.fields import Instant, Ref, Text
from members.identifiers import MEMBER, ONE_TIME_CODE, SESSION
from members.models import MemberSession, Purpose

NEXT: Final = ["bind_phone"]
WAYS: Final = [way.value for way in MemberSession.Way]
_MOST_CONSENTS: Final = len(Purpose)


def _device() -> Text:
    return Text(
        max_length=80,
        required=False,
        default="",
        allow_blank=True,
        help_text="What the member calls the device by, in the list of sessions: make and model.",
    )


class WithConsents(Body):
    """What somebody joins with who is unknown yet; of who is known, it changes nothing."""

    consents = SaidYesSerializer(  # type: ignore[call-arg]
        many=True,
        required=False,
        default=list,
        max_length=_MOST_CONSENTS,
        help_text="For who joins: at least `service`, the words about the membership.",
    )


class WeChatLoginSerializer(Body):
    """The code of `wx.login`."""

    code = Text(max_length=200, help_text="Good once, for five minutes.")
    device = _device()


class WeChatPhoneSerializer(WithConsents):
    """The code of the phone button, and who binds it."""

    binding_token = Text(max_length=200, help_text="From the login that answered `bind_phone`.")
    code = Text(max_length=200, help_text="Of the phone button: good once, for five minutes; not that of `wx.login`.")
    device = _device()


class SendCodeSerializer(Body):
    """The phone to send a code to."""

    phone = Text(max_length=40, help_text="In any usual form; without country code it is a local one.")


class SentCodeSerializer(serializers.Serializer):
    """Under which id the code can be brought."""

    code_id = Ref(ONE_TIME_CODE, source="public_id")
    expires_at = Instant()


class VerifyCodeSerializer(WithConsents):
    """The code, with the phone it was sent to."""

    code_id = Ref(ONE_TIME_CODE)
    phone = Text(max_length=40)
    code = serializers.RegexField(r"\A[0-9]{7}\Z", help_text="Seven digits.")
    device = _device()


class RefreshSerializer(Body):
    """The refresh token of the session."""

    refresh_token = Text(max_length=200)


class SignedInMemberSerializer(serializers.Serializer):
    """The member who has signed in."""

    member_ref = Ref(MEMBER, source="public_id")
    member_no = serializers.CharField()


class SignedInSerializer(serializers.Serializer):
    """The tokens of a session; or, for a WeChat account that belongs to nobody, what it may do next."""

    member = SignedInMemberSerializer(allow_null=True)
    next = serializers.ChoiceField(
        choices=NEXT, allow_null=True, help_text="`bind_phone`: this account belongs to no member yet. Null: signed in."
    )
    access_token = serializers.CharField(allow_null=True, help_text="For `Authorization: Bearer …`; two hours.")
    token_type = serializers.CharField(allow_null=True)
    expires_at = Instant(allow_null=True)
    refresh_token = serializers.CharField(allow_null=True, help_text="Gets the next two tokens, once; thirty days.")
    refresh_expires_at = Instant(allow_null=True)
    binding_token = serializers.CharField(allow_null=True, help_text="For `/auth/wechat/phone`; ten minutes.")
    binding_expires_at = Instant(allow_null=True)
    joined = serializers.BooleanField(help_text="Whether the member is new with this call.")
    merged = serializers.BooleanField(help_text="Always false: two members are merged by staff only.")


class MySessionSerializer(serializers.Serializer):
    """One device on which the member is signed in."""

    id = Ref(SESSION, source="public_id")
    device = serializers.CharField(help_text="May be empty.")
    signed_in_with = serializers.ChoiceField(choices=WAYS, source="way")
    signed_in_at = Instant(source="created_at")
    last_used_at = Instant(help_text="Exact to an hour.")
    expires_at = Instant()
    is_current = serializers.BooleanField(help_text="Whether it is the one that asks.")


class MySessionsSerializer(serializers.Serializer):
    """Where the member is signed in: at most ten."""

    sessions = MySessionSerializer(many=True)


class PhoneCodesSerializer(serializers.Serializer):
    """Under which ids the two codes can be brought."""

    new_code_id = Ref(ONE_TIME_CODE, help_text="Of the code that went to the new number.")
    old_code_id = Ref(
        ONE_TIME_CODE, allow_null=True, help_text="Of the code that went to the present one; null without one."
    )
    expires_at = Instant()


class PhoneChangeSerializer(Body):
    """The new number, with the codes that went to both."""

    phone = Text(max_length=40)
    new_code_id = Ref(ONE_TIME_CODE)
    new_code = serializers.RegexField(r"\A[0-9]{7}\Z")
    old_code_id = Ref(ONE_TIME_CODE, required=False, allow_null=True, default=None)
    old_code = serializers.RegexField(r"\A[0-9]{7}\Z", required=False, allow_null=True, default=None)


class PhoneChangedSerializer(serializers.Serializer):
    """What became of it."""

    phone_masked = serializers.CharField()
    points_stay_until = Instant(help_text="Until then points can be earned and not spent.")
