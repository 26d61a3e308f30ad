"""Lists of adjustments: upload, the report of the dry run, one proposal, the job and its undo."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminFileFieldWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.filters import DayRangeFilter
from members.figures import grouped
from members.jobs import words_of
from members.proposals import my_limit
from members.refusals import Refusal
from members.sheets import CONTENT_TYPE
from rewards.admin.by_hand import HandForm, ReasonField, say_outcome
from rewards.ending import money_per_point, worth
from rewards.models import AdjustmentBatch
from rewards.services.adjustment_batches import BATCH, PERMISSION, propose_batch
from rewards.services.adjustment_files import MOST_BYTES, MOST_ROWS, errors_sheet, read_batch, report_of

SEE = "rewards.view_adjustmentbatch"


class UploadForm(forms.Form):
    """A list."""

    file = forms.FileField(
        label=_("List (xlsx or csv)"), widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "Columns: member (number or phone), points (below 0: taken), reason (as in the list of reasons), note. "
            "The list is only checked now; nothing is changed."
        ),
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_now("The file is too large."))
        return file


class ProposeForm(HandForm):
    """Why the list is to be carried out."""

    reason = ReasonField()


@admin.register(AdjustmentBatch)
class AdjustmentBatchAdmin(HistoryAdmin):
    """The lists that were read, newest first."""

    is_nameless = True
    list_display = ("created_at", "file_name", "good", "bad", "given", "taken", "state_badge", "maker")
    list_display_links = ("created_at", "file_name")
    list_select_related = ("maker", "proposal", "job")
    list_filter = (("created_at", DayRangeFilter),)
    ordering = ("-created_at", "-id")
    actions_list = ("upload_list",)
    empty_sentence = _("No list was read yet. A list adjusts the points of many members with one approval.")

    @display(description=_("rows to carry out"))
    def good(self, batch: AdjustmentBatch) -> str:
        return grouped(batch.rows_good)

    @display(description=_("bad rows"))
    def bad(self, batch: AdjustmentBatch) -> str:
        return grouped(batch.rows_bad)

    @display(description=_("given (points)"))
    def given(self, batch: AdjustmentBatch) -> str:
        return grouped(batch.points_given)

    @display(description=_("taken (points)"))
    def taken(self, batch: AdjustmentBatch) -> str:
        return grouped(batch.points_taken)

    @display(description=_("state"), label={"read": "info", "waiting": "warning", "done": "success", "failed": "danger", "queued": "info", "running": "warning"})  # fmt: skip
    def state_badge(self, batch: AdjustmentBatch) -> Badge:
        return _state(batch)

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description=_("Read a list"), url_path="upload", permissions=["upload"], icon="upload_file")
    def upload_list(self, request: HttpRequest) -> HttpResponse:
        """The page that reads a list."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                batch = read_batch(name=given.name, content=given.read(), by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                return HttpResponseRedirect(_address(batch))
        context = self._context(request, _now("Read a list of adjustments"), form)
        return render(request, "portal/points/upload.html", {**context, "most_rows": MOST_ROWS})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("<int:batch_id>/bad-rows.xlsx", view(self.bad_rows), name="rewards_adjustmentbatch_bad_rows")]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The report of one list, and the form that proposes it."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        batch = self._batch(object_id)
        may_propose = request.user.has_perm(PERMISSION) and batch.rows_good > 0 and _state(batch)[0] == "read"
        form = ProposeForm(request.POST or None) if may_propose else forms.Form()
        if request.method == "POST" and may_propose and form.is_valid():
            wanted = form.cleaned_data
            try:
                outcome = propose_batch(
                    batch_id=batch.pk,
                    reason=wanted["reason"],
                    by=actor_of(request),
                    at=at,
                    request_id=wanted["request_id"],
                )
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                say_outcome(request, outcome)
            return HttpResponseRedirect(_address(batch))
        report = report_of(batch)
        context = {
            **self._context(request, batch.file_name, form),
            "batch": batch,
            "report": report,
            "errors": [
                (error.number, error.cells, words_of(error.reason, error.reason_params))
                for error in report.first_errors
            ],
            "state": _state(batch),
            "may_propose": may_propose,
            "limit": my_limit(operator=request.user, kind=BATCH, at=at) if may_propose else None,  # type: ignore[arg-type]
            "amount": worth(batch.points_given - batch.points_taken, money_per_point(batch.currency_id, at)),
        }
        return render(request, "portal/points/batch.html", context)

    def bad_rows(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """The rows that can not be carried out, with the reason beside each. They hold personal data."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        batch = self._batch(batch_id)
        name = content_disposition_header(True, f"bad-rows-{batch.pk}.xlsx") or "attachment"
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return HttpResponse(errors_sheet(batch), content_type=CONTENT_TYPE, headers=headers)

    def _context(self, request: HttpRequest, title: str, form: forms.Form) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        media = self.media + form.media
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "media": media,
        }

    def _batch(self, batch_id: int | str) -> AdjustmentBatch:
        try:
            return AdjustmentBatch.objects.select_related("maker", "proposal", "job", "currency").get(pk=batch_id)
        except (AdjustmentBatch.DoesNotExist, ValueError) as error:
            raise Http404 from error


def _state(batch: AdjustmentBatch) -> Badge:
    """Return where the list stands: read, waiting for approval, or as its job says."""
    if batch.job is not None:
        return Badge(batch.job.state, batch.job.get_state_display())
    if batch.proposal is not None and batch.proposal.state == "waiting":
        return Badge("waiting", batch.proposal.get_state_display())
    return Badge("read", _now("checked, not proposed"))


def _address(batch: AdjustmentBatch) -> str:
    return reverse("admin:rewards_adjustmentbatch_change", args=[batch.pk])
