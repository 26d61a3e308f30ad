"""The tier ladder: which tiers there are, and what it takes to rise and to keep, by version."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _


class TsTzRange(Func):
    """A half-open span of time from two columns; an empty end means open."""

    function = "tstzrange"
    template = "%(function)s(%(expressions)s)"


class Tier(models.Model):
    """A tier members can hold. Its code and rank are for ever; what it takes to reach it is in the ladder's versions."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("tier name"), max_length=40)
    rank = models.PositiveSmallIntegerField(
        _("rank"), unique=True, help_text=_("0 is the tier everybody starts in; higher is better.")
    )
    colour = models.CharField(_("colour"), max_length=7, default="#8a8f98", help_text=_("For badges, like #c9a227."))

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ["rank"]
        constraints = [
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-fA-F]{6}$"), name="tier_colour_is_six_hex_digits"
            )
        ]

    def __str__(self) -> str:
        return self.name


class LadderVersion(models.Model):
    """One version of the rules of the ladder, in force over [valid_from, valid_to). At any moment at most one is."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    number = models.PositiveIntegerField(_("version"), unique=True)
    valid_from = models.DateTimeField(_("in force from"))
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)
    qualifying_months = models.PositiveSmallIntegerField(
        _("qualifying period (months)"),
        default=12,
        help_text=_("Tier credits of this many months back from the day count."),
    )
    validity_months = models.PositiveSmallIntegerField(
        _("tier validity (months)"),
        default=12,
        help_text=_("A tier is held this long, to the end of the month, and then reviewed."),
    )
    soft_landing = models.BooleanField(
        _("soft landing"), default=True, help_text=_("At a review a member falls by one step at most.")
    )
    credits_per_unit = models.PositiveSmallIntegerField(
        _("tier credits per unit of money"),
        default=1,
        help_text=_("Tier credits for each whole unit of the programme's currency spent."),
    )

    class Meta:
        verbose_name = _("tier ladder version")
        verbose_name_plural = _("tier ladder versions")
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="ladder_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(qualifying_months__gt=0, validity_months__gt=0), name="ladder_spans_are_positive"
            ),
            ExclusionConstraint(
                name="one_ladder_is_in_force_at_a_time",
                expressions=[(TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class TierRule(models.Model):
    """What one tier takes and gives under one version of the ladder."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    ladder = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="rules", verbose_name=_("ladder version")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="rules", verbose_name=_("tier"))
    rise_credits = models.PositiveIntegerField(
        _("tier credits to rise"),
        help_text=_("Tier credits within the qualifying period that lift a member here at once."),
    )
    keep_credits = models.PositiveIntegerField(
        _("tier credits to keep"),
        help_text=_("Tier credits within the qualifying period that a review asks for to keep the tier."),
    )
    points_multiplier = models.DecimalField(
        _("points multiplier"),
        max_digits=4,
        decimal_places=2,
        default=1,
        help_text=_("1.50 means half as many base points again."),
    )

    class Meta:
        verbose_name = _("tier rule")
        verbose_name_plural = _("tier rules")
        ordering = ["ladder", "tier__rank"]
        constraints = [
            models.UniqueConstraint(fields=["ladder", "tier"], name="tier_has_one_rule_per_ladder"),
            models.CheckConstraint(
                condition=Q(keep_credits__lte=F("rise_credits")), name="keeping_is_not_harder_than_rising"
            ),
            models.CheckConstraint(condition=Q(points_multiplier__gte=1), name="multiplier_is_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.ladder_id}/{self.tier_id}"
