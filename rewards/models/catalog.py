"""What points buy: rewards of several kinds, in categories, with prices that change by versions and sales for a while."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models import Tier
from members.models import Member, Operator, Segment
from rewards.models.partners import Partner
from rewards.models.spans import IdRange, TsTzRange
from rewards.models.transfers import CharityProject
from rewards.models.vouchers import VoucherTemplate


class RewardCategory(models.Model):
    """A part of the catalogue, as members browse it. History is kept; one that is off hides itself, not its rewards."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("category name"), max_length=40)
    is_on = models.BooleanField(_("shown"), default=True)
    sort_order = models.PositiveSmallIntegerField(_("order on the shelf"), default=100)

    class Meta:
        verbose_name = _("category of rewards")
        verbose_name_plural = _("categories of rewards")
        ordering = ["sort_order", "id"]

    def __str__(self) -> str:
        return self.name


class Reward(models.Model):
    """Something in the catalogue that points, or points and money, are redeemed for. Taken off the shelf, never deleted.

    `price_points` and `cash_amount` are the price it was put up with; later ones are RewardPrice rows, and a FlashSale has
    its own. The money is collected outside and only stated here. `stock` is what can still be redeemed: what members have
    ordered is taken off at once. Digital codes have no stock: what is left of their pool counts.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        VOUCHER = "voucher", pgettext_lazy("reward", "voucher")
        GIFT = "gift", pgettext_lazy("reward", "gift")
        SERVICE = "service", pgettext_lazy("reward", "service at a store")
        TICKET = "ticket", pgettext_lazy("reward", "ticket for an event")
        DIGITAL = "digital", pgettext_lazy("reward", "digital code")
        DONATION = "donation", pgettext_lazy("reward", "donation")
        PARTNER = "partner", pgettext_lazy("reward", "points of a partner")

    class Period(models.TextChoices):
        DAY = "day", pgettext_lazy("limit", "day")
        WEEK = "week", pgettext_lazy("limit", "week")
        MONTH = "month", pgettext_lazy("limit", "month")
        YEAR = "year", pgettext_lazy("limit", "year")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind of reward"), max_length=10, choices=Kind, default=Kind.VOUCHER)
    category = models.ForeignKey(
        RewardCategory,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("category"),
    )
    name = models.CharField(_("reward name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    price_points = models.PositiveIntegerField(_("price (points)"))
    cash_amount = models.DecimalField(
        _("to be paid besides (money)"), max_digits=10, decimal_places=2, default=0,
        help_text=_("Collected at the till or by the shop, not here."),
    )  # fmt: skip
    cost_amount = models.DecimalField(
        _("cost (money)"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("What one piece costs us."),
    )
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="rewards",
        verbose_name=_("voucher template"),
    )  # fmt: skip
    project = models.ForeignKey(
        CharityProject, on_delete=models.PROTECT, null=True, blank=True, related_name="rewards", verbose_name=_("charity project"),
        db_index=False,
    )  # fmt: skip
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, blank=True, related_name="rewards",
        verbose_name=pgettext_lazy("conversion", "partner"), db_index=False,
    )  # fmt: skip
    by_post = models.BooleanField(_("is sent to members"), default=False)
    in_store = models.BooleanField(_("is handed over in stores"), default=False)
    store_ids = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("stores"),
        help_text=_("None chosen: all stores."),
    )
    prepare_days = models.PositiveSmallIntegerField(
        _("ready within (days)"), default=3, help_text=_("Later than this, an order is shown as late.")
    )
    cancel_hours = models.PositiveSmallIntegerField(
        _("can be cancelled for (hours)"), default=168,
        help_text=_("By the member, as long as it is not under way or used. 0: not at all."),
    )  # fmt: skip
    event_at = models.DateTimeField(_("the event begins at"), null=True, blank=True)
    event_place = models.CharField(_("place of the event"), max_length=120, blank=True)
    stock = models.PositiveIntegerField(_("stock left"), null=True, blank=True, help_text=_("Empty: without limit."))
    per_member_limit = models.PositiveSmallIntegerField(
        _("limit per member"), null=True, blank=True, help_text=_("Empty: without limit.")
    )
    period_limit = models.PositiveSmallIntegerField(
        _("limit per member and period"), null=True, blank=True, help_text=_("Empty: without limit.")
    )
    period = models.CharField(_("period of the limit"), max_length=5, choices=Period, blank=True)
    least_tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("from this tier on"),
        db_index=False,
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only for the segment"),
        db_index=False,
    )  # fmt: skip
    active_days = models.PositiveSmallIntegerField(
        _("only for who bought within (days)"), null=True, blank=True, help_text=_("Empty: for all.")
    )
    valid_from = models.DateTimeField(_("on the shelf from"))
    valid_to = models.DateTimeField(_("on the shelf until"), null=True, blank=True)
    sort_order = models.PositiveSmallIntegerField(_("order on the shelf"), default=100)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["sort_order", "id"]
        permissions = [("price_reward", _("Can change prices of rewards and set up flash sales"))]
        constraints = [
            models.CheckConstraint(condition=Q(price_points__gt=0), name="reward_has_a_price"),
            models.CheckConstraint(condition=Q(stock__isnull=True) | Q(stock__gte=0), name="stock_is_not_negative"),
            models.CheckConstraint(
                condition=Q(per_member_limit__isnull=True) | Q(per_member_limit__gt=0), name="reward_limit_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="reward_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["voucher", "gift", "service", "ticket", "digital", "donation", "partner"]),
                name="reward_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind="voucher", template__isnull=False, project=None, partner=None)
                | Q(kind="donation", project__isnull=False, template=None, partner=None)
                | Q(kind="partner", partner__isnull=False, template=None, project=None)
                | Q(kind__in=["gift", "service", "ticket", "digital"], template=None, project=None, partner=None),
                name="reward_names_what_its_kind_gives",
            ),
            models.CheckConstraint(
                condition=Q(kind="gift", by_post=True)
                | Q(kind="gift", in_store=True)
                | Q(kind__in=["service", "ticket"], by_post=False, in_store=True)
                | Q(kind__in=["voucher", "digital", "donation", "partner"], by_post=False, in_store=False),
                name="reward_reaches_members_as_its_kind_does",
            ),
            models.CheckConstraint(
                condition=Q(kind="ticket", event_at__isnull=False) | ~Q(kind="ticket") & Q(event_at__isnull=True),
                name="only_tickets_are_for_an_event",
            ),
            models.CheckConstraint(
                condition=~Q(kind="digital") | Q(stock__isnull=True), name="digital_codes_are_counted_by_their_pool"
            ),
            models.CheckConstraint(
                condition=Q(cash_amount__gte=0) & (Q(cost_amount__isnull=True) | Q(cost_amount__gte=0)),
                name="money_of_a_reward_is_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["donation", "partner"]) | Q(cash_amount=0), name="points_given_on_cost_no_money"
            ),
            models.CheckConstraint(
                condition=Q(period_limit__isnull=True, period="")
                | Q(period_limit__gt=0, period__in=["day", "week", "month", "year"]),
                name="limit_per_period_names_its_period",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RewardPrice(models.Model):
    """What a reward costs from a moment on: one version of its price, announced before. History is kept.

    After a rise the price before it is honoured until a day, for those who had wished for the reward or saved enough for it
    when the rise was announced. One that was withdrawn before it came counts for nothing.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="prices", verbose_name=_("reward"), db_index=False
    )
    price_points = models.PositiveIntegerField(_("price (points)"))
    cash_amount = models.DecimalField(_("to be paid besides (money)"), max_digits=10, decimal_places=2, default=0)
    announced_at = models.DateTimeField(_("announced at"))
    valid_from = models.DateTimeField(_("in force from"))
    honoured_until = models.DateTimeField(_("the old price is honoured until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("changed by"), db_index=False
    )
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("price of a reward")
        verbose_name_plural = _("prices of rewards")
        ordering = ["reward", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["reward", "valid_from"], condition=Q(withdrawn_at=None), name="reward_has_one_price_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(price_points__gt=0, cash_amount__gte=0), name="price_of_a_reward_is_a_price"
            ),
            models.CheckConstraint(
                condition=Q(announced_at__lte=F("valid_from")), name="price_is_announced_before_it_comes"
            ),
            models.CheckConstraint(
                condition=Q(honoured_until__isnull=True) | Q(honoured_until__gt=F("valid_from")),
                name="old_price_is_honoured_after_the_new_one_came",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(withdrawn_at__lte=F("valid_from")),
                name="price_is_withdrawn_before_it_comes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reward_id}: {self.price_points}"


class FlashSale(models.Model):
    """A reward at a price of its own for a while. With `stock`, so many pieces are put aside for it; else the reward's count.

    History is kept. Over at its end, or when its pieces are gone: then the reward is at its ordinary price again.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="sales", verbose_name=_("reward"), db_index=False
    )
    price_points = models.PositiveIntegerField(_("price (points)"))
    cash_amount = models.DecimalField(_("to be paid besides (money)"), max_digits=10, decimal_places=2, default=0)
    stock = models.PositiveIntegerField(
        _("pieces of the sale"),
        null=True,
        blank=True,
        help_text=_("Empty: those of the reward, as long as there are any."),
    )
    per_member_limit = models.PositiveSmallIntegerField(
        _("limit per member"), null=True, blank=True, help_text=_("Within the sale. Empty: without limit.")
    )
    starts_at = models.DateTimeField(_("begins at"))
    ends_at = models.DateTimeField(_("ends at"))

    class Meta:
        verbose_name = _("flash sale")
        verbose_name_plural = _("flash sales")
        ordering = ["-starts_at", "id"]
        constraints = [
            ExclusionConstraint(
                name="reward_has_one_sale_at_a_time",
                expressions=[
                    (IdRange(F("reward_id")), RangeOperators.OVERLAPS),
                    (TsTzRange(F("starts_at"), F("ends_at"), Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(condition=Q(price_points__gt=0, cash_amount__gte=0), name="flash_sale_has_a_price"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="flash_sale_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(stock__isnull=True) | Q(stock__gte=0), name="stock_of_a_sale_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(per_member_limit__isnull=True) | Q(per_member_limit__gt=0),
                name="limit_of_a_sale_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reward_id}: {self.price_points}"


class WishedReward(models.Model):
    """A reward that a member saves for. Deleted when they take it off their list, or are erased."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="wishes", verbose_name=_("member"), db_index=False
    )
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="wishes", verbose_name=_("reward"))
    wished_at = models.DateTimeField(_("wished at"))

    class Meta:
        verbose_name = _("wish")
        verbose_name_plural = _("wishes")
        ordering = ["-wished_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["member", "reward"], name="member_wishes_a_reward_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"
