"""Pages of expiry policies and of the warnings that were written. The page of what expires when is in expiry_calendar."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
)

from loyalty.periods import business_date, end_of_day
from members.admin.base import Badge, StaffAdmin, say_refusal
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from members.queries import programme
from members.refusals import Refusal
from rewards.admin.expiry_calendar import ExpiryCalendar
from rewards.expiry_wording import activity_choices, example_sentence, policy_sentence
from rewards.models import ExpiryPolicy, ExpiryWarning, Lot, PointsCurrency, WarningReceipt
from rewards.models.expiry import usual_warn_days
from rewards.services.expiry_policies import check_policy, store_policy

_MOST_LEADS = 6
_FIGURES = {
    ExpiryPolicy.Kind.ROLLING_MONTHS: ("months",),
    ExpiryPolicy.Kind.END_OF_MONTH: ("months",),
    ExpiryPolicy.Kind.END_OF_YEAR: ("years",),
    ExpiryPolicy.Kind.FIXED_DATE: ("fixed_date", "months"),
    ExpiryPolicy.Kind.INACTIVITY: ("months", "activities"),
    ExpiryPolicy.Kind.NEVER: (),
}


class WarnDaysField(forms.CharField):
    """Days ahead, as people list them: 30, 7, 1."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(days) for days in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        words = [word for word in str(value or "").replace("，", ",").replace("、", ",").split(",") if word.strip()]
        if not all(word.strip().isdecimal() and 0 < int(word) <= 366 for word in words):
            raise ValidationError(_("Write days as whole numbers from 1 to 366, such as 30, 7, 1."))
        if len(words) > _MOST_LEADS:
            raise ValidationError(_("At most %(most)s warnings."), params={"most": _MOST_LEADS})
        return sorted({int(word) for word in words}, reverse=True)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


class ExpiryPolicyForm(forms.ModelForm):
    """A policy: only the figures of its kind are asked for, and kept."""

    activities = forms.MultipleChoiceField(
        label=_("What counts as activity"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    warn_days = WarnDaysField(
        label=_("Warn so many days ahead"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Such as 30, 7, 1. Empty: members are not warned."),
    )

    class Meta:
        model = ExpiryPolicy
        fields = (
            "currency", "origin", "kind", "months", "years", "fixed_date", "activities", "grace_days", "warn_days",
            "extend_unreached_days", "valid_from", "valid_to",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "activities" in self.fields:
            self.fields["activities"].choices = activity_choices()  # type: ignore[attr-defined]
        if "origin" in self.fields:
            choices = [("", _("all other sources")), *Lot.Origin.choices]
            self.fields["origin"].choices = self.fields["origin"].widget.choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Keep the figures of the kind, and ask for those that are missing."""
        wanted = self.cleaned_data
        if "kind" in self.fields:
            self._clean_figures(wanted)
        begin, end = wanted.get("valid_from") or self.instance.valid_from, wanted.get("valid_to")
        if begin and end and end <= begin:
            self.add_error("valid_to", _("The end lies before the beginning."))
        return wanted

    def _post_clean(self) -> None:
        """Let the service say what speaks against it, so that the form keeps what was written."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                check_policy(self.instance, at=timezone.now())
            except Refusal as refusal:
                self.add_error("valid_from" if "valid_from" in self.fields else "valid_to", refusal.sentence())

    def _clean_figures(self, wanted: dict[str, Any]) -> None:
        kind = wanted.get("kind")
        for name in ("months", "years", "fixed_date", "activities"):
            if kind and name not in _FIGURES[kind]:
                wanted[name] = [] if name == "activities" else None
                self.errors.pop(name, None)
            elif name == "months" and kind == ExpiryPolicy.Kind.FIXED_DATE:
                wanted[name] = wanted.get(name) or 0
            elif wanted.get(name) in (None, [], "") and name not in self.errors:
                self.add_error(name, _("This is needed for points that expire like this."))
        if kind in (ExpiryPolicy.Kind.ROLLING_MONTHS, ExpiryPolicy.Kind.INACTIVITY) and wanted.get("months") == 0:
            self.add_error("months", _("At least one month."))
        if (wanted.get("months") or 0) > 600:
            self.add_error("months", _("At most 600 months."))
        if (wanted.get("years") or 0) > 50:
            self.add_error("years", _("At most 50 years."))
        if kind == ExpiryPolicy.Kind.INACTIVITY and wanted.get("origin"):
            self.add_error(
                "origin", _("Activity keeps all points of a member alive, whatever their source: leave this empty.")
            )
        for name in ("grace_days", "extend_unreached_days"):
            if (wanted.get(name) or 0) > 366:
                self.add_error(name, _("At most 366 days."))


def has_begun(policy: ExpiryPolicy | None) -> bool:
    """Whether points may have been earned under a version already."""
    return policy is not None and policy.valid_from <= timezone.now()


@admin.register(ExpiryPolicy)
class ExpiryPolicyAdmin(StaffAdmin):
    """Versions of the expiry policies, and the page of what expires when."""

    form = ExpiryPolicyForm
    is_nameless = True
    list_display = ("source", "currency", "sentence", "valid_from", "valid_to", "state")
    list_display_links = ("source",)
    list_select_related = ("currency",)
    sortable_by = ()
    change_form_before_template = "portal/expiry_policy_words.html"
    conditional_fields = {
        "months": "['rolling_months', 'end_of_month', 'fixed_date', 'inactivity'].includes(kind)",
        "years": "kind == 'end_of_year'",
        "fixed_date": "kind == 'fixed_date'",
        "activities": "kind == 'inactivity'",
        # A version in force does not ask for its kind.
        "warn_days": "typeof kind == 'undefined' || kind != 'never'",
        "extend_unreached_days": "typeof kind == 'undefined' || kind != 'never'",
    }
    empty_sentence = _("No expiry policy yet. Until there is one, points expire as their earn rule says.")

    def get_fields(self, request: HttpRequest, obj: ExpiryPolicy | None = None) -> Any:
        fields = cast(tuple[str, ...], ExpiryPolicyForm.Meta.fields)
        return ("source", "sentence", *fields) if has_begun(obj) or not self._may_write(request) else fields

    def get_readonly_fields(self, request: HttpRequest, obj: ExpiryPolicy | None = None) -> tuple[str, ...]:
        """Of a version in force only its end and its warnings can be set: what was earned under it keeps it."""
        if not has_begun(obj):
            return () if self._may_write(request) else ("source", "sentence")
        return (
            "source", "sentence", "currency", "origin", "kind", "months", "years", "fixed_date", "activities", "grace_days", "valid_from",
        )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: ExpiryPolicy | None = None) -> list[Any]:
        if has_begun(obj) or not self._may_write(request):
            fields = ("currency", "source", "sentence", "warn_days", "extend_unreached_days", "valid_from", "valid_to")
            return [(None, {"fields": fields})]
        return [(None, {"fields": self.get_fields(request, obj)})]

    def _may_write(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    @display(description=_("points of"))
    def source(self, policy: ExpiryPolicy) -> str:
        return policy.get_origin_display() if policy.origin else str(_("all other sources"))

    @display(description=_("in words"))
    def sentence(self, policy: ExpiryPolicy) -> str:
        return policy_sentence(policy, self._names) if policy.pk else "–"

    @display(description=_("state"), label={"planned": "info", "in_force": "success", "over": "warning"})
    def state(self, policy: ExpiryPolicy) -> Badge:
        now = timezone.now()
        if policy.valid_from > now:
            return Badge("planned", _("planned"))
        if policy.valid_to and policy.valid_to <= now:
            return Badge("over", _("over"))
        return Badge("in_force", _("in force"))

    _names: dict[str, str] | None = None

    def load_columns(self, rows: Sequence[Model]) -> None:
        """The names of behaviours, once for all rows."""
        self._names = dict(activity_choices())

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new version begins tomorrow, in the first currency, with the usual warnings."""
        tomorrow = end_of_day(business_date(timezone.now(), programme().tz), programme().tz)
        first = PointsCurrency.objects.order_by("pk").values_list("pk", flat=True).first()
        return {
            "currency": first, "valid_from": tomorrow, "warn_days": usual_warn_days(), "months": 12,
            **super().get_changeform_initial_data(request),
        }  # fmt: skip

    def save_model(self, request: HttpRequest, obj: ExpiryPolicy, form: forms.ModelForm, change: bool) -> None:
        store_policy(policy=obj, at=timezone.now())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form. A colleague who was faster by a moment is told of at the list."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(reverse("admin:rewards_expirypolicy_changelist"))

    def words(self, request: HttpRequest) -> HttpResponse:
        """The sentence of what the form says now, for the page that is open."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        context: dict[str, Any] = {"sentence": "", "example": ""}
        if form.is_valid():
            policy = form.save(commit=False)
            context = {
                "sentence": policy_sentence(policy),
                "example": example_sentence(policy, timezone.now()),
                "is_inactivity": policy.kind == ExpiryPolicy.Kind.INACTIVITY,
            }
        return render(request, "portal/expiry_policy_sentence.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        page = ExpiryCalendar(self)
        own = [
            path("words/", view(self.words), name="rewards_expirypolicy_words"),
            path("calendar/", view(page.month), name="rewards_expiry_calendar"),
            path("calendar/xlsx/", view(page.workbook), name="rewards_expiry_workbook"),
            path("calendar/extend/", view(page.extend), name="rewards_expiry_extend"),
            path("calendar/<str:day>/", view(page.day), name="rewards_expiry_day"),
        ]
        return own + super().get_urls()


@admin.register(ExpiryWarning)
class ExpiryWarningAdmin(FactAdmin):
    """Who was to be told what, when, and what became of it: the evidence."""

    is_nameless = True
    list_display = ("warned_at", "member_page", "points_left", "expires_date", "lead", "receipt")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = ("warned_at", "member", "points", "expires_date", "days")
    empty_sentence = _("No warning was written yet. Every morning, members whose points expire soon are warned.")

    _receipts: dict[int, list[WarningReceipt]] = {}

    def load_columns(self, rows: Sequence[Model]) -> None:
        """The receipts of the page in one query."""
        receipts: dict[int, list[WarningReceipt]] = {}
        for receipt in WarningReceipt.objects.filter(warning__in=[row.pk for row in rows]).order_by("id"):
            receipts.setdefault(receipt.warning_id, []).append(receipt)
        self._receipts = receipts

    @display(description=_("member"))
    def member_page(self, warning: ExpiryWarning) -> SafeString:
        return member_link(warning.member)

    @display(description=_("points"))
    def points_left(self, warning: ExpiryWarning) -> str:
        return grouped(warning.points)

    @display(description=_("lead (days)"))
    def lead(self, warning: ExpiryWarning) -> int:
        return warning.days

    @display(
        description=_("outcome"),
        label={"delivered": "success", "unreachable": "danger", "extended": "warning", "open": "info"},
    )
    def receipt(self, warning: ExpiryWarning) -> Badge:
        found = {receipt.outcome: receipt for receipt in self._receipts.get(warning.pk, [])}
        for outcome in (
            WarningReceipt.Outcome.EXTENDED, WarningReceipt.Outcome.DELIVERED, WarningReceipt.Outcome.UNREACHABLE,
        ):  # fmt: skip
            if outcome in found:
                return Badge(outcome.value, outcome.label)
        return Badge("open", _("no receipt yet"))
