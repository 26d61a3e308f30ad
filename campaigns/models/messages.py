"""Messages to members: templates and the outbox."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.placeholders import PLACEHOLDERS, unknown_placeholders
from members.models import Member


class MessageTemplate(models.Model):
    """Words for one occasion. `{name}`, `{tier}` or `{points}` and the other placeholders of the occasion are filled in when it is sent."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Occasion(models.TextChoices):
        TIER_RAISED = "tier_raised", _("a member rose to a tier")
        POINTS_EXPIRING = "points_expiring", _("points are about to expire")
        TIER_AT_RISK = "tier_at_risk", _("the next review would not keep a tier")
        PLAN_ENDS_SOON = "plan_ends_soon", _("a paid membership is about to end")

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")
        CONSOLE = "console", _("console (trial)")

    occasion = models.CharField(_("occasion"), max_length=30, choices=Occasion, unique=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    title = models.CharField(_("title"), max_length=120)
    body = models.TextField(_("text"))
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        constraints = [
            models.CheckConstraint(
                condition=Q(occasion__in=["tier_raised", "points_expiring", "tier_at_risk", "plan_ends_soon"]),
                name="message_occasion_is_known",
            ),
            models.CheckConstraint(condition=Q(channel__in=["email", "console"]), name="template_channel_is_known"),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Refuse texts, in any language, with placeholders that this occasion does not fill in."""
        if self.occasion not in PLACEHOLDERS:
            return  # the field says so itself
        known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS[self.occasion]))
        columns = [
            f"{field}_{language.replace('-', '_')}"
            for field in ("title", "body")
            for language, _name in settings.LANGUAGES
        ]
        wrong = {
            piece for column in columns for piece in unknown_placeholders(getattr(self, column) or "", self.occasion)
        }
        if wrong:
            text = _("“%(placeholder)s” is not filled in here. What can be filled in: %(known)s.")
            raise ValidationError(
                [ValidationError(text, params={"placeholder": piece, "known": known}) for piece in sorted(wrong)]
            )


class Message(models.Model):
    """One message to one member, in the outbox until it is delivered. Rendered when it is sent, so no text of a person is kept.

    One per member, template and occasion: `occurrence` names the fact it is about.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("not sent")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="messages", verbose_name=_("member"), db_index=False
    )
    template = models.ForeignKey(
        MessageTemplate, on_delete=models.PROTECT, related_name="messages", verbose_name=_("message template")
    )
    occurrence = models.CharField(_("occurrence"), max_length=80)
    channel = models.CharField(_("channel"), max_length=10, choices=MessageTemplate.Channel)
    figures = models.JSONField(_("figures"), default=dict)
    cause_id = models.BigIntegerField(_("caused by entry"), null=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    read_at = models.DateTimeField(
        _("read at"), null=True, help_text=_("When the member marked it as read in the app.")
    )

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "member", "occurrence"], name="message_is_sent_once_per_occurrence"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "sent", "failed", "skipped"]), name="message_state_is_known"
            ),
            models.CheckConstraint(condition=Q(channel__in=["email", "console"]), name="message_channel_is_known"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], name="message_due", condition=Q(state="queued")),
            models.Index(fields=["id"], name="message_given_up", condition=Q(state="failed")),
            models.Index(fields=["-created_at", "-id"], name="message_newest_first"),
            models.Index(fields=["member", "-created_at"], name="messages_of_member"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
