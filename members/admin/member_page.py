"""The member page: the hub of the portal. A head that is always there, and tabs that are loaded when they are opened."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from members.admin import panels
from members.admin.base import actor_of, say_refusal
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.keyset import page_of
from members.admin.timeline import tell
from members.models import Member, MemberPerson, Store, TimelineEntry
from members.names import mask_name
from members.phones import display_phone, mask_phone
from members.queries import region
from members.refusals import Refusal
from members.services.personal_data import show_person
from members.services.profile import ProfileChange, change_profile
from members.services.status import freeze_member, unfreeze_member

if TYPE_CHECKING:
    from members.admin.people import MemberAdmin

SEE = "members.view_member"
CHANGE = "members.change_member"
SEE_PERSONAL_DATA = "members.view_personal_data"


class ProfileForm(forms.Form):
    """What staff may change about a member."""

    full_name = forms.CharField(label=_("Name"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget)
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
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["home_store"].queryset = Store.objects.order_by("code")  # type: ignore[attr-defined]

    def change(self) -> ProfileChange:
        """Return what was asked for."""
        wanted = self.cleaned_data
        return ProfileChange(
            full_name=wanted["full_name"],
            phone=wanted["phone"] or None,
            email=wanted["email"] or None,
            birthday=wanted["birthday"],
            language=wanted["language"],
            home_store_id=wanted["home_store"].pk if wanted["home_store"] else None,
        )


class MemberPage:
    """The views of one member."""

    def __init__(self, model_admin: "MemberAdmin") -> None:
        self.model_admin = model_admin

    def show(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page, with the tab that the address names (the first one otherwise)."""
        self._require(request, SEE)
        at = timezone.now()
        member = self._member(unquote(object_id))
        tabs = panels.tabs(request)
        wanted = request.GET.get("tab")
        active = next((tab for tab in tabs if tab.key == wanted), tabs[0])
        context = {
            **self._page_context(request, member),
            "parts": [{"template": part.template, **part.context(member, at)} for part in panels.header_parts(request)],
            "tabs": tabs,
            "active": active,
            "tab": active.context(member, request, at),
            "person": _masked(member),
            "may_change": request.user.has_perm(CHANGE),
            "may_unmask": request.user.has_perm(SEE_PERSONAL_DATA),
        }
        return render(request, "portal/member/page.html", context)

    def tab(self, request: HttpRequest, member_id: int, key: str) -> HttpResponse:
        """One tab by itself, for the page that is open already; otherwise the whole page with it."""
        self._require(request, SEE)
        tab = next((tab for tab in panels.tabs(request) if tab.key == key), None)
        if tab is None:
            raise Http404
        if "HX-Request" not in request.headers:
            query = request.GET.copy()
            query["tab"] = key
            return HttpResponseRedirect(f"{_address(member_id)}?{query.urlencode()}")
        member = self._member(member_id)
        context = {
            "member": member,
            "tabs": panels.tabs(request),
            "active": tab,
            "tab": tab.context(member, request, timezone.now()),
        }
        return render(request, "portal/member/tab.html", context)

    def person(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Show personal data unmasked, after writing down who looked."""
        self._require(request, SEE_PERSONAL_DATA)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        member = self._member(member_id)
        try:
            person = show_person(member_id=member_id, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(member_id))
        answer = render(
            request, "portal/member/person.html", {"member": member, "person": _plain(person), "shown": True}
        )
        answer["Cache-Control"] = "no-store"
        return answer

    def edit(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The form of the profile. It shows personal data, so opening it is written down like a look."""
        self._require(request, CHANGE)
        self._require(request, SEE_PERSONAL_DATA)
        at = timezone.now()
        member = self._member(member_id)
        if request.method == "POST":
            form = ProfileForm(request.POST)
            if form.is_valid():
                try:
                    changed = change_profile(member_id=member_id, change=form.change(), by=actor_of(request), at=at)
                except Refusal as refusal:
                    form.add_error(None, refusal.sentence())
                else:
                    messages.success(request, _("The profile was changed.") if changed else _("Nothing was different."))
                    return HttpResponseRedirect(_address(member_id))
        else:
            form = ProfileForm(initial=self._initial(request, member, at))
        return render(
            request,
            "portal/member/edit.html",
            {**self._page_context(request, member), "form": form, "media": self.model_admin.media + form.media},
        )

    def freeze(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that freezes."""
        self._require(request, CHANGE)
        dialog = {
            "title": _("Freeze this member?"),
            "description": _("A frozen member neither earns nor spends points, and is signed out everywhere."),
            "form_submit_text": _("Freeze"),
        }
        return self._ask_why(request, member_id, dialog, freeze_member, _("The member is frozen."))

    def unfreeze(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that takes the freeze back."""
        self._require(request, CHANGE)
        dialog = {
            "title": _("Unfreeze this member?"),
            "description": _("The member earns and spends points again and signs in anew."),
            "form_submit_text": _("Unfreeze"),
        }
        return self._ask_why(request, member_id, dialog, unfreeze_member, _("The member is active again."))

    def _ask_why(
        self, request: HttpRequest, member_id: int, dialog: dict[str, Any], service: Any, done: Any
    ) -> HttpResponse:
        form = ReasonDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: service(
                member_id=member_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            ),
            done=done,
            then=_address(member_id),
        )

    def _initial(self, request: HttpRequest, member: Member, at: datetime) -> dict[str, Any]:
        initial: dict[str, Any] = {"home_store": member.home_store_id, "language": member.language}
        if getattr(member, "person", None):
            person = show_person(member_id=member.pk, by=actor_of(request), at=at)
            initial |= {"full_name": person.full_name, "email": person.email, "birthday": person.birthday}
            initial["phone"] = display_phone(person.phone, region=region()) if person.phone else ""
        return initial

    def _page_context(self, request: HttpRequest, member: Member) -> dict[str, Any]:
        site = self.model_admin.admin_site
        request.current_app = site.name
        opts = self.model_admin.opts
        return {
            **site.each_context(request),
            "opts": opts,
            "object": member,
            "member": member,
            "title": member.member_no,
        }

    def _member(self, member_id: int | str) -> Member:
        try:
            return Member.objects.select_related("person", "home_store", "channel").get(pk=member_id)
        except (Member.DoesNotExist, ValueError) as error:
            raise Http404 from error

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied


def _address(member_id: int) -> str:
    return reverse("admin:members_member_change", args=[member_id])


def _masked(member: Member) -> dict[str, Any]:
    person = getattr(member, "person", None)
    if person is None:
        return {"name": "", "phone": "", "email": "", "birthday": ""}
    return {
        "name": mask_name(person.full_name),
        "phone": mask_phone(person.phone, region=region()) if person.phone else "",
        "email": f"{person.email[:1]}***@{person.email.partition('@')[2]}" if person.email else "",
        "birthday": "****" if person.birthday else "",
    }


def _plain(person: MemberPerson) -> dict[str, Any]:
    return {
        "name": person.full_name,
        "phone": display_phone(person.phone, region=region()) if person.phone else "",
        "email": person.email or "",
        "birthday": person.birthday,
    }


def _timeline_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    page = page_of(
        TimelineEntry.objects.filter(member_id=member.pk),
        by=("happened_at", "id"),
        cursor=request.GET.get("cursor", ""),
    )
    return {"page": page, "entries": tell(page.rows)}


panels.register_tab(
    "timeline", label=_("Timeline"), order=10, template="portal/member/timeline.html", context=_timeline_tab
)
