"""How much an operator may do alone: limits by role, counted per operator and business day.

A family is a sort of change that shares one limit ("points"). The day is that of the programme's zone.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import connection
from django.db.models import Max
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.models import ApprovalRule, LimitUsage, OperatorLimit
from members.queries import programme

POINTS: Final = "points"
SECOND_ABOVE_POINTS: Final = 200_000

_families: dict[str, str | Promise] = {POINTS: _("points given, taken or moved")}


@dataclass(frozen=True, slots=True)
class LimitNow:
    """What an operator may do alone at this moment, in points: each time, on the day, used and left of the day."""

    per_entry: int
    per_day: int
    used_today: int

    @property
    def left_today(self) -> int:
        """What is left of the day's limit; 0 when the limit was lowered below what was used."""
        return max(self.per_day - self.used_today, 0)

    def allows(self, amount: int) -> bool:
        """Whether so much may be done without a second person, as far as can be said before it is counted."""
        return amount <= self.per_entry and amount <= self.left_today


def register_family(code: str, label: str | Promise) -> None:
    """Add a family of limits. Called once per process from `AppConfig.ready()`."""
    _families[code] = label


def families() -> list[tuple[str, str | Promise]]:
    """Return (code, label) of all families."""
    return list(_families.items())


def family_label(code: str) -> str:
    """Return what a family limits, in the active language."""
    return str(_families.get(code, code))


def business_day(at: datetime) -> date:
    """Return the day on which a moment is counted."""
    return at.astimezone(programme().tz).date()


def limit_for(*, operator_id: int, family: str, at: datetime) -> LimitNow:
    """Return what the operator may do alone now: the highest limits of the operator's roles, and what was used today."""
    most = OperatorLimit.objects.filter(family=family, role__user=operator_id).aggregate(
        per_entry=Max("per_entry_points"), per_day=Max("per_day_points")
    )
    usage = LimitUsage.objects.filter(operator_id=operator_id, family=family, date=business_day(at)).first()
    return LimitNow(most["per_entry"] or 0, most["per_day"] or 0, usage.used_points if usage else 0)


def count_towards_limit(*, operator_id: int, family: str, amount: int, at: datetime) -> bool:
    """Count an amount towards the operator's limits, within the caller's transaction; return False where it does not fit.

    Guarded by the row of the day: whoever comes at the same moment waits for it, and the sum never passes the limit.
    """
    if not amount:
        return True
    limit = limit_for(operator_id=operator_id, family=family, at=at)
    if not limit.allows(amount):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_limitusage AS usage (operator_id, family, date, used_points) VALUES (%s, %s, %s, %s)
            ON CONFLICT (operator_id, family, date)
                DO UPDATE SET used_points = usage.used_points + EXCLUDED.used_points
                WHERE usage.used_points + EXCLUDED.used_points <= %s
            RETURNING used_points
            """,
            [operator_id, family, business_day(at), amount, limit.per_day],
        )
        return cursor.fetchone() is not None


def approvals_for(*, family: str, amount: int) -> int:
    """Return how many other people must approve an amount that the maker may not do alone: one, or two when it is large."""
    rule = ApprovalRule.objects.filter(family=family).first()
    return 2 if amount > (rule.second_above_points if rule else SECOND_ABOVE_POINTS) else 1
