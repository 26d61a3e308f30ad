"""Pages of behaviours: the kinds that are recorded, and what was recorded."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from members.models import Activity, ActivityKind
from members.own_facts import activity_kinds


@admin.register(ActivityKind)
class ActivityKindAdmin(TranslatedAdmin):
    """Kinds of behaviour. One that was recorded stays, because activities point at it; it can be switched off."""

    list_display = ("name", "code", "recorded_badge", "app_badge")
    search_fields = ("code", "name")
    fields = ("name", "code", "is_on", "is_open_to_members")
    empty_sentence = _("No behaviour is recorded yet. Add one; apps and shops then report it, and rules can reward it.")

    def get_readonly_fields(self, request: HttpRequest, obj: ActivityKind | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()

    @display(description=_("recorded"), label={True: "success", False: "info"}, ordering="is_on")
    def recorded_badge(self, kind: ActivityKind) -> Badge:
        return Badge(kind.is_on, _("recorded") if kind.is_on else _("switched off"))

    @display(description=_("who tells it"), label={True: "warning", False: "info"}, ordering="is_open_to_members")
    def app_badge(self, kind: ActivityKind) -> Badge:
        told_by = _("members' apps, tills and servers") if kind.is_open_to_members else _("tills and servers")
        return Badge(kind.is_open_to_members, told_by)


@admin.register(Activity)
class ActivityAdmin(FactAdmin):
    """What members did besides buying, newest first."""

    is_nameless = True
    list_display = ("happened_at", "behaviour", "member_page", "figure", "store", "where_from")
    list_select_related = ("member", "store", "channel")
    list_filter = (("happened_at", DayRangeFilter),)
    list_display_links = ("happened_at",)
    ordering = ("-happened_at", "-id")
    store_path = "store"
    fields = ("behaviour", "member", "figure", "happened_at", "store", "channel", "source", "external_ref")
    readonly_fields = ("behaviour", "figure")
    empty_sentence = _("No activity yet. Visits, reviews, shares and other behaviours that are reported stand here.")

    def load_columns(self, rows: Sequence[Model]) -> None:
        names = activity_kinds({row.kind for row in rows if isinstance(row, Activity)})
        for row in rows:
            row.kind_name = names.get(row.kind, "")  # type: ignore[attr-defined]

    @display(description=_("behaviour"))
    def behaviour(self, activity: Any) -> str:
        if not hasattr(activity, "kind_name"):
            activity.kind_name = activity_kinds([activity.kind]).get(activity.kind, "")
        return activity.kind_name

    @display(description=_("member"))
    def member_page(self, activity: Activity) -> SafeString:
        return member_link(activity.member)

    @display(description=_("source"))
    def where_from(self, activity: Activity) -> str:
        return activity.channel.name if activity.channel else activity.source

    @display(description=_("figure"))
    def figure(self, activity: Activity) -> str:
        return "–" if activity.value is None else grouped(activity.value)
