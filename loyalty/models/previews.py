"""What a draft of the ladder would do to members, worked out before it is published; and how careful publishing is."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.ladder import LadderVersion
from members.models import Job, Operator


class LadderPolicy(models.Model):
    """How careful the programme is with changes of its ladder. One row for ever (id 1), made by migration; history is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    id = models.SmallAutoField(primary_key=True)
    notice_days = models.PositiveSmallIntegerField(
        _("notice to members (days)"),
        default=30,
        validators=[MaxValueValidator(365)],
        help_text=_(
            "So many days lie at least between telling members of a new version and its beginning; a shorter notice "
            "needs a reason, which stays with the version."
        ),
    )
    near_percent = models.PositiveSmallIntegerField(
        _("near a line (%)"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("A preview counts the members who are within this share below or above what a tier takes."),
    )
    top_share_percent = models.PositiveSmallIntegerField(
        _("share of the highest tier (%)"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("A preview warns when a larger share of all members would hold the highest tier."),
    )
    preview_days = models.PositiveSmallIntegerField(
        _("a preview is good for (days)"),
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text=_("An older preview has to be made again before a version is published."),
    )

    class Meta:
        verbose_name = _("policy of the tier ladder")
        verbose_name_plural = _("policy of the tier ladder")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="policy_of_the_ladder_is_a_single_row"),
            models.CheckConstraint(
                condition=Q(notice_days__lte=365, near_percent__range=(1, 50))
                & Q(top_share_percent__range=(1, 100), preview_days__range=(1, 60)),
                name="policy_of_the_ladder_is_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class LadderPreview(models.Model):
    """What a draft would do if every member were assessed on one day: worked out by a job, chunk after chunk.

    `digest` names the rules it was made for; once the draft is changed, or after `expires_at`, it says nothing about it
    any more. `figures` are counts only (see `loyalty.tally`); they are complete once `finished_at` is set, and kept.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    version = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="previews", verbose_name=_("ladder version")
    )
    day = models.DateField(_("as if assessed on"))
    digest = models.CharField(_("digest of the rules"), max_length=64)
    made_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("asked for by")
    )
    made_at = models.DateTimeField(_("asked for at"))
    expires_at = models.DateTimeField(_("good until"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("job"))
    figures = models.JSONField(_("figures"), default=dict)

    class Meta:
        verbose_name = _("preview of the ladder")
        verbose_name_plural = _("previews of the ladder")
        indexes = [models.Index(fields=["version", "-id"], name="previews_of_a_ladder")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class LadderPreviewPart(models.Model):
    """Who would move, of one chunk of a preview, until the sheet is put together; then deleted. Numbers of rows only."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    preview = models.ForeignKey(
        LadderPreview, on_delete=models.PROTECT, related_name="parts", verbose_name=_("preview of the ladder")
    )
    number = models.PositiveIntegerField(_("number"))
    rows = models.JSONField(_("rows"))

    class Meta:
        verbose_name = _("part of a preview")
        verbose_name_plural = _("parts of previews")
        constraints = [models.UniqueConstraint(fields=["preview", "number"], name="part_of_a_preview_is_written_once")]

    def __str__(self) -> str:
        return f"#{self.preview_id}:{self.number}"
