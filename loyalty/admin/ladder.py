"""Pages of tiers, and of how carefully their ladder is changed. The versions of the ladder are in `versions`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from modeltranslation.utils import build_localized_fieldname
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget

from loyalty.admin.badges import tier_badge
from loyalty.admin.tier_forms import TierForm
from loyalty.ladder import Step
from loyalty.models import LadderPolicy, Tier
from loyalty.queries import forget_ladder_book, ladder_book, members_by_tier
from loyalty.refusals import NoLadder
from loyalty.services.tier_images import keep_image
from loyalty.version_words import step_sentence
from members.admin.base import Badge, StaffAdmin, TranslatedAdmin
from members.figures import grouped
from members.wording import enumerated

_ONLY_WITH_A_PICTURE: Final = frozenset({"shown_picture", "no_picture"})


@admin.register(Tier)
class TierAdmin(TranslatedAdmin):
    """The tiers. What it takes to reach them is in the ladder."""

    form = TierForm
    list_display = ("badge", "rank", "takes", "members", "languages")
    list_display_links = ("badge",)
    sortable_by = ()
    ordering = ("rank",)
    fields = ("code", "name", "rank", "colour", "shown_picture", "picture", "no_picture")
    readonly_fields = ("shown_picture",)
    empty_sentence = _("No tier yet. Begin with the one everybody starts in, rank 0.")

    @display(description=_("tier"))
    def badge(self, tier: Tier) -> SafeString:
        return tier_badge(tier)

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Count who holds the tiers, and say what they take, by the rules in force."""
        tiers = [row for row in rows if isinstance(row, Tier)]
        counted, steps = members_by_tier(), _steps_in_force()
        for tier in tiers:
            step = steps.get(tier.pk)
            tier.step_words = step_sentence(step, is_lowest=step.rank == 0) if step else ""  # type: ignore[attr-defined]
            tier.held = _("all others") if tier.rank == 0 else grouped(counted.get(tier.pk, 0))  # type: ignore[attr-defined]

    @display(description=_("under the rules in force"))
    def takes(self, tier: Any) -> str:
        return tier.step_words or gettext("Not on the ladder: nobody rises to it.")

    @display(description=_("members"))
    def members(self, tier: Any) -> str:
        return str(tier.held)

    @display(description=_("languages"), label={True: "success", False: "warning"})
    def languages(self, tier: Tier) -> Badge:
        missing = [
            str(name) for code, name in settings.LANGUAGES if not getattr(tier, build_localized_fieldname("name", code))
        ]
        words = gettext("missing: %(languages)s") % {"languages": enumerated(missing)}
        return Badge(not missing, words if missing else gettext("complete"))

    @display(description=_("badge picture"))
    def shown_picture(self, tier: Tier) -> SafeString:
        return format_html(
            '<img src="{}" alt="{}" width="96" height="96">', reverse("tier_image", args=[tier.image_id]), tier.name
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        return ("code", "rank", "shown_picture") if obj else ("shown_picture",)  # for ever, once members may hold it

    def get_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        fields = tuple(self.fields)
        return fields if obj and obj.image_id else tuple(name for name in fields if name not in _ONLY_WITH_A_PICTURE)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "colour":
            kwargs["widget"] = UnfoldAdminColorInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Tier, form: ModelForm, change: bool) -> None:
        drawn = form.cleaned_data.get("picture")
        if drawn:
            obj.image = keep_image(content=drawn, at=timezone.now())
        elif form.cleaned_data.get("no_picture"):
            obj.image = None
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


def _steps_in_force() -> Mapping[int, Step]:
    """Return the steps of the ladder in force by tier; of none, nothing."""
    try:
        return {step.tier_id: step for step in ladder_book().at(timezone.now()).steps}
    except NoLadder:
        return {}
