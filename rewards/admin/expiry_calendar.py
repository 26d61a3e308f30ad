"""What expires when: the next months, one month day by day, one day member by member, and the form that extends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from loyalty.periods import add_months, business_date
from members.admin.base import actor_of, say_refusal
from members.figures import compact
from members.models import Operator
from members.proposals import my_limit
from members.queries import programme
from members.refusals import Refusal
from rewards.admin.expiry_workbook import month_workbook
from rewards.ending import day_scope, endings_by_day, largest_lots, money_per_point, month_scope, points_by_month, worth
from rewards.models import PointsCurrency
from rewards.services.extensions import EXTEND, Cost, Wish, cost_of, propose_extension

if TYPE_CHECKING:
    from rewards.admin.expiry import ExpiryPolicyAdmin

SEE = "rewards.view_expirypolicy"
MAY_EXTEND = "rewards.extend_lots"
_USUAL_MONTHS = 3


class ExtendForm(forms.Form):
    """Until when, and why."""

    until = forms.DateField(
        label=_("New last day"),
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("The points can still be used on this day."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stays on every lot, for colleagues. No names or numbers of people."),
    )
    request_id = forms.CharField(widget=forms.HiddenInput, max_length=80)


@dataclass(frozen=True, slots=True)
class _Row:
    """A bar: a month or a day."""

    key: str
    label: str
    figure: str
    points: int
    amount: Decimal | None
    share: int
    members: int = 0
    lots: int = 0
    is_active: bool = False


class ExpiryCalendar:
    """The views."""

    def __init__(self, model_admin: "ExpiryPolicyAdmin") -> None:
        self.model_admin = model_admin

    def month(self, request: HttpRequest) -> HttpResponse:
        """The next thirteen months as bars, and one of them by day."""
        at = _looked_at(request)
        currency = _currency(request)
        rate = money_per_point(currency.pk, at)
        by_month = points_by_month(currency.pk, at=at)
        chosen = _month(request, at)
        if chosen not in by_month:
            chosen = next(iter(by_month))
        most = max(by_month.values()) or 1
        months = [
            _Row(
                f"{month:%Y-%m}", date_format(month, "YEAR_MONTH_FORMAT"), compact(points), points, worth(points, rate),
                round(100 * points / most), is_active=month == chosen,
            )
            for month, points in by_month.items()
        ]  # fmt: skip
        days = _days(currency.pk, chosen, at, rate)
        context = {
            **self._context(request, _("What expires when")),
            "currency": currency,
            "currencies": list(PointsCurrency.objects.order_by("pk")),
            "months": months,
            "month": date_format(chosen, "YEAR_MONTH_FORMAT"),
            "month_key": f"{chosen:%Y-%m}",
            "days": days,
            "month_points": sum(day.points for day in days),
            "amount": worth(sum(day.points for day in days), rate),
            "rate": rate,
            "as_of": at.astimezone(programme().tz),
            "zone": programme().zone,
            "may_extend": request.user.has_perm(MAY_EXTEND),
        }
        return render(request, "portal/expiry_calendar.html", context)

    def workbook(self, request: HttpRequest) -> HttpResponse:
        """The month as a workbook."""
        at = _looked_at(request)
        currency = _currency(request)
        chosen = _month(request, at)
        rate = money_per_point(currency.pk, at)
        content = month_workbook(
            endings_by_day(month_scope(currency.pk, chosen, at=at)), currency=currency.name, rate=rate, money=programme().currency
        )  # fmt: skip
        answer = HttpResponse(content, content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        answer["Content-Disposition"] = f'attachment; filename="expiring-{currency.code}-{chosen:%Y-%m}.xlsx"'
        return answer

    def day(self, request: HttpRequest, day: str) -> HttpResponse:
        """The largest lots that end with a day."""
        at = _looked_at(request)
        currency = _currency(request)
        ends = _date(day)
        rate = money_per_point(currency.pk, at)
        context = {
            **self._context(request, date_format(ends, "DATE_FORMAT")),
            "currency": currency,
            "day": ends,
            "lots": largest_lots(day_scope(currency.pk, ends, at=at)),
            "cost": cost_of(Wish(currency.pk, ends, ends + timedelta(days=1)), at=at),
            "rate": rate,
            "may_extend": request.user.has_perm(MAY_EXTEND),
        }
        return render(request, "portal/expiry_day.html", context)

    def extend(self, request: HttpRequest) -> HttpResponse:
        """The form that extends what ends with a day: all of it, a member's, or one lot."""
        at = _looked_at(request)
        if not request.user.has_perm(MAY_EXTEND):
            raise PermissionDenied
        currency = _currency(request)
        ends = _date(request.GET.get("ends", ""))
        member, lot = _number(request, "member"), _number(request, "lot")
        back = f"{reverse('admin:rewards_expiry_calendar')}?currency={currency.code}&month={ends:%Y-%m}"
        form = ExtendForm(
            request.POST or None, initial={"until": add_months(ends, _USUAL_MONTHS), "request_id": uuid4().hex}
        )
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            try:
                outcome = propose_extension(
                    wish=Wish(currency.pk, ends, wanted["until"], member, lot), reason=wanted["reason"],
                    by=actor_of(request), at=at, request_id=wanted["request_id"],
                )  # fmt: skip
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                if outcome.waiting:
                    messages.warning(request, _("It is above your limit and waits for a colleague's approval."))
                else:
                    messages.success(request, outcome.result)
                return HttpResponseRedirect(back)
        cost = cost_of(Wish(currency.pk, ends, add_months(ends, _USUAL_MONTHS), member, lot), at=at)
        context = {
            **self._context(request, _("Extend points")),
            "form": form,
            "media": self.model_admin.media + form.media,
            "currency": currency,
            "ends": ends,
            "cost": cost,
            "per_point": money_per_point(currency.pk, at),
            "limit": my_limit(operator=cast(Operator, request.user), kind=EXTEND, at=at),
            "is_above": _is_above(request, cost, at),
            "back": back,
            "is_one_lot": lot is not None,
            "is_one_member": member is not None and lot is None,
        }
        return render(request, "portal/expiry_extend.html", context)

    def _context(self, request: HttpRequest, title: Any) -> dict[str, Any]:
        site = self.model_admin.admin_site
        request.current_app = site.name
        return {**site.each_context(request), "content_title": title, "title": title}


def _looked_at(request: HttpRequest) -> datetime:
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    return timezone.now()


def _is_above(request: HttpRequest, cost: Cost, at: datetime) -> bool:
    return not my_limit(operator=cast(Operator, request.user), kind=EXTEND, at=at).allows(cost.points)


def _currency(request: HttpRequest) -> PointsCurrency:
    currencies = PointsCurrency.objects.order_by("pk")
    code = request.GET.get("currency")
    found = currencies.filter(code=code).first() if code else currencies.first()
    if found is None:
        raise Http404
    return found


def _month(request: HttpRequest, at: datetime) -> date:
    wanted = request.GET.get("month")
    return _date(f"{wanted}-01") if wanted else business_date(at, programme().tz).replace(day=1)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Http404 from error


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if text and not text.isdecimal():
        raise Http404
    return int(text) if text else None


def _day_words(day: date) -> str:
    return _("%(date)s, %(weekday)s") % {"date": date_format(day, "DATE_FORMAT"), "weekday": date_format(day, "D")}


def _days(currency_id: int, month: date, at: datetime, rate: Decimal | None) -> Sequence[_Row]:
    endings = endings_by_day(month_scope(currency_id, month, at=at))
    most = max((ending.points for ending in endings), default=1)
    return [
        _Row(
            key=ending.date.isoformat(), label=_day_words(ending.date),
            figure=compact(ending.points),
            points=ending.points, amount=worth(ending.points, rate), share=max(1, round(100 * ending.points / most)),
            members=ending.members, lots=ending.lots,
        )
        for ending in endings
    ]  # fmt: skip
