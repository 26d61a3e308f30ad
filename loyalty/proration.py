"""What is left of a price when a plan changes or ends before its time. Pure; days of the programme's zone, exact to the cent.

The day on which a plan ends counts as used; the day of an upgrade belongs to the higher plan. What was used is the price
less what is left, so both always close to what was paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from loyalty.periods import add_months

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class PaidSpan:
    """A paid period [first, until) with its share of the price."""

    first: date
    until: date
    amount: Decimal

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.first).days

    def days_from(self, day: date) -> int:
        """Return how many of its days lie on a day or later."""
        return max(0, (self.until - max(self.first, day)).days)

    def worth_from(self, day: date) -> Decimal:
        """Return the share of the price for the days from this one on."""
        return share(self.amount, self.days_from(day), self.days)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of periods on a day: paid in all, used, left, and the days they had and have left."""

    paid: Decimal
    used: Decimal
    left: Decimal
    days: int
    days_left: int


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What a higher plan takes for the days left: its periods with their shares, what is credited, and what is to pay."""

    spans: tuple[PaidSpan, ...]
    credited: Decimal
    to_pay: Decimal


def share(amount: Decimal, days: int, of_days: int) -> Decimal:
    """Return the share of an amount for some of its days, rounded half up to the cent."""
    if of_days <= 0:
        return ZERO
    return (amount * days / of_days).quantize(CENT, ROUND_HALF_UP)


def left_of(spans: Sequence[PaidSpan], on: date) -> Left:
    """Return what is left of periods when they end on a day."""
    rest = on + timedelta(days=1)
    paid = sum((span.amount for span in spans), ZERO)
    left = sum((span.worth_from(rest) for span in spans), ZERO)
    return Left(paid, paid - left, left, sum(span.days for span in spans), sum(span.days_from(rest) for span in spans))


def upgrade(spans: Sequence[PaidSpan], *, price: Decimal, months: int, on: date) -> Upgrade:
    """Return what going up on a day to a plan with this price for so many months takes; the end stays where it was.

    Each period goes on at the new price for the days left of it. One that would be cheaper is not paid back: it keeps
    what was paid for those days.
    """
    going_on = []
    for span in spans:
        if span.days_from(on):
            whole = (add_months(span.first, months) - span.first).days
            amount = max(share(price, span.days_from(on), whole), span.worth_from(on))
            going_on.append(replace(span, first=max(span.first, on), amount=amount))
    credited = sum((span.worth_from(on) for span in spans), ZERO)
    return Upgrade(tuple(going_on), credited, sum((span.amount for span in going_on), ZERO) - credited)


def refundable(left: Left, benefits_used: Decimal) -> Decimal:
    """Return what is paid back: what is left of the price less the benefits used, never below nothing."""
    return max(ZERO, left.left - benefits_used.quantize(CENT, ROUND_HALF_UP))
