"""Pages of tiers and of the versions of the ladder. A version that has begun is history and is only read."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget

from loyalty.admin.badges import tier_badge
from loyalty.criteria import METRICS, WEIGHED
from loyalty.models import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.queries import forget_ladder_book
from members.admin.base import Badge, StaffAdmin, TranslatedAdmin


@admin.register(Tier)
class TierAdmin(TranslatedAdmin):
    """The tiers. What it takes to reach them is in the ladder."""

    list_display = ("badge", "code", "rank")
    list_display_links = ("badge", "code")
    ordering = ("rank",)
    fields = ("code", "name", "rank", "colour")
    empty_sentence = _("No tier yet. Begin with the one everybody starts in, rank 0.")

    @display(description=_("tier"))
    def badge(self, tier: Tier) -> SafeString:
        return tier_badge(tier)

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        return ("code", "rank") if obj else ()  # for ever, once members may hold it

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "colour":
            kwargs["widget"] = UnfoldAdminColorInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Tier, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_ladder_book()


def has_begun(version: LadderVersion | None) -> bool:
    """Whether members may have been judged by a version already."""
    return version is not None and version.valid_from <= timezone.now()


class PartOfLadderInline(TabularInline):
    """Rows of a version of the ladder, which are fixed once it has begun."""

    show_title = False
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("loyalty.view_ladderversion")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("loyalty.change_ladderversion") and not has_begun(obj)

    has_change_permission = has_delete_permission = has_add_permission


class TierRuleInline(PartOfLadderInline):
    """What each tier takes and gives under a version."""

    model = TierRule
    fields = (
        "tier",
        *(f"rise_{metric}" for metric in METRICS),
        "rise_least",
        *(f"keep_{metric}" for metric in METRICS),
        "keep_least",
        "points_multiplier",
    )


class ActivityScoreInline(PartOfLadderInline):
    """What activities count under a version."""

    model = ActivityScore
    fields = ("kind", "score")


@admin.register(LadderVersion)
class LadderVersionAdmin(StaffAdmin):
    """Versions of the ladder. To change it, add a version that begins later."""

    is_nameless = True
    list_display = ("title", "valid_from", "valid_to", "tiers", "state")
    ordering = ("-number",)
    inlines = (TierRuleInline, ActivityScoreInline)
    fields = (
        "number",
        "valid_from",
        "valid_to",
        "qualifying_months",
        "validity_months",
        "window",
        "rises",
        "soft_landing",
        "grace_percent",
        "grace_days",
        "carries_over",
        "credits_per_unit",
        *(f"weight_{metric}" for metric in WEIGHED),
    )
    empty_sentence = _("No ladder yet. Add the first version with a rule for each tier; without it nobody rises.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LadderVersion]:
        return super().get_queryset(request).annotate(rule_count=Count("rules"))

    @display(description=_("version"))
    def title(self, version: LadderVersion) -> str:
        return _("Version %(number)s") % {"number": version.number}

    @display(description=_("tiers"))
    def tiers(self, version: Any) -> int:
        return version.rule_count

    @display(description=_("state"), label={"planned": "info", "in_force": "success", "over": "warning"})
    def state(self, version: LadderVersion) -> Badge:
        now = timezone.now()
        if version.valid_from > now:
            return Badge("planned", _("planned"))
        if version.valid_to and version.valid_to <= now:
            return Badge("over", _("over"))
        return Badge("in_force", _("in force"))

    def get_readonly_fields(self, request: HttpRequest, obj: LadderVersion | None = None) -> tuple[str, ...]:
        """Of a version in force only its end can be set, so that another one may follow."""
        return tuple(name for name in self.fields if name != "valid_to") if has_begun(obj) else ()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        forget_ladder_book()
