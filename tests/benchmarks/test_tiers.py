"""What counting a purchase towards the tier costs, against the same purchase without it, in turns in the same run."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty.models import LadderVersion, TierChange, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.services.standing import Counted, CountedFact
from members.services.bulk_enrolment import NewMember, enrol_many
from members.statements import Statement
from rewards.services import purchases
from rewards.services.purchases import Order, OrderLine, record_purchase
from tests.benchmarks.test_purchases import AT, BY, Shop
from tests.harness.results import Figures

TIMES = 600
MOST_MS, MOST_MS_OF_A_RISE = 1.0, 3.0
LIFTING = (OrderLine("B-BOX", "礼盒", Decimal(1), Decimal("600.00"), Decimal("600.00")),)
_NOTHING: Statement[None] = Statement("SELECT 1", [], lambda _rows: None)


@pytest.fixture
def shop(committed_db: str) -> Shop:
    """A shop in a database of its own."""
    return Shop()


def without_tiers(order: Order) -> None:
    """Record a purchase that is not counted towards the tier; everything else is as ever."""

    def counts_nothing(*, fact: CountedFact, **_: Any) -> Counted:
        return Counted(_tier, [], [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purchases, "insertion_of", lambda **_: _NOTHING)
        patch.setattr(purchases, "counted", counts_nothing)
        record_purchase(order=order, by=BY, at=AT)


_tier = purchases.TierNow(0, "member", 0, Decimal(1))


class TestCounting:
    """Counting a purchase …"""

    @pytest.mark.parametrize("ladder", ["tier credits alone", "spend, orders and active days"])
    def test_costs_little(self, shop: Shop, ladder: str, record_result: Callable[[str, Figures], None]) -> None:
        """Pairs of purchases, one with and one without, each of the next member; medians are compared."""
        if ladder != "tier credits alone":
            TierRule.objects.filter(tier__rank__gt=0).update(rise_orders=1, rise_active_days=1, rise_spend=1)
            forget_ladder_book()
            assert LadderVersion.objects.count() == 1
        counting = self._cost(shop.order)
        lifting = self._cost(self._lifting(shop))
        assert TierChange.objects.filter(reason="risen").count() == TIMES
        record_result(
            f"Counting a purchase towards the tier: {ladder}",
            {
                "a purchase that does not rise": _told(counting),
                "a purchase that rises": _told(lifting),
                "purchases of each kind": TIMES,
                "load average of the machine": f"{os.getloadavg()[0]:.1f}",
            },
        )
        assert counting[0] - counting[1] <= MOST_MS
        assert lifting[0] - lifting[1] <= MOST_MS_OF_A_RISE

    def _cost(self, order: Callable[[], Order]) -> tuple[float, float]:
        """Return the median milliseconds of purchases with counting and without."""
        took: dict[Callable[[Order], object], list[float]] = {_with_tiers: [], without_tiers: []}
        for _ in range(TIMES):
            for act, times in took.items():
                sold = order()
                began = time.perf_counter()
                act(sold)
                times.append((time.perf_counter() - began) * 1000)
        return statistics.median(took[_with_tiers]), statistics.median(took[without_tiers])

    @staticmethod
    def _lifting(shop: Shop) -> Callable[[], Order]:
        """Return what makes orders that lift a member who never bought before."""
        joined = AT - timedelta(days=300)
        fresh = iter(
            enrol_many(members=[NewMember(joined, shop.channel.pk) for _ in range(2 * TIMES)], by=BY, at=joined)
        )
        return lambda: replace(shop.order(), member_id=next(fresh), lines=LIFTING)


def _with_tiers(order: Order) -> None:
    record_purchase(order=order, by=BY, at=AT)


def _told(cost: tuple[float, float]) -> str:
    return f"{cost[0]:.2f} ms, without counting {cost[1]:.2f} ms: {cost[0] - cost[1]:+.2f} ms (medians)"
