"""Entitlements: a benefit given to one member, with what is left of it; and every use."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.benefits import Benefit, BenefitBudget
from loyalty.models.ladder import Tier
from members.models import Member, Store


class Entitlement(models.Model):
    """A benefit given to one member for one span: so many uses, and how many are used. What was given twice stands once.

    It is used up, expires with its span, or is taken back; a use that is undone opens it again. `period_key` names the
    period it was given for, `source_ref` what gave it: nothing for a tier, since a member has one at a time.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Source(models.TextChoices):
        TIER = "tier", pgettext_lazy("source of a benefit", "tier")
        PLAN = "plan", pgettext_lazy("source of a benefit", "paid membership")
        CAMPAIGN = "campaign", pgettext_lazy("source of a benefit", "campaign")
        STAFF = "staff", pgettext_lazy("source of a benefit", "staff")
        TASK = "task", pgettext_lazy("source of a benefit", "task of a stage")

    class State(models.TextChoices):
        GRANTED = "granted", pgettext_lazy("entitlement", "given")
        USED_UP = "used_up", pgettext_lazy("entitlement", "used up")
        EXPIRED = "expired", pgettext_lazy("entitlement", "expired")
        REVOKED = "revoked", pgettext_lazy("entitlement", "taken back")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="entitlements", verbose_name=_("member"), db_index=False
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, related_name="entitlements", verbose_name=_("benefit")
    )
    source = models.CharField(_("given by"), max_length=8, choices=Source)
    source_ref = models.CharField(_("reference in the source"), max_length=80, blank=True)
    period_key = models.CharField(_("period"), max_length=24, blank=True)
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("tier"), db_index=False
    )
    quota = models.PositiveIntegerField(_("uses"))
    used = models.PositiveIntegerField(_("used"), default=0)
    unit_cost_amount = models.DecimalField(_("cost of one use"), max_digits=10, decimal_places=2, null=True)
    budget = models.ForeignKey(
        BenefitBudget, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("budget"), db_index=False
    )
    tier_budget = models.ForeignKey(
        BenefitBudget,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("budget of the tier"),
        db_index=False,
    )
    valid_from = models.DateTimeField(pgettext_lazy("begin", "from"))
    valid_to = models.DateTimeField(_("until"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.GRANTED)
    ended_because = models.CharField(_("why it was taken back"), max_length=20, blank=True)
    granted_at = models.DateTimeField(_("given at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("entitlement")
        verbose_name_plural = _("entitlements")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "benefit", "source", "source_ref", "period_key"],
                name="benefit_is_given_once_for_a_period",
            ),
            models.CheckConstraint(
                condition=Q(used__lte=F("quota"), quota__gt=0), name="entitlement_is_used_within_its_quota"
            ),
            models.CheckConstraint(
                condition=Q(state="granted", used__lt=F("quota"))
                | Q(state="used_up", used=F("quota"))
                | Q(state__in=["expired", "revoked"]),
                name="entitlement_is_open_while_uses_are_left",
            ),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="entitlement_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(source__in=["tier", "plan", "campaign", "staff", "task"]),
                name="entitlement_source_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="revoked") | Q(ended_because=""), name="only_what_is_taken_back_says_why"
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-valid_to"], name="entitlements_of_member"),
            models.Index(fields=["valid_to"], name="entitlement_due", condition=Q(state="granted")),
            models.Index(fields=["-granted_at", "-id"], name="entitlement_newest_first"),
        ]
        permissions = [
            ("use_entitlement", _("Can note that members use benefits, and take that back")),
            ("give_benefit", _("Can give members benefits by hand, and take them back")),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.benefit_id} {self.used}/{self.quota}"

    @property
    def left(self) -> int:
        """Uses that are left, whether or not they can be used now."""
        return self.quota - self.used


class EntitlementUse(models.Model):
    """One use of an entitlement, or (with `undoes`, and units below 0) its opposite. Named by its source for ever.

    `left_after` is what the first answer said, so that a repeat says the same.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    entitlement = models.ForeignKey(
        Entitlement, on_delete=models.PROTECT, related_name="uses", verbose_name=_("entitlement")
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, related_name="+", verbose_name=_("benefit"), db_index=False
    )
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("tier"), db_index=False
    )
    units = models.SmallIntegerField(_("uses"))
    left_after = models.PositiveIntegerField(_("left after it"))
    source = models.CharField(_("source"), max_length=40)
    external_ref = models.CharField(_("reference in the source"), max_length=160)
    undoes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="undone_by", verbose_name=_("takes back")
    )
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    cost_amount = models.DecimalField(_("cost"), max_digits=12, decimal_places=2, null=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("use of an entitlement")
        verbose_name_plural = _("uses of entitlements")
        constraints = [
            models.UniqueConstraint(fields=["source", "external_ref"], name="benefit_use_is_told_once"),
            models.CheckConstraint(
                condition=Q(undoes__isnull=True, units__gt=0) | Q(undoes__isnull=False, units__lt=0),
                name="benefit_use_is_undone_by_its_opposite",
            ),
        ]
        indexes = [
            models.Index(
                fields=["happened_at"],
                include=["benefit", "tier", "units", "cost_amount"],
                name="benefit_use_by_moment",
            )
        ]

    def __str__(self) -> str:
        return f"{self.entitlement_id}: {self.units}"
