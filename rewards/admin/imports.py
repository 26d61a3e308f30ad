"""The page of imports: what came in from files, and how much of it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, HistoryAdmin
from members.figures import grouped
from rewards.models import OrderImport


@admin.register(OrderImport)
class OrderImportAdmin(HistoryAdmin):
    """Imports of orders, newest first."""

    list_display = (
        "file_name",
        "state_badge",
        "rows",
        "rejected",
        "orders",
        "returns",
        "members_new",
        "started_at",
        "finished_at",
    )
    list_display_links = ("file_name",)
    list_filter = (("state", ChoicesDropdownFilter),)
    ordering = ("-id",)
    fields = (
        "file_name", "state_badge", "started_at", "finished_at", "rows_read", "rows_ignored", "rows_rejected",
        "orders_new", "orders_known", "returns_new", "returns_known", "members_new", "points", "error",
    )  # fmt: skip
    readonly_fields = ("state_badge",)
    empty_sentence = _(
        "Nothing was imported yet. Whoever runs the server reads in files of past orders: give them the file, and its import stands here with every rejected row counted."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderImport]:
        return super().get_queryset(request).defer("file_sha256", "mapping")

    @display(description=_("state"), label={"running": "info", "done": "success", "failed": "danger"})
    def state_badge(self, run: OrderImport) -> Badge:
        return Badge(run.state, run.get_state_display())

    @display(description=_("rows read"))
    def rows(self, run: OrderImport) -> str:
        return grouped(run.rows_read)

    @display(description=_("rows rejected"))
    def rejected(self, run: OrderImport) -> str:
        return grouped(run.rows_rejected)

    @display(description=_("orders new / known"))
    def orders(self, run: OrderImport) -> str:
        return f"{grouped(run.orders_new)} / {grouped(run.orders_known)}"

    @display(description=_("returns new / known"))
    def returns(self, run: OrderImport) -> str:
        return f"{grouped(run.returns_new)} / {grouped(run.returns_known)}"
