"""When points expire, and who was told."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from members.models import Member
from rewards.models.ledger import Lot, PointsCurrency
from rewards.models.spans import IdRange, TsTzRange


class OriginRange(Func):
    """The range that holds one source of points alone, 0 for all others: two overlap exactly when the sources are equal."""

    function = "int4range"
    template = "%(function)s(coalesce(%(expressions)s, 0), coalesce(%(expressions)s, 0), '[]')"


def usual_warn_days() -> list[int]:
    """Return how many days ahead members are warned unless staff say otherwise."""
    return [30, 7, 1]


class ExpiryPolicy(models.Model):
    """One version of when points of a currency expire, in force over [valid_from, valid_to), for one source or all others.

    A lot goes by the policy that is in force when its points are earned. A version that has begun is never changed but
    for its end and its warnings; a change is a new version.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        ROLLING_MONTHS = "rolling_months", _("some months after the day they were earned")
        END_OF_MONTH = "end_of_month", _("at the end of a month")
        END_OF_YEAR = "end_of_year", _("at the end of a year")
        FIXED_DATE = "fixed_date", _("on a fixed date")
        INACTIVITY = "inactivity", _("after some months without activity")
        NEVER = "never", _("never")

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="expiry_policies", verbose_name=_("points currency")
    )
    origin = models.SmallIntegerField(
        _("source of the points"),
        choices=Lot.Origin,
        null=True,
        blank=True,
        help_text=_("Empty: points of all sources that have no policy of their own."),
    )
    kind = models.CharField(_("points expire"), max_length=16, choices=Kind, default=Kind.END_OF_MONTH)
    months = models.PositiveSmallIntegerField(
        _("months"),
        null=True,
        blank=True,
        help_text=_(
            "With a fixed date: how many months points live at least. Those that would not, expire a year later."
        ),
    )
    years = models.PositiveSmallIntegerField(
        _("years"),
        null=True,
        blank=True,
        help_text=_("0: at the end of the year in which they were earned. 1: at the end of the next year."),
    )
    fixed_date = models.DateField(
        _("last day"),
        null=True,
        blank=True,
        help_text=_(
            "The points can still be spent on this day. Points earned later expire on the same day of a later year."
        ),
    )
    activities = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        verbose_name=_("what counts as activity"),
    )
    grace_days = models.PositiveSmallIntegerField(
        _("grace (days)"),
        default=0,
        help_text=_("So many days longer. Points can be spent until the end of the grace; members are told that day."),
    )
    warn_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=usual_warn_days,
        blank=True,
        verbose_name=_("warn so many days ahead"),
        help_text=_("Such as 30, 7, 1. Empty: members are not warned."),
    )
    extend_unreached_days = models.PositiveSmallIntegerField(
        _("extend for members who could not be reached (days)"),
        default=0,
        help_text=_("Once, when no warning could be delivered. 0: their points expire all the same."),
    )
    valid_from = models.DateTimeField(_("in force from"))
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)
    applied_at = models.DateTimeField(_("accounts followed at"), null=True, editable=False)

    class Meta:
        verbose_name = _("expiry policy")
        verbose_name_plural = _("expiry policies")
        ordering = ["currency", F("origin").asc(nulls_first=True), "-valid_from"]
        permissions = [("extend_lots", "Can extend the expiry of points")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="rolling_months", months__range=(1, 600), years__isnull=True, fixed_date__isnull=True)
                | Q(kind="end_of_month", months__range=(0, 600), years__isnull=True, fixed_date__isnull=True)
                | Q(kind="end_of_year", years__range=(0, 50), months__isnull=True, fixed_date__isnull=True)
                | Q(kind="fixed_date", months__range=(0, 600), years__isnull=True, fixed_date__isnull=False)
                | Q(kind="inactivity", months__range=(1, 600), years__isnull=True, fixed_date__isnull=True)
                | Q(kind="never", months__isnull=True, years__isnull=True, fixed_date__isnull=True),
                name="expiry_policy_has_the_figures_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind="inactivity", origin__isnull=True, activities__len__gt=0)
                | ~Q(kind="inactivity") & Q(activities__len=0),
                name="inactivity_is_for_all_sources_and_has_activities",
            ),
            models.CheckConstraint(
                condition=Q(origin__isnull=True) | Q(origin__range=(1, 7)), name="expiry_policy_origin_is_known"
            ),
            models.CheckConstraint(
                condition=Q(grace_days__lte=366, extend_unreached_days__lte=366), name="expiry_grace_is_bounded"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="expiry_policy_ends_after_it_begins",
            ),
            ExclusionConstraint(
                name="one_expiry_policy_per_source_is_in_force_at_a_time",
                expressions=[
                    (IdRange(F("currency_id")), RangeOperators.OVERLAPS),
                    (OriginRange(F("origin")), RangeOperators.OVERLAPS),
                    (TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class ExpiryWarning(models.Model):
    """A member was to be told that so many points expire on a day, so many days ahead. Once for each day and lead.

    The figures are those of the moment it was written. What became of the message stands in WarningReceipt.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency"), db_index=False
    )
    expires_date = models.DateField(_("last day"))
    days = models.PositiveSmallIntegerField(_("warned so many days ahead"))
    points = models.BigIntegerField(_("points"))
    warned_at = models.DateTimeField(_("warned at"))

    class Meta:
        verbose_name = _("expiry warning")
        verbose_name_plural = _("expiry warnings")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "currency", "expires_date", "days"], name="member_is_warned_once_per_day_and_lead"
            ),
            models.CheckConstraint(condition=Q(points__gt=0), name="expiry_warning_is_about_points"),
        ]
        indexes = [models.Index(fields=["expires_date", "currency", "member"], name="expiry_warning_by_day")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.points} ({self.expires_date})"


class WarningReceipt(models.Model):
    """What became of a warning: it was delivered, nobody could be reached, or the points were extended for that reason.

    A warning that first failed and was delivered later has both receipts; delivered is what counts.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", _("delivered")
        UNREACHABLE = "unreachable", _("not reached")
        EXTENDED = "extended", _("extended because nobody was reached")

    warning = models.ForeignKey(
        ExpiryWarning, on_delete=models.PROTECT, related_name="receipts", verbose_name=_("warning"), db_index=False
    )
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    extended_to_date = models.DateField(_("extended to"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("receipt of a warning")
        verbose_name_plural = _("receipts of warnings")
        constraints = [
            models.UniqueConstraint(fields=["warning", "outcome"], name="warning_has_one_receipt_per_outcome"),
            models.CheckConstraint(
                condition=Q(outcome__in=["delivered", "unreachable"], extended_to_date__isnull=True)
                | Q(outcome="extended", extended_to_date__isnull=False),
                name="warning_outcome_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.warning_id}: {self.outcome}"
