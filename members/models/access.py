"""Who may call the API, and the answers kept for repeated calls."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.member_sign_in import MemberSession
from members.models.people import Member
from members.models.places import Channel, Store


class ApiKey(models.Model):
    """A till's or a server's bearer key: only its SHA-256 is kept. Ends by being revoked or at its end; never deleted.

    It stands in one store, may act for some more (servers), and has a list of scopes. One that takes another's place
    (`replaces`) is of the same `family`, which shares a ceiling.
    """

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
    stores = models.ManyToManyField(
        Store,
        verbose_name=_("more stores"),
        blank=True,
        related_name="+",
        help_text=_("For servers that act for several stores. Tills need none."),
    )
    networks = ArrayField(models.CharField(max_length=43), verbose_name=_("networks"), default=list, blank=True)
    daily_points_ceiling = models.PositiveIntegerField(_("points a day at most"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True, editable=False)
    replaces = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        verbose_name=_("takes the place of"),
        related_name="replaced_by",
    )
    family = models.UUIDField(_("family"), editable=False, db_default=RandomUUID())
    signing_version = models.PositiveSmallIntegerField(
        _("version of the signing secret"), default=1, db_default=1, editable=False
    )
    signing_overlap_until = models.DateTimeField(
        _("the signing secret before is good until"), null=True, editable=False
    )

    class Meta:
        verbose_name = _("till key")
        verbose_name_plural = _("till keys")
        permissions = [("activate_till", _("Can activate tills in their stores"))]
        constraints = [
            models.CheckConstraint(condition=models.Q(scopes__len__gt=0), name="api_key_has_a_scope"),
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True) | models.Q(ends_at__gte=models.F("created_at")),
                name="api_key_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(daily_points_ceiling__isnull=True) | models.Q(daily_points_ceiling__gt=0),
                name="ceiling_of_a_key_is_positive",
            ),
            models.CheckConstraint(condition=models.Q(signing_version__gt=0), name="signing_secrets_begin_with_one"),
        ]
        indexes = [models.Index(fields=["ends_at"], name="keys_by_end", condition=models.Q(revoked_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class MemberToken(models.Model):
    """A member's opaque access token: only its SHA-256 is kept. Ends by itself, or with its session.

    Deleted with the session.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="tokens", verbose_name=_("member"))
    token_sha256 = models.BinaryField(_("hash of the token"), max_length=32, unique=True, editable=False)
    session = models.ForeignKey(
        MemberSession, on_delete=models.PROTECT, related_name="tokens", verbose_name=_("session")
    )
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
