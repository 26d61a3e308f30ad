"""What holds a member back, and how memberships end: freezes, reasons for leaving, closures."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member


class MemberFreeze(models.Model):
    """One freeze of a member: what it forbids, why, and when it ends by itself. At most one is in force. Never deleted.

    `Member.status` and its `frozen_but_…` repeat what the freeze in force says, for those who post under the member's lock.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="freezes", verbose_name=_("member"))
    stops_earning = models.BooleanField(_("earning is frozen"))
    stops_spending = models.BooleanField(_("spending is frozen"))
    stops_sign_in = models.BooleanField(_("sign-in is frozen"))
    reason = models.CharField(_("reason"), max_length=200)
    frozen_at = models.DateTimeField(_("frozen at"))
    release_at = models.DateTimeField(_("ends by itself at"))
    released_at = models.DateTimeField(_("released at"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("freeze")
        verbose_name_plural = _("freezes")
        constraints = [
            models.UniqueConstraint(
                fields=["member"], condition=Q(released_at__isnull=True), name="member_has_one_freeze_in_force"
            ),
            models.CheckConstraint(
                condition=Q(stops_earning=True) | Q(stops_spending=True) | Q(stops_sign_in=True),
                name="freeze_stops_something",
            ),
            models.CheckConstraint(condition=Q(release_at__gt=F("frozen_at")), name="freeze_ends_after_it_begins"),
        ]
        indexes = [
            models.Index(fields=["release_at"], name="freezes_by_release", condition=Q(released_at__isnull=True)),
            models.Index(fields=["-frozen_at", "-id"], name="freeze_newest_first"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def acts(self) -> list[Member.Act]:
        """What the freeze forbids."""
        stopped = {
            Member.Act.EARN: self.stops_earning,
            Member.Act.SPEND: self.stops_spending,
            Member.Act.SIGN_IN: self.stops_sign_in,
        }
        return [act for act, is_stopped in stopped.items() if is_stopped]


class ClosingReason(models.Model):
    """Why members leave, as the report of reasons counts it. Its code is for ever; switched off, never deleted."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(
        _("code"), max_length=30, unique=True, help_text=_("How apps name it. It can not be changed later.")
    )
    name = models.CharField(_("reason for leaving"), max_length=80)
    is_on = models.BooleanField(_("in use"), default=True, help_text=_("Off: it is not offered any more."))
    is_open_to_members = models.BooleanField(
        _("members may choose it"), default=True, help_text=_("Off: only staff use it, such as for abuse.")
    )
    order = models.PositiveSmallIntegerField(_("place in the list"), default=0)

    class Meta:
        verbose_name = _("reason for leaving")
        verbose_name_plural = _("reasons for leaving")
        ordering = ["order", "code"]

    def __str__(self) -> str:
        return self.name


class Closure(models.Model):
    """A membership that ends: asked for, in effect after the days to think it over, or taken back. Never deleted.

    Until `effective_at` the member goes on as before; then a task closes the membership. Staff may open it again.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        ASKED = "asked", pgettext_lazy("closure", "asked for")
        CLOSED = "closed", pgettext_lazy("closure", "in effect")
        TAKEN_BACK = "taken_back", pgettext_lazy("closure", "taken back")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="closures", verbose_name=_("member"))
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.ASKED)
    reason = models.ForeignKey(
        ClosingReason, on_delete=models.PROTECT, related_name="closures", verbose_name=_("reason for leaving")
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    asked_at = models.DateTimeField(_("asked for at"))
    effective_at = models.DateTimeField(_("takes effect at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    taken_back_at = models.DateTimeField(_("taken back at"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("member who leaves")
        verbose_name_plural = _("members who leave")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["asked", "closed", "taken_back"]), name="closure_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["member"], condition=Q(state__in=["asked", "closed"]), name="member_leaves_once_at_a_time"
            ),
            models.CheckConstraint(condition=Q(effective_at__gte=F("asked_at")), name="closure_is_not_backdated"),
            models.CheckConstraint(
                condition=Q(state="asked", closed_at__isnull=True, taken_back_at__isnull=True)
                | Q(state="closed", closed_at__isnull=False, taken_back_at__isnull=True)
                | Q(state="taken_back", taken_back_at__isnull=False),
                name="closure_says_when_it_changed",
            ),
        ]
        indexes = [
            models.Index(fields=["effective_at"], name="closures_by_effect", condition=Q(state="asked")),
            models.Index(fields=["-asked_at", "-id"], name="closure_newest_first"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
