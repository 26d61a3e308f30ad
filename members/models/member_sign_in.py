"""How members sign in: sessions with their tokens, codes that are sent to phones, and WeChat accounts on their way to a member."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member


class MemberSession(models.Model):
    """One sign-in of a member on one device: the family of all tokens that follow from it. Ends once, with a reason.

    `last_used_at` is exact to an hour. Ended sessions are deleted by a task after ninety days, and with the person.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("device",)

    class Way(models.TextChoices):
        WECHAT = "wechat", _("WeChat")
        SMS = "sms", _("code by text message")
        DEMO = "demo", pgettext_lazy("sign-in", "demo")

    class End(models.TextChoices):
        LOGOUT = "logout", _("signed out")
        MEMBER = "member", _("ended by the member from another device")
        STAFF = "staff", _("ended by staff")
        REUSE = "reuse", _("an old token was used again")
        PHONE = "phone", _("the phone number was changed")
        STANDING = "standing", _("the membership was frozen, closed or merged")
        REPEATED = "repeated", _("the answer was lost; the sign-in was repeated")
        CROWDED = "crowded", _("too many sessions at a time")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="sessions", verbose_name=_("member"), db_index=False
    )
    way = models.CharField(_("signed in with"), max_length=10, choices=Way)
    device = models.CharField(_("device"), max_length=80, blank=True)
    begun_by = models.CharField(_("mark of the binding it began with"), max_length=16, blank=True, editable=False)
    created_at = models.DateTimeField(_("signed in at"))
    last_used_at = models.DateTimeField(_("last used at"))
    expires_at = models.DateTimeField(_("ends at the latest"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    end = models.CharField(_("why it ended"), max_length=10, choices=End, blank=True)

    class Meta:
        verbose_name = _("session of a member")
        verbose_name_plural = _("sessions of members")
        constraints = [
            models.CheckConstraint(condition=Q(way__in=["wechat", "sms", "demo"]), name="way_of_signing_in_is_known"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end="") | (Q(ended_at__isnull=False) & ~Q(end="")),
                name="session_that_ended_says_why",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="session_ends_after_it_begins"),
        ]
        indexes = [
            models.Index(fields=["member", "-last_used_at"], name="sessions_of_a_member"),
            models.Index(fields=["expires_at"], name="sessions_by_end"),
        ]
        permissions = [("end_membersession", _("Can sign members out"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RefreshToken(models.Model):
    """What a session gets its next tokens with, once: only its SHA-256 is kept. Whoever uses it again ends the session.

    `used_at` says when the next one was given. Deleted with the session.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    session = models.ForeignKey(
        MemberSession, on_delete=models.PROTECT, related_name="refresh_tokens", verbose_name=_("session")
    )
    token_sha256 = models.BinaryField(_("hash of the token"), max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="refresh_token_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class OneTimeCode(models.Model):
    """A code that was sent to a phone, for one purpose of one caller. Good once, for ten minutes, and for five tries.

    Neither phone nor code stand here, only keyed hashes. Deleted by a task when it is over.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in", _("signing in")
        OLD_PHONE = "old_phone", _("letting a phone number go")
        NEW_PHONE = "new_phone", _("taking a phone number")
        TILL = "till", _("paying at a till")
        TRANSFER = "transfer", _("giving points away")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose)
    recipient_hash = models.BinaryField(_("hash of the phone"), max_length=32, editable=False)
    caller_hash = models.BinaryField(_("hash of who asked for it"), max_length=32, editable=False)
    code_hash = models.BinaryField(_("hash of the code"), max_length=32, editable=False)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        verbose_name = _("one-time code")
        verbose_name_plural = _("one-time codes")
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=["sign_in", "old_phone", "new_phone", "till", "transfer"]),
                name="purpose_of_a_code_is_known",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="one_time_code_ends_after_it_begins"
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="one_time_codes_by_end")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class WeChatBinding(models.Model):
    """A WeChat account that has signed in and belongs to no member yet: for ten minutes it may bind a phone number.

    Only the hash of the token that its app holds is kept. Deleted when its time is over, and with the person it became.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("openid", "unionid")

    token_sha256 = models.BinaryField(_("hash of the token"), max_length=32, unique=True, editable=False)
    appid = models.CharField(_("appid"), max_length=40)
    openid = models.CharField(_("openid"), max_length=64)
    unionid = models.CharField(_("unionid"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("WeChat account without a member")
        verbose_name_plural = _("WeChat accounts without a member")
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="binding_ends_after_it_begins"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="bindings_by_end")]

    def __str__(self) -> str:
        return f"#{self.pk}"
