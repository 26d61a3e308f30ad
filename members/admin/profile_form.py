"""The form of a member's profile: the fixed fields, and the details that staff defined."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.admin.base import actor_of
from members.admin.conflicts import VersionedForm, show_conflict
from members.admin.timeline import ActorNames
from members.models import Member, MemberAttribute, Region, Store, TimelineEntry
from members.phones import mask_phone
from members.profiles import Detail, details_of
from members.queries import region
from members.refusals import Refusal
from members.services.personal_data import show_person
from members.services.profile import UNCHANGED, ProfileChange, ProfileChanged, change_profile

SENSITIVE: Final = "members.view_sensitive_attributes"
CORRECT_BIRTHDAY: Final = "members.correct_birthday"
PROFILE_KINDS: Final = ("members.profile_changed.v1", "members.preferences_changed.v1")
_DETAIL = "detail_"
_YES_NO = [("", "–"), ("yes", _("yes")), ("no", _("no"))]


class PersonForm(VersionedForm):
    """Who a member is."""

    full_name = forms.CharField(
        label=capfirst(_("name")), max_length=80, required=False, widget=UnfoldAdminTextInputWidget
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Written in any usual way."),
    )
    email = forms.EmailField(label=_("E-mail"), required=False, widget=UnfoldAdminEmailInputWidget)
    birthday = forms.DateField(label=_("Birthday"), required=False, widget=UnfoldAdminSingleDateWidget)
    home_store: Any = forms.ModelChoiceField(
        label=_("Home store"),
        queryset=Store.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="–",
    )
    home_region: Any = forms.ModelChoiceField(
        label=_("Home region"),
        queryset=Region.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="–",
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["home_store"].queryset = Store.objects.order_by("code")  # type: ignore[attr-defined]
        self.fields["home_region"].queryset = Region.objects.order_by("code")  # type: ignore[attr-defined]


class ProfileForm(PersonForm):
    """What staff may change about a member."""

    def __init__(self, *args: Any, details: list[Detail], member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.details = details
        self.known_phone = _known_phone(member)
        if self.known_phone:
            phone = self.fields["phone"]
            phone.disabled, phone.initial = True, self.known_phone
            phone.help_text = format_html(
                '{} <a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
                _now("Whoever has the number can sign in, so another one needs a code and a proof."),
                reverse("admin:members_member_phone", args=[member.pk]),
                _now("Change the phone number"),
            )
        for detail in details:
            self.fields[_DETAIL + detail.attribute.code] = _field_of(detail)
        if any(detail.attribute.is_sensitive for detail in details):
            self.fields["agreed"] = forms.BooleanField(
                label=_("The member agreed that the sensitive details are kept"),
                required=False,
                widget=UnfoldBooleanSwitchWidget,
            )
        self.complete()

    def change(self) -> ProfileChange:
        """Return what was asked for."""
        wanted = self.cleaned_data
        return ProfileChange(
            full_name=wanted["full_name"],
            phone=UNCHANGED if self.known_phone else wanted["phone"] or None,
            email=wanted["email"] or None,
            birthday=wanted["birthday"],
            language=wanted["language"],
            home_store_id=wanted["home_store"].pk if wanted["home_store"] else None,
            home_region_id=wanted["home_region"].pk if wanted["home_region"] else None,
            details={one.attribute.code: _told(one, wanted[_DETAIL + one.attribute.code]) for one in self.details},
            agreed=[one.attribute.code for one in self.details if one.attribute.is_sensitive]
            if wanted.get("agreed")
            else [],
        )


def edit_profile(
    request: HttpRequest, member: Member, page_context: Callable[[HttpRequest, Member], dict[str, Any]], media: Any
) -> HttpResponse:
    """The page with the form. It shows personal data, so opening it is written down like a look.

    When somebody else saved the profile in between, the page of the conflict is shown and nothing is lost.
    """
    at = timezone.now()
    details = [
        one for one in details_of(member.pk) if not one.attribute.is_sensitive or request.user.has_perm(SENSITIVE)
    ]
    context = page_context(request, member)
    if request.method != "POST":
        form = ProfileForm(initial=_initial(request, member, details, at), details=details, member=member)
        return render(request, "portal/member/edit.html", {**context, "form": form, "media": media + form.media})
    form = ProfileForm(request.POST, details=details, member=member)
    if form.is_valid():
        try:
            changed = change_profile(
                member_id=member.pk,
                change=form.change(),
                expected_version=form.cleaned_data["version"],
                may_correct_birthday=request.user.has_perm(CORRECT_BIRTHDAY),
                by=actor_of(request),
                at=at,
            )
        except ProfileChanged:
            return _conflict(request, member, form, details, at, context)
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
        else:
            messages.success(request, _("The profile was changed.") if changed else _("Nothing was different."))
            return HttpResponseRedirect(_address(member))
    return render(request, "portal/member/edit.html", {**context, "form": form, "media": media + form.media})


def _conflict(
    request: HttpRequest,
    member: Member,
    form: ProfileForm,
    details: list[Detail],
    at: datetime,
    context: dict[str, Any],
) -> HttpResponse:
    last = TimelineEntry.objects.filter(member=member, kind__in=PROFILE_KINDS).order_by("-happened_at", "-id").first()
    return show_conflict(
        request,
        mine=form,
        saved=ProfileForm(initial=_initial(request, member, details, at), details=details, member=member),
        version=member.profile_version,
        who=ActorNames.of([last]).name(last) if last else "",
        when=last.happened_at if last else None,
        context=context,
        back=_address(member),
    )


def _initial(request: HttpRequest, member: Member, details: list[Detail], at: datetime) -> dict[str, Any]:
    initial: dict[str, Any] = {
        "home_store": member.home_store_id,
        "home_region": member.home_region_id,
        "language": member.language,
        "version": member.profile_version,
    }
    for one in details:
        initial[_DETAIL + one.attribute.code] = _shown(one)
    if getattr(member, "person", None):
        person = show_person(member_id=member.pk, by=actor_of(request), at=at)
        initial |= {"full_name": person.full_name, "email": person.email, "birthday": person.birthday}
        initial["phone"] = _known_phone(member)
    return initial


def _known_phone(member: Member) -> str:
    """Return the phone number that a member has, masked; "" for none. Another one takes the two steps of `phone_wizard`."""
    person = getattr(member, "person", None)
    return mask_phone(person.phone, region=region()) if person and person.phone else ""


def _field_of(detail: Detail) -> forms.Field:
    """Return the form field of a detail's type."""
    attribute = detail.attribute
    common: dict[str, Any] = {
        "label": f"{attribute.name} ({attribute.unit})" if attribute.unit else attribute.name,
        "required": False,
        "help_text": _now("Kept for: %(purpose)s") % {"purpose": attribute.purpose},
    }
    answers = list(detail.answers.items())
    kinds: Mapping[str, Callable[[], forms.Field]] = {
        MemberAttribute.Kind.TEXT: lambda: forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, **common),
        MemberAttribute.Kind.NUMBER: lambda: forms.DecimalField(
            max_digits=14, decimal_places=2, widget=UnfoldAdminDecimalFieldWidget, **common
        ),
        MemberAttribute.Kind.DATE: lambda: forms.DateField(widget=UnfoldAdminSingleDateWidget, **common),
        MemberAttribute.Kind.YES_NO: lambda: forms.ChoiceField(
            choices=_YES_NO, widget=UnfoldAdminSelectWidget, **common
        ),
        MemberAttribute.Kind.CHOICE: lambda: forms.ChoiceField(
            choices=[("", "–"), *answers], widget=UnfoldAdminSelectWidget, **common
        ),
        MemberAttribute.Kind.CHOICES: lambda: forms.MultipleChoiceField(
            choices=answers, widget=UnfoldAdminCheckboxSelectMultipleWidget, **common
        ),
    }
    return kinds[attribute.kind]()


def _shown(detail: Detail) -> Any:
    """Return what a detail's form field shows."""
    if isinstance(detail.value, bool):
        return "yes" if detail.value else "no"
    if detail.attribute.kind == MemberAttribute.Kind.CHOICE and isinstance(detail.value, list):
        return detail.value[0]
    return detail.value


def _told(detail: Detail, value: Any) -> Any:
    """Return what a form field says, as the service takes it."""
    if detail.attribute.kind == MemberAttribute.Kind.YES_NO:
        return {"yes": True, "no": False}.get(value)
    return value


def _address(member: Member) -> str:
    return reverse("admin:members_member_change", args=[member.pk])
