"""Partners whose miles or points are exchanged with ours, the rates, and every exchange."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member, Operator, Proposal
from rewards.models.ledger import LedgerTransaction


class Direction(models.TextChoices):
    """Which way points go."""

    OUT = "out", pgettext_lazy("conversion", "to the partner")
    IN = "in", pgettext_lazy("conversion", "from the partner")


class Partner(models.Model):
    """A programme with which points are exchanged, such as an airline. History is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(pgettext_lazy("partner or project", "name"), max_length=60)
    unit_name = models.CharField(_("what the partner's points are called"), max_length=30)
    is_active = models.BooleanField(_("points are exchanged"), default=True)
    min_points = models.PositiveBigIntegerField(_("at least each time (points)"), default=1_000)
    step_points = models.PositiveBigIntegerField(_("in steps of (points)"), default=1_000)
    day_limit_points = models.PositiveBigIntegerField(_("at most each day and member (points)"), default=50_000)
    settlement_note = models.TextField(_("how it is settled"), max_length=1000, blank=True)

    class Meta:
        verbose_name = pgettext_lazy("conversion", "partner")
        verbose_name_plural = pgettext_lazy("conversion", "partners")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(min_points__gte=1, step_points__gte=1), name="conversion_moves_points"),
        ]

    def __str__(self) -> str:
        return self.name


class PartnerRate(models.Model):
    """What points are exchanged at from a moment on, one way: so many points for so many units. A change is a new row."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="rates", verbose_name=pgettext_lazy("conversion", "partner")
    )
    direction = models.CharField(_("direction"), max_length=3, choices=Direction)
    valid_from = models.DateTimeField(_("in force from"))
    points = models.PositiveIntegerField(_("our points"))
    units = models.PositiveIntegerField(_("partner's units"))

    class Meta:
        verbose_name = pgettext_lazy("conversion", "exchange rate")
        verbose_name_plural = pgettext_lazy("conversion", "exchange rates")
        ordering = ["partner", "direction", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "direction", "valid_from"], name="partner_has_one_rate_at_a_time"
            ),
            models.CheckConstraint(condition=Q(points__gt=0, units__gt=0), name="exchange_rate_is_not_zero"),
            models.CheckConstraint(condition=Q(direction__in=["out", "in"]), name="rate_direction_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.points} : {self.units}"


class PartnerFile(models.Model):
    """A file that went to a partner or came from one: its name and hash. What stands in it are conversions."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        EXPORT = "export", pgettext_lazy("partner file", "conversions for the partner")
        ANSWER = "answer", pgettext_lazy("partner file", "the partner's answer")
        INCOMING = "incoming", pgettext_lazy("partner file", "conversions from the partner")

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="files", verbose_name=pgettext_lazy("conversion", "partner")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("file"), max_length=200)
    sha256 = models.BinaryField(_("hash of the file"), max_length=32)
    rows = models.PositiveIntegerField(_("rows"))
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="+", verbose_name=_("operator"))
    created_at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("partner file")
        verbose_name_plural = _("partner files")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["export", "answer", "incoming"]), name="partner_file_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PartnerConversion(models.Model):
    """One exchange of a member's points with a partner. Out: asked, waiting, exported, then confirmed or rejected by the partner.

    In: confirmed as soon as it is booked. Never deleted; the member's number at the partner can be.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("partner_account",)

    class State(models.TextChoices):
        ASKED = "asked", pgettext_lazy("conversion", "waiting for approval")
        PENDING = "pending", pgettext_lazy("conversion", "waiting for the next file")
        EXPORTED = "exported", pgettext_lazy("conversion", "sent to the partner")
        CONFIRMED = "confirmed", pgettext_lazy("conversion", "confirmed")
        REJECTED = "rejected", pgettext_lazy("conversion", "rejected by the partner")
        CANCELLED = "cancelled", pgettext_lazy("conversion", "taken back")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        related_name="conversions",
        verbose_name=pgettext_lazy("conversion", "partner"),
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    direction = models.CharField(_("direction"), max_length=3, choices=Direction)
    points = models.PositiveBigIntegerField(_("points"))
    units = models.PositiveBigIntegerField(_("partner's units"))
    rate = models.ForeignKey(
        PartnerRate,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=pgettext_lazy("conversion", "exchange rate"),
    )
    partner_account = models.CharField(_("member's number at the partner"), max_length=40, blank=True)
    line_ref = models.CharField(_("reference of the line"), max_length=60)
    request_id = models.CharField(_("request"), max_length=80, blank=True)
    state = models.CharField(_("state"), max_length=9, choices=State)
    rejected_reason = models.CharField(_("why it was rejected"), max_length=200, blank=True)
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="conversion", verbose_name=_("transaction")
    )
    file = models.ForeignKey(
        PartnerFile, on_delete=models.PROTECT, null=True, related_name="conversions", verbose_name=_("partner file")
    )
    happened_at = models.DateTimeField(_("happened at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        permissions = [
            ("convert_points", "Can exchange points of members with partners"),
            ("exchange_partner_files", "Can make and read the files of partners"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "direction", "line_ref"], name="line_of_a_partner_is_exchanged_once"
            ),
            models.UniqueConstraint(
                fields=["request_id"], condition=~Q(request_id=""), name="request_is_one_conversion_only"
            ),
            models.CheckConstraint(condition=Q(points__gt=0, units__gt=0), name="conversion_is_not_empty"),
            models.CheckConstraint(condition=Q(direction__in=["out", "in"]), name="conversion_direction_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["asked", "pending", "exported", "confirmed", "rejected", "cancelled"]),
                name="conversion_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="asked", transaction__isnull=True)
                | Q(state="cancelled")
                | ~Q(state__in=["asked", "cancelled"]) & Q(transaction__isnull=False),
                name="conversion_is_posted_when_it_counts",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "partner", "happened_at"], name="conversions_of_a_member"),
            models.Index(fields=["partner", "id"], name="conversions_to_be_sent", condition=Q(state="pending")),
            models.Index(fields=["-happened_at", "-id"], name="conversion_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id}/{self.line_ref}"
