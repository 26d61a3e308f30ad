"""Points that members give away: to another member, to a charity project."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member, Operator, Proposal
from rewards.models.ledger import LedgerTransaction, PointsCurrency


class TransferPolicy(models.Model):
    """Whether points of a currency may be given to other members, and how many. One row for each currency; history is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    currency = models.OneToOneField(
        PointsCurrency, on_delete=models.PROTECT, related_name="transfer_policy", verbose_name=_("points currency")
    )
    is_enabled = models.BooleanField(_("transfers are possible"), default=False)
    min_points = models.PositiveBigIntegerField(_("at least each time (points)"), default=100)
    max_points = models.PositiveBigIntegerField(_("at most each time (points)"), default=5_000)
    day_points = models.PositiveBigIntegerField(_("at most on one day (points)"), default=5_000)
    day_times = models.PositiveSmallIntegerField(_("at most on one day (times)"), default=3)
    month_points = models.PositiveBigIntegerField(_("at most in one month (points)"), default=20_000)
    month_times = models.PositiveSmallIntegerField(_("at most in one month (times)"), default=10)
    cooldown_hours = models.PositiveSmallIntegerField(
        _("wait after a new phone number (hours)"),
        default=24,
        help_text=_("Whoever took over a phone number must not empty the account at once. 0: no wait."),
    )

    class Meta:
        verbose_name = _("transfer policy")
        verbose_name_plural = _("transfer policies")
        constraints = [
            models.CheckConstraint(
                condition=Q(min_points__gte=1, max_points__gte=F("min_points")), name="transfer_has_a_least_and_a_most"
            ),
            models.CheckConstraint(
                condition=Q(day_points__gte=F("min_points"), month_points__gte=F("day_points")),
                name="transfers_of_a_month_include_those_of_a_day",
            ),
            models.CheckConstraint(condition=Q(cooldown_hours__lte=720), name="wait_before_transfers_is_bounded"),
        ]

    def __str__(self) -> str:
        return f"#{self.currency_id}"


class PointsTransfer(models.Model):
    """Points that one member gave to another. Written once, with the posting; the limits are counted from these rows.

    By staff it has its proposal; by the member it has `request_id`, the natural key under which a repeat finds it for ever.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    sender = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("from"), db_index=False
    )
    receiver = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("to"))
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency"), db_index=False
    )
    points = models.PositiveBigIntegerField(_("points"))
    maker = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("asked for by")
    )
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    request_id = models.CharField(_("request of the member"), max_length=80, null=True, unique=True, editable=False)
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="+", verbose_name=_("transaction")
    )
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        permissions = [("transfer_points", "Can move points from one member to another")]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="transfer_moves_points"),
            models.CheckConstraint(condition=~Q(sender=F("receiver")), name="transfer_goes_to_another_member"),
            models.CheckConstraint(
                condition=Q(maker__isnull=False, proposal__isnull=False, request_id__isnull=True)
                | Q(maker__isnull=True, proposal__isnull=True, request_id__isnull=False),
                name="transfer_is_by_staff_or_by_the_member",
            ),
        ]
        indexes = [
            models.Index(fields=["sender", "currency", "happened_at"], name="transfers_of_a_sender"),
            models.Index(fields=["-happened_at", "-id"], name="transfer_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.sender_id} → {self.receiver_id}: {self.points}"


class CharityProject(models.Model):
    """A good cause that members give points to, for as long as it runs. History is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    name = models.CharField(pgettext_lazy("partner or project", "name"), max_length=80)
    description = models.TextField(_("description"), max_length=2000, blank=True)
    is_active = models.BooleanField(_("takes points"), default=True)
    starts_at = models.DateTimeField(_("begins at"))
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    target_points = models.PositiveBigIntegerField(_("goal (points)"), null=True, blank=True)

    class Meta:
        verbose_name = _("charity project")
        verbose_name_plural = _("charity projects")
        ordering = ["-starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="charity_project_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(target_points__isnull=True) | Q(target_points__gt=0), name="charity_project_has_a_real_goal"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Donation(models.Model):
    """Points that a member gave to a project, or (`takes_back`) that such a gift was taken back. Written once, with the posting.

    Without a proposal it is the member's own, redeemed from the catalogue.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, default=uuid4)
    project = models.ForeignKey(
        CharityProject, on_delete=models.PROTECT, related_name="donations", verbose_name=_("charity project")
    )
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    points = models.BigIntegerField(_("points"), help_text=_("Below 0: a gift taken back."))
    takes_back = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="taken_back_by", verbose_name=_("takes back")
    )
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="donation", verbose_name=_("transaction")
    )
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("donation")
        verbose_name_plural = _("donations")
        permissions = [("donate_points", "Can give points of members to charity projects")]
        constraints = [
            models.CheckConstraint(
                condition=Q(points__gt=0, takes_back__isnull=True) | Q(points__lt=0, takes_back__isnull=False),
                name="donation_gives_or_takes_back",
            )
        ]
        indexes = [models.Index(fields=["-happened_at", "-id"], name="donation_newest_first")]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.points}"
