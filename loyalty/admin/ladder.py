"""Pages of tiers, and of how carefully their ladder is changed. The versions of the ladder are in `versions`."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget

from loyalty.admin.badges import tier_badge
from loyalty.models import LadderPolicy, Tier
from loyalty.queries import forget_ladder_book
from members.admin.base import StaffAdmin, TranslatedAdmin


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


@admin.register(LadderPolicy)
class LadderPolicyAdmin(StaffAdmin):
    """How careful the programme is with changes of its ladder: one row."""

    is_nameless = True
    list_display = ("what", "notice_days", "near_percent", "top_share_percent", "preview_days")
    list_display_links = ("what",)
    sortable_by = ()
    empty_sentence = _(
        "How long members are told before, and when previews warn. The one row is made with the installation."
    )
    fields = ("notice_days", "near_percent", "top_share_percent", "preview_days")

    @display(description=_("policy"))
    def what(self, policy: LadderPolicy) -> str:
        return gettext("Changes of the tier ladder")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
