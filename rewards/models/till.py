"""The till: what paying with points may cover, prices for members, orders held, settled and voided, batches taken offline."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models import Benefit, EntitlementUse
from members.models import ApiKey, Member, Store
from rewards.models.ledger import Hold, PointsCurrency
from rewards.models.purchases import Purchase, PurchaseReturn
from rewards.models.vouchers import Voucher


class PointsPayment(models.Model):
    """How points of a currency pay for orders (积分抵现) from a moment on. Never changed: a change is a new row.

    `money_per_point` is what a point pays, which may differ from what it is worth in the books.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="payments", verbose_name=_("points currency")
    )
    valid_from = models.DateTimeField(_("in force from"))
    is_on = models.BooleanField(_("points can pay"), default=True)
    money_per_point = models.DecimalField(
        _("what one point pays (money)"),
        max_digits=12,
        decimal_places=6,
        help_text=_("In the programme's currency, for example 0.010000 when 100 points pay 1.00."),
    )
    step_points = models.PositiveIntegerField(
        _("in steps of (points)"), default=100, help_text=_("100: only 100, 200, 300 … points can be used.")
    )
    min_points = models.PositiveIntegerField(_("at least (points)"), default=100)
    max_share_percent = models.PositiveSmallIntegerField(_("at most of the order (%)"), default=100)
    pays_postage = models.BooleanField(_("pays postage too"), default=False)
    store_ids = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("stores"),
        help_text=_("None chosen: all stores."),
    )

    class Meta:
        verbose_name = _("rule for paying with points")
        verbose_name_plural = _("paying with points")
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "valid_from"], name="points_pay_by_one_rule_at_a_time"),
            models.CheckConstraint(condition=Q(money_per_point__gt=0), name="point_pays_something"),
            models.CheckConstraint(condition=Q(step_points__gte=1), name="points_pay_in_steps_of_one_or_more"),
            models.CheckConstraint(
                condition=Q(max_share_percent__gte=1, max_share_percent__lte=100), name="points_pay_a_share_of_an_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id}: {self.money_per_point}"


class MemberPrice(models.Model):
    """What one piece of an article costs members whose tier gives a benefit of member prices. Changed by staff; history is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    benefit = models.ForeignKey(
        Benefit,
        on_delete=models.PROTECT,
        related_name="member_prices",
        verbose_name=_("benefit"),
        limit_choices_to={"kind": Benefit.Kind.PRODUCTS},
    )
    sku = models.CharField(_("SKU"), max_length=60)
    price_amount = models.DecimalField(_("price for members"), max_digits=12, decimal_places=2)

    class Meta:
        verbose_name = _("member price")
        verbose_name_plural = _("member prices")
        ordering = ["benefit", "sku"]
        constraints = [
            models.UniqueConstraint(fields=["benefit", "sku"], name="article_has_one_price_for_members"),
            models.CheckConstraint(condition=Q(price_amount__gte=0), name="member_price_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.sku


class OrderHold(models.Model):
    """What a till set aside for one quoted order, under one end: points, vouchers, uses of benefits. A quote is held once.

    Open until it is captured by its order, given back, or past its end; past its end it gives everything back, whether or
    not the beat has come to it. `terms` are the deductions as the order will record them: ids and figures.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("hold", "open")
        CAPTURED = "captured", _("captured")
        RELEASED = "released", _("released")
        EXPIRED = "expired", _("expired")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    quote_ref = models.UUIDField(_("quote"), unique=True)
    fingerprint = models.BinaryField(_("hash of what was asked for"), max_length=32)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="order_holds", verbose_name=_("member"), db_index=False
    )
    key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("till key"), db_index=False
    )
    source = models.CharField(_("source"), max_length=40)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    points = models.PositiveBigIntegerField(_("points"), default=0)
    points_amount = models.DecimalField(_("paid with points"), max_digits=14, decimal_places=2, default=0)
    points_hold = models.OneToOneField(
        Hold, on_delete=models.PROTECT, null=True, related_name="order_hold", verbose_name=_("points set aside")
    )
    vouchers = models.PositiveSmallIntegerField(_("vouchers"), default=0)
    uses = models.PositiveSmallIntegerField(_("uses of benefits"), default=0)
    terms = models.JSONField(_("deductions"), default=dict)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.OPEN)
    external_order_no = models.CharField(_("order number"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_reason = models.CharField(_("why it was given back"), max_length=200, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("order set aside")
        verbose_name_plural = _("orders set aside")
        permissions = [
            ("give_back_orderhold", _("Can give back what is set aside for orders")),
            ("use_till_simulator", _("Can use the till simulator of a trial")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "captured", "released", "expired"]), name="order_hold_state_is_known"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="order_hold_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="order_hold_is_closed_at_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(points=0, points_hold__isnull=True) | Q(points__gt=0, points_hold__isnull=False),
                name="order_hold_names_the_hold_of_its_points",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="order_hold_open_by_end", condition=Q(state="open")),
            models.Index(fields=["member", "-created_at"], name="order_holds_of_member"),
            models.Index(fields=["-created_at", "-id"], name="order_hold_newest_first"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class OrderSettlement(models.Model):
    """How an order that was quoted came to what was paid: written once beside its purchase, whose lines are what was left.

    `fingerprint` is of the order as the till told it, so that it can be told again for ever. Its goods are the first
    `goods_lines` lines; postage, where there was any, is the line after them.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purchase = models.OneToOneField(
        Purchase, on_delete=models.PROTECT, primary_key=True, related_name="settlement", verbose_name=_("purchase")
    )
    hold = models.OneToOneField(
        OrderHold, on_delete=models.PROTECT, null=True, related_name="settlement", verbose_name=_("order set aside")
    )
    quote_ref = models.UUIDField(_("quote"))
    fingerprint = models.BinaryField(_("hash of the content"), max_length=32)
    goods_lines = models.PositiveSmallIntegerField(_("lines of goods"))
    gross_amount = models.DecimalField(_("before deductions"), max_digits=14, decimal_places=2)
    benefits_amount = models.DecimalField(_("off by benefits"), max_digits=14, decimal_places=2)
    vouchers_amount = models.DecimalField(_("off by vouchers"), max_digits=14, decimal_places=2)
    points = models.PositiveBigIntegerField(_("points paid"))
    points_amount = models.DecimalField(_("paid with points"), max_digits=14, decimal_places=2)
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("settlement of an order")
        verbose_name_plural = _("settlements of orders")
        constraints = [
            models.CheckConstraint(
                condition=Q(benefits_amount__gte=0, vouchers_amount__gte=0, points_amount__gte=0)
                & Q(gross_amount__gte=F("benefits_amount") + F("vouchers_amount") + F("points_amount")),
                name="settlement_takes_off_what_there_was",
            ),
            models.CheckConstraint(
                condition=Q(points=0, points_amount=0) | Q(points__gt=0, points_amount__gte=0),
                name="settlement_is_paid_with_points_that_are_named",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class OrderDeduction(models.Model):
    """One thing that made an order cheaper (or worth more points), and how much of each line it took, in order of the lines."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        MEMBER_PRICE = "member_price", _("member price")
        DISCOUNT = "discount", _("discount")
        SHIPPING = "shipping", _("free shipping")
        VOUCHER = "voucher", _("voucher")
        POINTS = "points", _("paid with points")

    settlement = models.ForeignKey(
        OrderSettlement, on_delete=models.PROTECT, related_name="deductions", verbose_name=_("settlement of an order")
    )
    position = models.PositiveSmallIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    ref = models.CharField(_("reference"), max_length=60)
    names = models.JSONField(_("name"), default=dict)
    figure = models.DecimalField(_("figure"), max_digits=10, decimal_places=4, null=True)
    amount = models.DecimalField(_("off"), max_digits=14, decimal_places=2)
    shares = ArrayField(models.DecimalField(max_digits=14, decimal_places=2), verbose_name=_("of each line"))
    voucher = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, null=True, related_name="deductions", verbose_name=_("voucher")
    )
    use = models.OneToOneField(
        EntitlementUse,
        on_delete=models.PROTECT,
        null=True,
        related_name="deduction",
        verbose_name=_("use of a benefit"),
    )

    class Meta:
        verbose_name = _("deduction of an order")
        verbose_name_plural = _("deductions of orders")
        ordering = ["settlement", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["settlement", "position"], name="deduction_has_a_place_of_its_own_in_its_order"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deduction_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.settlement_id}: {self.kind}"


class DeductionsGivenBack(models.Model):
    """What a return that completed an order (or a void) gave back of its deductions besides points: vouchers, uses of benefits."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purchase_return = models.OneToOneField(
        PurchaseReturn, on_delete=models.PROTECT, primary_key=True, related_name="given_back", verbose_name=_("return")
    )
    vouchers = models.PositiveSmallIntegerField(_("vouchers"))
    uses = models.PositiveSmallIntegerField(_("uses of benefits"))

    class Meta:
        verbose_name = _("deductions given back")
        verbose_name_plural = _("deductions given back")

    def __str__(self) -> str:
        return str(self.pk)


class OrderVoid(models.Model):
    """An order that was undone as a whole on its own day: it names the return that took everything back. Once for an order."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purchase = models.OneToOneField(
        Purchase, on_delete=models.PROTECT, primary_key=True, related_name="void", verbose_name=_("purchase")
    )
    purchase_return = models.OneToOneField(
        PurchaseReturn, on_delete=models.PROTECT, related_name="void", verbose_name=_("return")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    voided_at = models.DateTimeField(_("voided at"))

    class Meta:
        verbose_name = _("voided order")
        verbose_name_plural = _("voided orders")
        permissions = [("void_purchase", _("Can void orders of the same day"))]

    def __str__(self) -> str:
        return str(self.pk)


class OfflineBatch(models.Model):
    """Orders that a till took while it was offline, told together. `(source, external_batch_no)` is its identity for ever.

    Each order is recorded by itself and answered by a line; `orders` holds those that wait and is emptied as they are done.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    source = models.CharField(_("source"), max_length=40)
    external_batch_no = models.CharField(_("batch number"), max_length=80)
    fingerprint = models.BinaryField(_("hash of the content"), max_length=32)
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="+", verbose_name=_("till key"))
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+", verbose_name=_("store"))
    total = models.PositiveSmallIntegerField(_("orders"))
    orders = models.JSONField(_("orders that wait"), default=list)
    received_at = models.DateTimeField(_("received at"))
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        verbose_name = _("offline batch")
        verbose_name_plural = _("offline batches")
        constraints = [
            models.UniqueConstraint(fields=["source", "external_batch_no"], name="batch_number_is_unique_in_its_source")
        ]
        indexes = [models.Index(fields=["received_at"], name="offline_batch_waits", condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return self.external_batch_no


class OfflineBatchLine(models.Model):
    """What became of one order of a batch: recorded, known before, or refused with a code and its figures."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Outcome(models.TextChoices):
        RECORDED = "recorded", pgettext_lazy("order of a batch", "recorded")
        KNOWN = "known", pgettext_lazy("order of a batch", "known before")
        REFUSED = "refused", pgettext_lazy("order of a batch", "refused")

    batch = models.ForeignKey(
        OfflineBatch, on_delete=models.PROTECT, related_name="lines", verbose_name=_("offline batch"), db_index=False
    )
    position = models.PositiveSmallIntegerField(_("position"))
    external_order_no = models.CharField(_("order number"), max_length=80, blank=True)
    outcome = models.CharField(_("what became of it"), max_length=8, choices=Outcome)
    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("purchase"), db_index=False
    )
    points = models.BigIntegerField(_("points"), default=0)
    code = models.CharField(_("code"), max_length=60, blank=True)
    params = models.JSONField(_("figures"), default=dict)

    class Meta:
        verbose_name = _("order of an offline batch")
        verbose_name_plural = _("orders of offline batches")
        ordering = ["batch", "position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="order_of_a_batch_is_answered_once"),
            models.CheckConstraint(
                condition=Q(outcome="refused", purchase__isnull=True)
                | ~Q(outcome="refused") & Q(purchase__isnull=False),
                name="order_of_a_batch_is_recorded_or_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.position}"
