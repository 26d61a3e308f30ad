"""What members do besides buying: visits, check-ins, reviews, shares, surveys, events of the programme's own."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.models.people import Member
from members.models.places import Channel, Store


class ActivityKind(models.Model):
    """A kind of behaviour that is recorded. Its code is for ever; one that is not recorded any more is switched off."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(
        _("code"), max_length=30, unique=True, help_text=_("How apps and shops name it. It can not be changed later.")
    )
    name = models.CharField(_("behaviour"), max_length=60)
    is_on = models.BooleanField(
        _("recorded"), default=True, help_text=_("Off: new ones are refused; the old ones stay.")
    )
    is_open_to_members = models.BooleanField(
        _("members' apps may tell it"),
        default=False,
        help_text=_(
            "On: the member's own app may report it. Leave it off for whatever is worth points and can not be checked."
        ),
    )
    kept_days = models.PositiveSmallIntegerField(
        _("kept for"),
        null=True,
        blank=True,
        help_text=_(
            "Days, at most 366, for what is done in passing, such as views: it is told in batches, needs consent, and is "
            "never worth points. Empty: kept for ever, and rules may reward it. It can not be changed later."
        ),
    )

    class Meta:
        verbose_name = _("kind of behaviour")
        verbose_name_plural = _("kinds of behaviour")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z][a-z0-9_]*$"), name="activity_kind_code_is_a_word"),
            models.CheckConstraint(
                condition=Q(kept_days__isnull=True) | Q(kept_days__range=(1, 366)),
                name="kind_is_kept_for_a_year_at_most",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Activity(models.Model):
    """One thing a member did besides buying. `(source, kind, external_ref)` is its identity for ever.

    `value` is a whole figure of the behaviour, such as a rating or a number of steps. Kept for ever; rewarded and
    counted by the floors above.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="activities", verbose_name=_("member"), db_index=False
    )
    kind = models.SlugField(_("behaviour"), max_length=30, db_index=False)
    source = models.CharField(_("source"), max_length=40)
    external_ref = models.CharField(_("reference in the source"), max_length=80)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    value = models.IntegerField(_("figure"), null=True)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("channel"), db_index=False
    )

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        constraints = [
            models.UniqueConstraint(fields=["source", "kind", "external_ref"], name="activity_is_recorded_once"),
        ]
        indexes = [
            models.Index(fields=["member", "kind", "happened_at"], name="activities_of_member"),
            models.Index(fields=["-happened_at", "-id"], name="activity_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_ref}"
