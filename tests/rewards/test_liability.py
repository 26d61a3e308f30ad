"""What points are worth: the figures of IFRS 15 example 52, and breakage worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.liability import (
    Cell,
    Cost,
    Recognition,
    allocate,
    apportion,
    cost_view,
    estimate_breakage,
    months_between,
    recognise,
)

JAN, FEB, MAR, APR = (date(2026, month, 1) for month in (1, 2, 3, 4))
WHOLE = Decimal(1)


class TestExample52:
    """100,000 of goods and 10,000 points of 1.00 each, of which 95 % are expected to be used."""

    def allocation(self, unit: Decimal) -> tuple[Decimal, Decimal]:
        parts = allocate(
            price=Decimal(100_000), goods_price=Decimal(100_000), points=10_000, point_price=Decimal(1),
            expected_share=Decimal("0.95"), unit=unit,
        )  # fmt: skip
        return parts.goods, parts.points

    def test_allocates_91_324_to_the_goods_and_8_676_to_the_points(self) -> None:
        assert self.allocation(WHOLE) == (91_324, 8_676)

    @pytest.mark.parametrize("unit", [WHOLE, Decimal("0.01")])
    def test_recognises_4_110_then_3_493_and_leaves_1_073(self, unit: Decimal) -> None:
        _goods, allocated = self.allocation(unit)
        first = recognise(allocated=allocated, redeemed=4_500, expected=9_500, unit=unit)
        assert round(first.of_period) == 4_110
        second = recognise(allocated=allocated, redeemed=8_500, expected=9_700, before=first.to_date, unit=unit)
        assert round(second.of_period) == 3_493
        assert round(second.left) == 1_073
        assert second.to_date + second.left == allocated


class TestVariantsOfTheHandbook:
    """9,000 allocated, 4,500 used of 9,700 expected; then the expectation changes to 9,900, or to 9,200."""

    @pytest.mark.parametrize(("expected", "revenue"), [(9_900, 3_552), (9_200, 4_140)])
    def test_catch_up_in_the_period_of_the_change(self, expected: int, revenue: int) -> None:
        first = recognise(allocated=Decimal(9_000), redeemed=4_500, expected=9_700)
        assert round(first.of_period) == 4_175
        second = recognise(allocated=Decimal(9_000), redeemed=8_500, expected=expected, before=first.to_date)
        assert round(second.of_period) == revenue


class TestRecognise:
    def test_never_exceeds_what_was_allocated(self) -> None:
        done = recognise(allocated=Decimal(90), redeemed=12, expected=10, before=Decimal(50))
        assert done == Recognition(Decimal("90.00"), Decimal("40.00"), Decimal("0.00"))

    def test_takes_all_when_no_more_use_is_expected(self) -> None:
        assert recognise(allocated=Decimal(90), redeemed=0, expected=0).left == 0


class TestAllocate:
    def test_gives_all_to_the_goods_when_no_point_will_be_used(self) -> None:
        parts = allocate(
            price=Decimal(100), goods_price=Decimal(100), points=10, point_price=Decimal(1), expected_share=Decimal(0)
        )
        assert (parts.goods, parts.points) == (100, 0)

    @given(
        price=st.decimals("0.01", "999999", places=2), goods=st.decimals("0.01", "999999", places=2),
        points=st.integers(0, 10**7), share=st.decimals(0, 1, places=3),
    )  # fmt: skip
    def test_divides_without_a_cent_left(self, price: Decimal, goods: Decimal, points: int, share: Decimal) -> None:
        parts = allocate(
            price=price, goods_price=goods, points=points, point_price=Decimal("0.01"), expected_share=share
        )
        assert parts.goods + parts.points == price
        assert 0 <= parts.points <= price


class TestCostView:
    def test_multiplies_what_is_left_by_cost_and_expected_use(self) -> None:
        buckets = {MAR: 10_000, None: 333}
        view = cost_view(buckets, cost_per_point=Decimal("0.008"), expected_share=Decimal("0.9"))
        assert view == {MAR: Cost(10_000, Decimal("72.00")), None: Cost(333, Decimal("2.40"))}

    def test_falls_with_an_expiry(self) -> None:
        before = cost_view({MAR: 100}, cost_per_point=WHOLE, expected_share=WHOLE)[MAR]
        after = cost_view({MAR: 40}, cost_per_point=WHOLE, expected_share=WHOLE)[MAR]
        assert (before.points - after.points, before.expected_amount - after.expected_amount) == (60, 60)


class TestEstimateBreakage:
    def test_follows_the_triangle_as_worked_out_by_hand(self) -> None:
        # issued 1,000 each month. Used by age:  January 200, 300, 100, then 400 expired; February 100, 260; March 150.
        cells = [
            Cell(JAN, 0, issued=1000, used=200), Cell(JAN, 1, used=300), Cell(JAN, 2, used=100, expired=400),
            Cell(FEB, 0, issued=1000, used=100), Cell(FEB, 1, used=260),
            Cell(MAR, 0, issued=1000, used=150),
        ]  # fmt: skip
        found = estimate_breakage(cells, month=MAR, ended_needed=1)
        # f(0) = (500+360)/(200+100) = 860/300, f(1) = 600/500, f(2) = 1 as nothing is left of January.
        # p = 0.290698 (300/1032), 0.833333, 1. q = (600+360+150) / (1000 + 833.333 + 290.698) = 1110/2124.031 = 0.522591
        assert found.developed == (Decimal("0.290698"), Decimal("0.833333"), WHOLE)
        assert found.used_in_the_end == Decimal("0.522591")
        # still to be used: February 1000 x .522591 x .166667 = 87.10, March 1000 x .522591 x .709302 = 370.68
        assert [vintage.to_be_used for vintage in found.vintages] == [0, Decimal("87.10"), Decimal("370.68")]
        assert [vintage.left for vintage in found.vintages] == [0, 640, 850]
        # (640 + 850 - 457.78) / 1490
        assert found.breakage == Decimal("0.692765")
        assert found.left == 1490

    def test_knows_nothing_of_breakage_while_nothing_was_used_or_expired(self) -> None:
        found = estimate_breakage([Cell(JAN, 0, issued=500), Cell(FEB, 0, issued=300)], month=APR)
        assert found.breakage == 0
        assert [vintage.to_be_used for vintage in found.vintages] == [500, 300]

    def test_counts_all_that_is_left_as_used_while_no_vintage_has_ended(self) -> None:
        cells = [Cell(JAN, 0, issued=100, used=10), Cell(JAN, 1, used=20), Cell(FEB, 0, issued=100, used=10)]
        found = estimate_breakage(cells, month=FEB, ended_needed=0)
        assert found.breakage == 0
        assert found.used_in_the_end == 1

    def test_assumes_nothing_before_three_vintages_have_run_to_their_end(self) -> None:
        def ended(vintage: date) -> list[Cell]:
            return [Cell(vintage, 0, issued=100, used=20), Cell(vintage, 1, used=20, expired=55)]  # 5 left

        open_vintage = [Cell(APR, 0, issued=1000, used=100)]
        two = estimate_breakage([*ended(JAN), *ended(FEB), *open_vintage], month=APR)
        assert (two.ended, two.breakage, two.used_in_the_end, two.vintages[-1].to_be_used) == (2, 0, 1, 900)
        three = estimate_breakage([*ended(JAN), *ended(FEB), *ended(MAR), *open_vintage], month=APR)
        assert three.ended == 3
        assert three.breakage > Decimal("0.5")

    def test_leaves_out_what_was_taken_back(self) -> None:
        cells = [Cell(JAN, 0, issued=100), Cell(JAN, 1, withdrawn=40, used=30, expired=30)]
        found = estimate_breakage(cells, month=FEB, ended_needed=1)
        assert (found.vintages[0].issued, found.vintages[0].left) == (60, 0)
        assert found.used_in_the_end == Decimal("0.5")  # 30 of the 60 that stayed

    def test_is_zero_without_points(self) -> None:
        assert estimate_breakage([], month=JAN).breakage == 0

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 14), st.integers(1, 10_000), st.lists(st.tuples(st.integers(0, 14), st.floats(0, 1), st.booleans()), max_size=6)
            ),
            max_size=8,
        )
    )  # fmt: skip
    def test_stays_between_nothing_and_all(
        self, vintages: list[tuple[int, int, list[tuple[int, float, bool]]]]
    ) -> None:
        cells = []
        for start, issued, spent in vintages:
            vintage = date(2025 + start // 12, start % 12 + 1, 1)
            cells.append(Cell(vintage, 0, issued=issued))
            left = issued
            for age, share, is_use in spent:
                points = int(left * share)
                left -= points
                cells.append(Cell(vintage, age, used=points) if is_use else Cell(vintage, age, expired=points))
        found = estimate_breakage(cells, month=date(2026, 6, 1), ended_needed=0)
        assert 0 <= found.breakage <= 1
        assert all(0 <= vintage.to_be_used <= vintage.left for vintage in found.vintages)
        assert all(0 <= share <= 1 for share in found.developed)
        assert sum(v.issued - v.used - v.expired for v in found.vintages) == found.left


class TestMonthsBetween:
    def test_counts_months_over_the_year(self) -> None:
        assert months_between(date(2025, 11, 30), date(2026, 2, 1)) == 3
        assert months_between(MAR, JAN) == -2


class TestApportion:
    @given(st.lists(st.integers(-100_000, 100_000), max_size=20), st.decimals("0.000001", "2", places=6))
    def test_adds_up_to_the_cent(self, points: list[int], rate: Decimal) -> None:
        exact = {place: number * rate for place, number in enumerate(points)}
        whole = (sum(points) * rate).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        parts = apportion(whole, exact)
        assert sum(parts.values()) == whole
        assert all(abs(parts[place] - exact[place]) < Decimal("0.01") for place in exact)

    def test_gives_the_cent_to_whom_most_was_cut(self) -> None:
        exact = {"a": Decimal("0.333"), "b": Decimal("0.338"), "c": Decimal("0.339")}
        assert apportion(Decimal("1.01"), exact) == {"a": Decimal("0.33"), "b": Decimal("0.34"), "c": Decimal("0.34")}
