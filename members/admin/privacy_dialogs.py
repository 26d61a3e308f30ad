"""Dialogs about what a member agrees to, and about wishes: a copy, erasure, and taking that back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from members.actors import Actor
from members.admin.dialogs import ConfirmDialog
from members.admin.standing_dialogs import Wish, wish_dialog
from members.certificate import KEPT
from members.consents import channels_of
from members.models import ConsentEntry, ContactChannel, Member, Purpose
from members.queries import programme
from members.services.consents import give_consent, resume_contact, stop_contact, text_in_force, withdraw_consent
from members.services.privacy import checklist, request_copy, request_erasure, take_back_erasure

RECORD: Final = "members.record_consent"
HANDLE: Final = "members.handle_privacyrequest"
Way = ConsentEntry.Way
_WAYS: Final = [(way.value, way.label) for way in (Way.CALL, Way.STORE, Way.PAPER, Way.MESSAGE)]


class WayDialog(BaseDialogForm):
    """How the member said so."""

    way = forms.ChoiceField(
        label=_("How the member said so"), choices=_WAYS, initial=Way.CALL.value, widget=UnfoldAdminSelectWidget
    )


class AnswerDialog(WayDialog):
    """A yes or a no to one purpose, as the member said it to staff, with the words that were read out."""

    form_before_template = "portal/member/consent_words.html"

    decision = forms.ChoiceField(
        label=_("The member says"),
        choices=[("yes", _("yes")), ("no", _("no"))],
        initial="no",
        widget=UnfoldAdminRadioSelectWidget,
    )
    purpose = forms.ChoiceField(
        label=_("Purpose"),
        choices=[(purpose.value, purpose.label) for purpose in Purpose if purpose != Purpose.CONTACT],
        initial=Purpose.MARKETING.value,
        widget=UnfoldAdminSelectWidget,
    )
    channels = forms.MultipleChoiceField(
        label=_("Channel"),
        choices=ContactChannel.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: every channel of the purpose."),
    )
    by_guardian = forms.BooleanField(
        label=_("A parent or guardian says it"), required=False, widget=UnfoldBooleanSwitchWidget
    )
    # The versions that were on the screen while the member was asked.
    versions = forms.CharField(widget=forms.HiddenInput)

    field_order = ("decision", "purpose", "channels", "by_guardian", "way", "versions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        texts = ((purpose, text_in_force(purpose, timezone.now())) for purpose in Purpose)
        self.fields["versions"].initial = ",".join(f"{purpose}:{text.version}" for purpose, text in texts if text)

    def get_before_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        texts = [
            (purpose.label, text_in_force(purpose, timezone.now())) for purpose in Purpose if purpose != Purpose.CONTACT
        ]
        return {"texts": texts}

    def version(self) -> int:
        """Return the version of the words that were shown for the chosen purpose; 0 where there were none."""
        shown = dict(pair.split(":", 1) for pair in self.cleaned_data["versions"].split(",") if ":" in pair)
        number = shown.get(self.cleaned_data["purpose"], "")
        return int(number) if number.isdigit() else 0

    def clean(self) -> dict[str, Any]:
        """Only channels in which the purpose is agreed to."""
        cleaned = super().clean() or self.cleaned_data
        known = channels_of(cleaned.get("purpose", ""))
        if not set(cleaned.get("channels", [])) <= set(known):
            self.add_error("channels", _("This purpose is not asked for in one of these channels."))
        return cleaned


class ErasureDialog(WayDialog):
    """Shows what has to end first, what is lost, and what is kept and why."""

    form_before_template = "portal/member/erasure_checklist.html"

    def get_before_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        found = checklist(member_id=int(object_id or 0), at=timezone.now())
        return {"checklist": found, "kept": KEPT, "days": max(programme().closing_days, 1)}


def _answer(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    said: dict[str, Any] = {"member_id": member_id, "purpose": wanted["purpose"], "channels": wanted["channels"]}
    if wanted["decision"] == "yes":
        give_consent(**said, version=form.version(), way=wanted["way"], by=by, at=at, by_guardian=wanted["by_guardian"])
    else:
        withdraw_consent(**said, way=wanted["way"], by=by, at=at)


PRIVACY_WISHES: Final[Mapping[str, Wish]] = {
    "stop": Wish(
        RECORD,
        _("Stop all contact?"),
        _("From this moment nobody writes to or calls this member, whatever is planned already. The single answers stay."),
        _("Stop all contact"),
        _("All contact is stopped."),
        WayDialog,
        lambda member_id, form, by, at: stop_contact(member_id=member_id, way=form.cleaned_data["way"], by=by, at=at),
    ),
    "resume": Wish(
        RECORD,
        _("Take the stop back?"),
        _("The single answers hold again."),
        _("Take the stop back"),
        _("The single answers hold again."),
        WayDialog,
        lambda member_id, form, by, at: resume_contact(member_id=member_id, way=form.cleaned_data["way"], by=by, at=at),
    ),
    "answer": Wish(
        RECORD,
        _("What does the member agree to?"),
        _("Read the words out before a yes. It holds at once."),
        _("Record the answer"),
        _("The answer is recorded and holds from now on."),
        AnswerDialog,
        _answer,
    ),
    "copy": Wish(
        HANDLE,
        _("Make a copy of this member's data?"),
        _("An archive with everything that is kept. It can be fetched for 24 hours, and each time is written down."),
        _("Make the copy"),
        _("The copy is being made."),
        WayDialog,
        lambda member_id, form, by, at: request_copy(member_id=member_id, way=form.cleaned_data["way"], by=by, at=at),
    ),
    "erase": Wish(
        HANDLE,
        _("Erase this person?"),
        _("After the days to think it over nothing is left that says who this was. It can not be undone."),
        _("Note the wish to be erased"),
        _("The wish is noted. Tell the member its number."),
        ErasureDialog,
        lambda member_id, form, by, at: request_erasure(member_id=member_id, way=form.cleaned_data["way"], by=by, at=at),
    ),
    "keep": Wish(
        HANDLE,
        _("Does the member want to stay after all?"),
        _("The wish to be erased is taken back. Everything stays as it was."),
        _("Take the wish back"),
        _("The wish to be erased is taken back."),
        ConfirmDialog,
        lambda member_id, form, by, at: take_back_erasure(member_id=member_id, by=by, at=at),
    ),
}  # fmt: skip
_OF_CONSENT: Final = ("stop", "resume", "answer")


def privacy_dialog(request: HttpRequest, member: Member, wish: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out and lead back to its tab."""
    tab = "consents" if wish in _OF_CONSENT else "privacy"
    address = reverse("admin:members_member_change", args=[member.pk])
    return wish_dialog(request, member, PRIVACY_WISHES[wish], f"{address}?tab={tab}")
