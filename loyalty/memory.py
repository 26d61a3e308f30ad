"""What a member did, kept in memory with running totals, so that a fact at the end costs the same however many lie before it."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from loyalty.course import CountedFact
from loyalty.ladder import Sums, Window
from loyalty.periods import RESOLUTION, business_date, months_since


class KeptFact(NamedTuple):
    """A fact as sums need it."""

    happened_at: datetime
    kind: str
    credits: int
    spend_amount: Decimal
    orders: int
    activity: int
    active_on: date | None

    @classmethod
    def of(cls, fact: CountedFact) -> "KeptFact":
        """Return what sums need of a fact."""
        return cls(
            fact.happened_at, fact.kind, fact.credits, fact.spend_amount, fact.orders, fact.activity, fact.active_on
        )


_Totals = tuple[int, int, Decimal, Decimal, int, int, int, int]
_NOTHING: _Totals = (0, 0, Decimal(0), Decimal(0), 0, 0, 0, 0)


class FactsInMemory:
    """Facts in order of time. `needs_more`: whether more than tier credits is asked for."""

    def __init__(
        self, facts: Sequence[KeptFact], *, tz: ZoneInfo, needs_more: bool, joined_at: datetime | None = None
    ) -> None:
        self.tz = tz
        self.needs_more = needs_more
        self.joined_at = joined_at
        self.facts = sorted(facts, key=_moment)
        self._totals: list[_Totals] = [_NOTHING]
        self._total_from(0)

    @property
    def latest_at(self) -> datetime | None:
        """When the latest fact happened."""
        return self.facts[-1].happened_at if self.facts else None

    def add(self, fact: KeptFact) -> None:
        """Put a fact in its place."""
        place = bisect_right(self.facts, fact.happened_at, key=_moment)
        insort(self.facts, fact, key=_moment)
        self._total_from(place)

    def between(self, window: Window) -> Sums:
        """Return what was done in a span."""
        first = bisect_left(self.facts, window.from_at, key=_moment)
        beyond = bisect_left(self.facts, window.before_at, key=_moment)
        last, before = self._totals[beyond], self._totals[first]
        credits, returned = last[0] - before[0], last[1] - before[1]
        if not self.needs_more:
            return Sums(credits, returned)
        return Sums(
            credits=credits,
            returned=returned,
            spend=last[2] - before[2],
            returned_spend=last[3] - before[3],
            orders=last[4] - before[4],
            returned_orders=last[5] - before[5],
            active_days=self._active_days(first, beyond),
            activity=last[6] - before[6],
            tenure_months=self._tenure(window),
            carried=last[7] - before[7],
        )

    def _active_days(self, first: int, beyond: int) -> int:
        acts: dict[date, int] = defaultdict(int)
        for fact in self.facts[first:beyond]:
            day = fact.active_on or business_date(fact.happened_at, self.tz)
            acts[day] += fact.orders + (fact.activity > 0) - (fact.activity < 0)
        return sum(1 for number in acts.values() if number > 0)

    def _tenure(self, window: Window) -> int:
        if self.joined_at is None:
            return 0
        last = business_date(window.before_at - RESOLUTION, self.tz)
        return months_since(business_date(self.joined_at, self.tz), last)

    def _total_from(self, place: int) -> None:
        del self._totals[place + 1 :]
        count = _with if self.needs_more else _with_credits
        totals = accumulate(self.facts[place:], count, initial=self._totals[place])
        self._totals[place:] = totals


def _moment(fact: KeptFact) -> datetime:
    return fact.happened_at


def _with_credits(totals: _Totals, fact: KeptFact) -> _Totals:
    return (totals[0] + fact.credits, totals[1] + max(0, -fact.credits), *totals[2:])


def _with(totals: _Totals, fact: KeptFact) -> _Totals:
    credits, returned, spend, returned_spend, orders, returned_orders, activity, carried = totals
    return (
        credits + fact.credits,
        returned + (max(0, -fact.credits) if fact.kind != "carry" else 0),
        spend + fact.spend_amount,
        returned_spend + max(Decimal(0), -fact.spend_amount),
        orders + fact.orders,
        returned_orders + max(0, -fact.orders),
        activity + fact.activity,
        carried + (fact.credits if fact.kind == "carry" else 0),
    )
