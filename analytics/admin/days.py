"""The page of figures by day and store."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from analytics.models import DayFigures
from members.admin.base import HistoryAdmin
from members.admin.filters import DayRangeFilter
from members.figures import grouped, money
from members.queries import programme


@admin.register(DayFigures)
class DayFiguresAdmin(HistoryAdmin):
    """Figures by business day and store, the latest first. Rebuilt from the timeline, never typed in."""

    is_nameless = True
    list_display = (
        "date", "place", "members_joined", "members_active", "member_orders", "member_sales", "guest_sales", "issued", "redeemed", "expired",
    )  # fmt: skip
    list_select_related = ("store",)
    list_filter = (("date", DayRangeFilter), ("store", RelatedDropdownFilter))
    ordering = ("-date", "-id")
    store_path = "store"
    fields = (
        "date", "place", "members_joined", "members_active", "member_orders", "guest_orders", "member_sales", "guest_sales", "issued",
        "redeemed", "expired", "taken_back", "redemptions", "vouchers_used", "tiers_raised", "tiers_lowered",
    )  # fmt: skip
    readonly_fields = ("place", "member_sales", "guest_sales", "issued", "redeemed", "expired", "taken_back")
    empty_sentence = _("No figures yet. They are added up from the timeline as purchases come in.")

    @display(description=_("store"))
    def place(self, day: DayFigures) -> Any:
        return day.store or _("online or unknown")

    @display(description=_("sales to members, net"))
    def member_sales(self, day: DayFigures) -> str:
        return money(day.member_sales_amount, programme().currency)

    @display(description=_("sales to others, net"))
    def guest_sales(self, day: DayFigures) -> str:
        return money(day.guest_sales_amount, programme().currency)

    @display(description=_("points issued"))
    def issued(self, day: DayFigures) -> str:
        return grouped(day.points_issued)

    @display(description=_("points redeemed"))
    def redeemed(self, day: DayFigures) -> str:
        return grouped(day.points_redeemed)

    @display(description=_("points expired"))
    def expired(self, day: DayFigures) -> str:
        return grouped(day.points_expired)

    @display(description=_("points taken back"))
    def taken_back(self, day: DayFigures) -> str:
        return grouped(day.points_taken_back)
