"""What a new member is invited to do first."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OnboardingTask(models.Model):
    """One thing for new members to do, done once its condition is met. Its code is for ever; switched off, never deleted.

    Nothing is kept of who did it: the condition is asked of the facts, so a task is done whoever brought it about.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(
        _("code"), max_length=30, unique=True, help_text=_("How apps name it. It can not be changed later.")
    )
    name = models.CharField(_("task"), max_length=60)
    hint = models.CharField(_("what members read beneath"), max_length=120, blank=True)
    condition = models.JSONField(_("done when"))
    days = models.PositiveSmallIntegerField(
        _("shown for (days)"), default=30, help_text=_("So many days after joining it is on the list.")
    )
    is_on = models.BooleanField(_("in use"), default=True)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=0)

    class Meta:
        verbose_name = _("task of new members")
        verbose_name_plural = _("tasks of new members")
        ordering = ["order", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(days__gte=1, days__lte=366), name="onboarding_task_is_shown_for_a_while")
        ]

    def __str__(self) -> str:
        return self.name
