"""Wishes of members about what is kept of them: a copy, or that it be erased."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.consents import ConsentEntry
from members.models.people import Member
from members.models.work import Job


class PrivacyRequest(models.Model):
    """A member's wish about their own data: a copy of it, or that it be erased. Never deleted; says nothing of the person.

    A copy is made by a job and can be fetched until `link_until`. An erasure waits until `due_at`, can be taken back
    until then, and is carried out afterwards; it then holds what was erased, as counts, and is the source of the
    certificate.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        COPY = "copy", _("copy of the data")
        ERASURE = "erasure", _("erasure")

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("privacy request", "waiting")
        DONE = "done", pgettext_lazy("privacy request", "done")
        WITHDRAWN = "withdrawn", pgettext_lazy("privacy request", "taken back")
        FAILED = "failed", pgettext_lazy("privacy request", "failed")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("what is asked for"), max_length=10, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="privacy_requests", verbose_name=_("member")
    )
    way = models.CharField(_("how it was said"), max_length=10, choices=ConsentEntry.Way)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    asked_at = models.DateTimeField(_("asked for at"))
    due_at = models.DateTimeField(_("due at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    link_until = models.DateTimeField(_("can be fetched until"), null=True)
    counts = models.JSONField(_("what was erased"), default=dict, help_text=_("Rows by kind."))
    settled = models.JSONField(_("what was given up"), default=list, help_text=_("Kind and figure."))

    class Meta:
        verbose_name = _("wish about personal data")
        verbose_name_plural = _("wishes about personal data")
        permissions = [
            ("handle_privacyrequest", "Can copy and erase what is kept of a member"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["copy", "erasure"]), name="privacy_request_kind_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "withdrawn", "failed"]), name="privacy_request_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="copy", due_at__isnull=True) | Q(kind="erasure", due_at__gt=F("asked_at")),
                name="erasure_waits_before_it_is_due",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True) | ~Q(state="waiting") & Q(ended_at__isnull=False),
                name="ended_privacy_request_says_when",
            ),
            models.UniqueConstraint(
                fields=["member", "kind"], condition=Q(state="waiting"), name="member_waits_for_one_of_a_kind"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="erasures_due", condition=Q(kind="erasure", state="waiting")),
            models.Index(fields=["-asked_at", "-id"], name="privacy_request_newest_first"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """The number that is told to the person, and stands on the certificate."""
        return f"P{self.asked_at:%Y}-{self.pk:06d}"
