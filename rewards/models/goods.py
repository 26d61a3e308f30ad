"""What is sold: categories and products. Purchases keep their own copy of the words on the receipt."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Category(models.Model):
    """A kind of goods with its margin rate, the share of the price that is left after the cost of the goods."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("category name"), max_length=80)
    margin_rate = models.DecimalField(
        _("margin rate"), max_digits=4, decimal_places=3, null=True, blank=True,
        # xgettext:no-python-format
        help_text=_("0.620 means 62 % of the price."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(margin_rate__isnull=True) | Q(margin_rate__range=(-1, 1)), name="margin_rate_is_a_share"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """An article by its number (SKU). Made by staff, or by an import that meets a number for the first time."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    sku = models.CharField(_("SKU"), max_length=60, unique=True)
    name = models.CharField(_("product name"), max_length=200)
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, null=True, blank=True, related_name="products", verbose_name=_("category")
    )
    brand = models.CharField(
        _("brand"),
        max_length=60,
        blank=True,
        default="",
        db_default="",
        help_text=_("The brand of the goods, for rules that count it. Empty: none."),
    )
    earns = models.BooleanField(
        _("earns points"), default=True, db_default=True, help_text=_("Off for postage, fees and gift cards.")
    )

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]

    def __str__(self) -> str:
        return self.sku
