"""Paid membership: plans that are sold, what members ordered, what runs, what was paid."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.ladder import Tier
from members.models import Member


class Plan(models.Model):
    """A membership that is sold: a tier for some months at a price. Its history is kept; what was sold keeps its own figures."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("plan", "draft")
        ON_SALE = "on_sale", _("on sale")
        WITHDRAWN = "withdrawn", _("no longer sold")

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("plan name"), max_length=60)
    text = models.TextField(_("what members read"), max_length=500, blank=True)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier it gives"))
    price_amount = models.DecimalField(
        _("price"), max_digits=12, decimal_places=2, help_text=_("For one period, in the programme's currency.")
    )
    period_months = models.PositiveSmallIntegerField(_("period (months)"), default=12)
    trial_days = models.PositiveSmallIntegerField(
        _("trial (days)"),
        default=0,
        help_text=_("Free to begin with, once per person whatever the plan. 0: no trial."),
    )
    can_renew = models.BooleanField(
        _("members may wish to renew"),
        default=True,
        help_text=_("Whether members can say that they mean to go on. Nothing is charged by itself."),
    )
    sale_from = models.DateTimeField(_("on sale from"))
    sale_until = models.DateTimeField(_("on sale until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["tier__rank", "price_amount"]
        constraints = [
            models.CheckConstraint(condition=Q(price_amount__gt=0), name="plan_has_a_price"),
            models.CheckConstraint(condition=Q(period_months__gt=0), name="plan_lasts_some_months"),
            models.CheckConstraint(condition=Q(trial_days__lte=366), name="trial_lasts_a_year_at_most"),
            models.CheckConstraint(
                condition=Q(sale_until__isnull=True) | Q(sale_until__gt=F("sale_from")), name="sale_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=Q(state__in=["draft", "on_sale", "withdrawn"]), name="plan_state_is_known"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class PlanMembership(models.Model):
    """A plan that a member holds or held, without a gap, from its first day on; its periods say what was given and paid.

    Runs as a trial or active; then it ended, was paid back, or gave way to a higher plan. At most one runs for a member.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        TRIAL = "trial", pgettext_lazy("plan", "trial")
        ACTIVE = "active", pgettext_lazy("plan", "paid")
        ENDED = "ended", pgettext_lazy("plan", "ended")
        REFUNDED = "refunded", pgettext_lazy("plan", "paid back")
        UPGRADED = "upgraded", pgettext_lazy("plan", "changed for a higher one")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="plan_memberships", verbose_name=_("member"), db_index=False
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan"))
    state = models.CharField(_("state"), max_length=10, choices=State)
    valid_from = models.DateTimeField(pgettext_lazy("begin", "from"))
    valid_until = models.DateTimeField(_("until"))
    anchor_date = models.DateField(_("first day of the paid periods"))
    months_given = models.PositiveSmallIntegerField(_("months since that day"), default=0)
    renews_intended = models.BooleanField(_("means to renew"), default=False)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    end_reason = models.CharField(_("why it ended"), max_length=200, blank=True, db_default="")

    class Meta:
        verbose_name = _("plan of a member")
        verbose_name_plural = _("plans of members")
        permissions = [
            ("sell_plan", _("Can sell plans and note whether members mean to renew")),
            ("refund_plan", _("Can end plans and note what is paid back")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member"], condition=Q(state__in=["trial", "active"]), name="member_has_one_running_plan"
            ),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("valid_from")), name="plan_of_member_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["trial", "active", "ended", "refunded", "upgraded"]),
                name="plan_of_member_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["trial", "active"], ended_at__isnull=True)
                | (~Q(state__in=["trial", "active"]) & Q(ended_at__isnull=False)),
                name="plan_of_member_has_ended_unless_it_runs",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-valid_from"], name="plans_of_member"),
            models.Index(fields=["-valid_from", "-id"], name="plans_of_members_newest_first"),
            models.Index(fields=["valid_until"], name="running_plans_by_end", condition=Q(state__in=["trial", "active"])),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.member_id}: {self.plan_id} ({self.state})"


class PlanOrder(models.Model):
    """What a member is to pay for a plan: the first period, another one, or the way up to a higher plan.

    Made by the member or by staff; paid outside and confirmed here. What nobody paid lapses, and is paid all the same if
    the money comes in later and the order still fits.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        PURCHASE = "purchase", pgettext_lazy("plan", "purchase")
        RENEWAL = "renewal", pgettext_lazy("plan", "renewal")
        UPGRADE = "upgrade", pgettext_lazy("plan", "upgrade")

    class State(models.TextChoices):
        PENDING = "pending", _("waits for payment")
        PAID = "paid", pgettext_lazy("order", "paid")
        LAPSED = "lapsed", _("not paid in time")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="plan_orders", verbose_name=_("member"), db_index=False
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    membership = models.ForeignKey(
        PlanMembership,
        on_delete=models.PROTECT,
        null=True,
        related_name="orders",
        verbose_name=_("plan it goes on from"),
    )
    amount = models.DecimalField(_("to pay"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    spans = models.JSONField(
        _("what it gives"), default=list, help_text=_("Of an upgrade: from, until and share of the price of each period.")
    )  # fmt: skip
    renews_intended = models.BooleanField(_("means to renew"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    made_at = models.DateTimeField(_("ordered at"))
    expires_at = models.DateTimeField(_("to be paid until"))
    actor_kind = models.CharField(_("ordered by"), max_length=10)
    actor_id = models.BigIntegerField(_("id of who ordered"), null=True)

    class Meta:
        verbose_name = _("order of a plan")
        verbose_name_plural = _("orders of plans")
        constraints = [
            models.UniqueConstraint(fields=["member"], condition=Q(state="pending"), name="one_plan_order_waits_per_member"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="plan_order_amount_is_not_negative"),
            models.CheckConstraint(condition=Q(state__in=["pending", "paid", "lapsed"]), name="plan_order_state_is_known"),
            models.CheckConstraint(
                condition=Q(kind__in=["purchase", "renewal", "upgrade"]), name="plan_order_kind_is_known"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["member", "-made_at"], name="plan_orders_of_member"),
            models.Index(fields=["-made_at", "-id"], name="plan_orders_newest_first"),
            models.Index(fields=["expires_at"], name="waiting_plan_orders", condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.kind} ({self.state})"


class PlanPayment(models.Model):
    """Money that came in for a plan, or went back. Its number at the source is unique for ever: a repeat changes nothing."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        PURCHASE = "purchase", pgettext_lazy("plan", "purchase")
        RENEWAL = "renewal", pgettext_lazy("plan", "renewal")
        UPGRADE = "upgrade", pgettext_lazy("plan", "upgrade")
        REFUND = "refund", pgettext_lazy("plan", "refund")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="plan_payments", verbose_name=_("member"), db_index=False
    )
    membership = models.ForeignKey(
        PlanMembership, on_delete=models.PROTECT, related_name="payments", verbose_name=_("plan of the member")
    )
    order = models.OneToOneField(
        PlanOrder, on_delete=models.PROTECT, null=True, related_name="payment", verbose_name=_("order")
    )
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    source = models.CharField(_("source"), max_length=40)
    external_ref = models.CharField(_("number at the source"), max_length=80)
    fingerprint = models.BinaryField(_("hash of what was told"), max_length=32)
    figures = models.JSONField(_("how it was worked out"), default=dict)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    paid_at = models.DateTimeField(_("paid at"))
    actor_kind = models.CharField(_("confirmed by"), max_length=10)
    actor_id = models.BigIntegerField(_("id of who confirmed"), null=True)
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("payment for a plan")
        verbose_name_plural = _("payments for plans")
        constraints = [
            models.UniqueConstraint(fields=["source", "external_ref"], name="payment_is_told_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="plan_payment_amount_is_not_negative"),
            models.CheckConstraint(
                condition=Q(kind__in=["purchase", "renewal", "upgrade", "refund"]), name="plan_payment_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="refund", order__isnull=True) | (~Q(kind="refund") & Q(order__isnull=False)),
                name="plan_payment_has_an_order_unless_refund",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-paid_at"], name="plan_payments_of_member"),
            models.Index(fields=["-paid_at", "-id"], name="plan_payments_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_ref}"


class PlanPeriod(models.Model):
    """One span of a plan that was given: the trial, or a period with what it cost. Each gives a floor of its own.

    The plan of the member may end before its last period does; then what was left of the price was paid back or carried over.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        TRIAL = "trial", pgettext_lazy("plan", "trial")
        PAID = "paid", pgettext_lazy("plan", "paid")

    membership = models.ForeignKey(
        PlanMembership, on_delete=models.PROTECT, related_name="periods", verbose_name=_("plan of the member"), db_index=False
    )  # fmt: skip
    number = models.PositiveSmallIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    valid_from = models.DateTimeField(pgettext_lazy("begin", "from"))
    valid_until = models.DateTimeField(_("until"))
    amount = models.DecimalField(_("share of the price"), max_digits=12, decimal_places=2, default=0)
    payment = models.ForeignKey(
        PlanPayment, on_delete=models.PROTECT, null=True, related_name="periods", verbose_name=_("payment")
    )
    reminded_days = models.PositiveSmallIntegerField(
        _("reminded so many days before its end"), null=True, help_text=_("The nearest reminder that was told.")
    )

    class Meta:
        verbose_name = _("period of a plan")
        verbose_name_plural = _("periods of plans")
        constraints = [
            models.UniqueConstraint(fields=["membership", "number"], name="periods_of_a_plan_are_numbered"),
            models.CheckConstraint(condition=Q(valid_until__gt=F("valid_from")), name="period_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="period_amount_is_not_negative"),
            models.CheckConstraint(condition=Q(kind__in=["trial", "paid"]), name="plan_period_kind_is_known"),
        ]
        indexes = [models.Index(fields=["valid_until"], name="plan_periods_by_end")]

    def __str__(self) -> str:
        return f"{self.membership_id} #{self.number}"


class PlanTrial(models.Model):
    """That a person had a trial. One row per member holds "once per person"; a merge marks the survivor as well."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="plan_trial", verbose_name=_("member")
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan"))
    taken_at = models.DateTimeField(_("begun at"))

    class Meta:
        verbose_name = _("trial of a plan")
        verbose_name_plural = _("trials of plans")

    def __str__(self) -> str:
        return f"{self.member_id}: {self.plan_id}"
