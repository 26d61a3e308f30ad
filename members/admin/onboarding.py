"""Pages of what new members are invited to do."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from members.admin.base import TranslatedAdmin
from members.admin.condition_editor import ConditionField, condition_fragment
from members.conditions import ConditionInvalid, parse, sentence
from members.models import OnboardingTask

_CONDITION = reverse_lazy("admin:members_onboardingtask_condition")


class OnboardingTaskForm(forms.ModelForm):
    """A task, and when it is done."""

    condition = ConditionField(address=_CONDITION, label=_("Done when"), required=True)

    class Meta:
        model = OnboardingTask
        fields = ("code", "name", "hint", "days", "is_on", "order", "condition")

    def clean_condition(self) -> dict[str, Any]:
        """Something must tell that it is done."""
        condition: dict[str, Any] | None = self.cleaned_data["condition"]
        if not condition:
            raise forms.ValidationError(_now("Say when the task is done."))
        return condition


@admin.register(OnboardingTask)
class OnboardingTaskAdmin(TranslatedAdmin):
    """What new members are invited to do first."""

    form = OnboardingTaskForm
    list_display = ("name", "code", "done_when", "days", "is_on", "order")
    ordering = ("order", "code")
    fields = ("code", "name", "hint", "days", "is_on", "order", "condition")
    empty_sentence = _("No task yet. Invite new members to tell their birthday, or to buy for the first time.")

    @display(description=_("done when"))
    def done_when(self, task: OnboardingTask) -> str:
        try:
            return sentence(parse(task.condition))
        except ConditionInvalid:
            return _now("The condition can not be read any more.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.condition)
        return [path("condition/", view, name="members_onboardingtask_condition"), *super().get_urls()]

    def condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        return condition_fragment(request, name="condition", address=str(_CONDITION))
