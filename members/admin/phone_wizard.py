"""Job 8: another phone number for a member who lost the old one. A code to the new number, and one proof of who it is.

Two steps on one page: the number and the proof, then the code. Between them nothing is kept but the code's hash.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.addresses import place_of
from members.admin.base import actor_of
from members.admin.timeline import Names, register_sentence
from members.models import Member, OneTimeCode
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.phones import mask_phone, parse_phone
from members.queries import region
from members.refusals import Refusal
from members.services.one_time_codes import DIGITS, Caller, check_code, send_code
from members.services.phone_change import (
    CHANGED,
    TAKEN,
    PhoneUnchanged,
    announce,
    change_phone,
    holder_of,
    note_taken,
    phone_of_member,
)
from members.services.status import words_of_reason

CHANGE: Final = "members.change_phone"
#: What staff may be shown, so that somebody is believed to be the member.
PROOFS: Final = {
    "id_document": _("an identity document, seen in a store"),
    "old_phone": _("a call back on the old number"),
    "orders": _("dates and amounts of the last two orders"),
    "card": _("the printed card and the birthday"),
}
_Purpose = OneTimeCode.Purpose


class NumberForm(forms.Form):
    """The new number, and what was shown."""

    phone = forms.CharField(
        label=_("New phone number"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "tel", "autocomplete": "off", "autofocus": True}),
    )
    proof = forms.ChoiceField(
        label=_("What was the proof?"), choices=list(PROOFS.items()), widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )


class CodeForm(NumberForm):
    """The code that the member reads out. What was said before comes along."""

    phone = forms.CharField(max_length=40, widget=forms.HiddenInput)
    proof = forms.ChoiceField(choices=list(PROOFS.items()), widget=forms.HiddenInput)
    reason = forms.CharField(max_length=200, widget=forms.HiddenInput)
    code_id = forms.UUIDField(widget=forms.HiddenInput)
    code = forms.RegexField(
        rf"^\d{{{DIGITS}}}$",
        label=_("Code that the member reads out"),
        widget=UnfoldAdminTextInputWidget(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}
        ),
        error_messages={"invalid": _("Seven digits.")},
    )


def phone_wizard(request: HttpRequest, member: Member, context: dict[str, Any]) -> HttpResponse:
    """Show the step that is due, or carry it out."""
    at = timezone.now()
    step = request.POST.get("step", "")
    form: forms.Form = CodeForm(request.POST) if step == "code" else NumberForm(request.POST or None)
    shown: dict[str, Any] = {"other": None}
    if request.method == "POST" and form.is_valid():
        try:
            if step == "code":
                return _changed(request, member, form.cleaned_data, at)
            form = _sent(request, member, form.cleaned_data, at, shown)
        except Refusal as refusal:
            form.add_error("code" if step == "code" else "phone", refusal.sentence())
            shown["other"] = _other(member, form.cleaned_data.get("phone", ""))
    old = phone_of_member(member.pk)
    page = {
        **context,
        **shown,
        "form": form,
        "is_code": isinstance(form, CodeForm),
        "old": mask_phone(old, region=region()) if old else "",
        "title": _("Change the phone number"),
    }
    answer = render(request, "portal/member/phone.html", page)
    answer["Cache-Control"] = "no-store"
    return answer


def _sent(
    request: HttpRequest, member: Member, said: dict[str, Any], at: datetime, shown: dict[str, Any]
) -> forms.Form:
    """Send the code, and return the form of the second step; a number of somebody else leads to the merge instead."""
    by = actor_of(request)
    refuse_own_account(by, [member.pk])
    refuse_personal_words(words_of_reason(said["reason"]), member_ids=[member.pk])
    number = parse_phone(said["phone"], region=region())
    if phone_of_member(member.pk) == number:
        raise PhoneUnchanged
    shown["other"] = holder_of(number, other_than=member.pk)
    sent = send_code(
        phone=number,
        purpose=_Purpose.NEW_PHONE,
        caller=_caller(request, member),
        language=member.language,
        at=at,
    )
    shown["sent_to"] = mask_phone(number, region=region())
    return CodeForm(
        initial={"phone": number, "proof": said["proof"], "reason": said["reason"], "code_id": sent.public_id}
    )


def _changed(request: HttpRequest, member: Member, said: dict[str, Any], at: datetime) -> HttpResponse:
    by = actor_of(request)
    code_id: UUID = said["code_id"]
    checked = check_code(
        public_id=code_id,
        phone=said["phone"],
        code=said["code"],
        purpose=_Purpose.NEW_PHONE,
        caller=_caller(request, member),
        at=at,
        member_id=member.pk,
    )
    other = holder_of(said["phone"], other_than=member.pk)
    if other is not None:
        note_taken(member_id=member.pk, phone=said["phone"], by=by, at=at)
        messages.warning(request, _("The number is another member's. If they are one person, merge the two."))
        return HttpResponseRedirect(reverse("admin:members_merge_compare", args=[member.pk, other.pk]))
    change = change_phone(
        member_id=member.pk,
        phone=said["phone"],
        code_ids=[checked],
        proof=said["proof"],
        reason=words_of_reason(said["reason"]),
        by=by,
        at=at,
    )
    told_old, told_new = announce(change)
    messages.success(request, _("The phone number was changed. The member is signed out everywhere."))
    if not told_new or (change.old and not told_old):
        messages.warning(request, _("Not both numbers could be told by text message. Please call the member."))
    return HttpResponseRedirect(reverse("admin:members_member_change", args=[member.pk]) + "?tab=sign_ins")


def _other(member: Member, phone: str) -> Member | None:
    try:
        return holder_of(phone, other_than=member.pk) if phone else None
    except Refusal:
        return None


def _caller(request: HttpRequest, member: Member) -> Caller:
    return Caller(f"operator:{request.user.pk}:member:{member.pk}", place_of(request))


def _told_changed(payload: Mapping[str, Any], names: Names) -> str:
    if payload.get("source"):
        words = _now(
            "The phone number was changed by another system (%(source)s). For 24 hours no points leave the account."
        )
        return words % {"source": payload["source"]}
    if not payload.get("proof"):
        return _now(
            "The member changed the phone number, with codes to both. For 24 hours no points leave the account."
        )
    figures = {
        "proof": str(PROOFS.get(payload["proof"], payload["proof"])),
        "reason": payload.get("reason", ""),
    }
    words = _now(
        "The phone number was changed by staff. Proof: %(proof)s. %(reason)s For 24 hours no points leave the account."
    )
    return words % figures


def _told_taken(payload: Mapping[str, Any], names: Names) -> str:
    return _now("Showed to have the phone number of member %(number)s. They may be one person.") % {
        "number": names["other"]
    }


def _numbers(ids: Any) -> dict[int, str]:
    return {pk: str(number) for pk, number in Member.objects.filter(pk__in=ids).values_list("pk", "member_no")}


register_sentence(CHANGED, _told_changed, icon="phonelink_setup")
register_sentence(TAKEN, _told_taken, icon="call_merge", names={"other": _numbers})
