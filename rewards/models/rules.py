"""What a purchase earns."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _


class TsTzRange(Func):
    """A half-open span of time from two columns; an empty end means open."""

    function = "tstzrange"


class EarnRule(models.Model):
    """One version of the base earn rule, in force over [valid_from, valid_to): points per unit of money spent.

    A version that a purchase has used is never changed; a change is a new version.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    version = models.PositiveIntegerField(_("version"), unique=True)
    name = models.CharField(_("rule name"), max_length=80)
    points_per_step = models.PositiveIntegerField(_("points for each step"), default=1)
    step_amount = models.DecimalField(
        _("step (money)"),
        max_digits=10,
        decimal_places=2,
        default=1,
        help_text=_("1 point for each 10.00 spent: points 1, step 10.00."),
    )
    pending_days = models.PositiveSmallIntegerField(
        _("pending (days)"),
        default=0,
        help_text=_("Days until the points can be spent, usually the time allowed for returns."),
    )
    expiry_months = models.PositiveSmallIntegerField(
        _("expiry (months)"),
        default=12,
        help_text=_("Points expire at the end of the month this many months after they were earned."),
    )
    valid_from = models.DateTimeField(_("in force from"))
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)

    class Meta:
        verbose_name = _("earn rule")
        verbose_name_plural = _("earn rules")
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(condition=Q(points_per_step__gt=0), name="earn_rule_gives_points"),
            models.CheckConstraint(condition=Q(step_amount__gt=0), name="earn_rule_step_is_positive"),
            models.CheckConstraint(condition=Q(expiry_months__gt=0), name="earn_rule_expiry_is_positive"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="earn_rule_ends_after_it_begins",
            ),
            ExclusionConstraint(
                name="one_base_earn_rule_is_in_force_at_a_time",
                expressions=[(TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
