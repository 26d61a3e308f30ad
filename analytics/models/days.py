"""Figures by day, folded from the timeline."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models import Member, Store


class DayFigures(models.Model):
    """What happened on one business day (programme's zone) in one store; without a store: online and unknown.

    Money in the programme's currency, net of returns where the name says net. Rebuilt by replaying the timeline.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    date = models.DateField(_("date"))
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    members_joined = models.IntegerField(_("new members"), default=0)
    members_active = models.IntegerField(_("members who bought"), default=0)
    member_orders = models.IntegerField(_("orders of members"), default=0)
    guest_orders = models.IntegerField(_("orders of others"), default=0)
    member_sales_amount = models.DecimalField(_("sales to members, net"), max_digits=16, decimal_places=2, default=0)
    guest_sales_amount = models.DecimalField(_("sales to others, net"), max_digits=16, decimal_places=2, default=0)
    points_issued = models.BigIntegerField(_("points issued"), default=0)
    points_redeemed = models.BigIntegerField(_("points redeemed"), default=0)
    points_expired = models.BigIntegerField(_("points expired"), default=0)
    points_taken_back = models.BigIntegerField(_("points taken back"), default=0)
    points_adjusted = models.BigIntegerField(_("points adjusted, net"), default=0, db_default=0)
    redemptions = models.IntegerField(_("redemptions"), default=0)
    vouchers_used = models.IntegerField(_("vouchers used"), default=0)
    tiers_raised = models.IntegerField(_("upgrades"), default=0)
    tiers_lowered = models.IntegerField(_("downgrades"), default=0)

    class Meta:
        verbose_name = _("figures of a day")
        verbose_name_plural = _("figures of days")
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(fields=["date", "store"], name="day_and_store_have_one_row", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.store_id}"


class MemberDay(models.Model):
    """A member bought something on a day: makes distinct members of a day countable. First store of the day counts."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    pk = models.CompositePrimaryKey("date", "member_id")
    date = models.DateField(_("date"))
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )

    class Meta:
        verbose_name = _("day of a member")
        verbose_name_plural = _("days of members")

    def __str__(self) -> str:
        return f"{self.date} {self.member_id}"
