"""Promotions on purchases."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models import Tier
from members.models import Member, Store


class Promotion(models.Model):
    """More points on purchases within a span of time: the base points times a factor.

    What has begun is changed only by pausing or ending it; a purchase keeps the words it was given.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        LIVE = "live", _("live")
        PAUSED = "paused", _("paused")

    name = models.CharField(_("promotion name"), max_length=80)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.DRAFT)
    factor = models.DecimalField(
        _("base points times"), max_digits=4, decimal_places=2, default=2, help_text=_("2.00 is double points.")
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("weekdays"),
        help_text=_("None chosen: every day."),
    )
    stores = models.ManyToManyField(
        Store, blank=True, related_name="+", verbose_name=_("stores"), help_text=_("None chosen: all stores.")
    )
    min_tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("from tier"),
        help_text=_("Empty: every tier."),
    )
    min_spend_amount = models.DecimalField(_("from a spend of"), max_digits=10, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["draft", "live", "paused"]), name="promotion_state_is_known"),
            models.CheckConstraint(condition=Q(factor__gt=1), name="promotion_gives_more"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="promotion_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(min_spend_amount__gte=0), name="promotion_min_spend_is_not_negative"),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6]),
                name="promotion_weekdays_are_monday_to_sunday",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PromotionUse(models.Model):
    """What a promotion added to one purchase; a negative row when a return took it back."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="uses", verbose_name=_("promotion"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    source = models.CharField(_("source"), max_length=40)
    source_ref = models.CharField(_("reference in the source"), max_length=80)
    points = models.BigIntegerField(_("points"))
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("use of a promotion")
        verbose_name_plural = _("uses of promotions")
        constraints = [
            models.UniqueConstraint(fields=["promotion", "source", "source_ref"], name="promotion_counts_a_fact_once"),
            models.CheckConstraint(condition=~Q(points=0), name="promotion_use_has_points"),
        ]
        indexes = [models.Index(fields=["promotion", "happened_at"], name="uses_of_promotion")]

    def __str__(self) -> str:
        return f"{self.promotion_id} {self.source_ref}: {self.points}"
