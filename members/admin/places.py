"""Pages of brands, channels, regions, recruiting sources and stores."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from members.admin.base import Badge, TranslatedAdmin
from members.admin.tills import activate_page, tills_of
from members.models import Brand, Channel, RecruitingSource, Region, Store
from members.profiles import regions_within

_LEVELS_SHOWN = 3  # regions above one, in the list


@admin.register(Brand)
class BrandAdmin(TranslatedAdmin):
    """Brands of the business."""

    list_display = ("name", "code")
    search_fields = ("code", "name")
    fields = ("code", "name")
    empty_sentence = _("No brand yet. A store belongs to a brand, so begin here.")


@admin.register(Channel)
class ChannelAdmin(TranslatedAdmin):
    """Channels through which members meet us."""

    list_display = ("name", "code", "kind")
    search_fields = ("code", "name")
    fields = ("code", "name", "kind")
    empty_sentence = _("No channel yet. Tills, the mini-program and the web shop are channels.")


class RegionForm(forms.ModelForm):
    """A region, which does not lie within itself."""

    class Meta:
        model = Region
        fields = ("code", "parent")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and "parent" in self.fields:
            others = Region.objects.exclude(pk__in=regions_within(self.instance.pk))
            self.fields["parent"].queryset = others  # type: ignore[attr-defined]


@admin.register(Region)
class RegionAdmin(TranslatedAdmin):
    """Regions of the business, as a tree."""

    form = RegionForm
    list_display = ("name", "code", "within")
    list_select_related = ("parent__parent__parent",)
    list_filter = (("parent", RelatedDropdownFilter),)
    search_fields = ("code", "name")
    fields = ("code", "name", "parent")
    empty_sentence = _("No region yet. Regions group stores and members; one may be part of another.")

    @display(description=_("part of"))
    def within(self, region: Region) -> str:
        above: list[str] = []
        parent = region.parent
        while parent is not None and len(above) < _LEVELS_SHOWN:
            above.append(parent.name)
            parent = parent.parent
        return " › ".join(reversed(above)) or "–"


@admin.register(RecruitingSource)
class RecruitingSourceAdmin(TranslatedAdmin):
    """What brings people to join."""

    list_display = ("name", "code", "is_on")
    search_fields = ("code", "name")
    fields = ("code", "name", "is_on")
    empty_sentence = _("No recruiting source yet. Posters, live streams and friends are recruiting sources.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()


@admin.register(Store)
class StoreAdmin(TranslatedAdmin):
    """Stores. A store that closed stays, because purchases point at it."""

    list_display = ("name", "code", "city", "region", "brand", "open_badge")
    list_filter = (("brand", RelatedDropdownFilter), ("region", RelatedDropdownFilter), "is_open")
    list_select_related = ("brand", "region")
    search_fields = ("code", "name", "city")
    fields = (
        "code", "name", "city", "region", "brand", "is_open", "street", "opening_hours", ("latitude", "longitude"),
    )  # fmt: skip
    store_path = "pk"
    actions_detail = ("activate_till",)
    change_form_outer_after_template = "portal/keys/tills.html"
    empty_sentence = _("No store yet. Add the first one; members and purchases can then name it.")

    @display(description=_("open"), label={True: "success", False: "info"}, ordering="is_open")
    def open_badge(self, store: Store) -> Badge:
        return Badge(store.is_open, _("open") if store.is_open else _("closed"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a store with its tills, to those who may see keys."""
        context: dict[str, Any] = dict(extra_context or {})
        if object_id.isdigit() and request.user.has_perm("members.view_apikey"):
            context["tills"] = tills_of(int(object_id))
        return super().change_view(request, object_id, form_url, context)

    def has_activate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.activate_till")

    @action(description=_("Activate a till"), url_path="activate-till", permissions=["activate"], icon="qr_code_2")
    def activate_till(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask what the till will be, and show its one-time code."""
        return activate_page(request, store=self.get_queryset(request).filter(pk=object_id).first(), opts=self.opts)
