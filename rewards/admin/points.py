"""The page of points entries: what every posting did, with its explanation."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from members.admin.base import Badge
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, signed
from rewards.admin.corrections import RIGHT, chain_of
from rewards.explanation import explain
from rewards.models import LedgerEntry
from rewards.services.corrections import may_be_corrected, taken_back_at

KIND_COLOURS = {
    1: "success", 2: "info", 3: "primary", 4: "danger", 5: "warning", 6: "info", 7: "primary", 8: "info", 9: "success", 10: "info",
    11: "info", 12: "primary", 13: "primary", 14: "success", 15: "danger", 16: "warning", 18: "info",
}  # fmt: skip


@admin.register(LedgerEntry)
class LedgerEntryAdmin(FactAdmin):
    """Points entries of all members, newest first. Filters by anything but the day would read the whole ledger."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "kind", "available_change", "pending_change", "after", "number")
    list_display_links = ("happened_at",)
    list_select_related = ("member", "transaction")
    list_filter = (("happened_at", DayRangeFilter),)
    ordering = ("-happened_at", "-id")
    member_path = "account__member"
    fields = (
        "happened_at",
        "member",
        "kind",
        "number",
        "available_change",
        "pending_change",
        "arrears_change",
        "after",
        "why",
        "chain",
    )
    actions_detail = ("correct_entry",)
    readonly_fields = (
        "kind",
        "number",
        "available_change",
        "pending_change",
        "arrears_change",
        "after",
        "why",
        "chain",
    )
    empty_sentence = _("No points have moved yet. Every purchase, redemption and expiry will stand here.")

    @display(description=_("member"))
    def member_page(self, entry: LedgerEntry) -> SafeString:
        return member_link(entry.member)

    @display(description=_("kind"), label=KIND_COLOURS)
    def kind(self, entry: LedgerEntry) -> Badge:
        return Badge(entry.transaction.kind, entry.transaction.get_kind_display())

    @display(description=_("change (points)"))
    def available_change(self, entry: LedgerEntry) -> str:
        return signed(entry.d_available)

    @display(description=_("pending (points)"))
    def pending_change(self, entry: LedgerEntry) -> str:
        return signed(entry.d_pending) if entry.d_pending else "–"

    @display(description=_("arrears (points)"))
    def arrears_change(self, entry: LedgerEntry) -> str:
        return signed(entry.d_debt) if entry.d_debt else "–"

    @display(description=_("available after"))
    def after(self, entry: LedgerEntry) -> str:
        return grouped(entry.available_after)

    @display(description=_("number on the receipt"))
    def number(self, entry: LedgerEntry) -> str:
        return entry.transaction.number_on_paper or "–"

    @display(description=_("Why?"))
    def why(self, entry: LedgerEntry) -> SafeString | str:
        explained = explain(entry.transaction.trace)
        lines = [(line.label, signed(line.points)) for line in explained.lines]
        lines += [(note, "") for note in explained.notes]
        lines += [(unused.label, unused.reason) for unused in explained.not_applied]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} <b>{}</b></li>", lines)) if lines else "–"

    @display(description=_("chain of postings"))
    def chain(self, entry: LedgerEntry) -> SafeString | str:
        return chain_of(entry)

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to take back what staff take back, once: the chain of postings says when it was done."""
        entry = LedgerEntry.objects.select_related("transaction").filter(pk=object_id).first()
        if entry is None or not may_be_corrected(entry.transaction) or taken_back_at([entry.transaction_id]):
            return []
        return super().get_actions_detail(request, object_id)

    def has_correct_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return request.user.has_perm(RIGHT)

    @action(description=_("Take back"), url_path="take-back", permissions=["correct"], icon="undo")
    def correct_entry(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Lead to the page on which a wrong posting is taken back."""
        return HttpResponseRedirect(reverse("admin:rewards_adjustment_correct", args=[object_id]))
