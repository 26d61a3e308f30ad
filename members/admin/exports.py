"""Exports of members: asking for a list, and who took what out of the portal."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from members.admin.base import Badge, HistoryAdmin, actor_of
from members.admin.condition_editor import ConditionField, condition_fragment
from members.export_fields import export_fields
from members.figures import grouped
from members.models import FileTaken, MemberExport, Segment
from members.refusals import Refusal
from members.segment_queries import segments_in_use
from members.services.exports import (
    ALONE_ROWS,
    PERMISSION,
    PURPOSE_LENGTH,
    UNMASKED_PERMISSION,
    Counted,
    Wanted,
    count_export,
    propose_export,
)
from members.wording import enumerated

SEE = "members.view_memberexport"
_DAYS = 30
_CONDITION = "condition"
_USUAL_FIELDS = ("member_no", "full_name", "phone")


class ExportForm(forms.Form):
    """Whom, which fields, and for what."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)
    purpose = forms.CharField(
        label=_("Purpose"), max_length=PURPOSE_LENGTH, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("What the list is for and who gets it. It stands on the list itself. No names or numbers of people."),
    )  # fmt: skip
    segment: Any = forms.ModelChoiceField(
        label=_("Only of the segment"), queryset=Segment.objects.none(), required=False, widget=UnfoldAdminSelectWidget,
        empty_label="–",
    )  # fmt: skip
    condition = ConditionField(address=reverse_lazy("admin:members_memberexport_condition"))
    fields_wanted = forms.MultipleChoiceField(label=_("Fields"), widget=UnfoldAdminCheckboxSelectMultipleWidget)
    is_unmasked = forms.BooleanField(
        label=_("Unmasked"), required=False, widget=UnfoldBooleanSwitchWidget,
        help_text=_("Names, phone numbers and the like in full. A colleague has to approve it, however short the list."),
    )  # fmt: skip

    def __init__(self, *args: Any, may_unmask: bool, **kwargs: Any) -> None:
        begin = {"request_id": uuid4().hex, "fields_wanted": _USUAL_FIELDS}
        super().__init__(*args, **{**kwargs, "initial": begin})
        self.fields["segment"].queryset = segments_in_use().order_by("name")  # type: ignore[attr-defined]
        self.fields["fields_wanted"].choices = [  # type: ignore[attr-defined]
            (key, field.label) for key, field in export_fields().items()
        ]
        if not may_unmask:
            del self.fields["is_unmasked"]

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        told = self.cleaned_data
        return Wanted(
            purpose=told["purpose"], fields=told["fields_wanted"], condition=told[_CONDITION],
            segment_id=told["segment"].pk if told["segment"] else None, is_unmasked=told.get("is_unmasked", False),
        )  # fmt: skip


class WhatLeft(DropdownFilter):
    """What stood in the lists. Whoever opens the page sees those with phone numbers in full, of the last 30 days."""

    title = _("what left")
    parameter_name = "left"
    all_option: ClassVar = ["", _("phone numbers in full, last 30 days")]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("phones_ever", _("phone numbers in full, at any time")),
            ("unmasked", _("unmasked, at any time")),
            ("all", _("everything")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[MemberExport]) -> QuerySet[MemberExport]:
        match self.value():
            case "all":
                return queryset
            case "unmasked":
                return queryset.filter(is_unmasked=True)
            case "phones_ever":
                return queryset.filter(holds_phones=True)
        return queryset.filter(holds_phones=True, created_at__gte=timezone.now() - timedelta(days=_DAYS))


@admin.register(MemberExport)
class MemberExportAdmin(HistoryAdmin):
    """Who took what about members out of the portal, newest first."""

    is_nameless = True
    list_display = (
        "created_at",
        "asked_by",
        "purpose",
        "whom",
        "what",
        "rows_shown",
        "masking",
        "state_badge",
        "fetched",
    )
    list_display_links = ("created_at",)
    list_select_related = ("operator", "api_key", "member", "proposal", "job")
    list_filter = (WhatLeft,)
    ordering = ("-created_at", "-id")
    actions_list = ("new_list",)
    empty_sentence = _(
        "No list with phone numbers in full has left the portal in the last 30 days. Choose “everything” in the filter to see all lists."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        takings: dict[int, list[FileTaken]] = defaultdict(list)
        jobs = [row.job_id for row in rows if isinstance(row, MemberExport) and row.job_id]
        for taken in FileTaken.objects.filter(job__in=jobs).select_related("operator").order_by("taken_at"):
            takings[taken.job_id].append(taken)
        for row in rows:
            row.takings = takings.get(getattr(row, "job_id", None) or 0, [])  # type: ignore[attr-defined]

    @display(description=_("asked for by"))
    def asked_by(self, export: MemberExport) -> str:
        return who_asked(export)

    @display(description=_("whom"))
    def whom(self, export: MemberExport) -> str:
        return whom_of(export)

    @display(description=_("fields"))
    def what(self, export: MemberExport) -> str:
        return fields_of(export)

    @display(description=_("members"))
    def rows_shown(self, export: MemberExport) -> str:
        return grouped(export.rows)

    @display(description=_("masking"), label={"phones": "danger", "unmasked": "warning", "masked": "success"})
    def masking(self, export: MemberExport) -> Badge:
        return masking_of(export)

    @display(
        description=_("state"),
        label={"waiting": "warning", "queued": "info", "running": "warning", "done": "success", "failed": "danger", "cancelled": "info", "given": "success"},
    )  # fmt: skip
    def state_badge(self, export: MemberExport) -> Badge:
        return state_of(export)

    @display(description=_("taken"))
    def fetched(self, export: Any) -> str:
        if not export.takings:
            return "–"
        last = export.takings[-1]
        number = len(export.takings)
        return ngettext("%(number)s time, last by %(who)s from %(address)s on %(moment)s", "%(number)s times, last by %(who)s from %(address)s on %(moment)s", number) % {
            "number": number, "who": last.operator or "–", "address": last.ip_address or "–",
            "moment": date_format(localtime(last.taken_at), "SHORT_DATETIME_FORMAT"),
        }  # fmt: skip

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description=_("New list"), url_path="new", permissions=["export"], icon="download")
    def new_list(self, request: HttpRequest) -> HttpResponse:
        """The page that asks for a list: first counted, then asked for."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        at = timezone.now()
        may_unmask = request.user.has_perm(UNMASKED_PERMISSION)
        form = ExportForm(request.POST or None, may_unmask=may_unmask)
        counted: Counted | None = None
        if request.method == "POST" and form.is_valid():
            try:
                if request.POST.get("do") == "export":
                    export, outcome = propose_export(
                        wanted=form.wanted(), by=actor_of(request), at=at, request_id=form.cleaned_data["request_id"]
                    )
                    if outcome.waiting:
                        messages.warning(request, _now("The list waits for a colleague to approve it."))
                    else:
                        messages.success(request, outcome.result)
                    return HttpResponseRedirect(reverse("admin:members_memberexport_change", args=[export.pk]))
                counted = count_export(wanted=form.wanted(), by=actor_of(request), at=at)
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
        context = {
            **self._context(request, _now("New list of members")),
            "form": form,
            "media": self.media + form.media,
            "counted": counted,
            "alone_rows": ALONE_ROWS,
        }
        return render(request, "portal/exports/new.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("condition/", view(self.condition), name="members_memberexport_condition"), *super().get_urls()]

    def condition(self, request: HttpRequest) -> HttpResponse:
        """The editor of the condition, after one of its buttons."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return condition_fragment(request, name=_CONDITION, address=reverse("admin:members_memberexport_condition"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One export: all of it, and who took its file."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        export = MemberExport.objects.select_related(*self.list_select_related).filter(pk=_number(object_id)).first()
        if export is None:
            raise Http404
        takings = FileTaken.objects.filter(job=export.job_id).select_related("operator") if export.job_id else []
        context = {
            **self._context(request, _now("Export %(number)s") % {"number": export.pk}),
            "export": export,
            "asked_by": who_asked(export),
            "whom": whom_of(export),
            "fields": fields_of(export),
            "masking": masking_of(export),
            "state": state_of(export),
            "takings": takings,
        }
        return render(request, "portal/exports/page.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title}


def who_asked(export: MemberExport) -> str:
    """Return who asked for an export: an operator, a key, or the member for the own data."""
    if export.operator is not None:
        return str(export.operator)
    if export.api_key is not None:
        return export.api_key.name
    return _now("member %(number)s") % {"number": export.member.member_no if export.member else "–"}


def whom_of(export: MemberExport) -> str:
    """Return whom an export holds, in the active language, as it was said then."""
    sentences: dict[str, str] = export.sentence or {}
    return sentences.get(get_language() or "") or next(iter(sentences.values()), export.get_kind_display())


def fields_of(export: MemberExport) -> str:
    """Return what an export holds of each member."""
    known = export_fields()
    return enumerated(known[key].label if key in known else key for key in export.fields)


def masking_of(export: MemberExport) -> Badge:
    """Return how much an export says."""
    if export.holds_phones:
        return Badge("phones", _now("phone numbers in full"))
    return Badge("unmasked", _now("unmasked")) if export.is_unmasked else Badge("masked", _now("masked"))


def state_of(export: MemberExport) -> Badge:
    """Return what became of an export: waiting, refused, or as its job says."""
    if export.job is not None:
        return Badge(export.job.state, export.job.get_state_display())
    if export.proposal is not None:
        return Badge(export.proposal.state, export.proposal.get_state_display())
    return Badge("given", _now("given at once"))


def _number(object_id: str) -> int:
    return int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0
