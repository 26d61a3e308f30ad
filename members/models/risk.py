"""What looks suspicious: the rules, what they found, and the reviews in which staff decide."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.operators import Operator
from members.models.people import Member
from members.models.standing import MemberFreeze


class RiskRule(models.Model):
    """One rule that looks for abuse, and its limit, which staff set. What it asks is written by the floor that registers it.

    One row per rule, made by migration; switched off, never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=40, unique=True, editable=False)
    is_on = models.BooleanField(_("in use"), default=True, help_text=_("Off: it opens no reviews any more."))
    most = models.PositiveIntegerField(
        _("limit"), help_text=_("What goes beyond it opens a review. The unit stands in the rule's sentence.")
    )

    class Meta:
        verbose_name = _("risk rule")
        verbose_name_plural = _("risk rules")
        constraints = [models.CheckConstraint(condition=Q(most__gte=1), name="risk_rule_has_a_limit")]

    def __str__(self) -> str:
        return self.code


class RiskReview(models.Model):
    """A member whom a colleague should look at. Opened by rules, decided once by staff; at most one waits per member.

    Never deleted: what was released, by whom and why, is what the next review begins with.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("risk review", "to be reviewed")
        RELEASED = "released", pgettext_lazy("risk review", "released")
        FROZEN = "frozen", pgettext_lazy("risk review", "frozen")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="risk_reviews", verbose_name=_("member"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    opened_at = models.DateTimeField(_("opened at"))
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.ForeignKey(
        Operator,
        on_delete=models.PROTECT,
        null=True,
        verbose_name=pgettext_lazy("risk review", "decided by"),
        related_name="+",
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="")
    freeze = models.ForeignKey(
        MemberFreeze, on_delete=models.PROTECT, null=True, verbose_name=_("freeze"), related_name="+"
    )

    class Meta:
        verbose_name = _("risk review")
        verbose_name_plural = _("risk reviews")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "released", "frozen"]), name="risk_review_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["member"], condition=Q(state="waiting"), name="member_has_one_risk_review_waiting"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True, decided_by__isnull=True, freeze__isnull=True)
                | Q(state="released", decided_at__isnull=False, decided_by__isnull=False, freeze__isnull=True)
                | Q(state="frozen", decided_at__isnull=False, decided_by__isnull=False, freeze__isnull=False),
                name="risk_review_says_how_it_was_decided",
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at", "id"], name="risk_reviews_waiting", condition=Q(state="waiting")),
            models.Index(fields=["-opened_at", "-id"], name="risk_review_newest_first"),
        ]
        permissions = [("decide_riskreview", _("Can release or freeze members under review"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RiskFinding(models.Model):
    """What one rule found about one member, with its figures. The same is found once: `natural_key` says what the same is."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    review = models.ForeignKey(RiskReview, on_delete=models.PROTECT, related_name="findings", verbose_name=_("review"))
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    rule = models.SlugField(_("rule"), max_length=40, db_index=False)
    natural_key = models.CharField(_("what was found"), max_length=80)
    figures = models.JSONField(_("figures"), default=dict)
    found_at = models.DateTimeField(_("found at"))

    class Meta:
        verbose_name = _("risk finding")
        verbose_name_plural = _("risk findings")
        constraints = [
            models.UniqueConstraint(fields=["member", "rule", "natural_key"], name="risk_finding_is_made_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: #{self.member_id}"
