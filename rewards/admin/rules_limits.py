"""The page of the limits on what a member earns by all rules together, one for each points currency."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from members.admin.base import actor_of
from members.refusals import Refusal
from rewards.models import PointsCurrency, ProgrammeCap
from rewards.services.rules import set_programme_cap

if TYPE_CHECKING:
    from rewards.admin.rules import EarnRuleAdmin

_MOST_POINTS = 2_000_000_000
_SHOWN = 20


class LimitsForm(forms.Form):
    """The limits of one currency, and why."""

    day_points = forms.IntegerField(
        label=gettext_lazy("Most per member and day (points)"), required=False, min_value=1, max_value=_MOST_POINTS,
        widget=UnfoldAdminIntegerFieldWidget, help_text=gettext_lazy("Empty: no limit."),
    )  # fmt: skip
    month_points = forms.IntegerField(
        label=gettext_lazy("Most per member and month (points)"), required=False, min_value=1, max_value=_MOST_POINTS,
        widget=UnfoldAdminIntegerFieldWidget, help_text=gettext_lazy("Empty: no limit."),
    )  # fmt: skip
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)


def limits_page(page: "EarnRuleAdmin", request: HttpRequest, *, may_set: bool) -> HttpResponse:
    """Show the limits in force and those before; set those of one currency from now on."""
    now = timezone.now()
    currencies = list(PointsCurrency.objects.order_by("pk"))
    sent: tuple[int, LimitsForm] | None = None
    if request.method == "POST" and may_set:
        currency = get_object_or_404(PointsCurrency, code=request.POST.get("currency", ""))
        form = LimitsForm(request.POST, prefix=currency.code)
        if form.is_valid() and _set(form, currency, request, now):
            messages.success(request, _("The limits hold from now on."))
            return HttpResponseRedirect(reverse("admin:rewards_earnrule_limits"))
        sent = currency.pk, form
    caps = ProgrammeCap.objects.filter(valid_from__lte=now).order_by("-valid_from")
    in_force = {cap.currency_id: cap for cap in caps.filter(valid_to__isnull=True) | caps.filter(valid_to__gt=now)}
    rows: list[dict[str, Any]] = []
    for currency in currencies:
        cap = in_force.get(currency.pk)
        initial = {"day_points": cap.day_points, "month_points": cap.month_points} if cap else {}
        form = sent[1] if sent and sent[0] == currency.pk else LimitsForm(initial=initial, prefix=currency.code)
        rows.append({"currency": currency, "cap": cap, "form": form})
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": _("Limits of all rules together"),
        "rows": rows,
        "may_set": may_set,
        "past": list(ProgrammeCap.objects.filter(valid_to__lte=now).select_related("currency").order_by("-valid_to")[:_SHOWN]),
    }  # fmt: skip
    return render(request, "portal/rules/limits.html", context)


def _set(form: LimitsForm, currency: PointsCurrency, request: HttpRequest, at: datetime) -> bool:
    wanted = form.cleaned_data
    try:
        set_programme_cap(
            currency_id=currency.pk, day_points=wanted["day_points"], month_points=wanted["month_points"],
            reason=wanted["reason"], by=actor_of(request), at=at,
        )  # fmt: skip
    except Refusal as refusal:
        form.add_error(None, refusal.sentence())
        return False
    return True
