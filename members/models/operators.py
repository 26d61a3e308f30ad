"""Staff who sign in."""

import hashlib
from collections.abc import Iterator
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.places import Store


class Operator(AbstractUser):
    """One member of staff with a sign-in of their own. Rights come from roles (groups made by migration).

    Accounts are never shared and never deleted: who leaves is made inactive, and their sessions end for good: a trigger
    counts `sign_in_epoch` on, which every session knows. It only ever grows.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("username", "first_name", "last_name", "email", "display_name")

    display_name = models.CharField(_("name shown"), max_length=80, blank=True)
    stores = models.ManyToManyField(
        Store,
        blank=True,
        verbose_name=_("stores"),
        related_name="operators",
        help_text=_("Store staff see these stores only. Empty: all stores."),
    )

    sign_in_epoch = models.PositiveIntegerField(
        _("how often all sign-ins were ended"), default=0, db_default=0, editable=False
    )

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operators")

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_session_auth_hash(self) -> str:
        """Return what open sessions must know: it changes with the password, and whenever all sessions are ended."""
        return _with_epoch(super().get_session_auth_hash(), self.sign_in_epoch)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Yield the same under keys that were in use before."""
        for known in super().get_session_auth_fallback_hash():
            yield _with_epoch(known, self.sign_in_epoch)

    def get_full_name(self) -> str:
        """The name that pages show: Chinese names are not put together from two fields."""
        return str(self)


def _with_epoch(known: str, epoch: int) -> str:
    return hashlib.sha256(f"{known}:{epoch}".encode()).hexdigest()
