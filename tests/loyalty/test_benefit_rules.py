"""Periods, windows, budgets and the grid, without a database."""

from datetime import UTC, date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.benefit_rules import (
    BudgetLine,
    Cell,
    birthday_span,
    falling_steps,
    is_in_window,
    line_passed,
    percent_used,
    period_span,
    runs_out_on,
    throttled,
)
from tests.factories.times import SHANGHAI, at

MOMENTS = st.datetimes(min_value=at("2020-01-01").replace(tzinfo=None), max_value=at("2035-01-01").replace(tzinfo=None))


class TestPeriods:
    """A period …"""

    @pytest.mark.parametrize(
        ("period", "moment", "key", "from_at", "to_at"),
        [
            ("month", "2026-02-28 23:59", "2026-02", "2026-02-01", "2026-03-01"),
            ("month", "2026-12-31 23:59", "2026-12", "2026-12-01", "2027-01-01"),
            ("quarter", "2026-03-31 23:59", "2026-Q1", "2026-01-01", "2026-04-01"),
            ("quarter", "2026-10-01 00:00", "2026-Q4", "2026-10-01", "2027-01-01"),
            ("year", "2028-02-29 12:00", "2028", "2028-01-01", "2029-01-01"),
        ],
    )  # fmt: skip
    def test_is_that_of_the_calendar_of_the_programme(
        self, period: str, moment: str, key: str, from_at: str, to_at: str
    ) -> None:
        span = period_span(period, at(moment), SHANGHAI)
        assert (span.key, span.from_at, span.to_at) == (key, at(from_at), at(to_at))

    @given(moment=MOMENTS, period=st.sampled_from(["month", "quarter", "year"]))
    def test_holds_its_moment_and_ends_where_the_next_one_begins(self, moment: object, period: str) -> None:
        here = moment.replace(tzinfo=UTC)  # type: ignore[attr-defined]
        span = period_span(period, here, SHANGHAI)
        following = period_span(period, span.to_at, SHANGHAI)
        assert span.from_at <= here < span.to_at == following.from_at
        assert span.key != following.key
        assert period_span(period, span.to_at - timedelta(microseconds=1), SHANGHAI) == span

    def test_of_birthdays_is_their_month_under_the_key_of_the_year(self) -> None:
        span = birthday_span(at("2026-02-10"), SHANGHAI)
        assert (span.key, span.from_at, span.to_at) == ("2026", at("2026-02-01"), at("2026-03-01"))


class TestWindows:
    """A window …"""

    @pytest.mark.parametrize(
        ("weekdays", "hours", "stores", "store", "is_in"),
        [
            ([], None, [], None, True), ([2], None, [], None, True), ([3], None, [], None, False),
            ([], (time(12), time(13)), [], None, True), ([], (time(9), time(12)), [], None, False),
            ([], None, [1, 2], 2, True), ([], None, [1, 2], 3, False), ([], None, [1], None, False),
        ],
    )  # fmt: skip
    def test_is_open_by_weekday_hour_and_store(
        self,
        weekdays: list[int],
        hours: tuple[time, time] | None,
        stores: list[int],
        store: int | None,
        is_in: bool,
    ) -> None:
        found = is_in_window(
            weekdays=weekdays, hours=hours, stores=stores, store_id=store, at=at("2026-03-11 12:00"), tz=SHANGHAI
        )
        assert found is is_in


class TestBudgets:
    """A budget …"""

    @given(
        st.lists(st.tuples(st.integers(1, 9), st.decimals(0, 50, places=2)), max_size=40),
        st.none() | st.integers(0, 60),
        st.none() | st.decimals(0, 900, places=2),
    )
    def test_never_holds_more_than_it_may(
        self, wishes: list[tuple[int, Decimal]], most_units: int | None, most_amount: Decimal | None
    ) -> None:
        line = BudgetLine(most_units, most_amount, 0, Decimal(0))
        for units, cost in wishes:
            if line.fits(units, cost):
                line.take(units, cost)
            else:
                over_units = most_units is not None and line.units + units > most_units
                over_amount = most_amount is not None and line.amount + units * cost > most_amount
                assert over_units or over_amount
        assert most_units is None or line.units <= most_units
        assert most_amount is None or line.amount <= most_amount

    def test_that_is_stopped_holds_nothing_more(self) -> None:
        assert not BudgetLine(None, None, 0, Decimal(0), is_stopped=True).fits(1, Decimal(1))

    def test_is_as_full_as_its_fuller_half(self) -> None:
        assert percent_used(units=7, total_units=10, amount=Decimal(95), total_amount=Decimal(100)) == 95
        assert percent_used(units=7, total_units=10, amount=Decimal(0), total_amount=None) == 70
        assert percent_used(units=0, total_units=0, amount=Decimal(0), total_amount=None) == 100
        assert [line_passed(percent) for percent in (69, 70, 89, 90, 99, 100, 120)] == [0, 70, 70, 90, 90, 100, 100]
        assert throttled(200, 50) == 100

    @pytest.mark.parametrize(
        ("units", "amount", "day"),
        [(0, "0", None), (20, "0", None), (80, "0", date(2026, 3, 26)), (0, "900", date(2026, 3, 23)), (100, "0", date(2026, 3, 21))],
    )  # fmt: skip
    def test_runs_out_as_it_went_on_average(self, units: int, amount: str, day: date | None) -> None:
        found = runs_out_on(
            from_at=at("2026-03-01"), to_at=at("2026-04-01"), at=at("2026-03-21"), units=units, total_units=100,
            amount=Decimal(amount), total_amount=Decimal(1000), tz=SHANGHAI,
        )  # fmt: skip
        assert found == day

    def test_of_which_nothing_has_passed_says_nothing(self) -> None:
        assert (
            runs_out_on(
                from_at=at("2026-03-01"), to_at=at("2026-04-01"), at=at("2026-02-01"), units=5, total_units=9,
                amount=Decimal(0), total_amount=None, tz=SHANGHAI,
            )
            is None
        )  # fmt: skip


class TestTheGrid:
    """A grid …"""

    def test_in_which_a_higher_tier_gives_less_is_found(self) -> None:
        silver, gold, diamond = 1, 2, 3
        grid = {
            (silver, 10): Cell(Decimal(5)), (gold, 10): Cell(Decimal(4)), (diamond, 10): Cell(Decimal(8)),
            (silver, 20): Cell(quota=2), (gold, 20): Cell(quota=2),
            (gold, 30): Cell(quota=None), (diamond, 30): Cell(quota=5),
            (gold, 40): Cell(quota=1), (diamond, 40): Cell(quota=None),
        }  # fmt: skip
        found = falling_steps(grid, [silver, gold, diamond], [10, 20, 30, 40])
        assert [(step.benefit_id, step.higher_tier_id, step.higher) for step in found] == [
            (10, gold, Cell(Decimal(4))),
            (20, diamond, None),
            (30, diamond, Cell(quota=5)),
        ]
