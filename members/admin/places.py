"""Pages of brands, channels and stores."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin
from members.models import Brand, Channel, Store


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


@admin.register(Store)
class StoreAdmin(TranslatedAdmin):
    """Stores. A store that closed stays, because purchases point at it."""

    list_display = ("name", "code", "city", "brand", "open_badge")
    list_filter = (("brand", RelatedDropdownFilter), "is_open")
    list_select_related = ("brand",)
    search_fields = ("code", "name", "city")
    fields = ("code", "name", "city", "brand", "is_open")
    store_path = "pk"
    empty_sentence = _("No store yet. Add the first one; members and purchases can then name it.")

    @display(description=_("open"), label={True: "success", False: "info"}, ordering="is_open")
    def open_badge(self, store: Store) -> Badge:
        return Badge(store.is_open, _("open") if store.is_open else _("closed"))
