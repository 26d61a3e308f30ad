"""Members as shops and other systems know them: by the ids of those systems."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import profile_examples as examples
from members.api.authentication import TillAuthentication
from members.api.base import ApiView, caller_key, caller_of
from members.api.fields import Instant, Ref, Text
from members.api.permissions import TillScope, till_may
from members.api.preconditions import IF_MATCH_WISHED, version_asked, with_etag
from members.api.profile import ProfilePatchSerializer, changes_of, plain_value
from members.identifiers import MEMBER
from members.models import ApiKey, Member
from members.phones import InvalidPhone
from members.profiles import details_of
from members.queries import MemberNotFound, member_by_identity
from members.services.details import ConsentRequired, DetailInvalid, DetailUnknown
from members.services.enrolment import EmailInUse, InvalidBirthday, InvalidEmail, PhoneInUse
from members.services.keys import MEMBERS_READ, MEMBERS_WRITE
from members.services.phone_change import announce
from members.services.profile import BirthdayLocked, ProfileChange, ProfileChanged
from members.services.tokens import MemberIsClosed
from members.services.upserts import upsert_member


class ShopMemberWriteSerializer(ProfilePatchSerializer):
    """What a system tells of one of its customers. Whatever is not named stays; null removes."""

    phone = Text(max_length=40, required=False, allow_null=True, help_text="In any usual form.")


class ShopMemberSerializer(serializers.Serializer):
    """A member as the system that told them may know them."""

    external_id = serializers.CharField()
    member_ref = Ref(MEMBER, source="public_id")
    member_no = serializers.CharField()
    status = serializers.ChoiceField(choices=Member.Status.values)
    name = serializers.CharField(source="person.full_name", default="")
    phone = serializers.CharField(source="person.phone", default=None, allow_null=True)
    email = serializers.EmailField(source="person.email", default=None, allow_null=True)
    birthday = serializers.DateField(source="person.birthday", default=None, allow_null=True)
    language = serializers.ChoiceField(choices=[code for code, _name in settings.LANGUAGES])
    joined_at = Instant()
    details = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="What is known, by code, without what is sensitive."
    )


class ShopMemberView(ApiView):
    """One member by the id of the caller's system. Ids are unique within the source of the key."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(MEMBERS_WRITE),)
    refusals: ClassVar = {
        "get": (MemberNotFound,),
        "put": (
            ProfileChanged, MemberIsClosed, PhoneInUse, EmailInUse, InvalidPhone, InvalidEmail, InvalidBirthday, BirthdayLocked,
            DetailUnknown, DetailInvalid, ConsentRequired,
        ),
    }  # fmt: skip

    def get_permissions(self) -> list[Any]:
        needed: type[TillScope] = till_may(MEMBERS_READ if self.request.method in ("GET", "HEAD") else MEMBERS_WRITE)
        return [needed()]

    @extend_schema(
        operation_id="get_shop_member",
        examples=examples.GET_MEMBER,
        summary="Read a member by our id",
        description="The member whom the caller's system knows under this id.",
        tags=["Integration"],
        responses=ShopMemberSerializer,
    )
    def get(self, request: Request, external_id: str) -> Response:
        return _answer(caller_key(request), external_id)

    @extend_schema(
        operation_id="put_shop_member",
        examples=examples.PUT_MEMBER,
        summary="Tell a member by our id",
        description=(
            "Makes the member the first time (201) and changes them afterwards (200). A phone number or e-mail address "
            "of another member is answered with 409 and never merged; staff see to it."
        ),
        tags=["Integration"],
        parameters=[IF_MATCH_WISHED],
        request=ShopMemberWriteSerializer,
        responses={200: ShopMemberSerializer, 201: ShopMemberSerializer},
    )
    def put(self, request: Request, external_id: str) -> Response:
        key = caller_key(request)
        version = version_asked(request, is_required=False)
        asked = ShopMemberWriteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        told = upsert_member(
            issuer=key.source,
            external_id=external_id,
            change=ProfileChange(**changes_of(asked.validated_data)),
            channel_id=key.channel_id,
            joined_store_id=key.store_id,
            expected_version=version,
            by=caller_of(request).actor,
            at=timezone.now(),
        )
        if told.phone_changed is not None:
            announce(told.phone_changed)
        return _answer(key, external_id, status=201 if told.is_new else 200)


def _answer(key: ApiKey, external_id: str, *, status: int = 200) -> Response:
    found = member_by_identity(key.source, external_id)
    if found is None:
        raise MemberNotFound
    member = Member.objects.select_related("person").get(pk=found.pk)
    member.external_id = external_id  # type: ignore[attr-defined]
    known = [one for one in details_of(member.pk) if one.value is not None and not one.attribute.is_sensitive]
    member.details = {one.attribute.code: plain_value(one) for one in known}  # type: ignore[attr-defined]
    return with_etag(ShopMemberSerializer(member).data, member.profile_version, status=status)
