"""Pages of stages and of their tasks."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from loyalty.admin.badge_pages import badge_chip, dialog, edited, many
from loyalty.admin.identity_forms import BEGINNING, NEVER, RuleAdmin, StageForm, StageTaskForm
from loyalty.growth_queries import MOST_COUNTED, stage_counts
from loyalty.models import Stage, StageTask
from loyalty.services.stages import retire_stage, retire_task, save_stage, save_task
from loyalty.unlocks import benefit_names
from members.admin.base import Badge as Label
from members.admin.base import actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.segment_looks import said
from members.facts import choices_remembered
from members.models import Segment

_STATES = {"on": "success", "filling": "warning", "off": "danger"}


def stage_chip(stage: Stage) -> SafeString:
    """Return a stage with its colour beside its name in the active language."""
    return format_html(
        '<span class="pn-badge"><span class="pn-dot" style="--pn-dot: {}"></span>{}</span>', stage.colour, stage.name
    )


def _state(is_on: bool, rule: Segment | None) -> Label:
    if not is_on:
        return Label("off", _("retired"))
    if rule and rule.state == Segment.State.FILLING:
        return Label("filling", _("members are being compared"))
    return Label("on", _("in use"))


@admin.register(Stage)
class StageAdmin(RuleAdmin):
    """The stages of a member's life with us."""

    form = StageForm
    list_display = ("chip", "position", "who", "members", "task_count", "state")
    list_display_links = ("chip",)
    list_select_related = ("rule",)
    sortable_by = ()
    ordering = ("-is_on", "position")
    fields = ("condition", "position", "colour", "name", "text")
    change_form_before_template = "portal/identity/beside.html"
    change_form_outer_after_template = "portal/identity/stage_tasks.html"
    empty_sentence = gettext_lazy(
        "No stage yet. Begin with the one in which everybody begins, then those that follow: growing, core, sleeping."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stage]:
        return super().get_queryset(request).annotate(asked=Count("tasks", filter=Q(tasks__is_on=True)))

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Count who is in the stages of this page, and say their rules."""
        stages = [row for row in rows if isinstance(row, Stage)]
        counted = stage_counts([stage.pk for stage in stages])
        with choices_remembered():
            for stage in stages:
                stage.here = many(counted[stage.pk], MOST_COUNTED) if stage.rule else _("all others")  # type: ignore[attr-defined]
                stage.meant = said(stage.rule.condition) if stage.rule else _("where everybody begins")  # type: ignore[attr-defined]

    @display(description=pgettext_lazy("lifecycle", "stage"))
    def chip(self, stage: Stage) -> SafeString:
        return stage_chip(stage)

    @display(description=gettext_lazy("who is in it"))
    def who(self, stage: Any) -> str:
        return stage.meant

    @display(description=gettext_lazy("members"))
    def members(self, stage: Any) -> str:
        return stage.here

    @display(description=gettext_lazy("tasks"))
    def task_count(self, stage: Any) -> int:
        return stage.asked

    @display(description=gettext_lazy("state"), label=_STATES)
    def state(self, stage: Stage) -> Label:
        return _state(stage.is_on, stage.rule)

    @display(description=gettext_lazy("Rule"))
    def condition(self, stage: Stage) -> str:
        """The rule in words, for those who may not change it."""
        return said(stage.rule.condition) if stage.rule else _("where everybody begins")

    def get_readonly_fields(self, request: HttpRequest, obj: Stage | None = None) -> tuple[str, ...]:
        return ("position",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Stage | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_on)

    def save_model(self, request: HttpRequest, obj: Stage, form: ModelForm, change: bool) -> None:
        save_stage(stage=obj, condition=form.cleaned_data["condition"], by=actor_of(request), at=timezone.now())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form, with the tasks of the stage beneath."""
        stage_id = int(object_id) if object_id.isdigit() else 0
        tasks = StageTask.objects.filter(stage=stage_id, is_on=True)
        with choices_remembered():
            rows = [
                (task, said(task.rule.condition) if task.rule else "", *_unlocks(task))
                for task in tasks.select_related("rule", "badge")[:100]
            ]
        context = {"tasks": rows, "stage_id": object_id, "may_add_task": request.user.has_perm("loyalty.add_stagetask")}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("condition/", view(self.edit_condition), name="loyalty_stage_condition"),
            path("look/", view(self.looked_at), name="loyalty_stage_look"),
            path("<int:row_id>/retire/", view(self.retire), name="loyalty_stage_retire"),
        ]
        return own + super().get_urls()

    def edit_condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        return edited(self, request, "loyalty_stage_condition", BEGINNING)

    def retire(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The dialog that stops using a stage."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        stage = Stage.objects.filter(pk=row_id).first()
        if stage is None:
            raise Http404
        form = ReasonDialog(request, row_id, request.POST or None)
        if not form.is_valid():
            title = _("Retire the stage “%(stage)s”?") % {"stage": stage.name}
            words = _("Its members come to the stage whose rule they meet; its tasks are not asked for any more. It does not come back.")  # fmt: skip
            return dialog(request, form, title, words, _("Retire"))
        return carry_out(
            request,
            lambda: _ignore(
                retire_stage(stage_id=row_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now())
            ),
            done=_("The stage is retired."),
            then=reverse("admin:loyalty_stage_changelist"),
        )  # fmt: skip


def _unlocks(task: StageTask) -> tuple[SafeString | str, str]:
    """Return what a task unlocks: the badge, and the name of the benefit."""
    names = benefit_names({task.benefit_code}) if task.benefit_code else {}
    return badge_chip(task.badge) if task.badge else "", str(names.get(task.benefit_code, ""))


@admin.register(StageTask)
class StageTaskAdmin(RuleAdmin):
    """The tasks of stages."""

    form = StageTaskForm
    list_display = ("name", "stage", "done_when", "unlocks", "state")
    list_display_links = ("name",)
    list_select_related = ("rule", "stage", "badge")
    list_filter = (("stage", RelatedDropdownFilter),)
    sortable_by = ()
    ordering = ("-is_on", "stage__position", "order", "id")
    fields = ("condition", "stage", "order", "badge", "benefit_code", "name", "text")
    change_form_before_template = "portal/identity/beside.html"
    change_form_outer_after_template = "portal/identity/task_retire.html"
    empty_sentence = gettext_lazy(
        "No task yet. A task invites the members of a stage to do something, and may unlock a badge or a benefit."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Say the rules of this page, and look up the names of benefits once."""
        tasks = [row for row in rows if isinstance(row, StageTask)]
        names = benefit_names({task.benefit_code for task in tasks if task.benefit_code})
        with choices_remembered():
            for task in tasks:
                task.meant = said(task.rule.condition) if task.rule else "–"  # type: ignore[attr-defined]
                gives = [task.badge.name if task.badge else "", names.get(task.benefit_code, "")]
                task.gives = " · ".join(one for one in gives if one) or "–"  # type: ignore[attr-defined]

    @display(description=gettext_lazy("done when"))
    def done_when(self, task: Any) -> str:
        return task.meant

    @display(description=gettext_lazy("unlocks"))
    def unlocks(self, task: Any) -> str:
        return task.gives

    @display(description=gettext_lazy("state"), label=_STATES)
    def state(self, task: StageTask) -> Label:
        return _state(task.is_on, task.rule)

    @display(description=gettext_lazy("Done when"))
    def condition(self, task: StageTask) -> str:
        """The rule in words, for those who may not change it."""
        return said(task.rule.condition) if task.rule else "–"

    def get_readonly_fields(self, request: HttpRequest, obj: StageTask | None = None) -> tuple[str, ...]:
        return ("stage",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: StageTask | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_on)

    def save_model(self, request: HttpRequest, obj: StageTask, form: ModelForm, change: bool) -> None:
        save_task(task=obj, condition=form.cleaned_data["condition"], by=actor_of(request), at=timezone.now())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("condition/", view(self.edit_condition), name="loyalty_stagetask_condition"),
            path("look/", view(self.looked_at), name="loyalty_stagetask_look"),
            path("<int:row_id>/retire/", view(self.retire), name="loyalty_stagetask_retire"),
        ]
        return own + super().get_urls()

    def edit_condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        return edited(self, request, "loyalty_stagetask_condition", NEVER)

    def retire(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The dialog that stops asking for a task."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        task = StageTask.objects.filter(pk=row_id).first()
        if task is None:
            raise Http404
        form = ReasonDialog(request, row_id, request.POST or None)
        if not form.is_valid():
            title = _("Retire the task “%(task)s”?") % {"task": task.name}
            return dialog(request, form, title, _("Who did it has done it. It does not come back."), _("Retire"))
        return carry_out(
            request,
            lambda: retire_task(task_id=row_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()),
            done=_("The task is retired."),
            then=reverse("admin:loyalty_stagetask_changelist"),
        )  # fmt: skip


def _ignore(_made: object) -> None:
    return None
