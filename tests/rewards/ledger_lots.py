"""Accounts and lots of the ledger in memory: what an accountant would have on one sheet for each member and currency."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

NEVER = datetime.max.replace(tzinfo=UTC)

Name = tuple[str, str]  # whose account, in which currency


class Refused(Exception):
    """The books say no, and have not changed."""


class Balances(NamedTuple):
    """What an account says. The liability is what the programme owes its member, less what the member owes."""

    available: int
    pending: int
    held: int
    debt: int

    @property
    def liability(self) -> int:
        return self.available + self.pending + self.held - self.debt


class NewLot(NamedTuple):
    """Points about to be credited together."""

    points: int
    available_at: datetime
    expires_at: datetime | None


@dataclass(eq=False)
class ModelLot:
    """Points earned together. `expired` is what was booked as expired and neither given back nor forgiven since."""

    name: str
    number: int
    amount: int
    remaining: int
    available_at: datetime
    expires_at: datetime | None
    is_pending: bool
    held: int = 0
    expired: int = 0
    expiries: int = 0


@dataclass(eq=False)
class Part:
    """What was taken of one lot, and how much of it went back."""

    lot: ModelLot
    points: int
    back: int = 0


def in_order(lots: Iterable[ModelLot]) -> list[ModelLot]:
    """Return lots in the order in which they are eaten: what expires first, then what was earned first."""
    return sorted(lots, key=lambda lot: (lot.expires_at or NEVER, lot.number))


def eat(lots: Iterable[ModelLot], points: int) -> list[Part]:
    """Take points out of lots, one after the other; return what was taken of each."""
    parts = []
    for lot in lots:
        if eaten := min(lot.remaining, points):
            lot.remaining, points = lot.remaining - eaten, points - eaten
            parts.append(Part(lot, eaten))
    return parts


def total(parts: Iterable[Part]) -> int:
    return sum(part.points for part in parts)


@dataclass(eq=False)
class Account:
    """A member's points in one currency. At the deadline everything expires: the member did nothing for too long."""

    lots: list[ModelLot] = field(default_factory=list)
    debt: int = 0
    deadline: datetime | None = None

    def is_over(self, lot: ModelLot, at: datetime) -> bool:
        return min(lot.expires_at or NEVER, self.deadline or NEVER) <= at

    def spendable(self, at: datetime) -> list[ModelLot]:
        """Return the lots that may be eaten, in the order in which they are."""
        return in_order(lot for lot in self.lots if lot.remaining and not lot.is_pending and not self.is_over(lot, at))

    def spend(self, points: int | None, at: datetime) -> list[Part]:
        """Take points (None: all there are) out of the lots that may be eaten."""
        lots = self.spendable(at)
        there_are = sum(lot.remaining for lot in lots)
        if there_are < (points or 1):
            raise Refused
        return eat(lots, there_are if points is None else points)

    def repay(self, points: int) -> int:
        """Pay arrears from points; return how many that took."""
        repaid = min(self.debt, points)
        self.debt -= repaid
        return repaid

    def balances(self) -> Balances:
        return Balances(
            sum(lot.remaining for lot in self.lots if not lot.is_pending),
            sum(lot.remaining for lot in self.lots if lot.is_pending),
            sum(lot.held for lot in self.lots),
            self.debt,
        )
