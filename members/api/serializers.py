"""Requests and answers of the ground floor."""

from django.utils.translation import gettext as _
from rest_framework import serializers

from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.identifiers import MEMBER, STORE
from members.models import Member
from members.queries import full_name_of


class ProgramSerializer(serializers.Serializer):
    """The programme as everybody may know it."""

    name = serializers.CharField(help_text="Name of the programme in the asked language.")
    points_name = serializers.CharField(help_text="What members call one unit of points.")
    currency = serializers.CharField(help_text="ISO 4217 code of all amounts of money.")
    zone = serializers.CharField(help_text="IANA time zone of all business dates.")
    languages = serializers.ListField(child=serializers.CharField(), help_text="Languages that answers come in.")


class StoreSerializer(serializers.Serializer):
    """A store, as far as receipts name it."""

    id = Ref(STORE, source="public_id")
    code = serializers.CharField()
    name = serializers.CharField()


class MemberSerializer(serializers.Serializer):
    """A member, to themself."""

    id = Ref(MEMBER, source="public_id")
    member_no = serializers.CharField(help_text="The number on the card, for people.")
    name = serializers.SerializerMethodField(help_text="May be empty.")
    joined_at = Instant()

    def get_name(self, member: Member) -> str:
        return full_name_of(member)


class DevLoginSerializer(Body):
    """Either of the two names a member."""

    phone = Text(required=False, max_length=40)
    member_no = Text(required=False, max_length=20)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        return exactly_one(attrs, "phone", "member_no")


class TokenSerializer(serializers.Serializer):
    """A member's token, shown once."""

    access_token = serializers.CharField(source="secret")
    token_type = serializers.SerializerMethodField()
    expires_at = Instant()

    def get_token_type(self, _token: object) -> str:
        return "Bearer"


def exactly_one(attrs: dict[str, str], *names: str) -> dict[str, str]:
    """Return the attributes when exactly one of the names is filled; raise `ValidationError` otherwise."""
    if sum(bool(attrs.get(name)) for name in names) != 1:
        raise serializers.ValidationError(
            _("Give exactly one of: %(names)s.") % {"names": ", ".join(names)}, "exactly_one"
        )
    return attrs
