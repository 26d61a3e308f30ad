"""Pages of the base earn rule. A version that has begun is history; a change is a new version."""

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin
from rewards.admin.wording import rule_sentence
from rewards.models import EarnRule
from rewards.queries import forget_rules


def has_begun(rule: EarnRule | None) -> bool:
    """Whether purchases may have used a version already."""
    return rule is not None and rule.valid_from <= timezone.now()


@admin.register(EarnRule)
class EarnRuleAdmin(TranslatedAdmin):
    """Versions of the earn rule."""

    list_display = ("name", "sentence", "valid_from", "valid_to", "state")
    ordering = ("-version",)
    fields = (
        "version", "name", "sentence", "points_per_step", "step_amount", "pending_days", "expiry_months", "valid_from", "valid_to",
    )  # fmt: skip
    empty_sentence = _("No earn rule yet. Until there is one, purchases earn nothing.")

    def get_readonly_fields(self, request: HttpRequest, obj: EarnRule | None = None) -> tuple[str, ...]:
        """Of a version in force only its names and its end can be set, so that another one may follow."""
        if has_begun(obj):
            return (
                "version",
                "sentence",
                "points_per_step",
                "step_amount",
                "pending_days",
                "expiry_months",
                "valid_from",
            )
        return ("sentence",)

    @display(description=_("in words"))
    def sentence(self, rule: EarnRule) -> str:
        return rule_sentence(rule) if rule.pk else "–"

    @display(description=_("state"), label={"planned": "info", "in_force": "success", "over": "warning"})
    def state(self, rule: EarnRule) -> Badge:
        now = timezone.now()
        if rule.valid_from > now:
            return Badge("planned", _("planned"))
        if rule.valid_to and rule.valid_to <= now:
            return Badge("over", _("over"))
        return Badge("in_force", _("in force"))

    def save_model(self, request: HttpRequest, obj: EarnRule, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_rules()
