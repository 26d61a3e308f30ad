"""Staff who sign in."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.places import Store


class Operator(AbstractUser):
    """One member of staff with a sign-in of their own. Rights come from roles (groups made by migration).

    Accounts are never shared and never deleted: who leaves is made inactive, and their sessions end.
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

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operators")

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        """The name that pages show: Chinese names are not put together from two fields."""
        return str(self)
