"""What members look at: views, searches, visits; told in batches and kept for a while."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models.people import Member


class Behaviour(models.Model):
    """One thing a member did in passing, of a kind that is kept for a set time. Told once under its own id.

    Never rewarded and never changed; deleted soon after `expires_at`, and with the person.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("subject",)

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="behaviours", verbose_name=_("member"), db_index=False
    )
    kind = models.SlugField(_("behaviour"), max_length=30, db_index=False)
    external_ref = models.CharField(_("reference in the app"), max_length=80)
    subject = models.CharField(_("what it was about"), max_length=60, blank=True, db_default="")
    value = models.IntegerField(_("figure"), null=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    expires_at = models.DateTimeField(_("kept until"))

    class Meta:
        verbose_name = _("behaviour in passing")
        verbose_name_plural = _("behaviours in passing")
        constraints = [
            models.UniqueConstraint(fields=["member", "external_ref"], name="behaviour_is_told_once"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("happened_at")), name="behaviour_is_kept_for_a_while"),
        ]
        indexes = [
            models.Index(fields=["member", "kind", "happened_at"], name="behaviours_of_member"),
            models.Index(fields=["-happened_at", "-id"], name="behaviour_newest_first"),
            models.Index(fields=["expires_at"], name="behaviours_to_be_forgotten"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
