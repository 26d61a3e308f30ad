"""What is counted against too many calls and against guessing. What is counted stands as a keyed hash, never in the clear."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.models.operators import Operator


class RateCounter(models.Model):
    """How much of one limit was used under one key in its present window. The window begins with the first call in it.

    The table is UNLOGGED: a row is worth a minute or a day, and writing it to the WAL would cost more than losing it does.
    After a crash of the database server everybody begins with a fresh window; locks against guessing are kept elsewhere.
    Deleted by a task when the window is long over.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    limit = models.CharField(_("limit"), max_length=40)
    partition = models.BinaryField(_("hash of what is counted"), max_length=32, editable=False)
    window_at = models.DateTimeField(_("window since"))
    ends_at = models.DateTimeField(_("window ends"))
    used = models.PositiveIntegerField(_("used"))
    granted = models.PositiveIntegerField(_("granted to the last who asked"))

    class Meta:
        verbose_name = _("counter of calls")
        verbose_name_plural = _("counters of calls")
        constraints = [
            models.UniqueConstraint(fields=["limit", "partition"], name="calls_are_counted_in_one_place"),
        ]
        indexes = [models.Index(fields=["ends_at"], name="call_counters_by_end")]

    def __str__(self) -> str:
        return f"{self.limit}: {self.used}"


class WrongTries(models.Model):
    """How often something secret was guessed wrongly lately under one key: one member, phone, till, address or account.

    Each lock in a row lasts twice as long as the one before. Deleted by a task a day after the last wrong try and lock.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    kind = models.SlugField(_("what was guessed"), max_length=30, db_index=False)
    axis = models.SlugField(_("counted by"), max_length=12, db_index=False)
    partition = models.BinaryField(_("hash of what is counted"), max_length=32, editable=False)
    tries = models.PositiveIntegerField(_("tries"))
    locks = models.PositiveSmallIntegerField(_("locks in a row"), default=0)
    since_at = models.DateTimeField(_("counted since"))
    last_at = models.DateTimeField(_("last try"))
    locked_until = models.DateTimeField(_("locked until"), null=True)

    class Meta:
        verbose_name = _("wrong tries")
        verbose_name_plural = _("wrong tries")
        constraints = [
            models.UniqueConstraint(fields=["kind", "axis", "partition"], name="wrong_tries_are_counted_in_one_place"),
        ]
        indexes = [models.Index(fields=["last_at"], name="wrong_tries_by_age")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.tries}"


class GuessingAlarm(models.Model):
    """One hour in which somebody was guessing: how many were locked out, and whether the alarm for all together went off.

    One row per hour, kind and key, however many are locked; for the risk page, where no member can be named. Never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    kind = models.SlugField(_("what was guessed"), max_length=30, db_index=False)
    axis = models.SlugField(_("counted by"), max_length=12, db_index=False)
    hour_at = models.DateTimeField(_("hour"))
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))
    locks = models.PositiveIntegerField(_("locks"), default=0)
    most_in_a_minute = models.PositiveIntegerField(_("most wrong tries in a minute"), default=0)
    seen_at = models.DateTimeField(_("looked at"), null=True)
    seen_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("looked at by"), db_index=False
    )
    reason = models.CharField(_("what was found"), max_length=200, blank=True, db_default="")

    class Meta:
        verbose_name = _("guessing alarm")
        verbose_name_plural = _("guessing alarms")
        constraints = [
            models.UniqueConstraint(fields=["kind", "axis", "hour_at"], name="guessing_is_told_once_an_hour"),
            models.CheckConstraint(
                condition=Q(seen_at__isnull=True, seen_by__isnull=True)
                | Q(seen_at__isnull=False, seen_by__isnull=False),
                name="alarm_says_who_looked_at_it",
            ),
        ]
        indexes = [
            models.Index(fields=["-hour_at", "-id"], name="guessing_newest_first"),
            models.Index(fields=["hour_at", "id"], name="guessing_not_looked_at", condition=Q(seen_at__isnull=True)),
        ]
        permissions = [("settle_guessingalarm", _("Can note what was found behind an alarm"))]

    def __str__(self) -> str:
        return f"{self.kind} {self.axis}"
