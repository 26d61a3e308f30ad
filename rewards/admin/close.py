"""The pages of the month close: the months with their state, one month with all its figures, and what finance takes away."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from loyalty.periods import add_months, business_date
from members.admin.base import Badge, HistoryAdmin, StaffAdmin, actor_of, say_refusal
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.timeline import register_sentence
from members.figures import grouped, money
from members.queries import programme
from members.refusals import Refusal
from rewards.models import ClosingAccount, MonthClose, PointsCurrency
from rewards.services.close import lock_close, month_open, preview_close
from rewards.services.close_files import journal_csv, workbook_of
from rewards.services.close_report import report_of

LOCK = "rewards.lock_month"
SEE = "rewards.view_monthclose"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MONTHS_OFFERED = 37


class WorkOutDialog(BaseDialogForm):
    """Which month of which points to work out."""

    currency: Any = forms.ModelChoiceField(
        label=_("Points"), queryset=PointsCurrency.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    month = forms.DateField(label=_("Month"), widget=UnfoldAdminSelectWidget)
    begins_books = forms.BooleanField(
        label=_("Begin the books with this month"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Only before the first lock: all that happened earlier becomes the opening balance."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currencies = PointsCurrency.objects.order_by("pk")
        self.fields["currency"].queryset = currencies
        now = timezone.now()
        this_month = business_date(now, programme().tz).replace(day=1)
        months = [add_months(this_month, -back) for back in range(_MONTHS_OFFERED)]
        if not self.is_bound:
            first = currencies.first()
            suggested = month_open(currency_id=first.pk, at=now) if first else this_month
            if suggested not in months:
                months.append(suggested)
            self.initial.setdefault("month", suggested.isoformat())
        self.fields["month"].widget.choices = [(month.isoformat(), f"{month:%Y-%m}") for month in months]


@admin.register(MonthClose)
class MonthCloseAdmin(HistoryAdmin):
    """The months, the latest first."""

    is_nameless = True
    list_display = ("month_name", "currency", "state_badge", "closing", "value", "liability", "agreement", "locked_on")
    list_select_related = ("currency",)
    list_filter = (("state", ChoicesDropdownFilter), ("currency", RelatedDropdownFilter))
    list_display_links = ("month_name",)
    ordering = ("-month", "currency_id")
    actions_list = ("work_out",)
    empty_sentence = _(
        "No month was worked out yet. Work out the first one: it shows what came in, what went out and what is owed, "
        "and stays a draft until it is locked."
    )

    @display(description=_("month"))
    def month_name(self, close: MonthClose) -> SafeString:
        return format_html('<span class="pn-number">{}</span>', f"{close.month:%Y-%m}")

    @display(description=_("state"), label={"draft": "warning", "locked": "success"})
    def state_badge(self, close: MonthClose) -> Badge:
        return Badge(close.state, close.get_state_display())

    @display(description=_("closing balance (points)"))
    def closing(self, close: MonthClose) -> str:
        return grouped(close.closing_points)

    @display(description=_("Worth"))
    def value(self, close: MonthClose) -> str:
        return "–" if close.closing_amount is None else money(close.closing_amount, close.money_currency)

    @display(description=_("liability"))
    def liability(self, close: MonthClose) -> str:
        return "–" if close.liability_amount is None else money(close.liability_amount, close.money_currency)

    @display(description=_("movements = balances"), boolean=True)
    def agreement(self, close: MonthClose) -> bool:
        return close.agrees

    @display(description=_("locked at"))
    def locked_on(self, close: MonthClose) -> str:
        return date_format(timezone.localdate(close.locked_at), "DATE_FORMAT") if close.locked_at else "–"

    def has_work_out_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(LOCK)

    @action(
        description=_("Work out a month"),
        url_path="work-out",
        permissions=["work_out"],
        icon="calculate",
        dialog={
            "title": _("Work out a month"),
            "description": _("The figures are kept as a draft. Nothing is locked by this."),
            "form_class": WorkOutDialog,
            "form_submit_text": _("Work out"),
        },
    )
    def work_out(self, request: HttpRequest, form: WorkOutDialog) -> HttpResponse:
        wanted = form.cleaned_data
        return self._work_out(request, wanted["currency"].pk, wanted["month"], wanted["begins_books"])

    def _work_out(self, request: HttpRequest, currency: int, month: Any, begins_books: bool) -> HttpResponse:
        then = reverse("admin:rewards_monthclose_changelist")
        try:
            close = preview_close(currency_id=currency, month=month, at=timezone.now(), begins_books=begins_books)
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            messages.success(request, _("The month was worked out."))
            then = _address(close)
        return HttpResponse(headers={"HX-Redirect": then})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:close_id>/again/", view(self.again), name="rewards_monthclose_again"),
            path("<int:close_id>/lock/", view(self.lock), name="rewards_monthclose_lock"),
            path("<int:close_id>/figures.xlsx", view(self.workbook), name="rewards_monthclose_workbook"),
            path("<int:close_id>/journal.csv", view(self.journal), name="rewards_monthclose_journal"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of a month: roll-forward, agreement, liability with its method, and the same by source, store and tier."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        close = self._close(object_id)
        report = report_of(close)
        wanted = request.GET.get("by")
        active = next((table for table in report.tables if table.key == wanted), report.tables[0])
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{close.currency.name} {close.month:%Y-%m}",
            "close": close,
            "report": report,
            "active": active,
            "may_lock": request.user.has_perm(LOCK) and not close.is_locked,
            "is_over": close.ends_at <= timezone.now(),
        }
        return render(request, "portal/close/page.html", context)

    def again(self, request: HttpRequest, close_id: int) -> HttpResponse:
        """Work out a draft anew."""
        self._require_lock(request)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        close = self._close(close_id)
        self._work_out(request, close.currency_id, close.month, close.begins_books)
        return HttpResponseRedirect(_address(close))

    def lock(self, request: HttpRequest, close_id: int) -> HttpResponse:
        """The dialog that locks."""
        self._require_lock(request)
        close = self._close(close_id)
        form = ReasonDialog(request, close_id, request.POST or None)
        dialog = {
            "title": _now("Lock %(month)s?") % {"month": f"{close.month:%Y-%m}"},
            "description": _(
                "The figures are worked out once more and then stay as they are, for good. What is recorded later falls into the next month."
            ),
            "form_submit_text": _("Lock the month"),
        }
        if not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)

        def act() -> None:
            lock_close(
                currency_id=close.currency_id, month=close.month, by=actor_of(request), at=timezone.now(),
                reason=form.cleaned_data["reason"], begins_books=close.begins_books,
            )  # fmt: skip

        return carry_out(request, act, done=_("The month is locked."), then=_address(close))

    def workbook(self, request: HttpRequest, close_id: int) -> HttpResponse:
        """All figures as a workbook."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        close = self._close(close_id)
        return _download(workbook_of(close), _XLSX, f"points-{close.currency.code}-{close.month:%Y-%m}.xlsx")

    def journal(self, request: HttpRequest, close_id: int) -> HttpResponse:
        """The journal as csv."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        close = self._close(close_id)
        try:
            content = journal_csv(close)
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(close))
        return _download(content, "text/csv; charset=utf-8", f"journal-{close.currency.code}-{close.month:%Y-%m}.csv")

    def _close(self, close_id: int | str) -> MonthClose:
        try:
            return MonthClose.objects.select_related("currency", "previous", "locked_by").get(pk=close_id)
        except (MonthClose.DoesNotExist, ValueError) as error:
            raise Http404 from error

    def _require_lock(self, request: HttpRequest) -> None:
        if not request.user.has_perm(LOCK):
            raise PermissionDenied


@admin.register(ClosingAccount)
class ClosingAccountAdmin(StaffAdmin):
    """Which account of the books takes which movement."""

    is_nameless = True
    list_display = ("purpose_name", "code")
    list_display_links = ("purpose_name",)
    ordering = ("pk",)
    fields = ("purpose_name", "code")
    readonly_fields = ("purpose_name",)
    empty_sentence = _("No accounts. They are made when the portal is installed; finance sets their numbers.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description=_("movement"))
    def purpose_name(self, account: ClosingAccount) -> str:
        return account.get_purpose_display()


def _address(close: MonthClose) -> str:
    return reverse("admin:rewards_monthclose_change", args=[close.pk])


def _download(content: bytes, kind: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=kind, headers=headers)


def _month_locked(payload: Any, names: Any) -> str:
    return _now("Locked %(month)s with %(points)s points: %(reason)s") % {
        "month": payload.get("month", ""),
        "points": grouped(int(payload.get("points", 0))),
        "reason": payload.get("reason", ""),
    }


register_sentence("rewards.month_locked.v1", _month_locked, icon="lock")
