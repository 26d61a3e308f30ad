"""Pages of the catalogue: rewards, their categories, and flash sales."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeNumericFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from members.admin.base import Badge, StaffAdmin, TranslatedAdmin, say_refusal
from members.figures import grouped, unit_value
from members.queries import programme
from members.wording import enumerated
from rewards.admin.reward_form import FIELDS, SHOWN_WHEN, TEXTS, RewardForm
from rewards.admin.reward_goods import GoodsPages
from rewards.admin.reward_pages import RewardPages
from rewards.admin.reward_words import missing_languages, sale_sentence
from rewards.models import FlashSale, Reward, RewardCategory
from rewards.reward_prices import price_at, prices_at, worth_of_a_point
from rewards.services.digital_codes import Pool, codes_left
from rewards.services.flash_sales import NotEnoughForSale, SaleNeedsNoPieces, open_sale
from rewards.services.reward_prices import PERMISSION as PRICE
from rewards.services.reward_prices import price_words
from rewards.services.shelf import StockSoldMeanwhile, StockWhileOnSale, change_stock

_PRICES = ("price_points", "cash_amount")


@admin.register(RewardCategory)
class RewardCategoryAdmin(TranslatedAdmin):
    """Parts of the catalogue, as members browse it."""

    list_display = ("name", "code", "sort_order", "is_shown")
    search_fields = ("code", "name")
    ordering = ("sort_order", "id")
    fields = ("code", "name", "is_on", "sort_order")
    empty_sentence = _(
        "No category yet. Categories divide the catalogue for members, such as drinks, gifts, good causes."
    )

    @display(description=_("shown"), label={True: "success", False: "info"})
    def is_shown(self, category: RewardCategory) -> Badge:
        return Badge(category.is_on, _("shown") if category.is_on else _("hidden"))


@admin.register(Reward)
class RewardAdmin(TranslatedAdmin):
    """The catalogue: what points buy."""

    form = RewardForm
    list_display = ("name", "kind", "price", "point_worth", "stock_left", "who", "languages", "shelf")
    list_select_related = ("template", "category", "least_tier", "segment")
    list_filter = (
        ("kind", ChoicesDropdownFilter), ("category", RelatedDropdownFilter), ("stock", RangeNumericFilter),
    )  # fmt: skip
    search_fields = ("name",)
    ordering = ("sort_order", "id")
    autocomplete_fields = ("template", "segment")
    fields = (*FIELDS, *TEXTS)
    conditional_fields = SHOWN_WHEN
    actions_list = ("what_points_buy",)
    change_form_before_template = "portal/rewards/beside.html"
    empty_sentence = _("The shelf is empty. Make a voucher template first, then a reward that gives it for points.")

    def get_fields(self, request: HttpRequest, obj: Reward | None = None) -> Any:
        """The price of a reward that exists is changed on a page of its own."""
        if obj is None:
            return self.fields
        return ("price_link", "goods_links", *(name for name in self.fields if name not in _PRICES))

    def get_readonly_fields(self, request: HttpRequest, obj: Reward | None = None) -> tuple[str, ...]:
        return ("price_link", "goods_links") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """On the shelf from now on, unless told otherwise."""
        return {"valid_from": timezone.now(), **super().get_changeform_initial_data(request)}

    def get_form(
        self, request: HttpRequest, obj: Reward | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """The kind of a reward is for ever: members may have redeemed it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and "kind" in form.base_fields:
            form.base_fields["kind"].disabled = True
        return form

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
        changed += [base for base in TEXTS if any(name.startswith(f"{base}_") for name in changed)]
        if changed:
            obj.save(update_fields=changed)
        if "stock" in form.changed_data:
            try:
                seen = form.fields["stock"].to_python(form.data.get(form["stock"].html_initial_name))
                change_stock(reward_id=obj.pk, was=seen, becomes=form.cleaned_data["stock"], at=timezone.now())
            except (StockSoldMeanwhile, StockWhileOnSale) as refusal:
                say_refusal(request, refusal)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        known = object_id is not None and object_id.isdecimal()
        look = (
            reverse("admin:rewards_reward_look_at", args=[object_id]) if known else reverse("admin:rewards_reward_look")
        )
        return super().changeform_view(request, object_id, form_url, {"look": look, **(extra_context or {})})

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Read the prices of the page at once."""
        rewards = [row for row in rows if isinstance(row, Reward)]
        at = timezone.now()
        prices = prices_at(rewards, at) if rewards else {}
        digital = [reward.pk for reward in rewards if reward.kind == Reward.Kind.DIGITAL]
        pools = codes_left(digital, at) if digital else {}
        for reward in rewards:
            reward.now = prices[reward.pk]  # type: ignore[attr-defined]
            reward.pool = pools.get(reward.pk, Pool())  # type: ignore[attr-defined]

    @display(description=_("price"), ordering="price_points")
    def price(self, reward: Any) -> str:
        return price_words(reward.now.points, reward.now.cash_amount)

    @display(description=_("what a point buys"))
    def point_worth(self, reward: Any) -> str:
        worth = worth_of_a_point(reward.now.points, reward.now.cash_amount, reward.cost_amount)
        return "–" if worth is None else unit_value(worth.quantize(Decimal("0.0001")), programme().currency)

    @display(description=_("stock left"), ordering="stock")
    def stock_left(self, reward: Any) -> Any:
        if reward.kind == Reward.Kind.DIGITAL:
            return _now("%(codes)s codes") % {"codes": grouped(reward.pool.free)}
        return _("without limit") if reward.stock is None else grouped(reward.stock)

    @display(description=_("for whom"))
    def who(self, reward: Reward) -> str:
        gates = [_now("%(tier)s and above") % {"tier": reward.least_tier.name}] if reward.least_tier else []
        gates += [reward.segment.name] if reward.segment else []
        return enumerated(gates) if gates else _now("everybody")

    @display(description=_("languages"), label={True: "success", False: "warning"})
    def languages(self, reward: Reward) -> Badge:
        missing = missing_languages(reward)
        words = _now("missing: %(languages)s") % {"languages": enumerated(missing)}
        return Badge(not missing, words if missing else _now("complete"))

    @display(description=_("shelf"), label={"planned": "info", "on": "success", "off": "warning", "sold": "danger"})
    def shelf(self, reward: Any) -> Badge:
        now = timezone.now()
        if reward.valid_from > now:
            return Badge("planned", _("planned"))
        if reward.valid_to and reward.valid_to <= now:
            return Badge("off", _("taken off"))
        sold_out = not reward.pool.free if reward.kind == Reward.Kind.DIGITAL else reward.stock == 0
        return Badge("sold", _("out of stock")) if sold_out else Badge("on", _("on the shelf"))

    @display(description=_("price"))
    def price_link(self, reward: Reward) -> SafeString:
        """The price now, with the way to the page that changes it."""
        now = price_at(reward, timezone.now())
        address = reverse("admin:rewards_reward_price", args=[reward.pk])
        return format_html(
            '{} · <a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
            price_words(now.points, now.cash_amount), address, _now("Prices of this reward"),
        )  # fmt: skip

    @display(description=_("pictures and codes"))
    def goods_links(self, reward: Reward) -> SafeString:
        """The ways to the pictures, and for a digital reward to its codes."""
        links = [(reverse("admin:rewards_reward_pictures", args=[reward.pk]), _now("Pictures"))]
        if reward.kind == Reward.Kind.DIGITAL:
            links.append((reverse("admin:rewards_reward_codes", args=[reward.pk]), _now("Pool of codes")))
        link = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'
        return format_html_join(" · ", link, links)

    @action(description=_("What 100 points buy"), url_path="what-points-buy", icon="trending_down")
    def what_points_buy(self, request: HttpRequest) -> HttpResponse:
        """The page that shows what 100 points bought over the last months."""
        return RewardPages(self).bought(request)

    def get_urls(self) -> list[URLPattern]:
        pages, view = RewardPages(self), self.admin_site.admin_view
        goods = GoodsPages(self)
        own = [
            path("<int:reward_id>/pictures/", view(goods.pictures), name="rewards_reward_pictures"),
            path("<int:reward_id>/pictures/<int:image_id>/", view(goods.remove), name="rewards_reward_picture"),
            path("<int:reward_id>/codes/", view(goods.codes), name="rewards_reward_codes"),
            path("<int:reward_id>/codes/out/", view(goods.take_out), name="rewards_reward_codes_out"),
            path("look/", view(pages.look), name="rewards_reward_look"),
            path("<int:reward_id>/look/", view(pages.look), name="rewards_reward_look_at"),
            path("<int:reward_id>/price/", view(pages.price), name="rewards_reward_price"),
            path("<int:reward_id>/price/effect/", view(pages.effect), name="rewards_reward_price_effect"),
            path("<int:reward_id>/price/withdraw/", view(pages.withdraw), name="rewards_reward_price_withdraw"),
        ]
        return own + super().get_urls()


class FlashSaleForm(ModelForm):
    """A sale; as many pieces can be put aside as there are."""

    class Meta:
        model = FlashSale
        fields = ("reward", "price_points", "cash_amount", "stock", "per_member_limit", "starts_at", "ends_at")

    def clean(self) -> dict[str, Any]:
        """Complain about too many pieces at their field; who is faster is refused when it is kept."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        reward, stock = found.get("reward"), found.get("stock")
        if reward is not None and stock is not None and "stock" in self.fields:
            if reward.kind == Reward.Kind.DIGITAL:
                self.add_error("stock", SaleNeedsNoPieces().sentence())
            elif reward.stock is not None and stock > reward.stock:
                self.add_error("stock", NotEnoughForSale(left=grouped(reward.stock)).sentence())
        return found


@admin.register(FlashSale)
class FlashSaleAdmin(StaffAdmin):
    """Rewards at a price of their own for a while, newest first."""

    form = FlashSaleForm
    is_nameless = True
    list_display = ("starts_at", "in_words", "state")
    list_display_links = ("starts_at",)
    list_select_related = ("reward",)
    list_filter = (("reward", RelatedDropdownFilter),)
    ordering = ("-starts_at", "-id")
    sortable_by = ()
    autocomplete_fields = ("reward",)
    fields = ("reward", "price_points", "cash_amount", "stock", "per_member_limit", "starts_at", "ends_at")
    empty_sentence = _("No flash sale yet. In one, a reward has a price of its own for some hours or days.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and request.user.has_perm(PRICE)

    def has_change_permission(self, request: HttpRequest, obj: FlashSale | None = None) -> bool:
        """What has begun is no longer changed: members redeem by it."""
        begun = obj is not None and obj.starts_at <= timezone.now()
        return not begun and super().has_change_permission(request, obj) and request.user.has_perm(PRICE)

    def get_readonly_fields(self, request: HttpRequest, obj: FlashSale | None = None) -> tuple[str, ...]:
        """What was put aside for a sale is put aside."""
        return ("reward", "stock") if obj else ()

    def save_model(self, request: HttpRequest, obj: FlashSale, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            open_sale(sale=obj)

    @display(description=_("in words"))
    def in_words(self, sale: FlashSale) -> str:
        return sale_sentence(sale)

    @display(description=_("state"), label={"planned": "info", "on": "success", "over": "warning", "sold": "danger"})
    def state(self, sale: FlashSale) -> Badge:
        return _state(sale, timezone.now())


def _state(sale: FlashSale, at: datetime) -> Badge:
    if sale.starts_at > at:
        return Badge("planned", _now("planned"))
    if sale.ends_at <= at:
        return Badge("over", _now("over"))
    return Badge("sold", _now("sold out")) if sale.stock == 0 else Badge("on", _now("going on"))
