"""What a month close states beside the roll-forward: what stores owe each other, and the vouchers that are still out."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Store
from rewards.models.close import MonthClose
from rewards.models.vouchers import VoucherTemplate


class SettlementLine(models.Model):
    """Points of a month that one store issued and one store took in, and those of them that came back. Part of its close.

    No store stands for head office: points issued by staff, partners or online, redemptions of the catalogue. What redemptions
    repay of arrears, or the other way round, lies in no lot and stands as a line of its own, for head office as well.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    close = models.ForeignKey(
        MonthClose, on_delete=models.PROTECT, related_name="settlement", verbose_name=_("month close"), db_index=False
    )
    issuing_store = models.ForeignKey(
        Store,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=pgettext_lazy("settlement", "issued by"),
        db_index=False,
    )
    is_arrears = models.BooleanField(_("arrears"), default=False)
    spending_store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("spent at"), db_index=False
    )
    spent_points = models.BigIntegerField(_("spent (points)"), default=0)
    restored_points = models.BigIntegerField(_("given back (points)"), default=0)
    spent_amount = models.DecimalField(_("spent (money)"), max_digits=16, decimal_places=2, null=True)
    restored_amount = models.DecimalField(_("given back (money)"), max_digits=16, decimal_places=2, null=True)

    class Meta:
        verbose_name = _("settlement between stores")
        verbose_name_plural = _("settlements between stores")
        constraints = [
            models.UniqueConstraint(
                fields=["close", "issuing_store", "is_arrears", "spending_store"],
                nulls_distinct=False,
                name="month_close_settles_a_pair_of_stores_once",
            ),
            models.CheckConstraint(
                condition=~Q(spent_points=0, restored_points=0), name="settlement_is_about_some_points"
            ),
            models.CheckConstraint(
                condition=Q(is_arrears=False) | Q(issuing_store__isnull=True), name="no_store_issues_arrears"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.close_id}: {self.issuing_store_id} → {self.spending_store_id}"


class VoucherLine(models.Model):
    """How many vouchers of one template were out when a month ended, and what they are expected to cost. Part of its close.

    Templates without a value in money are counted only.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    close = models.ForeignKey(
        MonthClose, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("month close"), db_index=False
    )
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="+", verbose_name=_("voucher template"), db_index=False
    )
    opening_count = models.BigIntegerField(_("out at the beginning"), default=0)
    issued_count = models.BigIntegerField(_("issued"), default=0)
    used_count = models.BigIntegerField(_("used"), default=0)
    expired_count = models.BigIntegerField(_("expired"), default=0)
    revoked_count = models.BigIntegerField(pgettext_lazy("vouchers", "revoked"), default=0)
    closing_count = models.BigIntegerField(_("out at the end"), default=0)
    counted_count = models.BigIntegerField(_("out at the end by the vouchers"), default=0)
    ended_count = models.BigIntegerField(_("used or expired so far"), default=0)
    face_value = models.DecimalField(_("face value of one (money)"), max_digits=10, decimal_places=2, null=True)
    face_amount = models.DecimalField(_("face value (money)"), max_digits=16, decimal_places=2, null=True)
    breakage_share = models.DecimalField(_("expected breakage"), max_digits=7, decimal_places=6, default=0)
    opening_amount = models.DecimalField(
        _("liability at the beginning (money)"), max_digits=16, decimal_places=2, null=True
    )
    liability_amount = models.DecimalField(_("liability (money)"), max_digits=16, decimal_places=2, null=True)

    class Meta:
        verbose_name = _("vouchers of a month close")
        verbose_name_plural = _("vouchers of a month close")
        constraints = [
            models.UniqueConstraint(fields=["close", "template"], name="month_close_counts_a_template_once"),
            models.CheckConstraint(
                condition=Q(
                    closing_count=F("opening_count")
                    + F("issued_count")
                    - F("used_count")
                    - F("expired_count")
                    - F("revoked_count")
                ),
                name="vouchers_out_are_the_sum_of_their_movements",
            ),
            models.CheckConstraint(
                condition=Q(breakage_share__gte=0, breakage_share__lte=1), name="voucher_breakage_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(face_value__isnull=True, face_amount__isnull=True, liability_amount__isnull=True)
                | Q(face_amount=F("closing_count") * F("face_value"), liability_amount__isnull=False),
                name="voucher_liability_follows_its_face_value",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.close_id}: {self.template_id}: {self.closing_count}"

    @property
    def breakage_percent(self) -> str:
        """The expected breakage as people read it, without its sign: 12.34."""
        return f"{self.breakage_share * 100:.2f}"

    @property
    def agrees(self) -> bool:
        """Whether the movements and the vouchers themselves give the same number."""
        return self.closing_count == self.counted_count


class VoucherVintage(models.Model):
    """What happened in a closed month to the vouchers of one template and month of issue. Together they tell the breakage.

    `age_months` counts from the month of issue. The close with which vouchers begin also tells of the months before it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    close = models.ForeignKey(
        MonthClose, on_delete=models.PROTECT, related_name="+", verbose_name=_("month close"), db_index=False
    )
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="+", verbose_name=_("voucher template"), db_index=False
    )
    vintage_month = models.DateField(_("month of issue"))
    age_months = models.SmallIntegerField(_("age (months)"))
    issued_count = models.BigIntegerField(_("issued"), default=0)
    used_count = models.BigIntegerField(_("used"), default=0)
    expired_count = models.BigIntegerField(_("expired"), default=0)
    revoked_count = models.BigIntegerField(pgettext_lazy("vouchers", "revoked"), default=0)

    class Meta:
        verbose_name = _("vouchers by month of issue")
        verbose_name_plural = _("vouchers by month of issue")
        constraints = [
            models.UniqueConstraint(
                fields=["close", "template", "vintage_month", "age_months"],
                name="month_close_states_a_voucher_age_once",
            ),
            models.CheckConstraint(condition=Q(age_months__gte=0), name="vouchers_are_not_older_than_issue"),
        ]

    def __str__(self) -> str:
        return f"{self.close_id}: {self.template_id}: {self.vintage_month:%Y-%m}+{self.age_months}"
