"""The timeline: one append-only stream of facts, and the cursors of those who read it.

The table is partitioned by month of recording; `members_ensure_timeline_partitions` makes partitions ahead.
"""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.people import Member


class CurrentTransactionId(models.Func):
    """The id of the running transaction as a bigint."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class TimelineEntry(models.Model):
    """One fact that happened, told by the floor that owns it. Carries ids and numbers, never personal data.

    Ordered for readers by (epoch, xact, id): a reader takes only entries whose transaction is older than the
    oldest one still running, so a late commit is never skipped. A restored database starts a new epoch.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    id = models.BigAutoField(primary_key=True)
    epoch = models.SmallIntegerField(_("cursor epoch"), db_default=1, editable=False)
    xact = models.BigIntegerField(_("transaction"), db_default=CurrentTransactionId(), editable=False)
    kind = models.CharField(_("kind"), max_length=60)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="timeline", verbose_name=_("member"), db_index=False
    )
    subject = models.CharField(_("subject"), max_length=60, blank=True, db_default="")
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    payload = models.JSONField(_("figures"), default=dict)
    cause_id = models.BigIntegerField(_("caused by entry"), null=True)
    depth = models.SmallIntegerField(_("depth of the chain of causes"), db_default=0)

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline")
        managed = False  # partitioned: made by SQL in the first migration
        db_table = "members_timelineentry"

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Subscription(models.Model):
    """How far one subscriber has read the timeline. The cursor moves in the transaction of the subscriber's effects."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    name = models.CharField(_("subscriber"), max_length=60, primary_key=True)
    epoch = models.SmallIntegerField(_("cursor epoch"), default=0)
    xact = models.BigIntegerField(_("cursor transaction"), default=0)
    entry_id = models.BigIntegerField(_("cursor entry"), default=0)
    advanced_at = models.DateTimeField(_("last advanced at"), null=True)

    class Meta:
        verbose_name = _("timeline subscription")
        verbose_name_plural = _("timeline subscriptions")

    def __str__(self) -> str:
        return self.name


class ParkedEntry(models.Model):
    """An entry that a subscriber failed on again and again. It holds nobody up; an operator replays it."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="parked", verbose_name=_("subscriber")
    )
    entry_id = models.BigIntegerField(_("entry"))
    error = models.TextField(_("error"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    parked_at = models.DateTimeField(_("parked at"))
    replayed_at = models.DateTimeField(_("replayed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("parked entry")
        verbose_name_plural = _("parked entries")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "entry_id"], name="entry_is_parked_once_per_subscriber")
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} #{self.entry_id}"
