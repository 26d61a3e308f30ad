"""Tills and servers besides their keys: how they are activated and used. And members' short-lived codes at the till."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models.access import ApiKey
from members.models.member_sign_in import MemberSession
from members.models.people import Member
from members.models.places import Channel, Store


class TillActivation(models.Model):
    """A one-time code that makes a till one of ours: what its key will be. Good once, for a quarter of an hour.

    Only a keyed hash of the code is kept. The row stays: it says who let which till in, and when.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code_hmac = models.BinaryField(_("hash of the code"), max_length=32, unique=True, editable=False)
    store = models.ForeignKey(Store, on_delete=models.PROTECT, verbose_name=_("store"), related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, verbose_name=_("channel"), related_name="+")
    name = models.CharField(_("name of the till"), max_length=80)
    source = models.SlugField(_("source of orders"), max_length=40)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    daily_points_ceiling = models.PositiveIntegerField(_("points a day at most"), null=True, blank=True)
    made_at = models.DateTimeField(_("made at"))
    expires_at = models.DateTimeField(_("expires at"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    used_at = models.DateTimeField(_("used at"), null=True)
    device = models.CharField(_("what the till says it is"), max_length=120, blank=True)
    key = models.OneToOneField(
        ApiKey, on_delete=models.PROTECT, null=True, verbose_name=_("till key"), related_name="activation"
    )

    class Meta:
        verbose_name = _("activation of a till")
        verbose_name_plural = _("activations of tills")
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="activation_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, key__isnull=True) | Q(used_at__isnull=False, key__isnull=False),
                name="activation_that_was_used_has_a_key",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class KeyUse(models.Model):
    """When a key was used last, to five minutes. One row per key, for ever; beside the key, so that its history is of what staff change."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    key = models.OneToOneField(
        ApiKey, on_delete=models.PROTECT, primary_key=True, related_name="use", verbose_name=_("till key")
    )
    last_used_at = models.DateTimeField(_("last used at"))

    class Meta:
        verbose_name = _("use of a key")
        verbose_name_plural = _("uses of keys")

    def __str__(self) -> str:
        return f"#{self.key_id}"


class KeyDay(models.Model):
    """How many points keys of one family have moved on one business day, for those with a ceiling. Never deleted."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    family = models.UUIDField(_("family"))
    business_date = models.DateField(_("business day"))
    points = models.BigIntegerField(_("points"))

    class Meta:
        verbose_name = _("day of a key")
        verbose_name_plural = _("days of keys")
        constraints = [
            models.UniqueConstraint(fields=["family", "business_date"], name="day_of_a_key_is_counted_once"),
            models.CheckConstraint(condition=Q(points__gte=0), name="points_of_a_key_are_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.business_date}: {self.points}"


class SignedCall(models.Model):
    """A signed call that was accepted, so that it is not accepted again. Deleted once its moment would be refused anyway."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, verbose_name=_("till key"), related_name="+", db_index=False
    )
    nonce_sha256 = models.BinaryField(_("hash of the nonce"), max_length=32, editable=False)
    signed_at = models.DateTimeField(_("signed at"))

    class Meta:
        verbose_name = _("signed call")
        verbose_name_plural = _("signed calls")
        constraints = [models.UniqueConstraint(fields=["key", "nonce_sha256"], name="nonce_of_a_key_is_used_once")]
        indexes = [models.Index(fields=["signed_at"], name="signed_calls_by_age")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberCodeDevice(models.Model):
    """A phone that shows its member's code, also without a network: one of the member's nine places, which the code names.

    Its seed stands nowhere: it is derived, anew for each day, from `nonce` and a key. It ends with the session that asked for
    it. The place is then free for another phone; with all nine taken, the one that asked longest ago makes room.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="code_devices", verbose_name=_("member"), db_index=False
    )
    place = models.PositiveSmallIntegerField(_("place"))
    session = models.OneToOneField(
        MemberSession, on_delete=models.SET_NULL, null=True, related_name="code_device", verbose_name=_("session")
    )
    nonce = models.BinaryField(_("what the seed is derived from"), max_length=16, editable=False)
    drift_steps = models.SmallIntegerField(_("half minutes its clock is ahead"), default=0)
    seeded_at = models.DateTimeField(_("last given a seed at"))

    class Meta:
        verbose_name = _("phone that shows a code")
        verbose_name_plural = _("phones that show a code")
        constraints = [
            models.UniqueConstraint(fields=["member", "place"], name="place_of_a_phone_is_taken_once"),
            models.CheckConstraint(condition=Q(place__gte=1, place__lte=9), name="phones_have_nine_places"),
            models.CheckConstraint(
                condition=Q(drift_steps__gte=-4, drift_steps__lte=4), name="drift_of_a_phone_is_bounded"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberAtTill(models.Model):
    """A member who showed a till that they may spend: for that till, for some minutes. Made when a code is used up.

    A code of one place and half minute is used up once, whoever reads it. Deleted after a day.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class By(models.TextChoices):
        CODE = "code", _("member code")
        CARD = "card", _("card")
        SMS = "sms", _("one-time code by text message")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, related_name="+", verbose_name=_("till key"), db_index=False
    )
    by = models.CharField(_("shown by"), max_length=4, choices=By)
    code_owner = models.BigIntegerField(_("member of the code"), null=True)
    place = models.PositiveSmallIntegerField(_("place"), null=True)
    step = models.BigIntegerField(_("half minute of the code"), null=True)
    shown_at = models.DateTimeField(_("shown at"))
    good_until = models.DateTimeField(_("good until"))

    class Meta:
        verbose_name = _("member at a till")
        verbose_name_plural = _("members at tills")
        constraints = [
            models.UniqueConstraint(fields=["code_owner", "place", "step"], name="code_is_used_up_once"),
            models.CheckConstraint(condition=Q(by__in=["code", "card", "sms"]), name="way_to_show_is_known"),
            models.CheckConstraint(
                condition=Q(by="code", code_owner__isnull=False, place__isnull=False, step__isnull=False)
                | (~Q(by="code") & Q(code_owner__isnull=True, place__isnull=True, step__isnull=True)),
                name="only_codes_are_used_up",
            ),
            models.CheckConstraint(condition=Q(good_until__gt=F("shown_at")), name="showing_ends_after_it_begins"),
        ]
        indexes = [
            models.Index(fields=["key", "member", "-good_until"], name="members_at_a_till"),
            models.Index(fields=["shown_at"], name="members_at_tills_by_age"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
