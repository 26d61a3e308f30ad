"""Pages of who holds which tier, and of every change with the numbers it was decided on."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from loyalty.admin.badges import tier_badge
from loyalty.admin.grace import GracePages
from loyalty.models import TierChange, TierStanding
from loyalty.sentences import change_sentence
from members.admin.base import Badge, HistoryAdmin
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link


@admin.register(TierStanding)
class TierStandingAdmin(HistoryAdmin):
    """Members whose tier will be reviewed, the next ones first."""

    is_nameless = True
    list_display = ("member_page", "badge", "since_at", "valid_until")
    list_select_related = ("member", "tier")
    list_filter = (("tier", RelatedDropdownFilter), ("valid_until", DayRangeFilter))
    ordering = ("valid_until", "member_id")
    list_display_links = None
    empty_sentence = _("Nobody has risen yet. Members appear here with their first rise.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TierStanding]:
        return super().get_queryset(request).filter(valid_until__isnull=False)  # as the index of due reviews has it

    @display(description=_("member"))
    def member_page(self, standing: TierStanding) -> SafeString:
        return member_link(standing.member)

    @display(description=_("tier"))
    def badge(self, standing: TierStanding) -> SafeString:
        return tier_badge(standing.tier)


@admin.register(TierChange)
class TierChangeAdmin(HistoryAdmin):
    """Every decision about a tier, newest first."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "sentence", "reason_badge")
    list_select_related = ("member", "from_tier", "to_tier")
    list_filter = (
        ("reason", ChoicesDropdownFilter),
        ("to_tier", RelatedDropdownFilter),
        ("happened_at", DayRangeFilter),
    )
    ordering = ("-happened_at", "-id")
    fields = (
        "member", "sentence", "from_tier", "to_tier", "window_from", "credits", "needed_credits", "returned_credits",
        "valid_until", "happened_at",
    )  # fmt: skip
    readonly_fields = ("sentence",)
    empty_sentence = _("No tier has changed yet. Rises come with purchases, the rest with reviews.")

    @display(description=_("member"))
    def member_page(self, change: TierChange) -> SafeString:
        return member_link(change.member)

    @display(description=_("what happened"))
    def sentence(self, change: TierChange) -> str:
        return change_sentence(change)

    @display(
        description=_("reason"),
        label={
            "risen": "success",
            "kept": "info",
            "fallen": "warning",
            "undone": "danger",
            "grace": "warning",
            "restored": "danger",
        },
    )
    def reason_badge(self, change: TierChange) -> Badge:
        return Badge(change.reason, change.get_reason_display())

    def get_urls(self) -> list[URLPattern]:
        return [*GracePages(self).urls(), *super().get_urls()]
