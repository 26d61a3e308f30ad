"""Pictures of tiers."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class TierImage(models.Model):
    """A picture that a tier has, or had, as PNG, named by what is in it. Never changed or removed: history points at it.

    Kept in the database: there are a few of some kilobytes, every process has them, and they are in every backup.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    digest = models.CharField(_("digest"), max_length=64, primary_key=True)
    content = models.BinaryField(_("content"))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("picture of a tier")
        verbose_name_plural = _("pictures of tiers")
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="picture_of_a_tier_has_a_digest")
        ]

    def __str__(self) -> str:
        return self.digest[:12]
