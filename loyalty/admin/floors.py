"""The list of tiers given: by hand, by plans, by campaigns; and the dialogs that give and end them by hand."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from loyalty.admin import given_dialogs
from loyalty.admin.badges import tier_badge
from loyalty.floor_sentences import floor_sentence
from loyalty.models import TierFloor
from members.admin.base import Badge
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin


@admin.register(TierFloor)
class TierFloorAdmin(FactAdmin):
    """Tiers that members hold at least, whatever they earn; those that begin last come first."""

    is_nameless = True
    list_display = ("valid_from", "member_page", "badge", "sentence", "state")
    list_display_links = ("valid_from",)
    list_select_related = ("member", "tier")
    list_filter = (
        ("source", ChoicesDropdownFilter), ("tier", RelatedDropdownFilter), ("valid_from", DayRangeFilter),
    )  # fmt: skip
    ordering = ("-valid_from", "-id")
    fields = (
        "member_page",
        "sentence",
        "state",
        "valid_from",
        "valid_until",
        "reason",
        "ended_at",
        "ended_reason",
    )
    readonly_fields = ("member_page", "sentence", "state")
    empty_sentence = _(
        "Nobody holds a tier beside what is earned. Tiers are set by hand on the page of a member, and given by paid plans."
    )

    @display(description=_("member"))
    def member_page(self, floor: TierFloor) -> SafeString:
        return member_link(floor.member)

    @display(description=_("tier"))
    def badge(self, floor: TierFloor) -> SafeString:
        return tier_badge(floor.tier)

    @display(description=_("what gives it"))
    def sentence(self, floor: TierFloor) -> str:
        return floor_sentence(floor)

    @display(
        description=_("state"), label={"to_come": "info", "in_force": "success", "over": "warning", "ended": "danger"}
    )
    def state(self, floor: TierFloor) -> Badge:
        now = timezone.now()
        if floor.ended_at is not None and floor.ended_at <= now:
            return Badge("ended", _("ended early"))
        if floor.valid_until is not None and floor.valid_until <= now:
            return Badge("over", _("over"))
        return Badge("to_come", _("to come")) if floor.valid_from > now else Badge("in_force", _("in force"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("member/<int:member_id>/set/", view(self.set_tier), name="loyalty_tierfloor_set"),
            path("<int:floor_id>/end/", view(self.end_tier), name="loyalty_tierfloor_end"),
        ]
        return own + super().get_urls()

    def set_tier(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that sets a member's tier by hand."""
        return given_dialogs.set_tier(request, member_id)

    def end_tier(self, request: HttpRequest, floor_id: int) -> HttpResponse:
        """The dialog that ends a tier set by hand."""
        return given_dialogs.end_tier(request, floor_id)
