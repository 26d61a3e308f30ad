"""How operators sign in: the second step, its recovery codes, and the tries that are counted against guessing."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.operators import Operator


class SecondStep(models.Model):
    """An operator's app that shows six digits. The secret itself stands nowhere: it is derived from `nonce` and a key.

    Asked for at each sign-in from the moment it was confirmed. Deleted when it is taken away; the log of the pages keeps that.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    operator = models.OneToOneField(
        Operator, on_delete=models.PROTECT, primary_key=True, related_name="second_step", verbose_name=_("operator")
    )
    nonce = models.BinaryField(_("what the secret is derived from"), max_length=16, editable=False)
    begun_at = models.DateTimeField(_("begun at"))
    confirmed_at = models.DateTimeField(_("in use since"), null=True)
    last_step = models.BigIntegerField(_("last half minute whose digits were used"), default=0, editable=False)

    class Meta:
        verbose_name = _("second step")
        verbose_name_plural = _("second steps")

    def __str__(self) -> str:
        return f"#{self.operator_id}"


class RecoveryCode(models.Model):
    """One code for the day on which the phone is lost: good once. Only its keyed hash is kept. Deleted with the second step."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, related_name="recovery_codes", verbose_name=_("operator")
    )
    code_hash = models.BinaryField(_("hash of the code"), max_length=32, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = [
            models.UniqueConstraint(fields=["operator", "code_hash"], name="recovery_code_is_given_once"),
        ]

    def __str__(self) -> str:
        return f"#{self.operator_id}"


class SignInTries(models.Model):
    """How often a sign-in was tried lately: under one name from one address, under the name from anywhere, from one
    address, or with digits of one account. A row may also say, with no try, that an account has signed in from an address.

    What was typed and where from stand here as keyed hashes only. A task deletes what counts tries after a day, the rest
    after thirty.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        ACCOUNT = "account", pgettext_lazy("sign-in", "name of an account")
        PLACE = "place", pgettext_lazy("sign-in", "network address")
        DIGITS = "digits", pgettext_lazy("sign-in", "second step of an account")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    key_hash = models.BinaryField(_("hash of what is counted"), max_length=32, editable=False)
    tries = models.PositiveIntegerField(_("tries"))
    since_at = models.DateTimeField(_("counted since"))
    locked_until = models.DateTimeField(_("locked until"), null=True)

    class Meta:
        verbose_name = _("tries to sign in")
        verbose_name_plural = _("tries to sign in")
        constraints = [
            models.UniqueConstraint(fields=["kind", "key_hash"], name="tries_are_counted_in_one_place"),
            models.CheckConstraint(condition=Q(kind__in=["account", "place", "digits"]), name="kind_of_tries_is_known"),
        ]
        indexes = [models.Index(fields=["since_at"], name="tries_by_age")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.tries}"


class FindTally(models.Model):
    """How many members an operator looked up in the find box in the present minute. One row per operator, for ever."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    operator = models.OneToOneField(
        Operator, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("operator")
    )
    minute_at = models.DateTimeField(_("minute"))
    lookups = models.PositiveIntegerField(_("look-ups"))

    class Meta:
        verbose_name = _("look-ups of an operator")
        verbose_name_plural = _("look-ups of operators")

    def __str__(self) -> str:
        return f"#{self.operator_id}: {self.lookups}"
