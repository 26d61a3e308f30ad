"""People who live together and agreed to be seen as one household."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member


class Household(models.Model):
    """Members who belong together, and which of their entitlements they share. It ends when the last one leaves.

    Each keeps an account of their own. Whether they pay for one another is each one's own word, not the household's.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    shares_benefits = models.BooleanField(
        _("benefits are shared"), default=False, help_text=_("What one is entitled to, the others may use as well.")
    )
    shares_vouchers = models.BooleanField(
        _("vouchers are shared"), default=False, help_text=_("The vouchers of one may be used by the others.")
    )
    made_at = models.DateTimeField(_("made at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        verbose_name = _("household")
        verbose_name_plural = _("households")
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("made_at")),
                name="household_ends_after_it_begins",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class HouseholdMember(models.Model):
    """One member's part in a household, with the moment they agreed to it. Kept after they left.

    `points_shared_at` is the moment of another yes: to pay for the others with points. Taken back, it is empty again; both
    moments stay on the timeline.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Role(models.TextChoices):
        HEAD = "head", pgettext_lazy("household", "head")
        ADULT = "adult", pgettext_lazy("household", "adult")
        CHILD = "child", pgettext_lazy("household", "child")

    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, related_name="people", verbose_name=_("household")
    )
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="households", verbose_name=_("member"))
    role = models.CharField(_("role"), max_length=8, choices=Role)
    agreed_at = models.DateTimeField(_("agreed at"))
    points_shared_at = models.DateTimeField(_("agreed to pay for the others at"), null=True)
    left_at = models.DateTimeField(_("left at"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("member of a household")
        verbose_name_plural = _("members of households")
        constraints = [
            models.CheckConstraint(condition=Q(role__in=["head", "adult", "child"]), name="household_role_is_known"),
            models.UniqueConstraint(
                fields=["member"], condition=Q(left_at__isnull=True), name="member_lives_in_one_household"
            ),
            models.UniqueConstraint(
                fields=["household"],
                condition=Q(left_at__isnull=True, role="head"),
                name="household_has_one_head",
            ),
            models.CheckConstraint(
                condition=Q(points_shared_at__isnull=True)
                | Q(points_shared_at__gte=F("agreed_at"), role__in=["head", "adult"]),
                name="points_are_shared_by_grown_ups_who_agreed",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
