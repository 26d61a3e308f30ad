"""What members look at: views, searches, visits; told in batches and kept for a while."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Behaviour(models.Model):
    """One thing a member did in passing, of a kind that is kept for a set time. Told once under its own id.

    Never rewarded and never changed; dropped with the month in which all of its rows have expired, and deleted with the
    person. Partitioned by the month of `expires_at`.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("subject",)

    id = models.BigAutoField(primary_key=True)
    member_id = models.BigIntegerField(_("member"))
    kind = models.SlugField(_("behaviour"), max_length=30)
    external_ref = models.CharField(_("reference in the app"), max_length=80)
    subject = models.CharField(_("what it was about"), max_length=60, blank=True, db_default="")
    value = models.IntegerField(_("figure"), null=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    expires_at = models.DateTimeField(_("kept until"))

    class Meta:
        verbose_name = _("behaviour in passing")
        verbose_name_plural = _("behaviours in passing")
        managed = False  # partitioned: made by SQL in the migration
        db_table = "members_behaviour"

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
