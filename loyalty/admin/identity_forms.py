"""Forms of badges, stages and tasks: the words in three languages, and the rule as chips with its sentence."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminColorInputWidget, UnfoldAdminSelectWidget

from loyalty.models import Badge, Stage, StageTask
from loyalty.refusals import StageNeedsRule, TaskNeedsRule
from loyalty.services.badges import check_rule
from loyalty.services.stages import check_stage
from loyalty.unlocks import benefit_names
from members.admin.base import TranslatedAdmin, say_refusal
from members.admin.condition_chips import stored_of, written_in
from members.admin.condition_editor import ConditionField
from members.admin.dialogs import ReasonDialog
from members.conditions import compile, parse, sentence
from members.models import Member
from members.refusals import Refusal
from members.segment_estimates import few_of, look

#: What it means that there is no rule.
BY_HAND = _("nobody by themselves: by hand, or for a task")
BEGINNING = _("where everybody begins")
NEVER = _("not said yet")
_BADGE_CONDITION = reverse_lazy("admin:loyalty_badge_condition")
_STAGE_CONDITION = reverse_lazy("admin:loyalty_stage_condition")
_TASK_CONDITION = reverse_lazy("admin:loyalty_stagetask_condition")


class _RuleForm(forms.ModelForm):
    """A form with the condition of a rule."""

    condition: forms.Field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance.rule if self.instance.pk else None
        self.initial["condition"] = rule.condition if rule else None

    def clean_condition(self) -> dict[str, Any] | None:
        """A rule must not ask for what follows rules itself."""
        condition: dict[str, Any] | None = self.cleaned_data["condition"]
        try:
            check_rule(condition)
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence()) from refusal
        return condition


class BadgeForm(_RuleForm):
    """A badge, and who gets it."""

    condition = ConditionField(
        address=_BADGE_CONDITION,
        empty=BY_HAND,
        label=_("Rule"),
        help_text=_("With a rule everybody gets it who meets it. Without one staff give it, or a task unlocks it."),
    )

    class Meta:
        model = Badge
        fields = ("icon", "colour", "is_on", "is_losable", "valid_from", "valid_until", "name", "text", "title")
        widgets = {"colour": UnfoldAdminColorInputWidget}

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("is_losable") and "condition" in found and not found["condition"]:
            self.add_error("is_losable", _("A badge without a rule is not lost by itself."))
        begins, ends = found.get("valid_from"), found.get("valid_until")
        if begins and ends and ends <= begins:
            self.add_error("valid_until", _("It must end after it begins."))
        return found


class StageForm(_RuleForm):
    """A stage, and who is in it."""

    condition = ConditionField(
        address=_STAGE_CONDITION,
        empty=BEGINNING,
        label=_("Rule"),
        help_text=_(
            "Members are in the furthest stage whose rule they meet. One stage has no rule: there everybody begins."
        ),
    )

    class Meta:
        model = Stage
        fields = ("position", "colour", "name", "text")
        widgets = {"colour": UnfoldAdminColorInputWidget}

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if "condition" not in found or self.errors:
            return found
        try:
            if self.instance.pk and self.instance.rule_id and not found["condition"]:
                raise StageNeedsRule(stage=self.instance.name)
            check_stage(stage=self.instance, has_rule=bool(found["condition"]), position=found.get("position"))
        except Refusal as refusal:
            self.add_error(None, refusal.sentence())
        return found


class StageTaskForm(_RuleForm):
    """A task of a stage: when it is done, and what it unlocks."""

    condition = ConditionField(
        address=_TASK_CONDITION,
        empty=NEVER,
        label=_("Done when"),
        help_text=_("A behaviour counts by “behaviour in the last days: at least so many times”."),
    )
    benefit_code = forms.ChoiceField(label=_("unlocks the benefit"), required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = StageTask
        fields = ("stage", "order", "badge", "benefit_code", "name", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "stage" in self.fields:
            cast(forms.ModelChoiceField, self.fields["stage"]).queryset = Stage.objects.filter(is_on=True)
        if "badge" in self.fields:
            cast(forms.ModelChoiceField, self.fields["badge"]).queryset = Badge.objects.filter(is_on=True)
        if "benefit_code" in self.fields:
            known = dict(benefit_names())
            if self.instance.benefit_code:
                known.setdefault(self.instance.benefit_code, str(_("a benefit that is not given any more")))
            cast(forms.ChoiceField, self.fields["benefit_code"]).choices = [("", "–"), *known.items()]

    def clean_condition(self) -> dict[str, Any] | None:
        """Something must tell that it is done."""
        condition = super().clean_condition()
        if not condition:
            raise forms.ValidationError(str(TaskNeedsRule.text))
        return condition


class BadgeDialog(ReasonDialog):
    """Which badge, and why."""

    badge = forms.TypedChoiceField(label=_("Badge"), coerce=int)
    field_order = ("badge", "reason")

    def __init__(self, request: Any, object_id: int, data: Any = None, **kwargs: Any) -> None:
        super().__init__(request, object_id, data, **kwargs)
        field = cast(forms.ChoiceField, self.fields["badge"])
        field.choices = [(badge.pk, badge.name) for badge in Badge.objects.filter(is_on=True)[:500]]
        field.widget.attrs["class"] = " ".join(INPUT_CLASSES)


class RuleAdmin(TranslatedAdmin):
    """A page of something with a rule. What a service refuses is said, and nothing is kept of it."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        look_address = reverse(f"admin:loyalty_{self.opts.model_name}_look")
        try:
            return super().changeform_view(
                request, object_id, form_url, {"look": look_address, **(extra_context or {})}
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(request.get_full_path())

    def looked_at(self, request: HttpRequest) -> HttpResponseBase:
        """How many members would meet the rule that is being written, and some of them."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            return HttpResponse(status=403)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        try:
            stored = stored_of(written_in(request.POST, "condition", is_final=True))
        except forms.ValidationError as wrong:
            return render(request, "portal/identity/look.html", {"wrong": wrong.messages})
        if not stored:
            return render(request, "portal/identity/look.html", {"is_empty": True})
        at = timezone.now()
        node = parse(stored)
        found = look(node, at=at, channels=())
        sample = found.sample or (tuple(few_of(compile(node, at=at))) if found.matched.high else ())
        context = {
            "sentence": sentence(node),
            "matched": found.matched.sentence(),
            "sample": Member.objects.filter(pk__in=sample).only("pk", "member_no"),
        }
        return render(request, "portal/identity/look.html", context)
