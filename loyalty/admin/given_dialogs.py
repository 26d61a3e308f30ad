"""Dialogs about a member's tier and plan: set a tier by hand, end it, sell a plan, note a wish, pay back."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty.admin.given import REFUND, SELL
from loyalty.floor_sentences import price_sentence
from loyalty.models import PlanMembership, TierFloor
from loyalty.periods import business_date, end_of_day
from loyalty.plan_queries import plans_on_sale, refund_figure, running_plan
from loyalty.queries import standing_of, tiers
from loyalty.services.plan_payments import refund_plan, sell_plan
from loyalty.services.plans import wish_renewal
from loyalty.services.tier_by_hand import RIGHT as SET_TIER
from loyalty.services.tier_by_hand import end_tier_by_hand, propose_tier
from members.admin.base import actor_of, say_refusal
from members.admin.dialogs import ReasonDialog
from members.figures import money
from members.models import Member
from members.proposals import ProposalOutcome
from members.queries import programme
from members.refusals import Refusal


def _reason() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"), max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )  # fmt: skip


def _receipt() -> forms.CharField:
    return forms.CharField(
        label=_("Number of the receipt"), max_length=80, widget=UnfoldAdminTextInputWidget,
        help_text=_("As on the receipt of the till or the transfer. A number is taken once."),
    )  # fmt: skip


class SetTierDialog(BaseDialogForm):
    """Which tier at least, until when, and why."""

    form_after_template = "portal/member/request_of_dialog.html"

    tier = forms.ChoiceField(label=_("Tier"), widget=UnfoldAdminSelectWidget)
    last_day = forms.DateField(
        label=_("Holds until the end of"),
        # The browser's own calendar: the theme's would need scripts that a dialog does not bring along.
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(INPUT_CLASSES)}),
        input_formats=["%Y-%m-%d"],
        required=False,
        help_text=_("Left empty, it holds until somebody ends it."),
    )
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        earned = standing_of(int(self.object_id), timezone.now()).earned
        choices = [(tier.pk, tier.name) for tier in tiers() if tier.rank >= max(earned.rank, 1)]
        self.fields["tier"].choices = choices

    def clean_last_day(self) -> date | None:
        """Today or a day to come."""
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and day < business_date(timezone.now(), programme().tz):
            raise forms.ValidationError(_now("Choose today or a later day."))
        return day

    def until(self) -> datetime | None:
        """Return the midnight at which the chosen day ends."""
        day = self.cleaned_data["last_day"]
        return end_of_day(day, programme().tz) if day else None

    def get_after_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        return {"request_id": request.POST.get("request_id") or uuid4().hex}


class SellDialog(BaseDialogForm):
    """Which plan was paid, and how that is known."""

    plan = forms.ChoiceField(label=_("Plan"), widget=UnfoldAdminSelectWidget)
    receipt_no = _receipt()
    renews = forms.BooleanField(
        label=_("The member means to renew"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Nothing is charged by itself; the member is reminded."),
    )
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(plan.code, f"{plan.name} · {price_sentence(plan)}") for plan in plans_on_sale(timezone.now())]
        self.fields["plan"].choices = choices


class RenewalDialog(BaseDialogForm):
    """Whether the member means to go on."""

    renews = forms.BooleanField(
        label=_("The member means to renew"), required=False, widget=UnfoldBooleanSwitchWidget,
        help_text=_("Switched off, the plan ends with its period; nothing ends before."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        running = running_plan(int(self.object_id), timezone.now())
        self.fields["renews"].initial = running is not None and running.renews_intended


class RefundDialog(BaseDialogForm):
    """The figure worked out, the number of what was paid back, and why."""

    form_before_template = "portal/member/plan_refund.html"

    receipt_no = _receipt()
    reason = _reason()

    def get_before_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        figure = refund_figure(PlanMembership.objects.get(pk=int(object_id or 0)), timezone.now())
        amounts = {
            "paid": figure.left.paid, "used": figure.left.used, "left": figure.left.left, "benefits": figure.benefits_used,
            "amount": figure.amount,
        }  # fmt: skip
        words = {name: money(amount, figure.currency) for name, amount in amounts.items()}
        return {"figure": figure, "words": words}


def set_tier(request: HttpRequest, member_id: int) -> HttpResponse:
    """Set a tier by hand: at once, or as a proposal for a colleague."""
    member = _member(request, member_id, SET_TIER)
    form = SetTierDialog(request, member.pk, request.POST or None)
    if not form.is_valid():
        words = _(
            "The member holds at least this tier until the day; what is earned goes on beneath it. More than one step over "
            "what is earned waits until a colleague approves it."
        )
        return _show(request, form, _("Set the tier by hand?"), words, _("Set the tier"))

    def act() -> None:
        outcome = propose_tier(
            member_id=member.pk, tier_id=int(form.cleaned_data["tier"]), until=form.until(), reason=form.cleaned_data["reason"],
            by=actor_of(request), at=timezone.now(), request_id=request.POST.get("request_id", "")[:40],
        )  # fmt: skip
        _say(request, outcome)

    return _carry_out(request, act, member.pk)


def end_tier(request: HttpRequest, floor_id: int) -> HttpResponse:
    """End a tier that was set by hand."""
    _require(request, SET_TIER)
    floor = TierFloor.objects.filter(pk=floor_id, source=TierFloor.Source.STAFF).first()
    if floor is None:
        raise Http404
    member = _member(request, floor.member_id, SET_TIER)
    form = ReasonDialog(request, floor.pk, request.POST or None)
    if not form.is_valid():
        words = _("From now on the member holds what is earned, or what else gives a tier.")
        return _show(request, form, _("End the tier set by hand?"), words, _("End it"))

    def act() -> None:
        end_tier_by_hand(floor_id=floor.pk, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now())
        messages.success(request, _("It has ended."))

    return _carry_out(request, act, member.pk)


def sell(request: HttpRequest, member_id: int) -> HttpResponse:
    """Sell a plan that was paid over the counter."""
    member = _member(request, member_id, SELL)
    form = SellDialog(request, member.pk, request.POST or None)
    if not form.is_valid():
        words = _(
            "For who has paid already. The same plan again adds a period; a higher plan takes over at once, and only the "
            "difference for the days left is to be paid."
        )
        return _show(request, form, _("Which plan was paid?"), words, _("Confirm the payment"))

    def act() -> None:
        wanted = form.cleaned_data
        receipt = sell_plan(
            member_id=member.pk, plan_code=wanted["plan"], receipt_no=wanted["receipt_no"], renews_intended=wanted["renews"],
            reason=wanted["reason"], by=actor_of(request), at=timezone.now(),
        )  # fmt: skip
        amount = money(receipt.payment.amount, receipt.payment.currency)
        messages.success(request, _now("%(amount)s are confirmed as paid; the plan runs.") % {"amount": amount})

    return _carry_out(request, act, member.pk)


def renewal(request: HttpRequest, member_id: int) -> HttpResponse:
    """Note whether the member means to renew."""
    member = _member(request, member_id, SELL)
    form = RenewalDialog(request, member.pk, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        words = _("Nothing is charged by itself and nothing ends before its time.")
        return _show(request, form, _("Does the member mean to renew?"), words, _("Save"))

    def act() -> None:
        wish_renewal(member_id=member.pk, renews=form.cleaned_data["renews"], by=actor_of(request), at=timezone.now())
        messages.success(request, _("The wish is noted."))

    return _carry_out(request, act, member.pk)


def refund(request: HttpRequest, membership_id: int) -> HttpResponse:
    """End a plan and note what was paid back, as worked out."""
    _require(request, REFUND)
    membership = PlanMembership.objects.filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    member = _member(request, membership.member_id, REFUND)
    form = RefundDialog(request, membership.pk, request.POST or None)
    shown = _amount(request.POST.get("shown_amount", ""))
    if not form.is_valid() or shown is None:
        words = _("The plan and its tier end at once. The money is paid back outside; its number is noted here.")
        return _show(request, form, _("End the plan and pay back?"), words, _("End and pay back"))

    def act() -> None:
        receipt = refund_plan(
            membership_id=membership.pk, receipt_no=form.cleaned_data["receipt_no"], shown_amount=shown,
            reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now(),
        )  # fmt: skip
        amount = money(receipt.payment.amount, receipt.payment.currency)
        messages.success(request, _now("The plan has ended; %(amount)s are noted as paid back.") % {"amount": amount})

    return _carry_out(request, act, member.pk)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _member(request: HttpRequest, member_id: int, permission: str) -> Member:
    _require(request, permission)
    member = Member.objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    return member


def _show(
    request: HttpRequest, form: Any, title: str | Promise, words: str | Promise, submit: str | Promise
) -> HttpResponse:
    dialog = {"title": title, "description": words, "form_submit_text": submit}
    return render(request, "unfold/helpers/dialog.html", {"dialog": dialog, "form": form, "form_submit_text": submit})


def _carry_out(request: HttpRequest, act: Callable[[], None], member_id: int) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        say_refusal(request, refusal)
    return HttpResponse(headers={"HX-Redirect": reverse("admin:members_member_change", args=[member_id]) + "?tab=tier"})


def _say(request: HttpRequest, outcome: ProposalOutcome) -> None:
    if outcome.carried_out:
        messages.success(request, outcome.result)
        return
    missing = outcome.approvals_missing
    words = ngettext(
        "This is more than one step over what is earned: it waits for %(people)s colleague to approve it.",
        "This is more than one step over what is earned: it waits for %(people)s colleagues to approve it.",
        missing,
    )
    messages.warning(request, words % {"people": missing})


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
