"""The form with which staff enrol a member."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from members.admin.base import actor_of, store_scope
from members.admin.profile_form import PersonForm
from members.admin.search import member_named
from members.models import Channel, Member, RecruitingSource
from members.queries import member_by_email, member_by_phone
from members.refusals import Refusal
from members.services.enrolment import EmailInUse, InviterUnknown, PhoneInUse, enrol_member


class EnrolForm(PersonForm):
    """Who joins, where, and what brought them."""

    channel: Any = forms.ModelChoiceField(
        label=_("Joined through"), queryset=Channel.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None
    )
    recruiting_source: Any = forms.ModelChoiceField(
        label=_("What brought them"),
        queryset=RecruitingSource.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="–",
    )
    inviter = forms.CharField(
        label=_("Invited by"),
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Member number or phone of the member who invited them."),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = Channel.objects.order_by("code")
        self.fields["channel"].queryset = channels  # type: ignore[attr-defined]
        self.fields["channel"].initial = channels.filter(kind=Channel.Kind.STAFF).first()
        sources = RecruitingSource.objects.filter(is_on=True).order_by("code")
        self.fields["recruiting_source"].queryset = sources  # type: ignore[attr-defined]
        scope = store_scope(request)
        if scope is not None:
            stores = self.fields["home_store"]
            stores.queryset = stores.queryset.filter(pk__in=scope)  # type: ignore[attr-defined]
            stores.required = True
            stores.empty_label = None  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Somebody must be named by something."""
        wanted = super().clean() or {}
        if not self.errors and not any(wanted.get(name) for name in ("full_name", "phone", "email")):
            raise forms.ValidationError(_now("Give a name, a phone number or an e-mail address."))
        return wanted


def enrol_page(request: HttpRequest, context: dict[str, Any], media: Any) -> HttpResponse:
    """The page that enrols; afterwards the page of the new member. Who is known already is shown by a link."""
    if request.method != "POST":
        initial = {"phone": request.GET.get("phone", "")[:40], "full_name": request.GET.get("name", "")[:80]}
        form = EnrolForm(initial=initial, request=request)
        return render(request, "portal/member/enrol.html", {**context, "form": form, "media": media + form.media})
    form = EnrolForm(request.POST, request=request)
    known: Member | None = None
    if form.is_valid():
        try:
            member = _enrol(request, form)
        except (PhoneInUse, EmailInUse) as refusal:
            form.add_error(None, refusal.sentence())
            known = _known(form, refusal)
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
        else:
            messages.success(request, _now("Member %(number)s has joined.") % {"number": member.member_no})
            return HttpResponseRedirect(reverse("admin:members_member_change", args=[member.pk]))
    page = {**context, "form": form, "media": media + form.media, "known": known}
    return render(request, "portal/member/enrol.html", page)


def _enrol(request: HttpRequest, form: EnrolForm) -> Member:
    wanted = form.cleaned_data
    inviter = member_named(wanted["inviter"]) if wanted["inviter"] else None
    if wanted["inviter"] and inviter is None:
        raise InviterUnknown
    member = enrol_member(
        channel_id=wanted["channel"].pk,
        home_store_id=wanted["home_store"].pk if wanted["home_store"] else None,
        home_region_id=wanted["home_region"].pk if wanted["home_region"] else None,
        full_name=wanted["full_name"],
        phone=wanted["phone"] or None,
        email=wanted["email"] or None,
        birthday=wanted["birthday"],
        language=wanted["language"],
        recruiting_source_id=wanted["recruiting_source"].pk if wanted["recruiting_source"] else None,
        inviter_id=inviter.pk if inviter else None,
        by=actor_of(request),
        at=timezone.now(),
    )
    return Member.objects.get(pk=member.pk)  # with the number that the database gave


def _known(form: EnrolForm, refusal: Refusal) -> Member | None:
    if isinstance(refusal, PhoneInUse):
        return member_by_phone(form.cleaned_data["phone"])
    return member_by_email(form.cleaned_data["email"])
