"""Who may call the API, and the answers kept for repeated calls."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.people import Member
from members.models.places import Channel, Store


class ApiKey(models.Model):
    """A till's bearer key: only its SHA-256 is kept. Bound to one store and a list of scopes; revoked, never deleted."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    name = models.CharField(_("name of the till"), max_length=80)
    prefix = models.CharField(_("beginning of the key"), max_length=16, editable=False)
    key_sha256 = models.BinaryField(_("hash of the key"), max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    store = models.ForeignKey(Store, on_delete=models.PROTECT, verbose_name=_("store"), related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, verbose_name=_("channel"), related_name="+")
    source = models.SlugField(
        _("source of orders"),
        max_length=40,
        help_text=_("Order numbers are unique within a source; tills that share numbers share it."),
    )
    created_at = models.DateTimeField(_("created at"), editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("till key")
        verbose_name_plural = _("till keys")
        constraints = [
            models.CheckConstraint(condition=models.Q(scopes__len__gt=0), name="api_key_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class MemberToken(models.Model):
    """A member's opaque access token: only its SHA-256 is kept. Dies at its end, at logout, or when the member is frozen."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="tokens", verbose_name=_("member"))
    token_sha256 = models.BinaryField(_("hash of the token"), max_length=32, unique=True, editable=False)
    device = models.CharField(_("device"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("member token")
        verbose_name_plural = _("member tokens")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="member_token_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class IdempotentAnswer(models.Model):
    """The first answer to a call that moved value, kept 7 days for repeats. The fact's own unique key lives for ever.

    Written in the transaction of the effect: a repeat in flight waits for it, a refused call leaves none.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    principal = models.CharField(_("principal"), max_length=60)
    route = models.CharField(_("route"), max_length=80)
    key = models.CharField(_("idempotency key"), max_length=120)
    body_sha256 = models.BinaryField(_("hash of the request"), max_length=32)
    status = models.PositiveSmallIntegerField(_("HTTP status"), default=0)
    answer = models.JSONField(_("answer"), null=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        constraints = [
            models.UniqueConstraint(fields=["principal", "route", "key"], name="idempotency_key_is_used_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="kept_answer_by_age")]

    def __str__(self) -> str:
        return f"{self.principal} {self.route}"
