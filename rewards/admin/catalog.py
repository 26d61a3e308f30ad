"""Pages of rewards and of what members redeemed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeNumericFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin, say_refusal
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from rewards.models import Redemption, Reward
from rewards.services.shelf import StockSoldMeanwhile, change_stock


@admin.register(Reward)
class RewardAdmin(TranslatedAdmin):
    """The catalogue: what points buy."""

    list_display = ("name", "price", "stock_left", "template", "shelf")
    list_select_related = ("template",)
    list_filter = (("stock", RangeNumericFilter),)
    search_fields = ("name",)
    ordering = ("sort_order", "id")
    autocomplete_fields = ("template",)
    fields = (
        "name", "description", "price_points", "template", "stock", "per_member_limit", "valid_from", "valid_to", "sort_order",
    )  # fmt: skip
    empty_sentence = _("The shelf is empty. Make a voucher template first, then a reward that gives it for points.")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let the form remember the stock that staff saw: a change is counted from there."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "stock":
            field.show_hidden_initial = True
        return field

    def save_model(self, request: HttpRequest, obj: Reward, form: Any, change: bool) -> None:
        """Save what was changed, and only that: members redeem, and count the stock down, while the form is open."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = [name for name in form.changed_data if name != "stock"]
        # The plain column of a translated text follows its languages.
        changed += [base for base in ("name", "description") if any(name.startswith(f"{base}_") for name in changed)]
        if changed:
            obj.save(update_fields=changed)
        if "stock" in form.changed_data:
            try:
                seen = form.fields["stock"].to_python(form.data.get(form["stock"].html_initial_name))
                change_stock(reward_id=obj.pk, was=seen, becomes=form.cleaned_data["stock"])
            except StockSoldMeanwhile as refusal:
                say_refusal(request, refusal)

    @display(description=_("price (points)"), ordering="price_points")
    def price(self, reward: Reward) -> str:
        return grouped(reward.price_points)

    @display(description=_("stock left"), ordering="stock")
    def stock_left(self, reward: Reward) -> Any:
        return _("without limit") if reward.stock is None else grouped(reward.stock)

    @display(description=_("shelf"), label={"planned": "info", "on": "success", "off": "warning", "sold": "danger"})
    def shelf(self, reward: Reward) -> Badge:
        now = timezone.now()
        if reward.valid_from > now:
            return Badge("planned", _("planned"))
        if reward.valid_to and reward.valid_to <= now:
            return Badge("off", _("taken off"))
        return Badge("sold", _("out of stock")) if reward.stock == 0 else Badge("on", _("on the shelf"))


@admin.register(Redemption)
class RedemptionAdmin(FactAdmin):
    """What members redeemed, newest first."""

    is_nameless = True
    list_display = ("redeemed_at", "member_page", "reward", "price", "voucher_state")
    list_select_related = ("member", "reward", "voucher")
    list_filter = (("reward", RelatedDropdownFilter), ("redeemed_at", DayRangeFilter))
    ordering = ("-redeemed_at", "-id")
    fields = ("redeemed_at", "member", "reward", "price_points", "voucher_state")
    readonly_fields = ("voucher_state",)
    empty_sentence = _("Nobody has redeemed anything yet.")

    @display(description=_("member"))
    def member_page(self, redemption: Redemption) -> SafeString:
        return member_link(redemption.member)

    @display(description=_("price (points)"))
    def price(self, redemption: Redemption) -> str:
        return grouped(redemption.price_points)

    @display(description=_("voucher"), label={"issued": "success", "used": "info", "expired": "warning"})
    def voucher_state(self, redemption: Redemption) -> Badge:
        return Badge(redemption.voucher.state, redemption.voucher.get_state_display())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("voucher__code_hmac")
