"""The page of points entries: what every posting did, with its explanation."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from members.admin.base import Badge
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, signed
from rewards.explanation import explain
from rewards.models import LedgerEntry, LedgerTransaction

KIND_COLOURS = {1: "success", 2: "info", 3: "primary", 4: "danger", 5: "warning"}
# What the transaction's own number is on paper.
NUMBERED = {LedgerTransaction.Kind.EARN: _("order"), LedgerTransaction.Kind.RETURN: _("return")}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(FactAdmin):
    """Points entries of all members, newest first. Filters by anything but the day would read the whole ledger."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "kind", "available_change", "pending_change", "after", "number")
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
    )
    readonly_fields = ("kind", "number", "available_change", "pending_change", "arrears_change", "after", "why")
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
        return entry.transaction.natural_key if entry.transaction.kind in NUMBERED else "–"

    @display(description=_("Why?"))
    def why(self, entry: LedgerEntry) -> SafeString | str:
        explained = explain(entry.transaction.trace)
        lines = [(line.label, signed(line.points)) for line in explained.lines]
        lines += [(note, "") for note in explained.notes]
        lines += [(unused.label, unused.reason) for unused in explained.not_applied]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} <b>{}</b></li>", lines)) if lines else "–"
