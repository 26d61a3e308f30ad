"""Vouchers for many members: drawn up for a segment or a list, previewed, proposed, followed, and taken back while unused."""

from datetime import datetime
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.filters import DayRangeFilter
from members.figures import grouped, money
from members.jobs import InputFile
from members.models import Operator, Segment
from members.proposals import my_limit
from members.queries import programme
from members.refusals import Refusal
from members.segment_queries import segments_in_use
from members.services.jobs import undo_preview
from rewards.admin.by_hand import HandForm, ReasonField, say_outcome
from rewards.models import Voucher, VoucherBatch, VoucherTemplate
from rewards.services.voucher_batch_preview import preview_of
from rewards.services.voucher_batches import BATCH, PERMISSION, draw_up_batch, propose_batch
from rewards.voucher_sentence import voucher_sentence

SEE: Final = "rewards.view_voucherbatch"
_MOST_BYTES: Final = 20 * 1_048_576
_COLOURS: Final = {
    "drawn": "info",
    "waiting": "warning",
    "queued": "info",
    "running": "warning",
    "done": "success",
    "failed": "danger",
    "cancelled": "info",
}


class DrawUpForm(forms.Form):
    """Which voucher, for whom, and what of those who have one."""

    template: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Voucher"), queryset=VoucherTemplate.objects.none(), widget=UnfoldAdminSelectWidget
    )
    segment = forms.ModelChoiceField(
        label=_("Members of the segment"), queryset=Segment.objects.none(), required=False, widget=UnfoldAdminSelectWidget
    )  # fmt: skip
    listed = forms.CharField(
        label=_("Or these members"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Member numbers or phone numbers, one a line. They become a fixed list among the segments."),
    )  # fmt: skip
    file = forms.FileField(
        label=_("Or a file of them"), required=False, widget=UnfoldAdminFileFieldWidget,
        help_text=_("A text file (txt or csv) with a member number or phone number first in each line."),
    )  # fmt: skip
    duplicates = forms.ChoiceField(
        label=_("Who has one already"), choices=VoucherBatch.Duplicates.choices, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = VoucherTemplate.objects.filter(is_retired=False).order_by("name", "pk")
        self.fields["template"].queryset = templates  # type: ignore[attr-defined]
        self.fields["segment"].queryset = segments_in_use()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """One way of saying who, and one only."""
        wanted = super().clean() or {}
        said = [name for name in ("segment", "listed", "file") if wanted.get(name)]
        if not self.errors and len(said) != 1:
            raise forms.ValidationError(_now("Choose a segment, or name members, or give a file of them."))
        file = wanted.get("file")
        if file is not None and file.size > _MOST_BYTES:
            self.add_error("file", _now("The file is too large."))
        return wanted


class IssueForm(HandForm):
    """Why they are issued."""

    reason = ReasonField()


@admin.register(VoucherBatch)
class VoucherBatchAdmin(HistoryAdmin):
    """The batches, newest first."""

    is_nameless = True
    list_display = ("created_at", "template", "segment", "people", "cost", "issued_vouchers", "state_badge", "maker")
    list_display_links = ("created_at", "template")
    list_select_related = ("template", "segment", "maker", "proposal", "job")
    list_filter = (("template", RelatedDropdownFilter), ("created_at", DayRangeFilter))
    ordering = ("-created_at", "-id")
    actions_list = ("draw_up",)
    empty_sentence = _("No vouchers for many members yet. A batch gives one to everybody in a segment or on a list.")

    @display(description=_("members as proposed"))
    def people(self, batch: VoucherBatch) -> str:
        return grouped(batch.planned_people) if batch.proposal_id else "–"

    @display(description=_("costs at most"))
    def cost(self, batch: VoucherBatch) -> str:
        return money(batch.planned_amount, programme().currency) if batch.proposal_id else "–"

    @display(description=_("vouchers issued"))
    def issued_vouchers(self, batch: VoucherBatch) -> str:
        return grouped(batch.issued)

    @display(description=_("state"), label=_COLOURS)
    def state_badge(self, batch: VoucherBatch) -> Badge:
        return _state(batch)

    def has_draw_up_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description=_("Vouchers for many members"), url_path="draw-up", permissions=["draw_up"], icon="group_add")
    def draw_up(self, request: HttpRequest) -> HttpResponse:
        """The page that says which voucher for whom; nothing is issued yet."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = DrawUpForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                batch = _draw_up(form.cleaned_data, request)
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                return HttpResponseRedirect(_address(batch))
        return render(
            request, "portal/vouchers/draw_up.html", self._context(request, _now("Vouchers for many members"), form)
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What a batch would do, and the form that proposes it; then what became of it."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        batch = self._batch(object_id)
        is_drawn = _state(batch)[0] == "drawn"
        is_read = batch.segment.state == Segment.State.READY
        may_propose = is_drawn and is_read and request.user.has_perm(PERMISSION)
        form = IssueForm(request.POST or None) if may_propose else forms.Form()
        if request.method == "POST" and may_propose and form.is_valid():
            wanted = form.cleaned_data
            try:
                outcome = propose_batch(
                    batch_id=batch.pk, reason=wanted["reason"], by=actor_of(request), at=at, request_id=wanted["request_id"]
                )  # fmt: skip
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                say_outcome(request, outcome)
            return HttpResponseRedirect(_address(batch))
        operator = cast(Operator, request.user)
        context = {
            **self._context(request, str(batch.template), form),
            "batch": batch,
            "sentence": voucher_sentence(batch.template),
            "preview": preview_of(batch, at=at) if is_drawn and is_read else None,
            "is_read": is_read,
            "state": _state(batch),
            "may_propose": may_propose,
            "limit": my_limit(operator=operator, kind=BATCH, at=at) if may_propose else None,
            "became": _became(batch),
            "unused": _unused(batch, at) if request.user.has_perm(PERMISSION) else 0,
        }
        return render(request, "portal/vouchers/batch.html", context)

    def _context(self, request: HttpRequest, title: str, form: forms.Form) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request), "opts": self.opts, "title": title, "form": form,
            "media": self.media + form.media,
        }  # fmt: skip

    def _batch(self, batch_id: str) -> VoucherBatch:
        batches = VoucherBatch.objects.select_related("template", "segment", "maker", "proposal", "job")
        try:
            return batches.get(pk=batch_id)
        except (VoucherBatch.DoesNotExist, ValueError) as error:
            raise Http404 from error


def _draw_up(wanted: dict[str, Any], request: HttpRequest) -> VoucherBatch:
    listed = None
    if wanted["file"] is not None:
        listed = InputFile(wanted["file"].name, wanted["file"].read())
    elif wanted["listed"]:
        listed = InputFile("members.txt", wanted["listed"].encode())
    segment = wanted["segment"]
    return draw_up_batch(
        template_id=wanted["template"].pk, segment_id=segment.pk if segment else None, duplicates=wanted["duplicates"],
        listed=listed, by=actor_of(request), at=timezone.now(),
    )  # fmt: skip


def _state(batch: VoucherBatch) -> Badge:
    """Return where a batch stands: drawn up, waiting for approval, or as its job says."""
    if batch.job is not None:
        return Badge(batch.job.state, batch.job.get_state_display())
    if batch.proposal is not None and batch.proposal.state == "waiting":
        return Badge("waiting", batch.proposal.get_state_display())
    return Badge("drawn", _now("drawn up, not issued"))


def _became(batch: VoucherBatch) -> list[tuple[str, str]]:
    """Return what became of the vouchers of a batch: states in words, with how many."""
    if batch.job_id is None:
        return []
    of_batch = Voucher.objects.filter(origin=Voucher.Origin.BATCH, origin_ref=str(batch.pk)).order_by()
    counts = dict(of_batch.values_list("state").annotate(number=Count("pk")))
    return [(str(label), grouped(counts[state])) for state, label in Voucher.State.choices if state in counts]


def _unused(batch: VoucherBatch, at: datetime) -> int:
    """Return how many vouchers can be taken back; 0 where that can not be (any more)."""
    if batch.job is None:
        return 0
    try:
        preview = undo_preview(job=batch.job, at=at)
    except Refusal:
        return 0
    return preview.total if preview.is_possible else 0


def _address(batch: VoucherBatch) -> str:
    return reverse("admin:rewards_voucherbatch_change", args=[batch.pk])
