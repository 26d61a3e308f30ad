"""Files of orders that were imported."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OrderImport(models.Model):
    """One run of an import of orders: which file, how it was read, how far it came. Kept as the record of what came in."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("finished")
        FAILED = "failed", _("stopped by an error")

    file_name = models.CharField(_("file"), max_length=200)
    file_sha256 = models.BinaryField(_("hash of the file"), max_length=32)
    source = models.CharField(_("source"), max_length=40)
    mapping = models.JSONField(_("mapping"), default=dict)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    rows_read = models.PositiveIntegerField(_("rows read"), default=0)
    rows_ignored = models.PositiveIntegerField(_("rows that are no orders"), default=0)
    rows_rejected = models.PositiveIntegerField(_("rows rejected"), default=0)
    orders_new = models.PositiveIntegerField(_("orders recorded"), default=0)
    orders_known = models.PositiveIntegerField(_("orders already known"), default=0)
    returns_new = models.PositiveIntegerField(_("returns recorded"), default=0)
    returns_known = models.PositiveIntegerField(_("returns already known"), default=0)
    members_new = models.PositiveIntegerField(_("members created"), default=0)
    points = models.BigIntegerField(_("points earned"), default=0)
    error = models.TextField(_("error"), blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("import of orders")
        verbose_name_plural = _("imports of orders")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["running", "done", "failed"]), name="import_state_is_known")
        ]

    def __str__(self) -> str:
        return self.file_name
