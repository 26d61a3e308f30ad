"""Points that staff give or take by hand: the reasons they may name, what was adjusted, and lists that came as files."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Job, Member, Operator, Proposal
from rewards.models.ledger import LedgerTransaction, PointsCurrency
from rewards.models.purchases import Purchase


class ReasonCode(models.Model):
    """Why staff adjust points: a short list to choose from. One that is no longer offered stays for what it explained."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Direction(models.TextChoices):
        CREDIT = "credit", pgettext_lazy("adjustment", "gives points")
        DEBIT = "debit", pgettext_lazy("adjustment", "takes points")
        BOTH = "both", pgettext_lazy("adjustment", "gives or takes points")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    label = models.CharField(_("reason"), max_length=60)
    direction = models.CharField(_("direction"), max_length=6, choices=Direction)
    needs_note = models.BooleanField(_("needs a note"), default=False)
    member_text = models.CharField(
        _("what the member reads"), max_length=120, blank=True, help_text=_("Empty: members read the reason itself.")
    )
    is_active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("reason for adjustments")
        verbose_name_plural = _("reasons for adjustments")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(direction__in=["credit", "debit", "both"]), name="reason_direction_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.label

    def allows(self, points: int) -> bool:
        """Whether it may explain so many points (below 0: taken)."""
        wanted = self.Direction.CREDIT if points > 0 else self.Direction.DEBIT
        return self.direction in (wanted, self.Direction.BOTH)


class AdjustmentBatch(models.Model):
    """One list of adjustments that came as a file: read and checked at once, carried out by a job after approval.

    The file itself is not kept. Its good rows keep ids and figures only; its bad rows keep what stood in them until
    `errors_expire_at`. Never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    file_name = models.CharField(_("file"), max_length=200)
    file_sha256 = models.BinaryField(_("hash of the file"), max_length=32)
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency")
    )
    maker = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="+", verbose_name=_("read by"))
    created_at = models.DateTimeField(_("read at"))
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_good = models.PositiveIntegerField(_("rows that can be carried out"), default=0)
    rows_unknown = models.PositiveIntegerField(_("rows whose member was not found"), default=0)
    points_given = models.PositiveBigIntegerField(_("points given"), default=0)
    points_taken = models.PositiveBigIntegerField(_("points taken"), default=0)
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    errors_expire_at = models.DateTimeField(_("bad rows are kept until"))

    class Meta:
        verbose_name = _("batch of adjustments")
        verbose_name_plural = _("batches of adjustments")
        permissions = [("batch_adjust", "Can adjust points of many members by a file")]
        constraints = [
            models.CheckConstraint(
                condition=Q(rows_good__lte=F("rows_total")), name="batch_has_no_more_good_rows_than_rows"
            ),
            models.CheckConstraint(
                condition=Q(job__isnull=True) | Q(proposal__isnull=False), name="batch_is_carried_out_by_a_proposal"
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="adjustment_batch_newest_first")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def rows_bad(self) -> int:
        """Rows that can not be carried out."""
        return self.rows_total - self.rows_good

    @property
    def points_moved(self) -> int:
        """Points given and taken, which count towards limits."""
        return self.points_given + self.points_taken


class AdjustmentBatchRow(models.Model):
    """One row of a list that can be carried out: who, how many points (below 0: taken) and why. Written once."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    batch = models.ForeignKey(
        AdjustmentBatch, on_delete=models.PROTECT, related_name="rows", verbose_name=_("batch"), db_index=False
    )
    number = models.PositiveIntegerField(_("row"))
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    points = models.BigIntegerField(_("points"))
    reason_code = models.ForeignKey(ReasonCode, on_delete=models.PROTECT, related_name="+", verbose_name=_("reason"))
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("row of a batch of adjustments")
        verbose_name_plural = _("rows of batches of adjustments")
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="row_of_a_batch_is_read_once"),
            models.CheckConstraint(condition=~Q(points=0), name="row_of_a_batch_moves_points"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.number}"


class AdjustmentBatchError(models.Model):
    """One row of a list that can not be carried out: what stood in it, and why not. Deleted when the batch's time is over."""

    personal_data: ClassVar[tuple[str, ...]] = ("cells",)

    batch = models.ForeignKey(
        AdjustmentBatch, on_delete=models.PROTECT, related_name="errors", verbose_name=_("batch"), db_index=False
    )
    number = models.PositiveIntegerField(_("row"))
    cells = models.JSONField(_("what stands in it"))
    reason = models.CharField(_("why not"), max_length=500)
    reason_params = models.JSONField(_("figures of the reason"), default=dict)

    class Meta:
        verbose_name = _("bad row of a batch")
        verbose_name_plural = _("bad rows of batches")
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="bad_row_of_a_batch_is_told_once")]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.number}"


class Adjustment(models.Model):
    """One adjustment that was carried out: who asked for it and why, and the posting it made. Written once, with the posting."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency"), db_index=False
    )
    points = models.BigIntegerField(_("points"), help_text=_("Below 0: taken."))
    reason_code = models.ForeignKey(ReasonCode, on_delete=models.PROTECT, related_name="+", verbose_name=_("reason"))
    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("For colleagues; members do not see it.")
    )
    purchase = models.ForeignKey(
        Purchase,
        on_delete=models.PROTECT,
        null=True,
        related_name="adjustments",
        verbose_name=_("order"),
        db_index=False,
    )
    maker = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked for by"))
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="+", verbose_name=_("proposal"))
    batch_row = models.OneToOneField(
        AdjustmentBatchRow,
        on_delete=models.PROTECT,
        null=True,
        related_name="adjustment",
        verbose_name=_("row of a batch"),
    )
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="adjustment", verbose_name=_("transaction")
    )
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        permissions = [
            ("adjust_points", "Can give and take points of members"),
            ("correct_points", "Can take back wrong postings of points"),
            ("write_off_arrears", "Can forgive arrears of points"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(points=0), name="adjustment_moves_points"),
            models.UniqueConstraint(
                fields=["purchase", "currency"],
                condition=Q(purchase__isnull=False),
                name="missing_points_of_an_order_are_credited_once",
            ),
        ]
        indexes = [models.Index(fields=["-happened_at", "-id"], name="adjustment_newest_first")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.points}"
