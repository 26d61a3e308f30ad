"""The monthly close of the points books: what came in and went out of the ledger in a month, and what is owed at its end."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Operator, Store
from rewards.models.ledger import Lot, PointsCurrency


class Movement(models.IntegerChoices):
    """The columns of a roll-forward: from what stood at the beginning to what stands at the end."""

    OPENING = 0, _("opening balance")
    EARNED = 1, _("earned")
    ADJUSTED = 2, _("adjusted by staff")
    REDEEMED = 3, _("redeemed")
    EXPIRED = 4, _("expired")
    RETURNED = 5, _("taken back after returns")
    RESTORED = 6, _("redemptions taken back")
    REINSTATED = 7, _("expired points given back")
    CORRECTED = 8, _("wrong credits taken back")
    TRANSFERRED = 9, _("transferred between members")
    DONATED = 10, _("donated")
    PARTNER_OUT = 11, _("converted to partners")
    PARTNER_IN = 12, _("converted from partners")
    WRITTEN_OFF = 13, _("arrears forgiven")
    INTERNAL = 14, _("arrears repaid")
    REVALUED = 20, _("revaluation")
    CLOSING = 21, _("closing balance")


class MonthClose(models.Model):
    """The close of one month of one points currency. A draft is worked out anew at will; once locked nothing of it changes.

    A fact belongs to the month in which it happened, unless that month was locked before the fact was recorded; then it
    belongs to the first month locked after that. `entry_mark` makes this exact: a lock takes the entries up to it, and of
    these every one that happened before `ends_at` and that no earlier lock has taken.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("month close", "draft")
        LOCKED = "locked", pgettext_lazy("month close", "locked")

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="closes", verbose_name=_("points currency")
    )
    month = models.DateField(_("month"), help_text=_("Its first day."))
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.DRAFT)
    previous = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="next", verbose_name=_("month before")
    )
    begins_books = models.BooleanField(
        _("the books begin here"), default=False, help_text=_("All that happened earlier is the opening balance.")
    )
    starts_at = models.DateTimeField(_("begins at"))
    ends_at = models.DateTimeField(_("ends at"))
    entry_mark = models.BigIntegerField(_("last entry taken"))
    entries = models.BigIntegerField(_("entries"))
    late_entries = models.BigIntegerField(_("entries that belong to earlier months by their day"))
    late_points = models.BigIntegerField(_("points of late entries"))
    opening_points = models.BigIntegerField(_("opening balance (points)"))
    closing_points = models.BigIntegerField(_("closing balance (points)"))
    available_points = models.BigIntegerField(_("available at the end (points)"))
    pending_points = models.BigIntegerField(_("pending at the end (points)"))
    held_points = models.BigIntegerField(_("held at the end (points)"))
    arrears_points = models.BigIntegerField(_("arrears at the end (points)"))
    balances_points = models.BigIntegerField(_("closing balance by the accounts (points)"))
    lots_points = models.BigIntegerField(_("closing balance by the lots (points)"))
    money_currency = models.CharField(_("currency"), max_length=3)
    money_per_point = models.DecimalField(_("value of one point (money)"), max_digits=12, decimal_places=6, null=True)
    opening_amount = models.DecimalField(_("opening balance (money)"), max_digits=16, decimal_places=2, null=True)
    closing_amount = models.DecimalField(_("closing balance (money)"), max_digits=16, decimal_places=2, null=True)
    used_share = models.DecimalField(_("share of points used in the end"), max_digits=7, decimal_places=6)
    breakage_share = models.DecimalField(_("expected breakage"), max_digits=7, decimal_places=6)
    liability_amount = models.DecimalField(_("liability (money)"), max_digits=16, decimal_places=2, null=True)
    has_settlement = models.BooleanField(
        _("states the settlement between stores"),
        default=False,
        db_default=False,
        help_text=_("Months that were locked before the portal settled between stores do not."),
    )
    voucher_mark = models.BigIntegerField(_("last voucher event taken"), null=True)
    voucher_count = models.BigIntegerField(_("vouchers out at the end"), null=True)
    voucher_counted_count = models.BigIntegerField(_("vouchers out at the end by the vouchers"), null=True)
    voucher_liability_amount = models.DecimalField(
        _("liability of vouchers (money)"), max_digits=16, decimal_places=2, null=True
    )
    worked_out_at = models.DateTimeField(_("worked out at"))
    locked_at = models.DateTimeField(_("locked at"), null=True)
    locked_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("locked by")
    )
    reason = models.CharField(_("reason"), max_length=200, db_default="", blank=True)

    class Meta:
        verbose_name = _("month close")
        verbose_name_plural = _("month closes")
        permissions = [("lock_month", "Can lock a month of the points books")]
        constraints = [
            models.UniqueConstraint(fields=["currency", "month"], name="month_is_closed_once_per_currency"),
            models.UniqueConstraint(
                fields=["currency"], condition=Q(state="draft"), name="currency_has_one_month_in_draft"
            ),
            models.UniqueConstraint(
                fields=["currency"], condition=Q(previous__isnull=True), name="currency_has_one_month_where_books_begin"
            ),
            models.CheckConstraint(condition=Q(state__in=["draft", "locked"]), name="month_close_state_is_known"),
            models.CheckConstraint(condition=Q(month__day=1), name="month_close_names_a_first_day"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="month_close_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(
                    closing_points=F("available_points") + F("pending_points") + F("held_points") - F("arrears_points")
                ),
                name="month_close_is_the_sum_of_its_balances",
            ),
            models.CheckConstraint(
                condition=Q(state="draft")
                | Q(
                    closing_points=F("balances_points"),
                    lots_points=F("closing_points"),
                    liability_amount__isnull=False,
                    locked_at__isnull=False,
                    locked_at__gte=F("ends_at"),
                )
                & ~Q(reason=""),
                name="locked_month_agrees_with_the_ledger",
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(voucher_count=F("voucher_counted_count")),
                name="locked_month_agrees_with_the_vouchers",
            ),
            models.CheckConstraint(
                condition=Q(
                    voucher_mark__isnull=True,
                    voucher_count__isnull=True,
                    voucher_counted_count__isnull=True,
                    voucher_liability_amount__isnull=True,
                )
                | Q(
                    voucher_mark__isnull=False,
                    voucher_count__isnull=False,
                    voucher_counted_count__isnull=False,
                    voucher_liability_amount__isnull=False,
                ),
                name="month_close_states_all_of_vouchers_or_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id}/{self.month:%Y-%m}"

    @property
    def is_locked(self) -> bool:
        """Whether nothing of it can change any more."""
        return self.state == self.State.LOCKED

    @property
    def agrees(self) -> bool:
        """Whether movements, accounts and lots give the same closing balance, to the point."""
        return self.closing_points == self.balances_points == self.lots_points

    @property
    def has_vouchers(self) -> bool:
        """Whether it states the vouchers that were out: one points currency does so for the whole programme."""
        return self.voucher_mark is not None


class CloseLine(models.Model):
    """One figure of a month's roll-forward: a movement, in all or of one source, store or tier. Part of its close.

    Parts are named by what issued the points: the source of their lot, the store and the member's tier of the transaction
    that made it. Arrears belong to no lot and stand as a part of their own.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Part(models.IntegerChoices):
        TOTAL = 0, _("in all")
        SOURCE = 1, _("by source")
        STORE = 2, _("by store")
        TIER = 3, _("by tier")

    close = models.ForeignKey(
        MonthClose, on_delete=models.PROTECT, related_name="lines", verbose_name=_("month close"), db_index=False
    )
    part = models.SmallIntegerField(_("part"), choices=Part)
    is_arrears = models.BooleanField(_("arrears"), default=False)
    origin = models.SmallIntegerField(_("source"), choices=Lot.Origin, null=True)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    tier_code = models.CharField(_("tier"), max_length=30, db_default="", blank=True)
    movement = models.SmallIntegerField(_("movement"), choices=Movement)
    points = models.BigIntegerField(_("points"))
    amount = models.DecimalField(_("amount (money)"), max_digits=16, decimal_places=2, null=True)

    class Meta:
        verbose_name = _("figure of a month close")
        verbose_name_plural = _("figures of a month close")
        constraints = [
            models.UniqueConstraint(
                fields=["close", "part", "is_arrears", "origin", "store", "tier_code", "movement"],
                nulls_distinct=False,
                name="month_close_states_a_figure_once",
            ),
            models.CheckConstraint(condition=Q(part__range=(0, 3)), name="part_of_a_close_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.close_id}: {self.part}/{self.movement}: {self.points}"


class VintageFigure(models.Model):
    """What happened in a closed month to the points of one month of issue. All of them together are the breakage triangle.

    `age_months` counts from the month of issue. The close with which the books begin also tells of the months before it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    close = models.ForeignKey(
        MonthClose, on_delete=models.PROTECT, related_name="vintages", verbose_name=_("month close"), db_index=False
    )
    vintage_month = models.DateField(_("month of issue"))
    age_months = models.SmallIntegerField(_("age (months)"))
    issued_points = models.BigIntegerField(_("issued (points)"), default=0)
    withdrawn_points = models.BigIntegerField(_("taken back (points)"), default=0)
    used_points = models.BigIntegerField(_("used (points)"), default=0)
    expired_points = models.BigIntegerField(_("expired (points)"), default=0)

    class Meta:
        verbose_name = _("vintage figure")
        verbose_name_plural = _("vintage figures")
        constraints = [
            models.UniqueConstraint(
                fields=["close", "vintage_month", "age_months"], name="month_close_states_a_vintage_age_once"
            ),
            models.CheckConstraint(condition=Q(age_months__gte=0), name="vintage_is_not_older_than_issue"),
        ]

    def __str__(self) -> str:
        return f"{self.close_id}: {self.vintage_month:%Y-%m}+{self.age_months}"


class ClosingAccount(models.Model):
    """Which account of the books one sort of movement is posted to in the journal. Made by migration; finance sets the codes."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Purpose(models.TextChoices):
        LIABILITY = "liability", _("points owed to members (contract liability)")
        BREAKAGE = "breakage", _("expected breakage (deducted from the liability)")
        GRANTED = "granted", _("points granted with purchases (deducted from revenue)")
        REDEEMED = "redeemed", _("points redeemed (revenue)")
        EXPIRED = "expired", _("points expired and expected breakage (revenue)")
        GOODWILL = "goodwill", _("points given or taken by staff (expense)")
        DONATED = "donated", _("owed to charity projects")
        PARTNER = "partner", _("settlement with partners")
        WRITTEN_OFF = "written_off", _("arrears forgiven (expense)")
        REVALUED = "revalued", _("change of the value of a point")
        STORES = "stores", _("settlement between stores")
        VOUCHERS = "vouchers", _("vouchers owed to members (contract liability)")
        VOUCHER_COST = "voucher_cost", _("vouchers granted (deducted from revenue)")

    purpose = models.CharField(_("movement"), max_length=12, choices=Purpose, unique=True)
    code = models.CharField(
        _("account"), max_length=30, help_text=_("Its number in your chart of accounts, for example 2205.01.")
    )

    class Meta:
        verbose_name = _("account of the journal")
        verbose_name_plural = _("accounts of the journal")
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[0-9A-Za-z][0-9A-Za-z.-]*$"), name="account_code_is_plain"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.code}"
