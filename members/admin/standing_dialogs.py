"""Dialogs about how a membership stands: frozen, leaving, closed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from members.actors import Actor
from members.admin.base import actor_of
from members.admin.days import last_day, local_day
from members.admin.dialogs import ConfirmDialog, ReasonDialog, carry_out
from members.freeze_words import words_of_freeze
from members.models import Closure, Member, MemberFreeze, PrivacyRequest
from members.queries import programme
from members.services.closing import ask_to_leave, reasons_for, reopen_member, stay_after_all, what_is_lost
from members.services.status import LONGEST_FREEZE, freeze_member, unfreeze_member

_USUAL_FREEZE = timedelta(days=30)


class FreezeDialog(BaseDialogForm):
    """What is frozen, until when, and why. Shows what the member will read, anew with each change."""

    form_after_template = "portal/member/freeze_words.html"

    acts = forms.MultipleChoiceField(
        label=_("The member can not"),
        choices=Member.Act.choices,
        initial=[act.value for act in Member.Act],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    last_day = forms.DateField(
        label=_("Until the end of"),
        # The browser's own calendar: the theme's would need scripts that a dialog does not bring along.
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(INPUT_CLASSES)}),
        input_formats=["%Y-%m-%d"],
        help_text=_("After this day the freeze ends by itself."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_day"].initial = timezone.now().astimezone(programme().tz).date() + _USUAL_FREEZE

    def clean_last_day(self) -> date:
        """A day to come, and not further than freezes go."""
        day: date = self.cleaned_data["last_day"]
        today = timezone.now().astimezone(programme().tz).date()
        if not today <= day < today + LONGEST_FREEZE:
            message = _now("Choose a day within the next %(days)s days.") % {"days": LONGEST_FREEZE.days}
            raise forms.ValidationError(message)
        return day

    def get_after_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        """What the member would read of what is chosen now; nothing of a choice that is no freeze."""
        if self.is_bound:
            self.full_clean()
            chosen = self.cleaned_data
        else:
            chosen = {name: self.fields[name].initial for name in ("acts", "last_day")}
        acts, day = chosen.get("acts"), chosen.get("last_day")
        words = words_of_freeze([Member.Act(act) for act in acts], _midnight_after(day)) if acts and day else ""
        return {"words": words, "address": request.path}

    def release_at(self) -> datetime:
        """Return the midnight at which the chosen day ends."""
        return _midnight_after(self.cleaned_data["last_day"])


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=programme().tz)


class LeaveDialog(BaseDialogForm):
    """Why the member leaves, and whether the days to think it over are left out. Shows what will be lost."""

    form_before_template = "portal/member/leave_lost.html"

    reason = forms.ChoiceField(label=_("Reason for leaving"), widget=UnfoldAdminSelectWidget)
    note = forms.CharField(
        label=_("Note for colleagues"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("No names or numbers of people."),
    )
    at_once = forms.BooleanField(
        label=_("Close at once"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Otherwise the member can take it back for some days."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(reason.code, reason.name) for reason in reasons_for(actor_of(self.request))]
        self.fields["reason"].choices = choices

    def get_before_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        return {"lines": what_is_lost(int(object_id or 0), timezone.now()), "days": programme().closing_days}


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that staff may do: its dialog, the permission, and the service that does it."""

    permission: str
    title: str | Promise
    description: str | Promise
    submit: str | Promise
    done: str | Promise
    form: type[BaseDialogForm]
    act: Callable[[int, Any, Actor, datetime], object]


def _freeze(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    freeze_member(
        member_id=member_id,
        reason=form.cleaned_data["reason"],
        acts=[Member.Act(act) for act in form.cleaned_data["acts"]],
        release_at=form.release_at(),
        by=by,
        at=at,
    )


def _leave(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    ask_to_leave(
        member_id=member_id, reason=wanted["reason"], note=wanted["note"], at_once=wanted["at_once"], by=by, at=at
    )


STANDING_WISHES: Final[Mapping[str, Wish]] = {
    "freeze": Wish(
        "members.change_member",
        _("Freeze this member?"),
        _("Choose what is frozen. Without sign-in the member is signed out everywhere."),
        _("Freeze"),
        _("The member is frozen."),
        FreezeDialog,
        _freeze,
    ),
    "unfreeze": Wish(
        "members.change_member",
        _("Unfreeze this member?"),
        _("The member earns and spends points again and signs in anew."),
        _("Unfreeze"),
        _("The member is active again."),
        ReasonDialog,
        lambda member_id, form, by, at: unfreeze_member(
            member_id=member_id, reason=form.cleaned_data["reason"], by=by, at=at
        ),
    ),
    "leave": Wish(
        "members.close_member",
        _("Does this member leave?"),
        _("Until the day on which it takes effect nothing changes for the member, and it can be taken back."),
        _("Note the leave"),
        _("It is noted that the member leaves."),
        LeaveDialog,
        _leave,
    ),
    "stay": Wish(
        "members.close_member",
        _("Does this member stay after all?"),
        _("The membership goes on as if nothing had been asked for."),
        _("The member stays"),
        _("The membership goes on."),
        ConfirmDialog,
        lambda member_id, form, by, at: stay_after_all(member_id=member_id, by=by, at=at),
    ),
    "reopen": Wish(
        "members.close_member",
        _("Open this membership again?"),
        _("What is left of points and vouchers can be used again. The member signs in anew."),
        _("Open again"),
        _("The membership is open again."),
        ReasonDialog,
        lambda member_id, form, by, at: reopen_member(
            member_id=member_id, reason=form.cleaned_data["reason"], by=by, at=at
        ),
    ),
}


def standing_dialog(request: HttpRequest, member: Member, wish: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out."""
    return wish_dialog(request, member, STANDING_WISHES[wish], f"{_address(member)}")


def wish_dialog(request: HttpRequest, member: Member, wish: Wish, then: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out and lead on to `then`."""
    form = wish.form(request, member.pk, request.POST or None)
    if "is_preview" in request.POST or not form.is_valid():
        dialog = {"title": wish.title, "description": wish.description, "form_submit_text": wish.submit}
        context = {"dialog": dialog, "form": form, "form_submit_text": wish.submit}
        return render(request, "unfold/helpers/dialog.html", context)

    def act() -> None:
        wish.act(member.pk, form, actor_of(request), timezone.now())

    return carry_out(request, act, done=wish.done, then=then)


def standing_of(member: Member, at: datetime) -> dict[str, Any]:
    """Return what the head of the page says beside the status: what is frozen until when, and when the member leaves."""
    found: dict[str, Any] = {"sentences": [], "is_leaving": False}
    if member.status == Member.Status.FROZEN:
        freeze = MemberFreeze.objects.filter(member=member, released_at__isnull=True).first()
        if freeze is not None:
            acts = _now(", ").join(str(act.label) for act in freeze.acts)
            words = _now("Can not %(acts)s until the end of %(day)s: %(reason)s")
            figures = {"acts": acts, "day": last_day(freeze.release_at), "reason": freeze.reason}
            found["sentences"].append(words % figures)
    closure = (
        Closure.objects.select_related("reason").filter(member=member).exclude(state=Closure.State.TAKEN_BACK).first()
    )
    if closure is not None and member.status != Member.Status.CLOSED:
        found["is_leaving"] = True
        words = _now("Leaves on %(day)s: %(reason)s")
        found["sentences"].append(words % {"day": local_day(closure.effective_at), "reason": closure.reason.name})
    elif closure is not None:
        words = _now("Left on %(day)s: %(reason)s")
        day = local_day(closure.closed_at or closure.effective_at)
        found["sentences"].append(words % {"day": day, "reason": closure.reason.name})
    wish = PrivacyRequest.objects.filter(
        member=member, kind=PrivacyRequest.Kind.ERASURE, state=PrivacyRequest.State.WAITING
    ).first()
    if wish is not None and wish.due_at is not None:
        words = _now("Wants to be erased (%(number)s): takes place from %(when)s.")
        found["sentences"].append(words % {"number": wish.number, "when": local_day(wish.due_at)})
    return found


def _address(member: Member) -> str:
    return reverse("admin:members_member_change", args=[member.pk])
