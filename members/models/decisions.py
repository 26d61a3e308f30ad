"""What was answered and why: refusals and quotes, kept for a while so that 为什么？ can be answered."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.people import Member


class Decision(models.Model):
    """A refusal or a quote with its trace: codes, ids and numbers, at most 8 kB. Never changed.

    Partitioned by the month in which it expires; expired months are dropped whole. `subject` says what was decided
    about (an address, a reward); a quote is named by its public id.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        QUOTE = "quote", _("quote")
        REFUSAL = "refusal", _("refusal")

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(_("public id"), editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        null=True,
        related_name="decisions",
        verbose_name=_("member"),
        db_index=False,
        db_constraint=False,
    )
    subject = models.CharField(_("subject"), max_length=80, blank=True, db_default="")
    code = models.CharField(_("code"), max_length=60)
    trace = models.JSONField(_("explanation"), default=dict)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    decided_at = models.DateTimeField(_("decided at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    expires_at = models.DateTimeField(_("kept until"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        managed = False  # partitioned: made by SQL in the migration
        db_table = "members_decision"

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"
