"""The expiry policies as values, read from the database and kept for some seconds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rewards.expiring import Policy, PolicyKind
from rewards.models import ExpiryPolicy, Lot

_BOOK_SECONDS = 3.0
_book: tuple[float, "ExpiryBook"] | None = None


@dataclass(frozen=True, slots=True)
class ExpiryBook:
    """All expiry policies, by currency. For `lot_expiry` and `deadline_after`."""

    policies: Mapping[int, tuple[Policy, ...]]

    def of(self, currency_id: int) -> tuple[Policy, ...]:
        """Return the policies of a currency, past and planned ones too."""
        return self.policies.get(currency_id, ())


def expiry_book() -> ExpiryBook:
    """Return the expiry policies, read again at most every three seconds per process."""
    global _book
    if _book is None or time.monotonic() - _book[0] > _BOOK_SECONDS:
        policies: dict[int, list[Policy]] = {}
        for row in ExpiryPolicy.objects.order_by("-valid_from"):
            policies.setdefault(row.currency_id, []).append(as_value(row))
        _book = (time.monotonic(), ExpiryBook({key: tuple(rows) for key, rows in policies.items()}))
    return _book[1]


def forget_expiry_book() -> None:
    """Read the policies again at the next purchase: called when a policy was saved."""
    global _book
    _book = None


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """How points of a currency and source that exist now are warned of and looked after, whichever policy ends them."""

    currency_id: int
    origin: int
    warn_days: tuple[int, ...]
    extend_unreached_days: int


def policies_now(at: datetime) -> list[PolicyNow]:
    """Return for every currency and source the warnings of the policy in force at a moment; none where there is no policy."""
    in_force = ExpiryPolicy.objects.filter(valid_from__lte=at).exclude(valid_to__lte=at)
    rows = {(row.currency_id, row.origin): row for row in in_force}
    found = []
    for currency_id in sorted({currency_id for currency_id, _origin in rows}):
        for origin in Lot.Origin.values:
            row = rows.get((currency_id, origin)) or rows.get((currency_id, None))
            if row is not None:
                found.append(PolicyNow(currency_id, origin, tuple(row.warn_days), row.extend_unreached_days))
    return found


def as_value(row: ExpiryPolicy) -> Policy:
    """Return a policy as a value."""
    kind = PolicyKind(row.kind)
    return Policy(
        id=row.pk,
        origin=row.origin,
        kind=kind,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        number=(row.years if kind is PolicyKind.END_OF_YEAR else row.months) or 0,
        fixed_date=row.fixed_date,
        events=frozenset(row.activities),
        grace_days=row.grace_days,
    )
