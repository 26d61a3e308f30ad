"""Changes that wait for a second person, and how much each role may do alone."""

from typing import ClassVar

from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.operators import Operator
from members.models.people import Member


class Proposal(models.Model):
    """One business change that a member of staff asked for: carried out at once within the maker's limit, else approved first.

    What is asked for never changes after it was written (trigger); who wants something else withdraws it and asks anew.
    It ends carried out, refused, sent back, withdrawn or expired, and stays as it ended. Never deleted.
    Parameters hold ids and figures, no personal data.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("proposal", "waiting for approval")
        CARRIED_OUT = "carried_out", pgettext_lazy("proposal", "carried out")
        REFUSED = "refused", pgettext_lazy("proposal", "refused")
        SENT_BACK = "sent_back", pgettext_lazy("proposal", "sent back")
        WITHDRAWN = "withdrawn", pgettext_lazy("proposal", "withdrawn")
        EXPIRED = "expired", pgettext_lazy("proposal", "expired")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind of change"), max_length=60)
    params = models.JSONField(_("what is to be changed"), default=dict)
    maker = models.ForeignKey(
        Operator, on_delete=models.PROTECT, verbose_name=_("asked for by"), related_name="proposals"
    )
    reason = models.CharField(_("reason"), max_length=500)
    request_id = models.CharField(_("request"), max_length=80, blank=True)
    family = models.CharField(_("family of limits"), max_length=30)
    amount = models.PositiveBigIntegerField(_("amount counted towards limits"), default=0)
    approvals_needed = models.PositiveSmallIntegerField(_("people who must approve"))
    effect = models.JSONField(_("what it would change when it was asked for"), default=dict)
    touches = ArrayField(
        models.CharField(max_length=60), default=list, verbose_name=_("what it touches"),
        help_text=_("Two proposals that touch the same thing are shown with each other."),
    )  # fmt: skip
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(_("asked for at"))
    expires_at = models.DateTimeField(_("expires at"))
    first_checker = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("approved by"), related_name="+"
    )
    first_checked_at = models.DateTimeField(_("approved at"), null=True)
    second_checker = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("approved secondly by"), related_name="+"
    )
    second_checked_at = models.DateTimeField(_("approved secondly at"), null=True)
    decided_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("decided by"), related_name="+"
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decision_reason = models.CharField(_("reason of the decision"), max_length=500, blank=True)
    result = models.CharField(_("what was done"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        permissions = [("approve_proposal", _("Can approve or refuse what colleagues propose"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["waiting", "carried_out", "refused", "sent_back", "withdrawn", "expired"]
                ),
                name="proposal_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(approvals_needed__lte=2), name="proposal_needs_at_most_two_approvals"
            ),
            models.CheckConstraint(
                condition=models.Q(first_checker__isnull=True) | ~models.Q(first_checker=models.F("maker")),
                name="maker_is_not_the_first_checker",
            ),
            models.CheckConstraint(
                condition=models.Q(second_checker__isnull=True) | ~models.Q(second_checker=models.F("maker")),
                name="maker_is_not_the_second_checker",
            ),
            models.CheckConstraint(
                condition=models.Q(second_checker__isnull=True)
                | (models.Q(first_checker__isnull=False) & ~models.Q(second_checker=models.F("first_checker"))),
                name="two_checkers_are_two_people",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="carried_out")
                | models.Q(approvals_needed=0)
                | models.Q(approvals_needed=1, first_checker__isnull=False)
                | models.Q(approvals_needed=2, second_checker__isnull=False),
                name="carried_out_proposal_has_its_approvals",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["refused", "sent_back"], decided_by__isnull=False)
                & ~models.Q(decided_by=models.F("maker"))
                | ~models.Q(state__in=["refused", "sent_back"]),
                name="maker_does_not_decide_the_own_proposal",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="withdrawn") | models.Q(decided_by=models.F("maker")),
                name="proposal_is_withdrawn_by_its_maker",
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", decided_at__isnull=True)
                | (~models.Q(state="waiting") & models.Q(decided_at__isnull=False)),
                name="decided_proposal_says_when",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="proposal_expires_after_it_was_made"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="proposal_has_a_reason"),
            models.UniqueConstraint(
                fields=["maker", "request_id"],
                condition=~models.Q(request_id=""),
                name="request_of_a_maker_is_one_proposal",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="proposals_that_wait", condition=models.Q(state="waiting")),
            models.Index(fields=["maker", "-created_at"], name="proposals_of_a_maker"),
            GinIndex(fields=["touches"], name="proposals_that_touch", condition=models.Q(state="waiting")),
            models.Index(fields=["-created_at", "-id"], name="proposal_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class OperatorLimit(models.Model):
    """How much one role may do alone in one family of changes: each time, and on one business day. History is kept.

    Who has several roles has the highest limit of each. A role without a row may do nothing alone.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    role = models.ForeignKey(Group, on_delete=models.PROTECT, verbose_name=_("role"), related_name="+")
    family = models.CharField(_("what is limited"), max_length=30)
    per_entry_points = models.PositiveBigIntegerField(_("at most each time (points)"))
    per_day_points = models.PositiveBigIntegerField(_("at most on one day (points)"))

    class Meta:
        verbose_name = _("limit of a role")
        verbose_name_plural = _("limits of roles")
        constraints = [
            models.UniqueConstraint(fields=["role", "family"], name="role_has_one_limit_in_a_family"),
            models.CheckConstraint(
                condition=models.Q(per_entry_points__lte=models.F("per_day_points")),
                name="limit_of_an_entry_is_within_that_of_the_day",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ApprovalRule(models.Model):
    """From what amount on a second person must approve in one family of changes. One row for each family; history is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    family = models.CharField(_("what is limited"), max_length=30, unique=True)
    second_above_points = models.PositiveBigIntegerField(_("two approvals above (points)"), default=200_000)

    class Meta:
        verbose_name = _("rule of approval")
        verbose_name_plural = _("rules of approval")

    def __str__(self) -> str:
        return f"#{self.pk}"


class LimitUsage(models.Model):
    """What one operator has done alone in one family on one business day. Raised by a guarded update, never lowered."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, verbose_name=_("operator"), related_name="+")
    family = models.CharField(_("what is limited"), max_length=30)
    date = models.DateField(_("business day"))
    used_points = models.PositiveBigIntegerField(_("used (points)"))

    class Meta:
        verbose_name = _("use of a limit")
        verbose_name_plural = _("uses of limits")
        constraints = [
            models.UniqueConstraint(fields=["operator", "family", "date"], name="limit_is_counted_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.date}"


class OwnMembership(models.Model):
    """Which member an operator is in private life: neither proposes nor approves what concerns that account."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, verbose_name=_("operator"), related_name="own_memberships"
    )
    member = models.ForeignKey(Member, on_delete=models.PROTECT, verbose_name=_("member"), related_name="+")

    class Meta:
        verbose_name = _("own membership")
        verbose_name_plural = _("own memberships")
        constraints = [models.UniqueConstraint(fields=["operator", "member"], name="own_membership_is_said_once")]

    def __str__(self) -> str:
        return f"#{self.operator_id}: #{self.member_id}"
