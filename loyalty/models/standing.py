"""Where each member stands on the ladder, what counts towards it, and every change with its reason."""

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.ladder import LadderVersion, Tier
from members.models import Member


class QualificationEntry(models.Model):
    """What one fact counted towards the tier: credits, spend, orders, with its source. Negative when a return takes back.

    Written by calls from above at the time of the fact, so a tier review never reads a purchase.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        PURCHASE = "purchase", _("purchase")
        RETURN = "return", _("return")
        ACTIVITY = "activity", _("activity")
        CARRY = "carry", _("carried over from the period before")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="qualification", verbose_name=_("member"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    source = models.CharField(_("source"), max_length=40)
    source_ref = models.CharField(_("reference in the source"), max_length=80)
    credits = models.IntegerField(_("tier credits"))
    spend_amount = models.DecimalField(_("spend"), max_digits=14, decimal_places=2)
    orders = models.SmallIntegerField(_("orders"))
    activity = models.IntegerField(_("activity points"), default=0, db_default=0)
    active_on = models.DateField(
        _("day made active"),
        null=True,
        help_text=_("Empty: the day on which it happened. Of a return, the day of the sale."),
    )
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("qualification entry")
        verbose_name_plural = _("qualification entries")
        constraints = [
            models.UniqueConstraint(fields=["kind", "source", "source_ref"], name="fact_qualifies_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["purchase", "return", "activity", "carry"]), name="qualification_kind_is_known"
            ),
        ]
        indexes = [models.Index(fields=["member", "happened_at"], include=["credits"], name="qualification_of_member")]

    def __str__(self) -> str:
        return f"{self.kind} {self.source_ref}: {self.credits}"


class TierStanding(models.Model):
    """The tier a member has earned, a projection of TierChange, and beside it what its floors come to, one of TierFloor.

    A member without a row has earned the lowest tier and never had a floor. With a floor, the lowest tier has a row, too:
    held since `NEVER_RISEN`, without end. Over [floor_from, floor_until) the highest floor is `floor_tier` (empty: none);
    for other moments, and only for them, the floors themselves are asked.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    #: Since when the lowest tier is held by members who never rose: before any fact.
    NEVER_RISEN: ClassVar[datetime] = datetime(1900, 1, 1, tzinfo=UTC)

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="standing", verbose_name=_("member")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    since_at = models.DateTimeField(_("held since"))
    valid_until = models.DateTimeField(
        _("valid until"),
        null=True,
        help_text=_("The review is due at this moment. Empty: the lowest tier does not end."),
    )
    rise_at = models.DateTimeField(
        _("rise is decided at"), null=True, help_text=_("Where rises wait for the end of a period. Empty: none waits.")
    )
    floor_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("tier of the highest floor")
    )
    floor_from = models.DateTimeField(_("floors as said since"), null=True)
    floor_until = models.DateTimeField(_("floors as said until"), null=True)

    class Meta:
        verbose_name = _("tier standing")
        verbose_name_plural = _("tier standings")
        indexes = [
            models.Index(
                fields=["valid_until", "member"], name="standing_due_for_review", condition=Q(valid_until__isnull=False)
            ),
            models.Index(
                fields=["rise_at", "member"], name="standing_waiting_to_rise", condition=Q(rise_at__isnull=False)
            ),
            models.Index(
                fields=["floor_until", "member"], name="standing_due_for_floors", condition=Q(floor_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.tier_id}"


class TierChange(models.Model):
    """One decision about a member's tier, with the numbers it was made on. Kept when a review kept the tier, too.

    `cause` names the fact that made a member rise (source:reference), so that its full return can undo the rise. `figures`
    are [metric, had, needed, taken back by returns] of each threshold, of which `must` had to be reached; empty where tier
    credits alone decided. `takes_back` is how many changes right before it count as never been.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Reason(models.TextChoices):
        RISEN = "risen", _("risen")
        KEPT = "kept", _("kept at review")
        FALLEN = "fallen", _("fallen at review")
        UNDONE = "undone", _("rise undone by a return")
        GRACE = "grace", _("given grace")
        RESTORED = "restored", _("put back: the run of reviews was undone")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="tier_changes", verbose_name=_("member"), db_index=False
    )
    number = models.PositiveIntegerField(_("number"), help_text=_("1, 2, 3 … for each member."))
    reason = models.CharField(_("reason"), max_length=8, choices=Reason)
    from_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="+", verbose_name=pgettext_lazy("change", "from tier")
    )
    to_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("to tier"))
    ladder = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="+", verbose_name=_("ladder version")
    )
    window_from = models.DateTimeField(_("qualifying period from"))
    credits = models.IntegerField(_("tier credits in the period"))
    needed_credits = models.PositiveIntegerField(_("tier credits needed"))
    returned_credits = models.PositiveIntegerField(_("tier credits taken back by returns in the period"), default=0)
    valid_until = models.DateTimeField(_("valid until"), null=True)
    figures = models.JSONField(_("figures"), default=list, db_default=[])
    must = models.PositiveSmallIntegerField(_("so many had to be reached"), default=0, db_default=0)
    takes_back = models.PositiveSmallIntegerField(_("changes taken back"), default=0, db_default=0)
    cause = models.CharField(_("cause"), max_length=125, blank=True, db_default="")
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("tier change")
        verbose_name_plural = _("tier changes")
        constraints = [
            models.UniqueConstraint(fields=["member", "number"], name="tier_changes_of_a_member_are_numbered"),
            models.CheckConstraint(
                condition=Q(reason__in=["risen", "kept", "fallen", "undone", "grace", "restored"]),
                name="tier_change_reason_is_known",
            ),
            models.CheckConstraint(
                condition=Q(reason="kept", from_tier=F("to_tier"))
                | Q(reason__in=["grace", "restored"])
                | (~Q(reason__in=["kept", "grace", "restored"]) & ~Q(from_tier=F("to_tier"))),
                name="tier_changes_unless_kept",
            ),
            models.CheckConstraint(
                condition=Q(reason="restored", takes_back__gt=0, takes_back__lt=F("number"))
                | (~Q(reason="restored") & Q(takes_back=0)),
                name="only_what_puts_back_takes_back",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-happened_at", "-number"], name="tier_history_of_member"),
            models.Index(fields=["-happened_at", "-id"], name="tier_change_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} #{self.number}: {self.reason}"
