"""Pages of benefits: the list and the form. What each tier gives of them stands in the grid."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from loyalty.admin.benefit_grid import GridPages
from loyalty.benefit_book import forget_benefit_book
from loyalty.benefit_words import FIGURED, missing_languages, quota_words
from loyalty.models import Benefit
from loyalty.offered_choices import choices_of
from loyalty.services.benefit_costs import costs_of
from members.admin.base import Badge, TranslatedAdmin
from members.figures import grouped, money
from members.queries import programme
from members.wording import enumerated

YEAR = timedelta(days=365)


class BenefitForm(ModelForm):
    """A benefit, with weekdays and categories to tick, and the voucher by its name."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=list(WEEKDAYS.items()),
        coerce=int,
        required=False,
        empty_value=[],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: every day."),
    )
    category_codes = forms.MultipleChoiceField(
        label=_("Categories"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: the whole order."),
    )  # fmt: skip
    voucher_template_code = forms.ChoiceField(
        label=_("Voucher"), required=False, widget=UnfoldAdminSelectWidget,
        help_text=_("One is issued for each use."),
    )  # fmt: skip

    class Meta:
        model = Benefit
        fields = (
            "code", "kind", "name", "sentence", "is_on", "period", "quota", "unit_cost_amount", "on_lowered", "is_used_in_app",
            "category_codes", "weekdays", "hours_from", "hours_to", "stores", "voucher_template_code", "is_given_at_once",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "category_codes" not in self.fields:
            return  # for those who may only look
        codes, voucher = self.instance.category_codes or [], self.instance.voucher_template_code
        goods, vouchers = self.fields["category_codes"], self.fields["voucher_template_code"]
        cast(forms.ChoiceField, goods).choices = choices_of("categories", named=codes)
        offered = choices_of("vouchers", named=[voucher] if voucher else [])
        cast(forms.ChoiceField, vouchers).choices = [("", _("no voucher")), *offered]

    def clean(self) -> dict[str, Any]:
        """Vouchers are counted, and so are gifts; a figure is what a tier gives without counting."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        kind, quota = values.get("kind") or self.instance.kind, values.get("quota")
        if kind in (Benefit.Kind.BIRTHDAY, Benefit.Kind.VOUCHERS, Benefit.Kind.GIFT, Benefit.Kind.VISITS) and not quota:
            self.add_error("quota", _now("Say how often: this kind of benefit is counted."))
        if kind in FIGURED and quota:
            self.add_error("quota", _now("This kind of benefit is not counted; leave it empty."))
        if values.get("voucher_template_code") and not quota:
            self.add_error("quota", _now("Say how often: a voucher is issued for each use."))
        if kind == Benefit.Kind.VOUCHERS and not values.get("voucher_template_code"):
            self.add_error("voucher_template_code", _now("Which voucher does the pack hold?"))
        return values


@admin.register(Benefit)
class BenefitAdmin(TranslatedAdmin):
    """What the programme promises."""

    form = BenefitForm
    list_display = ("name", "kind", "how_often", "cost", "used_lately", "languages", "is_on_badge")
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("code", "name")
    ordering = ("kind", "code")
    sortable_by = ()
    autocomplete_fields = ("stores",)
    fields = (
        "code", "kind", "name", "sentence", "is_on", "period", "quota", "unit_cost_amount", "on_lowered", "is_used_in_app",
        "category_codes", "weekdays", "hours_from", "hours_to", "stores", "voucher_template_code", "is_given_at_once",
    )  # fmt: skip
    conditional_fields = {
        "category_codes": "kind == 'multiplier' || kind == 'discount'",
        "voucher_template_code": "kind == 'birthday' || kind == 'vouchers' || kind == 'gift'",
        "is_given_at_once": "kind == 'birthday' || kind == 'vouchers' || kind == 'gift'",
    }
    empty_sentence = _(
        "No benefit yet. Add one, such as two lounge visits a year, and say in the grid which tiers give it."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Benefit | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Benefit | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """The kind of a benefit is for ever: members may have been given it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and "kind" in form.base_fields:
            form.base_fields["kind"].disabled = True
        return form

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Sum what the last year cost, for all benefits at once."""
        now = timezone.now()
        sums: dict[int, list[Any]] = {}
        for cost in costs_of(from_at=now - YEAR, before_at=now):
            both = sums.setdefault(cost.benefit_id, [0, None])
            both[0] += cost.units
            both[1] = both[1] if cost.amount is None else (both[1] or 0) + cost.amount
        for row in rows:
            row.lately = sums.get(row.pk, [0, None])  # type: ignore[attr-defined]

    @display(description=_("how often"))
    def how_often(self, benefit: Benefit) -> str:
        return quota_words(benefit.period, benefit.quota) or _now("without counting")

    @display(description=_("cost of one use"))
    def cost(self, benefit: Benefit) -> str:
        amount = benefit.unit_cost_amount
        return _now("not known") if amount is None else money(amount, programme().currency)

    @display(description=_("used in the last 365 days"))
    def used_lately(self, benefit: Any) -> str:
        uses, amount = benefit.lately
        if benefit.quota is None and not uses:
            return "–"
        words = _now("%(uses)s uses") % {"uses": grouped(uses)}
        return words if amount is None else f"{words} · {money(amount, programme().currency)}"

    @display(description=_("languages"), label={True: "success", False: "warning"})
    def languages(self, benefit: Benefit) -> Badge:
        missing = missing_languages(benefit)
        words = _now("missing: %(languages)s") % {"languages": enumerated(missing)}
        return Badge(not missing, words if missing else _now("complete"))

    @display(description=_("in use"), label={True: "success", False: "info"})
    def is_on_badge(self, benefit: Benefit) -> Badge:
        return Badge(benefit.is_on, _("in use") if benefit.is_on else _("switched off"))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        forget_benefit_book()

    def get_urls(self) -> list[URLPattern]:
        pages, view = GridPages(self), self.admin_site.admin_view
        own = [
            path("grid/", view(pages.current), name="loyalty_benefit_grid"),
            path("grid/<int:ladder_id>/", view(pages.show), name="loyalty_benefit_grid_of"),
            path("grid/<int:ladder_id>/edit/", view(pages.edit), name="loyalty_benefit_grid_edit"),
        ]
        return own + super().get_urls()
