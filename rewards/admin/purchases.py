"""Pages of purchases and returns, as their source told them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import ReadOnlyInline
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, money
from members.queries import programme
from rewards.models import Purchase, PurchaseLine, PurchaseReturn, ReturnLine


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
    fields = ("external_order_no", "source", "member", "ordered_at", "store", "channel", "total", "earning", "original")
    readonly_fields = ("total", "earning", "original")
    inlines = (PurchaseLineInline,)
    empty_sentence = _("No purchase yet. They come from tills, the API, or an import of orders.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        return super().get_queryset(request).defer("fingerprint")

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
