"""The ledger's policies of each points currency as values, read from the database and kept for some seconds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rewards.ledger import currency_id as default_currency_id
from rewards.models import ArrearsLimit, PointsCurrency

_SECONDS = 3.0
_policies: tuple[float, dict[int, "LedgerPolicy"]] | None = None


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """How one currency deals with what is spent already, cancelled or set aside. Limits in points, by tier code."""

    arrears: str
    limit_points: int
    takes_other_lots: bool
    restored_days_min: int
    hold_minutes: int
    tier_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def looks_at_tier(self) -> bool:
        """Whether the limit of arrears depends on the member's tier."""
        return self.arrears == PointsCurrency.Arrears.LIMIT and bool(self.tier_limits)

    def debt_limit(self, tier_code: str) -> int | None:
        """Return how far a member of a tier may fall into arrears, in points; None: without limit."""
        if self.arrears == PointsCurrency.Arrears.FUTURE:
            return None
        if self.arrears == PointsCurrency.Arrears.NONE:
            return 0
        return self.tier_limits.get(tier_code, self.limit_points)


def unless_default(currency_id: int | None) -> int | None:
    """Return a currency for what is told upward: None for the default one."""
    return None if currency_id == default_currency_id() else currency_id


def ledger_policy(currency_id: int) -> LedgerPolicy:
    """Return the policy of a currency, read again at most every three seconds per process."""
    global _policies
    if _policies is None or time.monotonic() - _policies[0] > _SECONDS:
        limits: dict[int, dict[str, int]] = {}
        for currency, code, points in ArrearsLimit.objects.values_list("currency_id", "tier__code", "limit_points"):
            limits.setdefault(currency, {})[code] = points
        policies = {
            row.pk: LedgerPolicy(
                row.arrears_policy,
                row.arrears_limit_points,
                row.takes_other_lots,
                row.restored_days_min,
                row.hold_minutes,
                limits.get(row.pk, {}),
            )
            for row in PointsCurrency.objects.all()
        }
        _policies = (time.monotonic(), policies)
    return _policies[1][currency_id]


def forget_policies() -> None:
    """Read the policies again at the next posting: called when one was saved."""
    global _policies
    _policies = None
