"""Imports of members: read a file, say what its columns mean, look at the report, have it approved."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.filters import DayRangeFilter
from members.admin.jobs import progress_of
from members.figures import grouped
from members.models import Channel, ImportMapping, MemberImport, Store
from members.opening_balances import opening_balances
from members.refusals import Refusal
from members.services.imports.checking import PERMISSION, Choices, check_import, is_under_way
from members.services.imports.deciding import propose_import
from members.services.imports.fields import guess, offered_fields, remembered
from members.services.imports.files import MOST_BYTES, earlier_import_of, samples_of, take_in
from members.services.imports.reporting import FIRST_ERRORS, report_of

SEE = "members.view_memberimport"


class UploadForm(forms.Form):
    """A file of members."""

    file = forms.FileField(
        label=_("File (xlsx or csv)"), widget=UnfoldAdminFileFieldWidget,
        help_text=_("One row for each member, the names of the columns in the first row. Nothing is brought in yet."),
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_now("The file is too large."))
        return file


class MappingForm(forms.Form):
    """What the columns mean, and what is to happen."""

    on_known = forms.ChoiceField(
        label=_("Members we know already"), choices=MemberImport.OnKnown, widget=UnfoldAdminSelectWidget,
        help_text=_("Somebody is known by phone, e-mail address, or the number in the other system."),
    )  # fmt: skip
    issuer = forms.CharField(
        label=_("Short name of the other system"), max_length=30, widget=UnfoldAdminTextInputWidget,
        help_text=_("Small letters, such as old-pos. Numbers of members are unique within it."),
    )  # fmt: skip
    channel: Any = forms.ModelChoiceField(
        label=_("Joined through"), queryset=Channel.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None
    )
    home_store: Any = forms.ModelChoiceField(
        label=_("Home store, where the file does not say"), queryset=Store.objects.none(), required=False,
        widget=UnfoldAdminSelectWidget, empty_label="–",
    )  # fmt: skip
    joined_date = forms.DateField(label=_("Joined on, where the file does not say"), widget=UnfoldAdminSingleDateWidget)
    writes = forms.BooleanField(
        label=_("Greet the new members"), required=False, widget=UnfoldBooleanSwitchWidget,
        help_text=_("Off: nobody is written to. Most of them joined long ago."),
    )  # fmt: skip

    def __init__(self, member_import: MemberImport, *args: Any, **kwargs: Any) -> None:
        mapping = remembered(member_import.columns)
        super().__init__(*args, **{**kwargs, "initial": _beginning(member_import, mapping)})
        self.member_import = member_import
        self.fields["channel"].queryset = Channel.objects.order_by("code")  # type: ignore[attr-defined]
        self.fields["home_store"].queryset = Store.objects.order_by("code")  # type: ignore[attr-defined]
        self.meanings = member_import.fields or (mapping.fields if mapping else guess(member_import.columns))
        self.is_remembered = mapping is not None

    def column_rows(self) -> list[dict[str, Any]]:
        """Return the columns with what each is read as and the first values in it."""
        samples = samples_of(self.member_import)
        chosen = self.chosen() if self.is_bound else self.meanings
        return [
            {
                "name": column,
                "key": f"column-{number}",
                "chosen": chosen.get(column, ""),
                "samples": " · ".join(filter(None, (row.get(column, "") for row in samples))),
            }
            for number, column in enumerate(self.member_import.columns)
        ]

    def chosen(self) -> dict[str, str]:
        """Return what was chosen: the meaning of each column that is read."""
        return {
            column: self.data[f"column-{number}"]
            for number, column in enumerate(self.member_import.columns)
            if self.data.get(f"column-{number}")
        }

    def choices(self) -> Choices:
        """Return what was chosen besides the columns."""
        wanted = self.cleaned_data
        return Choices(
            on_known=MemberImport.OnKnown(wanted["on_known"]), issuer=wanted["issuer"], channel_id=wanted["channel"].pk,
            home_store_id=wanted["home_store"].pk if wanted["home_store"] else None, joined_date=wanted["joined_date"],
            is_quiet=not wanted["writes"],
        )  # fmt: skip


def _beginning(member_import: MemberImport, mapping: ImportMapping | None) -> dict[str, Any]:
    """Return what the form begins with: what was chosen for this file, else for the last such file."""
    begin: dict[str, Any] = {
        "on_known": member_import.on_known, "issuer": member_import.issuer, "channel": member_import.channel_id,
        "home_store": member_import.home_store_id, "joined_date": member_import.joined_date, "writes": not member_import.is_quiet,
    }  # fmt: skip
    if not member_import.fields and mapping is not None:
        begin |= {name: value for name, value in mapping.choices.items() if name in begin}
    return begin


class ProposeForm(forms.Form):
    """Why the members are to be brought in. Carried out once, however often it is sent."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initial": {"request_id": uuid4().hex}})


STATE_COLOURS = {
    "read": "info", "checking": "warning", "checked": "info", "waiting": "warning", "queued": "info", "running": "warning",
    "done": "success", "failed": "danger", "cancelled": "info",
}  # fmt: skip


def state_of(member_import: MemberImport) -> Badge:
    """Return where an import stands: read, being checked, checked, waiting for approval, or as its job says."""
    job, check, proposal = member_import.job, member_import.check_job, member_import.proposal
    if job is not None:
        return Badge(job.state, job.get_state_display())
    if proposal is not None and proposal.state == "waiting":
        return Badge("waiting", proposal.get_state_display())
    if member_import.checked_at is not None:
        return Badge("checked", _now("checked, not proposed"))
    if check is None:
        return Badge("read", _now("columns to be mapped"))
    return (
        Badge("checking", _now("being checked")) if check.is_active else Badge(check.state, check.get_state_display())
    )


@admin.register(MemberImport)
class MemberImportAdmin(HistoryAdmin):
    """The files of members that were read, newest first."""

    is_nameless = True
    list_display = ("created_at", "file_name", "new", "known", "bad", "points", "state_badge", "maker")
    list_display_links = ("created_at", "file_name")
    list_select_related = ("maker", "proposal", "job", "check_job")
    list_filter = (("created_at", DayRangeFilter),)
    ordering = ("-created_at", "-id")
    actions_list = ("read_file",)
    empty_sentence = _("No file of members was read yet. Members of another system are brought in here, in one go.")

    @display(description=_("new members"))
    def new(self, member_import: MemberImport) -> str:
        return grouped(member_import.rows_new)

    @display(description=_("known members"))
    def known(self, member_import: MemberImport) -> str:
        return grouped(member_import.rows_known)

    @display(description=_("bad rows"))
    def bad(self, member_import: MemberImport) -> str:
        return grouped(member_import.rows_bad)

    @display(description=_("opening balances (points)"))
    def points(self, member_import: MemberImport) -> str:
        return grouped(member_import.points_total)

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, member_import: MemberImport) -> Badge:
        return state_of(member_import)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description=_("Import members"), url_path="upload", permissions=["import"], icon="upload_file")
    def read_file(self, request: HttpRequest) -> HttpResponse:
        """The page that takes a file in."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                made = take_in(name=given.name, pieces=given.chunks(), by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                return HttpResponseRedirect(reverse("admin:members_memberimport_map", args=[made.pk]))
        context = {**self._context(request, _now("Import members"), form), "most_megabytes": MOST_BYTES // 1_048_576}
        return render(request, "portal/imports/upload.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:import_id>/map/", view(self.map), name="members_memberimport_map"),
            path("<int:import_id>/checking/", view(self.checking), name="members_memberimport_checking"),
        ]
        return own + super().get_urls()

    def map(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The page that says what the columns mean. It shows the first rows of the file."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        member_import = self._import(import_id)
        if is_under_way(member_import):
            return HttpResponseRedirect(_address(member_import))
        form = MappingForm(member_import, request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                check_import(
                    import_id=import_id,
                    fields=form.chosen(),
                    choices=form.choices(),
                    by=actor_of(request),
                    at=timezone.now(),
                )
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                return HttpResponseRedirect(_address(member_import))
        context = {
            **self._context(request, member_import.file_name, form),
            "member_import": member_import,
            "rows": form.column_rows(),
            "meanings": offered_fields(),
            "is_remembered": form.is_remembered,
            "earlier": earlier_import_of(member_import),
        }
        answer = render(request, "portal/imports/map.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The report of one file, and the form that proposes it."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        member_import = self._import(object_id)
        may_import = request.user.has_perm(PERMISSION)
        may_propose = may_import and member_import.checked_at is not None and not is_under_way(member_import)
        form = ProposeForm(request.POST or None) if may_propose else forms.Form()
        if request.method == "POST" and may_propose and form.is_valid():
            self._propose(request, member_import, form, at)
            return HttpResponseRedirect(_address(member_import))
        balances = opening_balances()
        context = {
            **self._context(request, member_import.file_name, form),
            **self._progress(member_import),
            "member_import": member_import,
            "state": state_of(member_import),
            "report": report_of(member_import) if may_import and member_import.checked_at else None,
            "first_errors": FIRST_ERRORS,
            "may_map": may_import and not is_under_way(member_import) and member_import.expires_at > at,
            "may_propose": may_propose,
            "worth": balances.worth(member_import.points_total, at) if balances else None,
            "meanings": [
                (column, offered_fields().get(member_import.fields[column], member_import.fields[column]))
                for column in member_import.columns
                if column in member_import.fields
            ],
        }
        answer = render(request, "portal/imports/page.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def checking(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The bar of the check, asked for again while it runs; then the page is loaded anew."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        member_import = self._import(import_id)
        answer = render(
            request, "portal/imports/checking.html", {**self._progress(member_import), "member_import": member_import}
        )
        if member_import.check_job is None or not member_import.check_job.is_active:
            answer["HX-Refresh"] = "true"
        return answer

    def _propose(self, request: HttpRequest, member_import: MemberImport, form: forms.Form, at: datetime) -> None:
        wanted = form.cleaned_data
        try:
            propose_import(
                import_id=member_import.pk, reason=wanted["reason"], by=actor_of(request), at=at,
                request_id=wanted["request_id"],
            )  # fmt: skip
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            messages.warning(request, _now("It waits for a colleague to approve it. Nothing is brought in before."))

    def _progress(self, member_import: MemberImport) -> dict[str, Any]:
        check = member_import.check_job
        is_checking = check is not None and check.is_active
        return {
            "is_checking": is_checking,
            "check": check,
            "progress": progress_of(check) if check is not None else None,
        }

    def _context(self, request: HttpRequest, title: str, form: forms.Form) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "media": self.media + form.media,
        }

    def _import(self, import_id: int | str) -> MemberImport:
        related = ("maker", "proposal", "job", "check_job", "channel", "home_store")
        try:
            return MemberImport.objects.select_related(*related).get(pk=import_id)
        except (MemberImport.DoesNotExist, ValueError) as error:
            raise Http404 from error


def _address(member_import: MemberImport) -> str:
    return reverse("admin:members_memberimport_change", args=[member_import.pk])
