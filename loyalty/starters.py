"""Ladders to start from: what they ask of the tiers above the lowest, lowest first. Staff change the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalty.criteria import Metric


@dataclass(frozen=True, slots=True)
class Starter:
    """A ladder to start from: by which metric, the terms, and what the first tiers take to rise and to keep."""

    label: str | Promise
    about: str | Promise
    metric: Metric
    rise: tuple[int, ...]
    keep: tuple[int, ...]
    terms: Mapping[str, Any] = field(default_factory=dict)

    def thresholds(self, position: int) -> tuple[Decimal, Decimal]:
        """Return what the tier at a position above the lowest (0 is the first) takes; beyond the last one, twice each time."""
        last = len(self.rise) - 1
        times = 2 ** max(0, position - last)
        at = min(position, last)
        return Decimal(self.rise[at] * times), Decimal(self.keep[at] * times)


STARTERS: Final[Mapping[str, Starter]] = {
    "spend": Starter(
        _("By spend"),
        _("What a member spent within twelve months. Easy to understand; good where orders differ much in size."),
        "spend", (1_000, 3_000, 10_000), (800, 2_400, 8_000), {"window": "rolling", "qualifying_months": 12},
    ),
    "visits": Starter(
        _("By visits"),
        _("On how many days of the last three months a member came. Good where people come often and spend little."),
        "active_days", (6, 12, 30), (4, 9, 24), {"window": "rolling", "qualifying_months": 3, "validity_months": 3},
    ),
    "tenure": Starter(
        _("By years of membership"),
        _("How long somebody has been a member. Nobody falls; good beside other benefits, weak alone."),
        "tenure_months", (12, 36, 60), (12, 36, 60), {"window": "joined"},
    ),
}  # fmt: skip
