"""Runs of reviews that staff plan, look at beforehand, and may undo; and who was warned that a tier is at risk."""

from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.ladder import Tier
from members.models import Job, Member, Operator

RUN_REVIEWS: Final = "loyalty.run_reviews"
GRANT_GRACE: Final = "loyalty.grant_grace"


def usual_warn_days() -> list[int]:
    """Return how many days ahead members are warned unless staff say otherwise."""
    return [30, 7]


class ReviewPolicy(models.Model):
    """How members are told of reviews beforehand. There is one row."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    warn_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=usual_warn_days,
        size=5,
        blank=True,
        verbose_name=_("warned so many days ahead"),
        help_text=_("For example 30, 7. Whoever keeps the tier already is not warned. Empty: nobody is."),
    )

    class Meta:
        verbose_name = _("warnings before reviews")
        verbose_name_plural = _("warnings before reviews")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_review_policy"),
            models.CheckConstraint(
                condition=Q(warn_days__len__lte=5) & Q(warn_days__contained_by=list(range(1, 121))),
                name="warnings_are_some_days_ahead",
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(map(str, self.warn_days))


class TierWarning(models.Model):
    """A member was told that a review would not keep the tier as things stood: once for each review and distance."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("member")
    )
    review_date = models.DateField(_("last day of the tier"))
    days = models.PositiveSmallIntegerField(_("so many days ahead"))
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    to_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier after the review")
    )
    credits = models.IntegerField(_("tier credits so far"))
    needed_credits = models.PositiveIntegerField(_("tier credits needed"))
    figures = models.JSONField(_("figures"), default=list, db_default=[])
    must = models.PositiveSmallIntegerField(_("so many had to be reached"), default=0, db_default=0)
    warned_at = models.DateTimeField(_("warned at"))

    class Meta:
        verbose_name = _("warning before a review")
        verbose_name_plural = _("warnings before reviews")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "review_date", "days"], name="member_is_warned_once_for_review_and_distance"
            )
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.review_date} -{self.days}"


class ReviewRun(models.Model):
    """The reviews of one day, as staff run them: planned, looked at (dry), run in waves by a job, closed, maybe undone.

    While it is open, the daily reviews leave what is due on its day to it, for a week at most. `forecast` and `counts` are
    [wave, reason, from tier, to tier, number]; what is not in them happened to nobody. Never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("review run", "planned")
        LOOKING = "looking", pgettext_lazy("review run", "dry run under way")
        DRY = "dry", pgettext_lazy("review run", "dry run done")
        RUNNING = "running", pgettext_lazy("review run", "running")
        STOPPED = "stopped", pgettext_lazy("review run", "stopped")
        DONE = "done", pgettext_lazy("review run", "done")
        GIVEN_UP = "given_up", pgettext_lazy("review run", "given up")
        UNDOING = "undoing", pgettext_lazy("review run", "being undone")
        UNDONE = "undone", pgettext_lazy("review run", "undone")

    day = models.DateField(_("day"), help_text=_("What is due until the end of this day is decided."))
    from_at = models.DateTimeField(_("day begins at"))
    before_at = models.DateTimeField(_("day ends at"))
    planned_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("planned by")
    )
    planned_at = models.DateTimeField(_("planned at"))
    forecast_job = models.OneToOneField(
        Job, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("job of the dry run")
    )
    forecast_at = models.DateTimeField(_("dry run at"), null=True)
    forecast = models.JSONField(_("what the dry run found"), default=list)
    exceptions = models.JSONField(_("exceptions"), default=dict)
    example = models.JSONField(_("figures of an example"), default=dict)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    pauses = models.BooleanField(_("pauses after each wave"), default=True)
    wave_size = models.PositiveIntegerField(_("members in a wave"), default=0)
    counts = models.JSONField(_("what was decided"), default=list)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        verbose_name = _("run of reviews")
        verbose_name_plural = _("runs of reviews")
        permissions = [
            ("run_reviews", _("Can plan, run and undo reviews of tiers")),
            ("grant_grace", _("Can ask for grace for a member's tier")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["day"], condition=Q(closed_at=None), name="one_open_review_run_for_a_day"),
            models.CheckConstraint(condition=Q(before_at__gt=F("from_at")), name="review_day_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(job=None) | Q(wave_size__gt=0), name="review_run_has_waves"),
        ]

    def __str__(self) -> str:
        return self.day.isoformat()

    @property
    def until_at(self) -> datetime:
        """The last moment of its day."""
        return self.before_at - timedelta(microseconds=1)

    @property
    def state(self) -> "ReviewRun.State":
        """Where it stands. Reads its jobs."""
        state = ReviewRun.State
        if self.job is None:
            if self.closed_at:
                return state.GIVEN_UP
            if self.forecast_at:
                return state.DRY
            return state.LOOKING if self.forecast_job and self.forecast_job.is_active else state.PLANNED
        undo = getattr(self.job, "undone_by", None)
        if undo is not None:
            return state.UNDONE if undo.state == Job.State.DONE else state.UNDOING
        if self.job.is_active:
            return state.RUNNING
        return state.DONE if self.closed_at else state.STOPPED


class ReviewRunMember(models.Model):
    """What a run decided about a member, and where the member stood before: what undoing it needs.

    Written with the decision. `undo` says whether undoing put the member back, or why not. Deleted a month after the run.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Undo(models.TextChoices):
        PUT_BACK = "put_back", _("put back")
        DECIDED_SINCE = "decided_since", _("the tier was decided again since")
        RISE_WAITS = "rise_waits", _("a rise waits since")
        LEFT = "left", _("the member has left")

    run = models.ForeignKey(ReviewRun, on_delete=models.PROTECT, related_name="members", verbose_name=_("run of reviews"), db_index=False)  # fmt: skip
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("member")
    )
    wave = models.PositiveSmallIntegerField(_("wave"))
    first_number = models.PositiveIntegerField(_("first change"))
    last_number = models.PositiveIntegerField(_("last change"))
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("tier before")
    )
    since_at = models.DateTimeField(_("held since"))
    valid_until = models.DateTimeField(_("valid until"), null=True)
    rise_at = models.DateTimeField(_("rise is decided at"), null=True)
    undo = models.CharField(_("outcome of undoing"), max_length=14, choices=Undo, blank=True, db_default="")

    class Meta:
        verbose_name = _("member of a run of reviews")
        verbose_name_plural = _("members of runs of reviews")
        constraints = [
            models.UniqueConstraint(fields=["run", "member"], name="run_decides_about_a_member_once"),
            models.CheckConstraint(
                condition=Q(first_number__gt=0, last_number__gte=F("first_number")), name="run_made_changes_in_order"
            ),
            models.CheckConstraint(
                condition=Q(undo__in=["", "put_back", "decided_since", "rise_waits", "left"]), name="outcome_of_undoing_is_known"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["run", "member"],
                name="members_left_alone_by_undoing",
                condition=Q(undo__in=["decided_since", "rise_waits", "left"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.member_id}"
