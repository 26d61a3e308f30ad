"""Terms of vouchers (券): what one gives, when and where, on which goods, beside which others, and how many there may be."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from rewards.models.lists import ids_field, none_or_positive, words_field


class VoucherTemplate(models.Model):
    """What a voucher is worth, when and where it may be used, and how it ends.

    A voucher keeps the moments from which and until which it may be used in its own row; all else is read here, so
    what one gives is fixed once a member holds one. Stores, channels and goods are kept as lists of ids.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("money off")
        PERCENT = "percent", _("percent off")
        THRESHOLD = "threshold", _("money off for each full amount spent")
        EXCHANGE = "exchange", _("exchange voucher")
        SHIPPING = "shipping", _("free shipping")
        MULTIPLIER = "multiplier", _("more points")

    class Validity(models.TextChoices):
        DAYS = "days", _("a number of days from when it is issued")
        DATES = "dates", _("between two fixed moments")

    class Stacking(models.TextChoices):
        ALONE = "alone", pgettext_lazy("voucher", "alone: no other voucher with it")
        CLASS = "class", pgettext_lazy("voucher", "one of its group, beside vouchers of other groups")
        FREE = "free", pgettext_lazy("voucher", "beside any other that allows it")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("voucher name"), max_length=80)
    terms = models.TextField(_("terms"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    off_amount = models.DecimalField(_("money off"), max_digits=10, decimal_places=2, null=True, blank=True)
    off_percent = models.DecimalField(
        _("percent off"), max_digits=5, decimal_places=2, null=True, blank=True,
        # xgettext:no-python-format
        help_text=_("20 takes 20 % off: the member pays 80 %."),
    )  # fmt: skip
    cap_amount = models.DecimalField(
        _("at most (money off)"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Empty: no limit."),
    )
    most_times = models.PositiveSmallIntegerField(
        _("how often in one order"),
        default=1,
        help_text=_("1: once. 3: again for each further full amount, three times at most."),
    )
    multiplier = models.DecimalField(_("points times"), max_digits=4, decimal_places=2, null=True, blank=True)
    gift = models.CharField(
        _("what it is exchanged for"),
        max_length=80,
        blank=True,
        default="",
        help_text=_("As the till and members read it."),
    )
    cost_amount = models.DecimalField(
        _("what one costs you"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_(
            "For budgets, where the voucher itself does not say it: gifts, shipping, points, percent without a limit."
        ),
    )
    min_spend_amount = models.DecimalField(
        _("from a spend of"),
        max_digits=10,
        decimal_places=2,
        default=0,
        help_text=_("On the goods it is for, before any voucher."),
    )

    validity = models.CharField(_("valid for"), max_length=5, choices=Validity, default=Validity.DAYS)
    validity_days = models.PositiveSmallIntegerField(
        _("validity (days)"), default=30, null=True, blank=True, help_text=_("From its first day.")
    )
    starts_after_days = models.PositiveSmallIntegerField(
        _("starts after (days)"), default=0, help_text=_("0: at once.")
    )
    valid_from = models.DateTimeField(_("may be used from"), null=True, blank=True, help_text=_("Empty: at once."))
    valid_to = models.DateTimeField(_("may be used until"), null=True, blank=True)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("weekdays"),
        help_text=_("None chosen: every day."),
    )
    hour_from = models.PositiveSmallIntegerField(_("from (hour)"), null=True, blank=True)
    hour_to = models.PositiveSmallIntegerField(
        _("to (hour)"), null=True, blank=True, help_text=_("22 to 6 passes midnight. The hour named here is over.")
    )
    store_ids = ids_field(_("stores"), _("None chosen: all stores."))
    channel_ids = ids_field(_("channels"), _("None chosen: all channels."))
    category_ids = ids_field(_("categories"), _("None chosen: all goods."))
    skus = words_field(_("articles"), _("Article numbers. None: all goods."), 60)

    stacking = models.CharField(_("beside other vouchers"), max_length=5, choices=Stacking, default=Stacking.ALONE)
    stacking_class = models.SlugField(
        _("group"), max_length=40, blank=True, default="", db_index=False,
        help_text=_("Vouchers of the same group do not combine."),
    )  # fmt: skip
    priority = models.SmallIntegerField(
        _("priority"), default=0, help_text=_("Of two that give the same, the one of higher priority is used.")
    )

    is_given_back = models.BooleanField(
        _("given back"),
        default=True,
        help_text=_("When the whole order is voided or returned, the member has it again."),
    )
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace"),
        default=0,
        help_text=_("Given back past its end, it may be used so many days more. 0: it is gone."),
    )
    is_giftable = models.BooleanField(_("may be given to a friend"), default=False)
    most_gifts = models.PositiveSmallIntegerField(_("how often it may be passed on"), default=1)
    gift_hours = models.PositiveSmallIntegerField(
        _("hours to accept it"), default=24, help_text=_("Then it is the giver's again.")
    )

    budget_amount = models.DecimalField(
        _("budget"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("What the vouchers issued may cost you together at most. Empty: no limit."),
    )
    most_held = models.PositiveSmallIntegerField(
        _("most per member at a time"), null=True, blank=True, help_text=_("Unused ones. Empty: no limit.")
    )
    most_used_per_day = models.PositiveSmallIntegerField(
        _("most used per member and day"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    is_retired = models.BooleanField(
        _("no more are issued"), default=False, help_text=_("Those that members hold stay valid.")
    )

    class Meta:
        verbose_name = _("voucher template")
        verbose_name_plural = _("voucher templates")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["amount", "percent", "threshold", "exchange", "shipping", "multiplier"]),
                name="voucher_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["amount", "threshold"], off_amount__isnull=False, off_amount__gt=0)
                | (~Q(kind__in=["amount", "threshold"]) & Q(off_amount__isnull=True)),
                name="only_money_off_vouchers_have_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(kind="percent", off_percent__isnull=False, off_percent__gt=0, off_percent__lte=100)
                | (~Q(kind="percent") & Q(off_percent__isnull=True)),
                name="only_percent_vouchers_have_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(cap_amount__isnull=True) | Q(kind="percent", cap_amount__gt=0),
                name="only_percent_vouchers_have_a_cap",
            ),
            models.CheckConstraint(
                condition=~Q(kind="threshold") | Q(min_spend_amount__gt=0, off_amount__lte=F("min_spend_amount")),
                name="threshold_voucher_takes_no_more_than_its_threshold",
            ),
            models.CheckConstraint(
                condition=Q(most_times=1) | Q(kind="threshold", most_times__gt=1),
                name="only_threshold_vouchers_count_again",
            ),
            models.CheckConstraint(
                condition=Q(kind="multiplier", multiplier__isnull=False, multiplier__gt=1, multiplier__lte=20)
                | (~Q(kind="multiplier") & Q(multiplier__isnull=True)),
                name="only_multiplier_vouchers_multiply_points",
            ),
            models.CheckConstraint(condition=Q(kind="exchange") | Q(gift=""), name="only_exchange_vouchers_name_a_gift"),
            models.CheckConstraint(condition=Q(min_spend_amount__gte=0), name="voucher_min_spend_is_not_negative"),
            models.CheckConstraint(
                condition=Q(
                    validity="days",
                    validity_days__isnull=False,
                    validity_days__gt=0,
                    valid_from__isnull=True,
                    valid_to__isnull=True,
                )
                | (
                    Q(validity="dates", validity_days__isnull=True, starts_after_days=0, valid_to__isnull=False)
                    & (Q(valid_from__isnull=True) | Q(valid_from__lt=F("valid_to")))
                ),
                name="voucher_is_valid_for_days_or_between_dates",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6]), name="voucher_weekdays_are_monday_to_sunday"
            ),
            models.CheckConstraint(
                condition=Q(hour_from__isnull=True, hour_to__isnull=True)
                | (
                    Q(hour_from__isnull=False, hour_from__lte=23, hour_to__isnull=False, hour_to__gte=1, hour_to__lte=24)
                    & ~Q(hour_from=F("hour_to"))
                ),
                name="voucher_hours_are_a_span_of_a_day",
            ),
            models.CheckConstraint(
                condition=Q(stacking__in=["alone", "free"], stacking_class="")
                | (Q(stacking="class") & ~Q(stacking_class="")),
                name="voucher_of_a_group_names_it",
            ),
            models.CheckConstraint(condition=Q(is_given_back=True) | Q(grace_days=0), name="grace_is_for_what_is_given_back"),
            models.CheckConstraint(
                condition=Q(most_gifts__gt=0, gift_hours__gt=0), name="gifts_of_vouchers_can_be_accepted"
            ),
            models.CheckConstraint(
                condition=none_or_positive("cost_amount", "budget_amount", "most_held", "most_used_per_day"),
                name="voucher_limits_are_positive",
            ),
            models.CheckConstraint(
                condition=Q(budget_amount__isnull=True)
                | Q(kind__in=["amount", "threshold"])
                | Q(cap_amount__isnull=False)
                | Q(cost_amount__isnull=False),
                name="voucher_with_a_budget_says_what_it_costs",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def most_cost_amount(self) -> Decimal:
        """The most that one voucher can cost the brand, in money; 0 where nobody said."""
        if self.off_amount is not None:
            return self.off_amount * self.most_times
        return self.cap_amount or self.cost_amount or Decimal(0)

    def valid_span(self, at: datetime) -> tuple[datetime, datetime]:
        """Return from when until when a voucher issued at `at` may be used; one of fixed dates may be over already."""
        if self.validity_days is None:
            if self.valid_to is None:
                raise ValueError(f"voucher template {self.code} has no end")
            return max(at, self.valid_from or at), self.valid_to
        starts_at = at + timedelta(days=self.starts_after_days)
        return starts_at, starts_at + timedelta(days=self.validity_days)
