"""Pages of categories and products."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter

from members.admin.base import StaffAdmin, TranslatedAdmin
from rewards.models import Category, Product


@admin.register(Category)
class CategoryAdmin(TranslatedAdmin):
    """Kinds of goods."""

    list_display = ("name", "code", "margin_rate")
    search_fields = ("code", "name")
    fields = ("code", "name", "margin_rate")
    empty_sentence = _("No category yet. Categories group products and carry their margin.")


@admin.register(Product)
class ProductAdmin(StaffAdmin):
    """Articles by their number."""

    list_display = ("sku", "name", "category", "earns")
    list_filter = (("category", RelatedDropdownFilter), "earns")
    list_select_related = ("category",)
    ordering = ("sku",)
    sortable_by = ("sku",)
    search_fields = ("sku__startswith",)
    search_help_text = _("Beginning of the SKU")
    autocomplete_fields = ("category",)
    fields = ("sku", "name", "category", "earns")
    empty_sentence = _("No product yet. An import of orders adds the articles that it meets.")
