"""Pages of what benefits may cost: budgets, how full they are, when they run out; stopped and let go on with a reason."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from loyalty.models import Benefit, BenefitBudget, BenefitBudgetNote
from loyalty.periods import last_day_before
from loyalty.services.benefit_costs import budgets_now, resume_budget, stop_budget, warn_anew
from members.admin.base import Badge, ReadOnlyInline, StaffAdmin, actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.figures import grouped, money
from members.queries import programme

CHANGE = "loyalty.change_benefitbudget"


class BudgetForm(ModelForm):
    """A budget that can hold what it limits."""

    class Meta:
        model = BenefitBudget
        fields = (
            "benefit", "tier", "valid_from", "valid_to", "total_units", "total_amount", "throttle_percent", "when_full",
            "swap_benefit",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Money holds only what has a cost; another benefit is named where one is given, and is counted itself."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        benefit: Benefit | None = values.get("benefit") or (self.instance.benefit if self.instance.pk else None)
        if values.get("total_units") is None and values.get("total_amount") is None:
            self.add_error("total_units", _now("Limit the uses, the money, or both."))
        if values.get("total_amount") is not None and benefit is not None and benefit.unit_cost_amount is None:
            self.add_error(
                "total_amount", _now("What one use of this benefit costs is not known yet: say it there first.")
            )
        swap, when_full = values.get("swap_benefit"), values.get("when_full")
        if when_full == BenefitBudget.WhenFull.SWAP and (swap is None or swap == benefit or swap.quota is None):
            self.add_error("swap_benefit", _now("Choose another benefit, one that is counted."))
        if when_full == BenefitBudget.WhenFull.STOP and swap is not None:
            values["swap_benefit"] = None
        return values


class NoteInline(ReadOnlyInline):
    """What happened to the budget."""

    model = BenefitBudgetNote
    fields = ("happened_at", "kind", "percent", "reason")


@admin.register(BenefitBudget)
class BenefitBudgetAdmin(StaffAdmin):
    """Budgets of benefits, those that end last first."""

    form = BudgetForm
    is_nameless = True
    list_display = ("title", "for_tier", "span", "total", "promised", "really_used", "runs_out", "state_badge")
    list_display_links = ("title",)
    list_select_related = ("benefit", "tier", "swap_benefit")
    list_filter = (("benefit", RelatedDropdownFilter),)
    ordering = ("-valid_to", "benefit_id", "pk")
    sortable_by = ()
    fields = (
        "benefit", "tier", "valid_from", "valid_to", "total_units", "total_amount", "throttle_percent", "when_full", "swap_benefit",
    )  # fmt: skip
    conditional_fields = {"swap_benefit": "when_full == 'swap'"}
    inlines = (NoteInline,)
    actions_detail = ("stop", "resume")
    empty_sentence = _(
        "No budget yet: benefits are given without a limit on their cost. Add one to be warned at 70 and 90 % and to stop in time."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Look how the budgets of this page stand."""
        budgets = [row for row in rows if isinstance(row, BenefitBudget)]
        for row, now in zip(budgets, budgets_now(budgets=budgets, at=timezone.now()), strict=True):
            row.now = now  # type: ignore[attr-defined]

    @display(description=_("benefit"))
    def title(self, budget: BenefitBudget) -> str:
        return budget.benefit.name

    @display(description=_("tier"))
    def for_tier(self, budget: BenefitBudget) -> str:
        return budget.tier.name if budget.tier else _now("all tiers")

    @display(description=_("from and until"))
    def span(self, budget: BenefitBudget) -> str:
        tz = programme().tz
        last = last_day_before(budget.valid_to, tz)
        days = {
            "from": date_format(budget.valid_from.astimezone(tz), "DATE_FORMAT"),
            "until": date_format(last, "DATE_FORMAT"),
        }
        return _now("%(from)s – %(until)s") % days

    @display(description=_("budget"))
    def total(self, budget: BenefitBudget) -> str:
        return _both(budget.total_units, budget.total_amount)

    @display(description=_("promised"))
    def promised(self, budget: Any) -> str:
        amount = budget.reserved_amount if budget.benefit.unit_cost_amount is not None else None
        return f"{budget.now.percent} % · {_both(budget.reserved_units, amount)}"

    @display(description=_("really used"))
    def really_used(self, budget: Any) -> str:
        return _both(budget.now.used_units, budget.now.used_amount)

    @display(description=_("used up on"))
    def runs_out(self, budget: Any) -> str:
        day = budget.now.runs_out
        return _now("lasts to the end") if day is None else date_format(day, "DATE_FORMAT")

    @display(
        description=_("state"),
        label={
            "stopped": "danger",
            "full": "danger",
            "warned": "warning",
            "fine": "success",
            "over": "info",
            "planned": "info",
        },
    )
    def state_badge(self, budget: Any) -> Badge:
        now = timezone.now()
        if budget.valid_to <= now:
            return Badge("over", _now("over"))
        if budget.stopped_at is not None:
            return Badge("stopped", _now("stopped: %(reason)s") % {"reason": budget.stop_reason})
        if budget.now.is_closed:
            if budget.swap_benefit is not None:
                return Badge("full", _now("used up: “%(benefit)s” instead") % {"benefit": budget.swap_benefit.name})
            return Badge("full", _now("used up: nothing more is given"))
        if budget.valid_from > now:
            return Badge("planned", _now("planned"))
        percent = budget.now.percent
        return Badge("warned" if percent >= 70 else "fine", _now("%(percent)s %% left") % {"percent": 100 - percent})

    def get_readonly_fields(self, request: HttpRequest, obj: BenefitBudget | None = None) -> tuple[str, ...]:
        return ("benefit", "tier", "valid_from") if obj else ()

    def save_model(self, request: HttpRequest, obj: BenefitBudget, form: Any, change: bool) -> None:
        """Write what was changed only: what is promised moves meanwhile."""
        if change:
            changed = [name for name in (*form.changed_data, "swap_benefit") if name in self.fields]
            obj.save(update_fields=changed)
            warn_anew(budget_id=obj.pk)
        else:
            super().save_model(request, obj, form, change)

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to stop a budget, or to let a stopped one go on."""
        budget = BenefitBudget.objects.filter(pk=object_id).first()
        possible = set() if budget is None else {"stop" if budget.stopped_at is None else "resume"}
        offers = super().get_actions_detail(request, object_id)
        return [offer for offer in offers if offer.method.original_function_name in possible]

    def has_run_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm(CHANGE)

    @action(
        description=_("Stop"), url_path="stop", permissions=["run"], icon="pause",
        dialog={
            "title": _("Stop giving this benefit?"),
            "description": _("Nobody is given it any more, or is given the benefit instead. What members have stays theirs."),
            "form_class": ReasonDialog, "form_submit_text": _("Stop it"),
        },
    )  # fmt: skip
    def stop(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        reason, at = form.cleaned_data["reason"], timezone.now()
        return carry_out(
            request, lambda: stop_budget(budget_id=object_id, reason=reason, by=actor_of(request), at=at),
            done=_("Nothing more is given from this budget."), then=_address(object_id),
        )  # fmt: skip

    @action(
        description=_("Let it go on"), url_path="resume", permissions=["run"], icon="play_arrow",
        dialog={
            "title": _("Give this benefit again?"),
            "description": _("Members who lack it are given it with the next run, as far as the budget goes."),
            "form_class": ReasonDialog, "form_submit_text": _("Let it go on"),
        },
    )  # fmt: skip
    def resume(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        reason, at = form.cleaned_data["reason"], timezone.now()
        return carry_out(
            request, lambda: resume_budget(budget_id=object_id, reason=reason, by=actor_of(request), at=at),
            done=_("The budget gives again."), then=_address(object_id),
        )  # fmt: skip


def _both(units: int | None, amount: Any) -> str:
    words = []
    if units is not None:
        words.append(_now("%(uses)s uses") % {"uses": grouped(units)})
    if amount is not None:
        words.append(money(amount, programme().currency))
    return " · ".join(words) or "–"


def _address(budget_id: int) -> str:
    return reverse("admin:loyalty_benefitbudget_change", args=[budget_id])
