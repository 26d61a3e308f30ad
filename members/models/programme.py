"""The programme: one per installation."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def validate_zone(value: str) -> None:
    """Refuse a name that is no IANA time zone."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValidationError(
            _("“%(value)s” is no time zone; write it like Asia/Shanghai."), params={"value": value}
        ) from error


class Programme(models.Model):
    """The one loyalty programme: its names, its zone, its money. One row for ever (id 1), made by migration.

    Business dates (a day's figures, month ends, expiry at local midnight) are worked out in its zone.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(_("programme name"), max_length=80)
    points_name = models.CharField(
        _("name of the points"), max_length=30, help_text=_("What members call one unit, for example 积分.")
    )
    zone = models.CharField(_("time zone"), max_length=50, default="Asia/Shanghai", validators=[validate_zone])
    currency = models.CharField(
        _("currency"), max_length=3, default="CNY", help_text=_("Three letters of ISO 4217, for example CNY.")
    )
    closing_days = models.PositiveSmallIntegerField(
        _("days to think a leave over"),
        default=7,
        db_default=7,
        help_text=_("So many days after a member asks to leave, the membership ends. Until then it can be taken back."),
    )
    second_step_required = models.BooleanField(
        _("second step at sign-in"),
        default=False,
        db_default=False,
        help_text=_(
            "On: administrators, finance and service supervisors must sign in with six digits from their phone too."
        ),
    )

    class Meta:
        verbose_name = _("programme")
        verbose_name_plural = _("programme")
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="programme_is_a_single_row"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="programme_currency_is_three_capitals"
            ),
            models.CheckConstraint(condition=models.Q(closing_days__lte=90), name="programme_lets_members_leave"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tz(self) -> ZoneInfo:
        """The zone as an object for date arithmetic."""
        return ZoneInfo(self.zone)
