"""What a member sees and changes of themself: profile and preferences."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import profile_examples as examples
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member, caller_of
from members.api.bodies import Body
from members.api.fields import Instant, Ref, Text
from members.api.permissions import IsMember
from members.api.preconditions import IF_MATCH, PreconditionRequired, version_asked, with_etag
from members.api.serializers import StoreSerializer
from members.freeze_words import freeze_of, words_of_freeze
from members.identifiers import MEMBER, STORE
from members.models import ContactChannel, Member, MemberAttribute, MemberFreeze, MemberPreference, Store
from members.profiles import Completeness, Detail, completeness_of, details_of
from members.services.details import ConsentRequired, DetailInvalid, DetailUnknown
from members.services.enrolment import EmailInUse, InvalidBirthday, InvalidEmail
from members.services.preferences import QuietHoursInvalid, set_preferences
from members.services.profile import (
    BirthdayLocked,
    ProfileChange,
    ProfileChanged,
    birthday_locked_until,
    change_profile,
)

MOST_DETAILS: Final = 100
#: Named in the published description (config/settings/api.py).
CHANNELS: Final = ContactChannel.values
DETAIL_KINDS: Final = MemberAttribute.Kind.values
ACTS: Final = Member.Act.values
_LANGUAGES = [code for code, _name in settings.LANGUAGES]


class AnswerSerializer(serializers.Serializer):
    """One answer that can be chosen."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class DetailSerializer(serializers.Serializer):
    """A detail that the programme asks for, with what is known."""

    code = serializers.CharField(source="attribute.code")
    label = serializers.CharField(source="attribute.name")  # type: ignore[assignment]
    purpose = serializers.CharField(source="attribute.purpose", help_text="What it is kept for.")
    kind = serializers.ChoiceField(source="attribute.kind", choices=DETAIL_KINDS)
    unit = serializers.CharField(source="attribute.unit", help_text="Of a number; may be empty.")
    is_sensitive = serializers.BooleanField(
        source="attribute.is_sensitive", help_text="Kept only when the member agrees: name it in `agreed`."
    )
    can_change = serializers.BooleanField(source="attribute.is_open_to_members")
    answers = serializers.SerializerMethodField(help_text="Of the kinds with a list.")
    value = serializers.SerializerMethodField(
        method_name="known_value",
        help_text="By kind: text, decimal string, date, boolean, a code, or a list of codes; null when not known.",
    )

    def get_answers(self, detail: Detail) -> list[dict[str, str]]:
        return [{"code": code, "label": label} for code, label in detail.answers.items()]

    def known_value(self, detail: Detail) -> Any:
        """Return the value as JSON writes it."""
        return plain_value(detail)


class CompletenessSerializer(serializers.Serializer):
    """How much of a complete profile is known."""

    percent = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Names of what is missing.")


class RegionSerializer(serializers.Serializer):
    """A region of the business."""

    code = serializers.CharField()
    name = serializers.CharField()


class FreezeSerializer(serializers.Serializer):
    """What is frozen of a membership, and what the member reads about it."""

    acts = serializers.ListField(child=serializers.ChoiceField(choices=ACTS), help_text="What the member can not do.")
    until = Instant(source="release_at", help_text="When it ends by itself.")
    text = serializers.SerializerMethodField(help_text="For the member to read, in the asked language.")

    def get_text(self, freeze: MemberFreeze) -> str:
        return words_of_freeze(freeze.acts, freeze.release_at)


class ProfileSerializer(serializers.Serializer):
    """A member's profile, to themself."""

    id = Ref(MEMBER, source="public_id")
    member_no = serializers.CharField(help_text="The number on the card, for people.")
    name = serializers.CharField(source="person.full_name", allow_null=True, default=None)
    phone = serializers.CharField(source="person.phone", default=None, allow_null=True, help_text="E.164.")
    email = serializers.EmailField(source="person.email", default=None, allow_null=True)
    birthday = serializers.DateField(source="person.birthday", default=None, allow_null=True)
    birthday_locked_until = serializers.SerializerMethodField(
        help_text="First day on which the birthday can be changed again; null when it can be changed now."
    )
    language = serializers.ChoiceField(choices=_LANGUAGES)
    joined_at = Instant()
    home_store = StoreSerializer(allow_null=True)
    home_region = RegionSerializer(allow_null=True)
    details = DetailSerializer(many=True)
    completeness = CompletenessSerializer()
    freeze = FreezeSerializer(allow_null=True, help_text="Null for a membership of which nothing is frozen.")

    def get_birthday_locked_until(self, member: Member) -> str | None:
        day = birthday_locked_until(getattr(member, "person", None))
        today: datetime = self.context["at"]
        return day.isoformat() if day is not None and today.date() < day else None


class ProfilePatchSerializer(Body):
    """What shall be different. Whatever is not named stays; null removes."""

    name = Text(max_length=80, required=False, allow_blank=True)
    email = serializers.EmailField(required=False, allow_null=True)
    birthday = serializers.DateField(required=False, allow_null=True)
    language = serializers.ChoiceField(choices=_LANGUAGES, required=False)
    home_store = Ref(STORE, required=False, allow_null=True)
    details = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, help_text="Values by the code of the detail."
    )
    agreed = serializers.ListField(
        child=Text(max_length=30),
        required=False,
        max_length=MOST_DETAILS,
        help_text="Codes of the sensitive details that the member agrees to be kept.",
    )

    def validate_details(self, given: dict[str, Any]) -> dict[str, Any]:
        """A bounded number of details."""
        if len(given) > MOST_DETAILS:
            raise serializers.ValidationError(_("At most %(most)s details at once.") % {"most": MOST_DETAILS})
        return given


class QuietHoursSerializer(Body):
    """Hours in which the member wants to be left alone, in the programme's zone. They may pass midnight."""

    start = serializers.TimeField(format="%H:%M", input_formats=["%H:%M"])
    end = serializers.TimeField(format="%H:%M", input_formats=["%H:%M"])


class PreferencesSerializer(Body):
    """What the member prefers."""

    language = serializers.ChoiceField(choices=_LANGUAGES)
    channels = serializers.ListField(
        child=serializers.ChoiceField(choices=CHANNELS),
        max_length=len(CHANNELS),
        help_text="The dearest first. They allow nothing that consent does not.",
    )
    quiet_hours = QuietHoursSerializer(allow_null=True)


class MeView(ApiView):
    """The profile of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {
        "patch": (
            PreconditionRequired, ProfileChanged, BirthdayLocked, EmailInUse, InvalidEmail, InvalidBirthday, DetailUnknown,
            DetailInvalid, ConsentRequired,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="get_me",
        examples=examples.ME,
        summary="My profile",
        description="With the details that the programme asks for. The `ETag` is needed to change it.",
        tags=["Me"],
        responses=ProfileSerializer,
    )
    def get(self, request: Request) -> Response:
        return profile_answer(caller_member(request).pk, timezone.now())

    @extend_schema(
        operation_id="change_me",
        examples=examples.CHANGE_ME,
        summary="Change my profile",
        description=(
            "Whatever is not named stays. A birthday that was told can be changed once a year (`birthday_locked`). "
            "The phone number has an address of its own."
        ),
        tags=["Me"],
        parameters=[IF_MATCH],
        request=ProfilePatchSerializer,
        responses=ProfileSerializer,
    )
    def patch(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        version = version_asked(request, is_required=True)
        asked = ProfilePatchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        change = ProfileChange(**changes_of(asked.validated_data))
        change_profile(member_id=member.pk, change=change, expected_version=version, by=caller_of(request).actor, at=at)
        return profile_answer(member.pk, at)


class PreferencesView(ApiView):
    """The preferences of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"put": (PreconditionRequired, ProfileChanged, QuietHoursInvalid)}

    @extend_schema(
        operation_id="get_my_preferences",
        examples=examples.PREFERENCES,
        summary="My preferences",
        description="Language, channels and quiet hours. The `ETag` is needed to change them.",
        tags=["Me"],
        responses=PreferencesSerializer,
    )
    def get(self, request: Request) -> Response:
        return _preferences_answer(caller_member(request).pk)

    @extend_schema(
        operation_id="set_my_preferences",
        examples=examples.SET_PREFERENCES,
        summary="Change my preferences",
        description="All of them at once. What is preferred allows nothing that consent does not.",
        tags=["Me"],
        parameters=[IF_MATCH],
        request=PreferencesSerializer,
        responses=PreferencesSerializer,
    )
    def put(self, request: Request) -> Response:
        member = caller_member(request)
        version = version_asked(request, is_required=True)
        asked = PreferencesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        hours = wanted["quiet_hours"] or {"start": None, "end": None}
        set_preferences(
            member_id=member.pk,
            channels=wanted["channels"],
            quiet_from=hours["start"],
            quiet_to=hours["end"],
            language=wanted["language"],
            expected_version=version,
            by=caller_of(request).actor,
            at=timezone.now(),
        )
        return _preferences_answer(member.pk)


def profile_answer(member_id: int, at: datetime) -> Response:
    """Return a member's profile as it is now, with its ETag."""
    member = Member.objects.select_related("person", "home_store", "home_region").get(pk=member_id)
    details = details_of(member.pk)
    completeness: Completeness = completeness_of(member, details)
    member.details, member.completeness = details, completeness  # type: ignore[attr-defined]
    member.freeze = freeze_of(member)  # type: ignore[attr-defined]
    data = ProfileSerializer(member, context={"at": at}).data
    return with_etag(data, member.profile_version)


def changes_of(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a change from a checked body. Raises ValidationError for a store that is not there."""
    changes = {"full_name" if name == "name" else name: value for name, value in asked.items()}
    if "home_store" in changes:
        public_id = changes.pop("home_store")
        store_id = None
        if public_id is not None:
            store_id = Store.objects.filter(public_id=public_id, is_open=True).values_list("pk", flat=True).first()
            if store_id is None:
                words = _("There is no such store.")
                raise serializers.ValidationError({"home_store": [ErrorDetail(words, code="unknown_store")]})
        changes["home_store_id"] = store_id
    return changes


def plain_value(detail: Detail) -> Any:
    """Return the value of a detail as JSON writes it."""
    value = detail.value
    if isinstance(value, list):
        return value[0] if detail.attribute.kind == MemberAttribute.Kind.CHOICE else value
    if value is None or isinstance(value, bool | str):
        return value
    return f"{value.normalize():f}" if detail.attribute.kind == MemberAttribute.Kind.NUMBER else value.isoformat()  # type: ignore[union-attr]


def _preferences_answer(member_id: int) -> Response:
    member = Member.objects.get(pk=member_id)
    known = MemberPreference.objects.filter(pk=member_id).first()
    hours = {"start": known.quiet_from, "end": known.quiet_to} if known and known.quiet_from else None
    shown = {"language": member.language, "channels": known.channels if known else [], "quiet_hours": hours}
    return with_etag(PreferencesSerializer(shown).data, member.profile_version)
