"""The growth map: the stages of a member's life with us, their tasks, and who came where when and why."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.badges import Badge
from members.models import Member, Segment


class Stage(models.Model):
    """A stage of a member's life with us: new, growing, core, sleeping. A member is in the furthest one whose rule is met.

    The rule is a live segment of its own. The one stage without a rule is where everybody begins and falls back to.
    Retired when it is not used any more, never deleted. The code is for ever: conditions and apps name it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=40, unique=True, editable=False)
    name = models.CharField(_("stage name"), max_length=40)
    text = models.CharField(_("what members read beneath"), max_length=120, blank=True)
    position = models.PositiveSmallIntegerField(
        _("place"),
        help_text=_(
            "The furthest stage whose rule is met counts. Leave room between, such as 10, 20, 30. It can not be changed later."
        ),
    )
    colour = models.CharField(_("colour"), max_length=7, default="#2f6f8f", help_text=_("Like #c9a227."))
    rule = models.OneToOneField(
        Segment, on_delete=models.PROTECT, null=True, editable=False, related_name="stage", verbose_name=_("rule")
    )
    is_on = models.BooleanField(_("in use"), default=True, editable=False)

    class Meta:
        verbose_name = pgettext_lazy("lifecycle", "stage")
        verbose_name_plural = pgettext_lazy("lifecycle", "stages")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["position"], condition=Q(is_on=True), name="stage_has_a_place_of_its_own"),
            models.UniqueConstraint(
                fields=["is_on"], condition=Q(is_on=True, rule__isnull=True), name="one_stage_is_where_everybody_begins"
            ),
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-fA-F]{6}$"), name="stage_colour_is_six_hex_digits"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StageTask(models.Model):
    """Something to do in a stage, done once its rule is met there or in a further one. It may unlock a badge or a benefit.

    Done once, it stays done. Retired when it is not used any more, never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, related_name="tasks", verbose_name=pgettext_lazy("lifecycle", "stage")
    )
    code = models.SlugField(_("code"), max_length=40, unique=True, editable=False)
    name = models.CharField(_("task"), max_length=60)
    text = models.CharField(_("what members read beneath"), max_length=120, blank=True)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=0)
    rule = models.OneToOneField(
        Segment, on_delete=models.PROTECT, null=True, editable=False, related_name="stage_task", verbose_name=_("rule")
    )
    badge = models.ForeignKey(
        Badge, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("unlocks the badge")
    )
    benefit_code = models.SlugField(_("unlocks the benefit"), max_length=40, blank=True, db_default="")
    is_on = models.BooleanField(_("in use"), default=True, editable=False)

    class Meta:
        verbose_name = pgettext_lazy("lifecycle", "task of a stage")
        verbose_name_plural = pgettext_lazy("lifecycle", "tasks of stages")
        ordering = ["stage__position", "order", "id"]

    def __str__(self) -> str:
        return self.name


class MemberStage(models.Model):
    """The stage a member is in now; without one, that in which everybody begins. Who never left it has no row.

    A projection of StageChange.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="stage", verbose_name=_("member")
    )
    stage = models.ForeignKey(
        Stage,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=pgettext_lazy("lifecycle", "stage"),
        db_index=False,
    )
    since_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("stage of a member")
        verbose_name_plural = _("stages of members")
        indexes = [models.Index(fields=["stage", "member"], name="members_in_a_stage")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.stage_id}"


class StageChange(models.Model):
    """A member came from one stage to another (without one: that in which everybody begins), and the figures that say why.

    `met` are the tests of the new stage's rule that were met, `unmet` those of the old one's that were not any more.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Cause(models.TextChoices):
        RULE = "rule", _("by the rules")
        RETIRED = "retired", pgettext_lazy("stage", "retired")
        MERGE = "merge", _("at a merge")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="stage_changes", verbose_name=_("member"), db_index=False
    )
    number = models.PositiveIntegerField(_("number"))
    from_stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("from stage"), db_index=False
    )
    to_stage = models.ForeignKey(
        Stage, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("to stage"), db_index=False
    )
    cause = models.CharField(_("how"), max_length=8, choices=Cause)
    met = models.JSONField(_("figures that were met"), default=list)
    unmet = models.JSONField(_("figures that were not met any more"), default=list)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("change of a stage")
        verbose_name_plural = _("changes of stages")
        constraints = [
            models.UniqueConstraint(fields=["member", "number"], name="stage_changes_of_a_member_are_numbered"),
            models.CheckConstraint(
                condition=Q(from_stage__isnull=True) | Q(to_stage__isnull=True) | ~Q(from_stage=F("to_stage")),
                name="stage_change_leads_elsewhere",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["rule", "retired", "merge"]), name="stage_change_cause_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} #{self.number}: {self.from_stage_id} > {self.to_stage_id}"


class StageTaskDone(models.Model):
    """A member did a task of a stage: when, and the figures of its rule at that moment. Once for each member and task."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="stage_tasks_done", verbose_name=_("member"), db_index=False
    )
    task = models.ForeignKey(
        StageTask, on_delete=models.PROTECT, related_name="done", verbose_name=_("task"), db_index=False
    )
    why = models.JSONField(_("figures"), default=list)
    happened_at = models.DateTimeField(_("done at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("task done by a member")
        verbose_name_plural = _("tasks done by members")
        constraints = [models.UniqueConstraint(fields=["member", "task"], name="task_is_done_once_by_a_member")]
        indexes = [models.Index(fields=["task", "-id"], name="task_done_newest_first")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.task_id}"
