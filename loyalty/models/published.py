"""What the public page of the programme said, version by version."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class PublishedRules(models.Model):
    """One version of the public page of the programme, in force from `valid_from` until the next one by that moment.

    Made when what the rules say has changed, or when it is known that it will; never changed, never deleted. What was
    announced for a moment and does not come like that is replaced by a version for the same moment. `pages` and
    `changes` are by language: the page as it was, and sentences that say what is different from the version before.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    number = models.PositiveIntegerField(_("version"), unique=True)
    valid_from = models.DateTimeField(_("in force from"))
    published_at = models.DateTimeField(_("published at"))
    content_hash = models.CharField(
        _("checksum"), max_length=64, help_text=_("SHA-256 of what the page says, in all languages.")
    )
    pages = models.JSONField(_("page by language"))
    changes = models.JSONField(_("changes by language"), default=dict)
    replaces = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="replaced_by",
        verbose_name=_("replaces what was announced"),
    )

    class Meta:
        verbose_name = _("version of the published rules")
        verbose_name_plural = _("published rules")
        ordering = ["-number"]
        indexes = [models.Index(fields=["valid_from", "number"], name="published_rules_by_moment")]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_from__gte=F("published_at")), name="rules_are_published_before_they_hold"
            ),
            models.CheckConstraint(
                condition=Q(content_hash__regex=r"^[0-9a-f]{64}$"), name="published_rules_have_a_checksum"
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
