"""Tracking numbers from a file: read and checked first, sent off by a job only after that was looked at.

Between the two nothing is kept on the server: the rows that can be carried out come back with the page, signed for whoever
read them, and each is checked again when it is done.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from members.admin.base import actor_of, say_refusal, store_scope
from members.refusals import Refusal
from members.sheets import CONTENT_TYPE
from rewards.fulfilment_queries import to_send
from rewards.services.fulfilment_jobs import PERMISSION, ship_many
from rewards.services.tracking_files import (
    MOST_BYTES,
    MOST_ROWS,
    RefusedRow,
    Shipment,
    TrackingReport,
    form_sheet,
    read_tracking,
    refused_sheet,
)

if TYPE_CHECKING:
    from rewards.admin.fulfilment import RedemptionAdmin

#: How long what was read can be carried out.
_GOOD_FOR_SECONDS: Final = 3600
_SALT: Final = "rewards.tracking"
_SHOWN: Final = 50


class TrackingForm(forms.Form):
    """A file of tracking numbers."""

    file = forms.FileField(
        label=gettext_lazy("List (xlsx or csv)"), widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy(
            "Columns: order number, carrier, tracking number. The list is only checked now; nothing is changed."
        ),
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        return file


class TrackingPages:
    """The views of tracking numbers."""

    def __init__(self, model_admin: "RedemptionAdmin") -> None:
        self.model_admin = model_admin

    def form(self, request: HttpRequest) -> HttpResponse:
        """A workbook of what waits to be sent, with room for carriers and numbers."""
        self._require(request)
        waiting = to_send().order_by("due_at", "id").select_related("reward")[:MOST_ROWS]
        content = form_sheet([(order.pk, order.reward.name) for order in waiting])
        return _workbook(content, f"parcels-{timezone.localtime():%Y-%m-%d}.xlsx")

    def upload(self, request: HttpRequest) -> HttpResponse:
        """The page that reads a file and reports, or carries out what was reported."""
        self._require(request)
        if request.method == "POST" and "rows" in request.POST:
            return self._carry_out(request)
        form = TrackingForm(request.POST or None, request.FILES or None)
        report = None
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                report = read_tracking(name=given.name, content=given.read())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
        site = self.model_admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request),
            "opts": self.model_admin.opts,
            "title": _("Tracking numbers from a file"),
            "form": form,
            "media": self.model_admin.media + form.media,
            "most_rows": MOST_ROWS,
            "report": report,
            "sent_off": report.shipments[:_SHOWN] if report else (),
            "refused": report.refused[:_SHOWN] if report else (),
            "signed": _signed(request, report) if report else "",
        }
        return render(request, "portal/fulfilment/tracking.html", context)

    def refused(self, request: HttpRequest) -> HttpResponse:
        """The rows that were refused, as a workbook with the reason beside each."""
        self._require(request)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        report = _read_back(request)
        if report is None:
            return self._too_old(request)
        return _workbook(refused_sheet(report), "refused-rows.xlsx")

    def _carry_out(self, request: HttpRequest) -> HttpResponse:
        report = _read_back(request)
        if report is None:
            return self._too_old(request)
        try:
            job = ship_many(shipments=report.shipments, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(reverse("admin:rewards_redemption_changelist"))
        messages.success(request, _("The orders are being sent off; members are told one by one."))
        return HttpResponseRedirect(reverse("admin:members_job_change", args=[job.pk]))

    def _too_old(self, request: HttpRequest) -> HttpResponse:
        messages.error(request, _("What was read is too old by now. Please read the file again."))
        return HttpResponseRedirect(reverse("admin:rewards_redemption_changelist"))

    def _require(self, request: HttpRequest) -> None:
        if not may_send_parcels(request):
            raise PermissionDenied


def may_send_parcels(request: HttpRequest) -> bool:
    """Whether somebody may send parcels of the whole programme off. Staff of stores see the orders of theirs alone."""
    return request.user.has_perm(PERMISSION) and store_scope(request) is None


def _signed(request: HttpRequest, report: TrackingReport) -> str:
    """Return a report as text that only the portal can have written, for whoever is signed in."""
    rows = [[row.number, row.redemption_id, row.carrier, row.tracking_no] for row in report.shipments]
    refused = [[row.number, dict(row.cells), row.label, row.why()] for row in report.refused]
    told = {"who": request.user.pk, "rows": rows, "known": report.known, "refused": refused}
    return signing.dumps(told, salt=_SALT, compress=True)


def _read_back(request: HttpRequest) -> TrackingReport | None:
    """Return a report that this operator was shown within the hour; None for any other."""
    try:
        told = signing.loads(request.POST.get("rows", ""), salt=_SALT, max_age=_GOOD_FOR_SECONDS)
    except signing.BadSignature:
        return None
    if told["who"] != request.user.pk:
        return None
    refused: Sequence[RefusedRow] = [
        RefusedRow(number, cells, "", why, said=label) for number, cells, label, why in told["refused"]
    ]
    return TrackingReport(tuple(Shipment(*row) for row in told["rows"]), told["known"], tuple(refused))


def _workbook(content: bytes, name: str) -> HttpResponse:
    disposition = content_disposition_header(True, name) or "attachment"
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=CONTENT_TYPE, headers=headers)
