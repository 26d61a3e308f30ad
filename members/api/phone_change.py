"""Another phone number, after codes to both."""

from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from members.addresses import place_of
from members.api import auth_examples as examples
from members.api.auth import session_of
from members.api.auth_serializers import (
    PhoneChangedSerializer,
    PhoneChangeSerializer,
    PhoneCodesSerializer,
    SendCodeSerializer,
)
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import IsMember
from members.models import OneTimeCode
from members.phones import InvalidPhone, mask_phone
from members.ports import SmsUnavailable
from members.queries import region
from members.services.enrolment import PhoneInUse
from members.services.guessing import TooManyTries
from members.services.idempotency import Answer, RequestInProgress, fingerprint_of, kept_answer
from members.services.one_time_codes import Caller, CodeOver, CodeWrong, check_code, send_code
from members.services.phone_change import (
    PhoneChanged,
    PhoneUnchanged,
    announce,
    change_phone,
    note_taken,
    phone_of_member,
)
from members.services.tokens import MemberIsClosed

_ROUTE = "POST /me/phone-change"
_Purpose = OneTimeCode.Purpose


class PhoneCodesView(ApiView):
    """Sends the codes with which a member changes the phone number."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (InvalidPhone, PhoneUnchanged, TooManyTries, SmsUnavailable)}

    @extend_schema(
        operation_id="send_phone_change_codes",
        summary="Send codes to both phone numbers",
        description=(
            "To the new number and to the present one, if there is one. Says nothing of whether somebody has the new number. "
            "Who can not read the present one any more asks the staff."
        ),
        tags=["Me"],
        examples=examples.PHONE_CODES,
        request=SendCodeSerializer,
        responses={201: PhoneCodesSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = SendCodeSerializer.read(request.data)
        at, member = timezone.now(), caller_member(request)
        caller, old = _caller(request), phone_of_member(member.pk)
        sent = send_code(
            phone=asked["phone"], purpose=_Purpose.NEW_PHONE, caller=caller, language=member.language, at=at
        )
        sent_to_old = (
            send_code(phone=old, purpose=_Purpose.OLD_PHONE, caller=caller, language=member.language, at=at)
            if old
            else None
        )
        answer = {
            "new_code_id": sent.public_id,
            "old_code_id": sent_to_old.public_id if sent_to_old else None,
            "expires_at": sent.expires_at,
        }
        return Response(PhoneCodesSerializer(answer).data, status=201)


class PhoneChangeView(ApiView):
    """Changes the phone number of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, CodeWrong, CodeOver, TooManyTries, InvalidPhone, PhoneInUse, PhoneUnchanged, MemberIsClosed,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="change_my_phone",
        summary="Change my phone number",
        description=(
            "Needs the codes that went to both numbers. All other sessions end, both numbers are told, and for 24 hours "
            "points can not be spent or given away. 409 `phone_in_use`: another member has the number; the staff are told and "
            "see whether the two are one person."
        ),
        tags=["Me"],
        examples=examples.PHONE_CHANGE,
        request=PhoneChangeSerializer,
        responses=PhoneChangedSerializer,
    )
    def post(self, request: Request) -> Response:
        at, member, by = timezone.now(), caller_member(request), caller_of(request).actor
        key = idempotency_key(request)
        asked = PhoneChangeSerializer.read(request.data)
        fingerprint = fingerprint_of(request.get_full_path(), request.data)
        changed: list[PhoneChanged] = []
        kept = kept_answer(
            principal=caller_of(request).principal, route=_ROUTE, key=key, fingerprint=fingerprint
        )  # codes are good once, so a repeat does not look at them again
        code_ids = [] if kept else _checked(request, asked, member.pk)

        def change() -> Answer:
            if kept:  # tidied away since it was looked for; no code was looked at
                raise RequestInProgress
            done = change_phone(
                member_id=member.pk,
                phone=asked["phone"],
                code_ids=code_ids,
                keep_session=session_of(request),
                by=by,
                at=at,
            )
            changed.append(done)
            told = {"phone_masked": mask_phone(done.new, region=region()), "points_stay_until": done.cooling_until}
            return Answer(200, plain(PhoneChangedSerializer(told).data))

        try:
            response = respond_once(request, route=_ROUTE, effect=change, at=at)
        except PhoneInUse:
            note_taken(member_id=member.pk, phone=asked["phone"], by=by, at=at)
            raise
        for done in changed:
            announce(done)
        return response


def _caller(request: Request) -> Caller:
    return Caller(caller_of(request).principal, place_of(request._request))


def _checked(request: Request, asked: dict[str, Any], member_id: int) -> list[int]:
    """Return the ids of the codes to use up, both looked at. Raises `CodeWrong` and the like."""
    at, caller, old = timezone.now(), _caller(request), phone_of_member(member_id)
    codes = [
        check_code(
            public_id=asked["new_code_id"],
            phone=asked["phone"],
            code=asked["new_code"],
            purpose=_Purpose.NEW_PHONE,
            caller=caller,
            at=at,
            member_id=member_id,
        )
    ]
    if old:
        if not asked["old_code_id"] or not asked["old_code"]:
            missing = [ErrorDetail(_("This field is required."), code="required")]
            raise serializers.ValidationError({"old_code": missing})
        codes.append(
            check_code(
                public_id=asked["old_code_id"],
                phone=old,
                code=asked["old_code"],
                purpose=_Purpose.OLD_PHONE,
                caller=caller,
                at=at,
                member_id=member_id,
            )
        )
    return codes
