"""Signing in: by WeChat, by a code to the phone, and with a refresh token."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members import wechat
from members.addresses import place_of
from members.api import auth_examples as examples
from members.api.auth_serializers import (
    RefreshSerializer,
    SendCodeSerializer,
    SentCodeSerializer,
    SignedInSerializer,
    VerifyCodeSerializer,
    WeChatLoginSerializer,
    WeChatPhoneSerializer,
)
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, CallLimit, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key
from members.api.permissions import IsMember, Public
from members.models import Channel, Member, MemberSession, MemberToken, OneTimeCode
from members.phones import InvalidPhone
from members.ports import SmsUnavailable
from members.services.consents import ConsentChannelUnknown, ConsentTextMissing, ConsentTextOutdated, GuardianNeeded
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer, answer_once, fingerprint_of, kept_answer
from members.services.identities import IdentityInUse, TooManyIdentities
from members.services.joining import JoiningNeedsConsent, SaidYes
from members.services.member_sessions import RefreshTokenReused, refresh, sign_in, sign_out
from members.services.one_time_codes import Caller, CodeOver, CodeWrong, check_code, send_code
from members.services.phone_sign_in import (
    IssuedBinding,
    Joining,
    PhoneReplaced,
    announce_attached,
    begin_binding,
    bind_phone,
    binding_of,
    member_of_account,
    sign_in_bound,
    sign_in_by_code,
)
from members.services.rates import Limit
from members.services.tokens import IssuedToken, MemberIsClosed, MemberIsFrozen, TokenExpired
from members.services.told_phones import phone_told, principal_of

_JOINING = (JoiningNeedsConsent, ConsentTextMissing, ConsentTextOutdated, ConsentChannelUnknown, GuardianNeeded)
_WECHAT = (
    wechat.WeChatNotConfigured, wechat.WeChatUnavailable, wechat.WeChatCodeInvalid, wechat.WeChatUserBlocked, wechat.WeChatTooOften,
)  # fmt: skip
_PHONE_ROUTE: Final = "POST /auth/wechat/phone"
#: Beside the limit of all calls: signing in is dearer, and nobody does it so often. A shop's guests share an address.
_SIGN_IN: Final = CallLimit("address", Limit("sign_in", 120, 60))
_REFRESH: Final = CallLimit("address", Limit("refresh", 300, 60))


class WeChatLoginView(ApiView):
    """Signs in whoever WeChat knows."""

    authentication_classes = ()
    permission_classes = (Public,)
    limits: ClassVar = {"post": (_SIGN_IN,)}
    refusals: ClassVar = {"post": (*_WECHAT, MemberIsFrozen, MemberIsClosed, IdentityInUse, TooManyIdentities)}

    @extend_schema(
        operation_id="sign_in_with_wechat",
        summary="Sign in with WeChat",
        description=(
            "Takes the code of `wx.login`. A WeChat account that belongs to no member gets `next: bind_phone` and a binding "
            "token, and no access. 409 `wechat_not_configured` where the installation has no mini-program."
        ),
        tags=["Sign-in"],
        examples=examples.WECHAT_LOGIN,
        request=WeChatLoginSerializer,
        responses=SignedInSerializer,
    )
    def post(self, request: Request) -> Response:
        asked = WeChatLoginSerializer.read(request.data)
        at = timezone.now()
        account = wechat.account_of(asked["code"])
        member = member_of_account(account, at=at)
        if member is None:
            return _signed_in(None, binding=begin_binding(account, at=at))
        issued = sign_in(member_id=member.pk, way=MemberSession.Way.WECHAT, device=asked["device"], at=at)
        return _signed_in(issued, member=member)


class WeChatPhoneView(ApiView):
    """Lets a WeChat account belong to whoever has the phone number: a member, or a new one."""

    authentication_classes = ()
    permission_classes = (Public,)
    limits: ClassVar = {"post": (_SIGN_IN,)}
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, TokenExpired, *_WECHAT, wechat.PhoneQuotaExhausted, InvalidPhone, *_JOINING, PhoneReplaced,
            MemberIsFrozen, MemberIsClosed, IdentityInUse, TooManyIdentities,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="bind_wechat_phone",
        summary="Bind the phone of a WeChat account",
        description=(
            "Takes the code of the phone button. Who has the number already is signed in, and the WeChat account is theirs "
            "from now on; nobody is merged. Who is unknown joins, with what they say yes to; without it, `consent_required`, and "
            "the code can be sent again with another key. 409 `phone_replaced`: it is an earlier number of a membership that has "
            "another one now. A lost answer is repeated with the "
            "same key while the binding token is good: its tokens are new, those of the lost answer are ended."
        ),
        tags=["Sign-in"],
        examples=examples.WECHAT_PHONE,
        request=WeChatPhoneSerializer,
        responses={200: SignedInSerializer, 201: SignedInSerializer},
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        asked = WeChatPhoneSerializer.read(request.data)
        at = timezone.now()
        binding = binding_of(asked["binding_token"], at=at)
        whose: dict[str, Any] = {
            "principal": principal_of(asked["binding_token"]),
            "route": _PHONE_ROUTE,
            "key": key,
            "fingerprint": fingerprint_of(request.get_full_path(), request.data),
        }
        answer = kept_answer(**whose)
        if answer is None:
            phone = phone_told(code=asked["code"], binding_secret=asked["binding_token"], at=at)
            attached: list[Member] = []

            def bind() -> Answer:
                bound = bind_phone(
                    binding=binding, phone=phone, joining=_joining(asked, Channel.Kind.MINI_PROGRAM), at=at
                )
                if bound.is_attached:
                    attached.append(bound.member)
                # Tokens are no part of what is kept.
                return Answer(201 if bound.is_new else 200, {"member": bound.member.pk})

            answer = answer_once(**whose, effect=bind, at=at)
            for member in attached:
                announce_attached(member)
        return _bound(answer, asked["binding_token"], asked["device"], at)


class SendCodeView(ApiView):
    """Sends a code to a phone."""

    authentication_classes = ()
    permission_classes = (Public,)
    refusals: ClassVar = {"post": (InvalidPhone, TooManyTries, SmsUnavailable)}

    @extend_schema(
        operation_id="send_sign_in_code",
        summary="Send a code to a phone",
        description=(
            "The answer is the same whether or not a member has the number. Seven digits, good once and for ten minutes. "
            "A minute lies between two codes, five a day and phone are the most."
        ),
        tags=["Sign-in"],
        examples=examples.SEND_CODE,
        request=SendCodeSerializer,
        responses={201: SentCodeSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = SendCodeSerializer.read(request.data)
        sent = send_code(
            phone=asked["phone"],
            purpose=OneTimeCode.Purpose.SIGN_IN,
            caller=Caller(place=place_of(request._request)),
            language=_language(),
            at=timezone.now(),
        )
        return Response(SentCodeSerializer(sent).data, status=201)


class VerifyCodeView(ApiView):
    """Signs in whoever brings the code of their phone."""

    authentication_classes = ()
    permission_classes = (Public,)
    limits: ClassVar = {"post": (_SIGN_IN,)}
    refusals: ClassVar = {
        "post": (
            CodeWrong, CodeOver, TooManyTries, InvalidPhone, *_JOINING, PhoneReplaced, MemberIsFrozen, MemberIsClosed,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="sign_in_with_code",
        summary="Sign in with a code",
        description=(
            "Who has the number is signed in; who is unknown joins, with what they say yes to: without it, "
            "`consent_required`, and the code stays good. Five wrong tries end a code; more lock the phone for a while. 409 "
            "`phone_replaced`: it is an earlier number of a membership that has another one now."
        ),
        tags=["Sign-in"],
        examples=examples.VERIFY_CODE,
        request=VerifyCodeSerializer,
        responses={200: SignedInSerializer, 201: SignedInSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = VerifyCodeSerializer.read(request.data)
        at = timezone.now()
        code_id = check_code(
            public_id=asked["code_id"],
            phone=asked["phone"],
            code=asked["code"],
            purpose=OneTimeCode.Purpose.SIGN_IN,
            caller=Caller(place=place_of(request._request)),
            at=at,
        )
        issued, member, is_new = sign_in_by_code(
            code_id=code_id,
            phone=asked["phone"],
            joining=_joining(asked, Channel.Kind.APP),
            device=asked["device"],
            at=at,
        )
        return _signed_in(issued, member=member, joined=is_new)


class RefreshView(ApiView):
    """Gives the next pair of tokens."""

    authentication_classes = ()
    permission_classes = (Public,)
    limits: ClassVar = {"post": (_REFRESH,)}
    refusals: ClassVar = {"post": (TokenExpired, RefreshTokenReused, MemberIsFrozen, MemberIsClosed)}

    @extend_schema(
        operation_id="refresh_tokens",
        summary="Get the next tokens",
        description=(
            "A refresh token is good once. One that comes again has been copied: the session is ended, for whoever holds its "
            "tokens. Only within 30 seconds, and while the tokens of the lost answer were not used to refresh, a repeat gets "
            "others in their place."
        ),
        tags=["Sign-in"],
        examples=examples.REFRESH,
        request=RefreshSerializer,
        responses=SignedInSerializer,
    )
    def post(self, request: Request) -> Response:
        asked = RefreshSerializer.read(request.data)
        issued = refresh(secret=asked["refresh_token"], at=timezone.now())
        return _signed_in(issued, member=Member.objects.get(pk=issued.session.member_id))


class LogoutView(ApiView):
    """Ends the session that calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="sign_out",
        summary="Sign out",
        description="Ends the session of this token at once, with its refresh token.",
        tags=["Sign-in"],
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        sign_out(session_id=session_of(request), by=caller_of(request).actor, at=timezone.now())
        return Response(status=204)


def session_of(request: Request) -> int:
    """Return the session whose token calls; the view's permission has made sure that a member does."""
    token = request.auth
    assert isinstance(token, MemberToken)  # noqa: S101 - the permission class says so
    return token.session_id


def _bound(answer: Answer, secret: str, device: str, at: datetime) -> Response:
    member = Member.objects.select_related("merged_into").get(pk=answer.body["member"])
    member = member.merged_into or member
    issued = sign_in_bound(
        member_id=member.pk, binding_secret=secret, is_repeat=answer.is_replayed, device=device, at=at
    )
    response = _signed_in(issued, member=member, joined=answer.status == 201)
    if answer.is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _joining(asked: dict[str, Any], channel: str) -> Joining:
    said = [
        SaidYes(one["purpose"], one["text_version"], one["channels"], one["by_guardian"]) for one in asked["consents"]
    ]
    return Joining(channel, _language(), said)


def _language() -> str:
    return get_language() or "zh-hans"


def _signed_in(
    issued: IssuedToken | None,
    *,
    member: Member | None = None,
    binding: IssuedBinding | None = None,
    joined: bool = False,
) -> Response:
    answer = {
        "member": member,
        "next": "bind_phone" if issued is None else None,
        "access_token": issued.secret if issued else None,
        "token_type": "Bearer" if issued else None,
        "expires_at": issued.expires_at if issued else None,
        "refresh_token": issued.refresh_secret if issued else None,
        "refresh_expires_at": issued.refresh_expires_at if issued else None,
        "binding_token": binding.secret if binding else None,
        "binding_expires_at": binding.expires_at if binding else None,
        "joined": joined,
        "merged": False,
    }
    return Response(SignedInSerializer(answer).data, status=201 if joined else 200)
