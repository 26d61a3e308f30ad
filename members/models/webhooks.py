"""What other systems are told of by themselves: their addresses, and what was sent there."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.access import ApiKey


class WebhookEndpoint(models.Model):
    """One address of another system that events are sent to. Never deleted: what is not wanted any more is removed.

    Belongs to the key that made it, or to staff (no key). Its secrets are encrypted; while one is being changed there are
    two. `busy_until` is the lease of the worker that is sending, `rest_until` the pause after a failure.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("webhook", "active")
        PAUSED = "paused", pgettext_lazy("webhook", "paused")
        DISABLED = "disabled", pgettext_lazy("webhook", "switched off")
        REMOVED = "removed", pgettext_lazy("webhook", "removed")

    class Why(models.TextChoices):
        """Why it is not active."""

        NONE = "", ""
        OWNER = "owner", _("its owner wanted it")
        STAFF = "staff", _("staff wanted it")
        GONE = "gone", _("it answered that it is gone for good (410)")
        FAILING = "failing", _("it failed for days")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("what it is for"), max_length=120, blank=True)
    types = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE)
    why = models.CharField(_("reason of the state"), max_length=10, choices=Why, blank=True, default=Why.NONE)
    secret = models.BinaryField(_("secret"), editable=False)
    earlier_secret = models.BinaryField(_("earlier secret"), null=True, editable=False)
    earlier_until = models.DateTimeField(_("earlier secret signs until"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created at"))
    delivered_at = models.DateTimeField(_("last delivery"), null=True, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    served_at = models.DateTimeField(_("last served at"), null=True, blank=True)
    busy_until = models.DateTimeField(_("being served until"), null=True, blank=True)
    rest_until = models.DateTimeField(_("rests until"), null=True, blank=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            models.CheckConstraint(condition=models.Q(types__len__gt=0), name="webhook_is_told_something"),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "paused", "disabled", "removed"]),
                name="webhook_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="active", why="") | (~models.Q(state="active") & ~models.Q(why="")),
                name="webhook_that_is_not_active_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(earlier_secret__isnull=True, earlier_until__isnull=True)
                | models.Q(earlier_secret__isnull=False, earlier_until__isnull=False),
                name="earlier_webhook_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url


class WebhookDelivery(models.Model):
    """One event on its way to one address; the last try's outcome is kept, for thirty days.

    The event is named by an id that is worked out from its entry of the timeline and its type, and the body is made from
    the entry each time it is sent, so nothing of the event stands here.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("delivery", "waiting")
        FAILED = "failed", pgettext_lazy("delivery", "failed, will be tried again")
        GIVEN_UP = "given_up", pgettext_lazy("delivery", "given up")
        DELIVERED = "delivered", pgettext_lazy("delivery", "delivered")

    class Fault(models.TextChoices):
        """What kept a try from succeeding."""

        NONE = "", ""
        STATUS = "status", _("it answered with an error")
        REDIRECT = "redirect", _("it answered with a redirect, which is not followed")
        TIMEOUT = "timeout", _("it did not answer in time")
        CONNECTION = "connection", _("there was no connection")
        TLS = "tls", _("its certificate is not valid")
        ADDRESS = "address", _("nothing may be sent to this address")
        NO_EVENT = "no_event", _("the event does not exist any more")

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, db_index=False, related_name="deliveries", verbose_name=_("webhook")
    )
    event = models.UUIDField(_("event"))
    type = models.CharField(_("type of event"), max_length=40)
    entry_id = models.BigIntegerField(_("entry of the timeline"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    created_at = models.DateTimeField(_("planned at"))
    next_at = models.DateTimeField(_("next try"))
    tried_at = models.DateTimeField(_("last try"), null=True, blank=True)
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    fault = models.CharField(_("what went wrong"), max_length=12, choices=Fault, blank=True, default=Fault.NONE)
    took_ms = models.PositiveIntegerField(_("time taken, in milliseconds"), null=True, blank=True)
    answer = models.CharField(_("beginning of the answer"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="event_goes_to_a_webhook_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "failed", "given_up", "delivered"]),
                name="webhook_delivery_state_is_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at"],
                name="webhook_deliveries_due",
                condition=models.Q(state__in=["waiting", "failed"]),
            ),
            models.Index(
                fields=["-id"],
                name="webhook_deliveries_failed",
                condition=models.Q(state__in=["failed", "given_up"]),
            ),
            models.Index(fields=["endpoint", "created_at", "id"], name="webhook_deliveries_by_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"
