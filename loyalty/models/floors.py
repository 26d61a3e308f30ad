"""Tiers that members hold at least for a while, whatever they have earned."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.ladder import Tier
from members.models import Member


class TierFloor(models.Model):
    """The least tier a member holds over [valid_from, valid_until): set by hand, by a paid plan, or by a campaign.

    What is earned goes on beneath it and is neither gained nor lost; whichever is higher counts. Never deleted: ended
    early, the row says when, why and by whom, so that the tier of any past moment can be told.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Source(models.TextChoices):
        STAFF = "staff", _("set by hand")
        PLAN = "plan", _("paid membership")
        CAMPAIGN = "campaign", pgettext_lazy("source of a tier", "campaign")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="tier_floors", verbose_name=_("member"), db_index=False
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    valid_from = models.DateTimeField(pgettext_lazy("begin", "from"))
    valid_until = models.DateTimeField(_("until"), null=True, blank=True)
    source = models.CharField(_("where it comes from"), max_length=10, choices=Source)
    source_ref = models.CharField(_("reference there"), max_length=80)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    actor_kind = models.CharField(_("set by"), max_length=10)
    actor_id = models.BigIntegerField(_("id of who set it"), null=True)
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    ended_at = models.DateTimeField(_("ended early at"), null=True)
    ended_reason = models.CharField(_("why it was ended"), max_length=200, blank=True, db_default="")
    ended_by_kind = models.CharField(_("ended by"), max_length=10, blank=True, db_default="")
    ended_by_id = models.BigIntegerField(_("id of who ended it"), null=True)

    class Meta:
        verbose_name = _("tier floor")
        verbose_name_plural = _("tier floors")
        permissions = [("set_tier", _("Can set a tier by hand"))]
        constraints = [
            models.UniqueConstraint(fields=["source", "source_ref"], name="floor_is_given_once"),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")), name="floor_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=Q(source__in=["staff", "plan", "campaign"]), name="floor_source_is_known"),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["member", "valid_from"], name="floors_of_member"),
            models.Index(fields=["-valid_from", "-id"], name="floors_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.tier_id} ({self.source})"
