"""Limits: how much one member earned by a rule in a period, and what all members share."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member
from rewards.models.ledger import PointsCurrency
from rewards.models.spans import IdRange, TsTzRange


class Budget(models.Model):
    """Points that all members together may get from one source. What is taken stands in its slices.

    `total_points` is set by the owner of the budget (an earn rule); lowered below what was taken, nothing more is given.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    total_points = models.PositiveBigIntegerField(_("budget (points)"))

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")

    def __str__(self) -> str:
        return f"{self.pk}"


class BudgetSlice(models.Model):
    """A part of a budget. A purchase takes from the slice that its member falls to, so that few wait for each other.

    `capacity` moves between the slices of a budget when one runs dry, and by a task; the sum stays within the budget.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    budget = models.ForeignKey(
        Budget, on_delete=models.PROTECT, related_name="slices", verbose_name=_("budget"), db_index=False
    )
    slice_no = models.PositiveSmallIntegerField(_("slice"))
    capacity = models.PositiveBigIntegerField(_("capacity (points)"))
    used = models.PositiveBigIntegerField(pgettext_lazy("budget", "taken (points)"), default=0)

    class Meta:
        verbose_name = _("slice of a budget")
        verbose_name_plural = _("slices of budgets")
        constraints = [
            models.UniqueConstraint(fields=["budget", "slice_no"], name="budget_has_a_slice_once"),
            models.CheckConstraint(condition=Q(used__lte=F("capacity")), name="budget_slice_is_within_its_capacity"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id}/{self.slice_no}"


class CapCounter(models.Model):
    """What one member earned by a capped rule (without a rule: by all rules of a currency) in one day, month, or ever.

    Rows exist only where a cap applies. Returns count back, never below 0. Days that are long past are deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Period(models.IntegerChoices):
        DAY = 1, _("day")
        MONTH = 2, _("month")
        LIFE = 3, _("ever")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="cap_counters", verbose_name=_("member"), db_index=False
    )
    rule = models.ForeignKey(
        "EarnRule", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("earn rule"), db_index=False
    )
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency"), db_index=False
    )
    period = models.SmallIntegerField(_("period"), choices=Period)
    period_start = models.DateField(_("first day of the period"))
    used = models.PositiveBigIntegerField(_("points"), default=0)
    times = models.PositiveIntegerField(_("times"), default=0)

    class Meta:
        verbose_name = _("points towards a cap")
        verbose_name_plural = _("points towards caps")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "rule", "currency", "period", "period_start"],
                nulls_distinct=False,
                name="cap_is_counted_once_a_period",
            ),
            models.CheckConstraint(condition=Q(period__in=[1, 2, 3]), name="cap_period_is_known"),
        ]
        indexes = [models.Index(fields=["period_start"], condition=Q(period=1), name="cap_days_by_age")]

    def __str__(self) -> str:
        return f"{self.member_id}/{self.rule_id}/{self.period_start}"


class ProgrammeCap(models.Model):
    """The most a member can earn by all rules together in one currency, over [valid_from, valid_to).

    What has begun is changed only in its end; other limits are another row.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="programme_caps", verbose_name=_("points currency")
    )
    day_points = models.PositiveIntegerField(_("most per member and day (points)"), null=True, blank=True)
    month_points = models.PositiveIntegerField(_("most per member and month (points)"), null=True, blank=True)
    valid_from = models.DateTimeField(_("in force from"))
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)

    class Meta:
        verbose_name = _("programme cap")
        verbose_name_plural = _("programme caps")
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="programme_cap_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=(Q(day_points__gt=0) | Q(day_points__isnull=True))
                & (Q(month_points__gt=0) | Q(month_points__isnull=True))
                & ~Q(day_points__isnull=True, month_points__isnull=True),
                name="programme_cap_limits_something",
            ),
            ExclusionConstraint(
                name="one_programme_cap_is_in_force_at_a_time",
                expressions=[
                    (IdRange(F("currency_id")), RangeOperators.OVERLAPS),
                    (TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.valid_from:%Y-%m-%d}"
