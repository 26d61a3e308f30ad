"""Purchases and returns as their source told them."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models import Channel, Member, Store
from rewards.models.goods import Product


class Purchase(models.Model):
    """One order or receipt. `(source, external_order_no)` is its identity for ever; a repeat finds this row.

    Amounts are in the programme's currency; the original ones stand beside where they differ.
    Purchases of people who are not members have no member. Never changed after it was recorded.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    source = models.CharField(_("source"), max_length=40)
    external_order_no = models.CharField(_("order number"), max_length=80)
    fingerprint = models.BinaryField(_("hash of the content"), max_length=32)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="purchases", verbose_name=_("member"), db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="+", verbose_name=_("channel"), db_index=False
    )
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    ordered_at = models.DateTimeField(_("ordered at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    total_amount = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    eligible_amount = models.DecimalField(_("amount that earns"), max_digits=14, decimal_places=2)
    original_currency = models.CharField(_("original currency"), max_length=3, blank=True, db_default="")
    original_amount = models.DecimalField(_("original total"), max_digits=14, decimal_places=2, null=True)
    exchange_rate = models.DecimalField(_("exchange rate"), max_digits=18, decimal_places=8, null=True)

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_order_no"], name="order_number_is_unique_in_its_source"
            ),
            models.CheckConstraint(condition=Q(total_amount__gte=0), name="purchase_total_is_not_negative"),
            models.CheckConstraint(
                condition=Q(eligible_amount__gte=0) & Q(eligible_amount__lte=F("total_amount")),
                name="eligible_amount_is_part_of_the_total",
            ),
        ]
        indexes = [
            models.Index(
                fields=["member", "-ordered_at"], name="purchases_of_member", condition=Q(member__isnull=False)
            ),
            models.Index(fields=["-ordered_at", "-id"], name="purchase_newest_first"),
        ]

    def __str__(self) -> str:
        return self.external_order_no


class PurchaseLine(models.Model):
    """One line of a receipt, with the words of the receipt."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="lines", verbose_name=_("purchase"), db_index=False
    )
    line_no = models.PositiveIntegerField(_("line"))
    sku = models.CharField(_("SKU"), max_length=60)
    name = models.CharField(_("article"), max_length=200, blank=True, db_default="")
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("product"), db_index=False
    )
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    unit_price = models.DecimalField(_("unit price"), max_digits=14, decimal_places=4)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    earns = models.BooleanField(_("earns points"), db_default=True)

    class Meta:
        verbose_name = _("purchase line")
        verbose_name_plural = _("purchase lines")
        constraints = [
            models.UniqueConstraint(fields=["purchase", "line_no"], name="line_number_is_unique_in_its_purchase"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="line_amount_is_not_negative"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.line_no}: {self.sku}"


class PurchaseReturn(models.Model):
    """Goods that came back. `(source, external_return_no)` is its identity for ever.

    Without a purchase it is unlinked: its sale is unknown, and it takes back the base points of its amount.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    source = models.CharField(_("source"), max_length=40)
    external_return_no = models.CharField(_("return number"), max_length=80)
    fingerprint = models.BinaryField(_("hash of the content"), max_length=32)
    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, null=True, related_name="returns", verbose_name=_("purchase")
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        null=True,
        related_name="purchase_returns",
        verbose_name=_("member"),
        db_index=False,
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="+", verbose_name=_("channel"), db_index=False
    )
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    returned_at = models.DateTimeField(_("returned at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    total_amount = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    eligible_amount = models.DecimalField(_("amount that had earned"), max_digits=14, decimal_places=2)
    points = models.PositiveBigIntegerField(_("points taken back"), default=0)
    credits = models.PositiveIntegerField(_("tier credits taken back"), default=0)

    class Meta:
        verbose_name = _("return")
        verbose_name_plural = _("returns")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_return_no"], name="return_number_is_unique_in_its_source"
            ),
            models.CheckConstraint(condition=Q(total_amount__gte=0), name="return_total_is_not_negative"),
            models.CheckConstraint(
                condition=Q(eligible_amount__gte=0) & Q(eligible_amount__lte=F("total_amount")),
                name="returned_eligible_amount_is_part_of_the_total",
            ),
        ]
        indexes = [
            models.Index(
                fields=["member", "-returned_at"], name="returns_of_member", condition=Q(member__isnull=False)
            ),
            models.Index(fields=["-returned_at", "-id"], name="return_newest_first"),
        ]

    def __str__(self) -> str:
        return self.external_return_no


class ReturnLine(models.Model):
    """One line that came back; it names the line of the purchase where that is known."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purchase_return = models.ForeignKey(
        PurchaseReturn, on_delete=models.PROTECT, related_name="lines", verbose_name=_("return"), db_index=False
    )
    line_no = models.PositiveIntegerField(_("line"))
    purchase_line = models.ForeignKey(
        PurchaseLine,
        on_delete=models.PROTECT,
        null=True,
        related_name="returned",
        verbose_name=_("line of the purchase"),
    )
    sku = models.CharField(_("SKU"), max_length=60)
    name = models.CharField(_("article"), max_length=200, blank=True, db_default="")
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    earns = models.BooleanField(_("had earned points"), db_default=True)

    class Meta:
        verbose_name = _("return line")
        verbose_name_plural = _("return lines")
        constraints = [
            models.UniqueConstraint(fields=["purchase_return", "line_no"], name="line_number_is_unique_in_its_return"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="returned_amount_is_not_negative"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) | Q(quantity=0, amount__gt=0), name="returned_are_pieces_or_money"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_no}: {self.sku}"
