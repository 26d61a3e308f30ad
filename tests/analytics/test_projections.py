"""Folding the timeline into days: the same as counting by hand, in one batch or in many."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.models import DayFigures
from analytics.projections import FIGURES, KINDS, Fold, Increment, fold
from members.models import TimelineEntry
from tests.campaigns.given import NOON, SHANGHAI, an_entry

MIDNIGHT = datetime(2026, 11, 20, 16, tzinfo=UTC)  # the 21st begins in Shanghai
FRIDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 21)

OF_ANY_CURRENCY = (
    "rewards.points_spent.v1", "rewards.activity_rewarded.v1", "rewards.points_adjusted.v1", "rewards.points_corrected.v1",
    "rewards.arrears_forgiven.v1", "rewards.points_donated.v1", "rewards.points_converted.v1",
    "rewards.points_expired.v1",
)  # fmt: skip

amounts = st.decimals("0", "9999.99", places=2).map(str)
stores = st.sampled_from([None, 1, 2])


@st.composite
def entries(draw: st.DrawFn) -> TimelineEntry:
    """Any entry that is counted, around a midnight of Shanghai."""
    kind = draw(st.sampled_from(KINDS))
    member_id = draw(st.integers(1, 4))
    payload: dict[str, Any] = {"points": draw(st.integers(0, 500)), "store": draw(stores), "amount": draw(amounts)}
    if kind == "rewards.points_converted.v1":
        payload |= draw(
            st.sampled_from([
                {"direction": "out", "state": "pending"},
                {"direction": "out", "state": "confirmed"},
                {"direction": "out", "state": "rejected"},
                {"direction": "in", "state": "confirmed"},
            ])
        )  # fmt: skip
    if draw(st.booleans()) and kind in OF_ANY_CURRENCY:
        payload["currency"] = draw(st.sampled_from([1, 2]))
    if kind == "rewards.return_recorded.v1":
        payload["points_back"] = draw(st.integers(0, 500))
    guests_too = kind in ("rewards.purchase_recorded.v1", "rewards.return_recorded.v1")
    happened_at = MIDNIGHT + timedelta(seconds=draw(st.integers(-200_000, 200_000)))
    return an_entry(kind, None if guests_too and draw(st.booleans()) else member_id, happened_at, **payload)


def by_hand(told: Sequence[TimelineEntry], day: date, store_id: int | None) -> dict[str, Any]:
    """The figures of one day and store, counted one figure after the other."""

    def of(kind: str, *, placed: bool = True, guests: bool = False) -> list[TimelineEntry]:
        return [
            entry
            for entry in told
            if entry.kind == kind
            and (entry.happened_at + timedelta(hours=8)).date() == day
            and (entry.payload["store"] if placed else None) == store_id
            and (entry.member_id is None) == guests
        ]

    def money(found: list[TimelineEntry]) -> Decimal:
        return sum((Decimal(entry.payload["amount"]) for entry in found), Decimal(0))

    def points(found: list[TimelineEntry]) -> int:
        return sum(entry.payload["points"] for entry in found)

    def own(kind: str) -> list[TimelineEntry]:
        return [entry for entry in of(kind, placed=False) if entry.payload.get("currency", 1) == 1]

    def converted(direction: str, state: str) -> int:
        found = own("rewards.points_converted.v1")
        return points([e for e in found if (e.payload["direction"], e.payload["state"]) == (direction, state)])

    bought, returned = "rewards.purchase_recorded.v1", "rewards.return_recorded.v1"
    redeemed = of("rewards.reward_redeemed.v1", placed=False)
    return {
        "members_joined": len(of("members.enrolled.v1")),
        "members_active": 0,
        "member_orders": len(of(bought)),
        "guest_orders": len(of(bought, guests=True)),
        "member_sales_amount": money(of(bought)) - money(of(returned)),
        "guest_sales_amount": money(of(bought, guests=True)) - money(of(returned, guests=True)),
        "points_issued": points(of(bought))
        + points(own("rewards.activity_rewarded.v1"))
        + points(own("rewards.opening_balance_posted.v1")),
        "points_redeemed": points(redeemed)
        + points(own("rewards.points_spent.v1"))
        - sum(entry.payload["points_back"] for entry in of(returned)),
        "points_expired": points(own("rewards.points_expired.v1")),
        "points_taken_back": points(of(returned)),
        "points_adjusted": points(own("rewards.points_adjusted.v1"))
        + points(own("rewards.points_corrected.v1"))
        + points(own("rewards.arrears_forgiven.v1"))
        - points(own("rewards.points_donated.v1"))
        - converted("out", "pending")
        + converted("out", "rejected")
        + converted("in", "confirmed"),
        "redemptions": len(redeemed),
        "vouchers_used": len(of("rewards.voucher_used.v1"))
        - len(of("rewards.voucher_use_undone.v1"))
        - len(of("rewards.voucher_given_back.v1")),
        "tiers_raised": len(of("loyalty.tier_raised.v1", placed=False)),
        "tiers_lowered": len(of("loyalty.tier_lowered.v1", placed=False)),
    }


def figures(increment: Increment) -> dict[str, Any]:
    return {name: getattr(increment, name) for name in FIGURES}


def days_around() -> list[date]:
    return [FRIDAY + timedelta(days=number) for number in range(-4, 6)]


class TestFold:
    def test_has_the_figures_of_the_read_model(self) -> None:
        columns = {column.name for column in DayFigures._meta.get_fields()} - {"id", "date", "store"}
        assert columns == set(FIGURES)

    @given(st.lists(entries(), max_size=40))
    def test_equals_counting_by_hand(self, told: list[TimelineEntry]) -> None:
        result = fold(told, SHANGHAI, default_currency=1)
        for day in days_around():
            for store_id in (None, 1, 2):
                increment = result.increments.pop((day, store_id), Increment())
                assert figures(increment) == by_hand(told, day, store_id)
        assert result.increments == {}

    @given(st.lists(entries(), max_size=40), st.integers(0, 40))
    def test_gives_the_same_in_two_batches(self, told: list[TimelineEntry], cut: int) -> None:
        whole, parts = (
            fold(told, SHANGHAI, default_currency=1),
            [fold(told[:cut], SHANGHAI, default_currency=1), fold(told[cut:], SHANGHAI, default_currency=1)],
        )
        for key, increment in whole.increments.items():
            halves = [figures(part.increments.get(key, Increment())) for part in parts]
            assert figures(increment) == {name: halves[0][name] + halves[1][name] for name in FIGURES}
        assert whole.buyers == parts[1].buyers | parts[0].buyers  # the first store that was told counts

    def test_counts_a_day_from_local_midnight(self) -> None:
        before = an_entry("members.enrolled.v1", 1, MIDNIGHT - timedelta(microseconds=1), store=None)
        after = an_entry("members.enrolled.v1", 2, MIDNIGHT, store=None)
        result = fold([after, before], SHANGHAI, default_currency=1)
        assert {key: increment.members_joined for key, increment in result.increments.items()} == {
            (FRIDAY, None): 1,
            (SATURDAY, None): 1,
        }

    def test_puts_a_buyer_into_the_first_store_of_the_day(self) -> None:
        def purchase(store: int | None, member_id: int | None = 1) -> TimelineEntry:
            return an_entry("rewards.purchase_recorded.v1", member_id, NOON, store=store, amount="1.00", points=1)

        told = [purchase(2), purchase(1), purchase(None, member_id=None), purchase(None, member_id=3)]
        assert fold(told, SHANGHAI, default_currency=1).buyers == {(SATURDAY, 1): 2, (SATURDAY, 3): None}

    def test_of_nothing_is_nothing(self) -> None:
        assert fold([], SHANGHAI, default_currency=1) == Fold(1)

    def test_refuses_a_kind_it_does_not_count(self) -> None:
        with pytest.raises(KeyError):
            fold([an_entry("members.moved_house.v1", 1)], SHANGHAI, default_currency=1)
