"""Pages of purchases and returns, as their source told them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from loyalty.periods import business_date
from members.admin.base import ReadOnlyInline, actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, money
from members.queries import programme
from rewards.models import OrderSettlement, OrderVoid, Purchase, PurchaseLine, PurchaseReturn, ReturnLine
from rewards.services.voids import void_order
from rewards.till_words import deduction_words


class PurchaseLineInline(ReadOnlyInline):
    """The lines of the receipt."""

    model = PurchaseLine
    fields = ("line_no", "sku", "name", "quantity", "unit_price", "amount", "earns")
    ordering = ("line_no",)


class ReturnLineInline(ReadOnlyInline):
    """The lines that came back."""

    model = ReturnLine
    fields = ("line_no", "sku", "name", "quantity", "amount")
    ordering = ("line_no",)


@admin.register(Purchase)
class PurchaseAdmin(FactAdmin):
    """Purchases of members and of others, newest first."""

    list_display = ("ordered_at", "external_order_no", "member_page", "total", "store", "channel")
    list_select_related = ("member", "store", "channel")
    list_filter = (("ordered_at", DayRangeFilter), ("store", RelatedDropdownFilter))
    list_display_links = ("ordered_at", "external_order_no")
    ordering = ("-ordered_at", "-id")
    number_field = "external_order_no"
    search_help_text = _("Order number, member number or phone, exactly")
    store_path = "store"
    fields = (
        "external_order_no", "source", "member", "ordered_at", "store", "channel", "total", "earning", "original", "settled",
        "voided",
    )  # fmt: skip
    readonly_fields = ("total", "earning", "original", "settled", "voided")
    inlines = (PurchaseLineInline,)
    actions_detail = ("void",)
    empty_sentence = _("No purchase yet. They come from tills, the API, or an import of orders.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        return super().get_queryset(request).defer("fingerprint")

    @display(description=_("how it was paid"))
    def settled(self, purchase: Purchase) -> SafeString:
        return settlement_lines(purchase)

    @display(description=_("voided"))
    def voided(self, purchase: Purchase) -> str:
        void = OrderVoid.objects.filter(pk=purchase.pk).first()
        if void is None:
            return "–"
        moment = date_format(timezone.localtime(void.voided_at), "DATETIME_FORMAT")
        return _now("%(moment)s: %(reason)s") % {"moment": moment, "reason": void.reason} if void.reason else moment

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to void an order of today of which nothing came back."""
        found = Purchase.objects.filter(pk=object_id, returns__isnull=True).values_list("ordered_at", flat=True).first()
        zone = programme().tz
        is_of_today = found is not None and business_date(found, zone) == business_date(timezone.now(), zone)
        return super().get_actions_detail(request, object_id) if is_of_today else []

    def has_void_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("rewards.void_purchase")

    @action(
        description=_("Void"), url_path="void", permissions=["void"], icon="undo",
        dialog={
            "title": _("Undo this whole order?"),
            "description": _(
                "Points it earned are taken back; points that paid it, vouchers and uses of benefits come back. The money is "
                "paid back at the till."
            ),
            "form_class": ReasonDialog,
            "form_submit_text": _("Void the order"),
        },
    )  # fmt: skip
    def void(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        found = self.get_queryset(request).filter(pk=object_id).first()  # within the operator's stores
        return carry_out(
            request,
            lambda: _void(request, found, form.cleaned_data["reason"]),
            done=_("The order is voided."),
            then=reverse("admin:rewards_purchase_change", args=[object_id])
            if found
            else reverse("admin:rewards_purchase_changelist"),
        )

    @display(description=_("member"))
    def member_page(self, purchase: Purchase) -> SafeString:
        return member_link(purchase.member)

    @display(description=_("total"))
    def total(self, purchase: Purchase) -> str:
        return money(purchase.total_amount, programme().currency)

    @display(description=_("amount that earns"))
    def earning(self, purchase: Purchase) -> str:
        return money(purchase.eligible_amount, programme().currency)

    @display(description=_("original total"))
    def original(self, purchase: Purchase) -> str:
        return (
            money(purchase.original_amount, purchase.original_currency) if purchase.original_amount is not None else "–"
        )


def _void(request: HttpRequest, purchase: Purchase | None, reason: str) -> None:
    void_order(purchase_id=purchase.pk if purchase else 0, by=actor_of(request), at=timezone.now(), reason=reason)


def settlement_lines(purchase: Purchase) -> SafeString:
    """Return how a quoted order came to what was paid: from what it cost to what was left, a line for each step."""
    settlement = OrderSettlement.objects.filter(pk=purchase.pk).first()
    if settlement is None:
        return SafeString("–")
    currency = programme().currency
    steps = [(_now("Before deductions"), money(settlement.gross_amount, currency))]
    steps += [
        (deduction_words(one.kind, one.names, one.figure), money(-one.amount, currency))
        for one in settlement.deductions.order_by("position")
    ]
    steps.append((_now("Paid in money"), money(purchase.total_amount, currency)))
    return format_html_join("", "<div>{}: {}</div>", steps)


@admin.register(PurchaseReturn)
class PurchaseReturnAdmin(FactAdmin):
    """Goods that came back, newest first."""

    list_display = ("returned_at", "external_return_no", "member_page", "purchase", "total", "points_back", "store")
    list_select_related = ("member", "store", "purchase")
    list_filter = (("returned_at", DayRangeFilter), ("store", RelatedDropdownFilter))
    list_display_links = ("returned_at", "external_return_no")
    ordering = ("-returned_at", "-id")
    number_field = "external_return_no"
    search_help_text = _("Return number, member number or phone, exactly")
    store_path = "store"
    fields = (
        "external_return_no",
        "source",
        "purchase",
        "member",
        "returned_at",
        "store",
        "channel",
        "total",
        "points_back",
        "credits",
    )
    readonly_fields = ("total", "points_back")
    inlines = (ReturnLineInline,)
    empty_sentence = _("Nothing has come back yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PurchaseReturn]:
        return super().get_queryset(request).defer("fingerprint", "purchase__fingerprint")

    @display(description=_("member"))
    def member_page(self, came_back: PurchaseReturn) -> SafeString:
        return member_link(came_back.member)

    @display(description=_("total"))
    def total(self, came_back: PurchaseReturn) -> str:
        return money(came_back.total_amount, programme().currency)

    @display(description=_("points taken back"))
    def points_back(self, came_back: Any) -> str:
        return grouped(came_back.points)
