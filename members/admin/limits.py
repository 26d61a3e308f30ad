"""Pages of what each role may do alone, and of what needs two people."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from members.admin.base import StaffAdmin
from members.figures import grouped
from members.limits import families, family_label
from members.models import ApprovalRule, Operator, OperatorLimit
from members.roles import role_name

_MOST_VERSIONS = 20


class _RoleField(forms.ModelChoiceField):
    """Roles by their names in the reader's language."""

    def label_from_instance(self, group: Any) -> str:
        return role_name(group.name)


class OperatorLimitForm(forms.ModelForm):
    """A limit of a role."""

    role = _RoleField(label=_("role"), queryset=Group.objects.order_by("pk"), widget=UnfoldAdminSelectWidget)
    family = forms.ChoiceField(label=_("what is limited"), choices=families, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = OperatorLimit
        fields = ("role", "family", "per_entry_points", "per_day_points")


class ApprovalRuleForm(forms.ModelForm):
    """From when on two people must approve."""

    family = forms.ChoiceField(label=_("what is limited"), choices=families, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = ApprovalRule
        fields = ("family", "second_above_points")


def _versions(model: Any, row_id: int, figures: Sequence[str]) -> list[dict[str, Any]]:
    """Return what a row was, newest first: since when, its figures, and who changed it."""
    events = model.events.rel.related_model.objects.filter(pgh_obj=row_id).select_related("pgh_context")
    kept = list(events.order_by("-pgh_id")[:_MOST_VERSIONS])
    users = [event.pgh_context.metadata.get("user") if event.pgh_context else None for event in kept]
    names = {operator.pk: str(operator) for operator in Operator.objects.filter(pk__in=filter(None, users))}
    return [
        {
            "since": event.pgh_created_at,
            "figures": [getattr(event, name) for name in figures],
            "by": names.get(user or 0) or gettext("automatic"),
        }
        for event, user in zip(kept, users, strict=True)
    ]


class _LimitAdmin(StaffAdmin):
    """What stands once is changed in its figures only: its history is told by it."""

    is_nameless = True
    list_display_links: Any = ("limited",)
    fixed: tuple[str, ...] = ()
    change_form_outer_after_template = "portal/limit_versions.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = dict(extra_context or {})
        if object_id is not None and object_id.isdigit() and self.has_view_permission(request):
            figures = self.fields[len(self.fixed) :]
            context["version_labels"] = [self.model._meta.get_field(name).verbose_name for name in figures]
            context["versions"] = _versions(self.model, int(object_id), figures)
        return super().changeform_view(request, object_id, form_url, context)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else (*self.fixed, *self.fields[len(self.fixed) :])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.fixed

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            kwargs["form"] = forms.ModelForm  # asks only for the figures
        return super().get_form(request, obj, change, **kwargs)

    @display(description=_("what is limited"))
    def limited(self, row: Any) -> str:
        return family_label(row.family)


@admin.register(OperatorLimit)
class OperatorLimitAdmin(_LimitAdmin):
    """What each role may do alone, each time and on one day. Beyond it a colleague has to approve."""

    form = OperatorLimitForm
    list_display = ("role_shown", "limited", "per_entry", "per_day")
    list_display_links = ("role_shown",)
    list_select_related = ("role",)
    ordering = ("family", "role_id")
    fields = ("role", "family", "per_entry_points", "per_day_points")
    fixed = ("role_shown", "limited")
    empty_sentence = _("No role may do anything alone: every change waits for a colleague. Add a limit for a role.")

    @display(description=_("role"))
    def role_shown(self, limit: OperatorLimit) -> str:
        return role_name(limit.role.name)

    @display(description=_("at most each time (points)"), ordering="per_entry_points")
    def per_entry(self, limit: OperatorLimit) -> str:
        return grouped(limit.per_entry_points)

    @display(description=_("at most on one day (points)"), ordering="per_day_points")
    def per_day(self, limit: OperatorLimit) -> str:
        return grouped(limit.per_day_points)


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(_LimitAdmin):
    """Above what amount two people must approve instead of one."""

    form = ApprovalRuleForm
    list_display = ("limited", "second_above")
    ordering = ("family",)
    fields = ("family", "second_above_points")
    fixed = ("limited",)
    empty_sentence = _("Two people approve what is above 200,000 points. Add a rule to change that.")

    @display(description=_("two approvals above (points)"), ordering="second_above_points")
    def second_above(self, rule: ApprovalRule) -> str:
        return grouped(rule.second_above_points)
