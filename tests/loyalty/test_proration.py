"""What is left of a price: worked examples, and that shares always close."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.proration import PaidSpan, left_of, refundable, upgrade

# A year of 365 days for 365.00: a day is worth 1.00.
YEAR = PaidSpan(date(2026, 3, 5), date(2027, 3, 5), Decimal("365.00"))
LEAP = PaidSpan(date(2027, 3, 5), date(2028, 3, 5), Decimal("365.00"))
MONTH = PaidSpan(date(2026, 2, 1), date(2026, 3, 1), Decimal("28.00"))


class TestLeft:
    @pytest.mark.parametrize(
        ("spans", "on", "used", "left"),
        [
            ([YEAR], date(2026, 3, 5), "1.00", "364.00"),  # the first day counts as used
            ([YEAR], date(2026, 3, 14), "10.00", "355.00"),
            ([YEAR], date(2027, 3, 4), "365.00", "0.00"),  # the last day: nothing is left
            ([YEAR], date(2027, 6, 1), "365.00", "0.00"),  # long after
            ([LEAP], date(2027, 3, 5), "1.00", "364.00"),  # 365.00 × 365 / 366 = 364.0027
            ([LEAP], date(2027, 9, 4), "183.50", "181.50"),  # 182 of 366 days are left: 181.502
            ([MONTH], date(2026, 2, 14), "14.00", "14.00"),
            ([YEAR, LEAP], date(2026, 3, 14), "10.00", "720.00"),  # the next year was paid ahead
            ([], date(2026, 3, 14), "0.00", "0.00"),  # a trial
        ],
    )
    def test_of_the_price_by_days(self, spans: list[PaidSpan], on: date, used: str, left: str) -> None:
        found = left_of(spans, on)
        assert (found.used, found.left) == (Decimal(used), Decimal(left))
        assert found.used + found.left == found.paid

    def test_less_the_benefits_used_is_paid_back_and_never_less_than_nothing(self) -> None:
        left = left_of([YEAR], date(2026, 3, 14))
        assert refundable(left, Decimal("55.005")) == Decimal("299.99")
        assert refundable(left, Decimal("400")) == Decimal("0.00")


class TestUpgrade:
    def test_takes_the_difference_for_the_days_that_are_left_the_day_itself_included(self) -> None:
        # 265 days are left: 265 × (2.00 − 1.00)
        way_up = upgrade([YEAR], price=Decimal("730.00"), months=12, on=date(2026, 6, 13))
        assert (way_up.credited, way_up.to_pay) == (Decimal("265.00"), Decimal("265.00"))
        assert way_up.spans == (PaidSpan(date(2026, 6, 13), date(2027, 3, 5), Decimal("530.00")),)

    def test_on_the_day_it_began_credits_all(self) -> None:
        way_up = upgrade([YEAR], price=Decimal("730.00"), months=12, on=date(2026, 3, 5))
        assert (way_up.credited, way_up.to_pay) == (Decimal("365.00"), Decimal("365.00"))

    def test_goes_on_through_periods_that_were_paid_ahead(self) -> None:
        way_up = upgrade([YEAR, LEAP], price=Decimal("730.00"), months=12, on=date(2026, 6, 13))
        assert way_up.to_pay == Decimal("630.00")  # 265.00 and the whole of the next year
        assert [span.amount for span in way_up.spans] == [Decimal("530.00"), Decimal("730.00")]

    def test_reckons_a_price_for_other_months_by_its_days(self) -> None:
        # 31.00 for the month from 5 March, 31 days: 1.00 a day, as before; a day more costs nothing more.
        way_up = upgrade([YEAR], price=Decimal("62.00"), months=1, on=date(2026, 6, 13))
        assert way_up.to_pay == Decimal("265.00")

    def test_of_a_cheaper_day_pays_nothing_back(self) -> None:
        way_up = upgrade([YEAR], price=Decimal("100.00"), months=12, on=date(2026, 6, 13))
        assert (way_up.to_pay, way_up.spans[0].amount) == (Decimal("0.00"), Decimal("265.00"))


amounts = st.decimals(min_value="0.01", max_value="99999.99", places=2)


class TestAnyCourse:
    @given(amounts, amounts, st.integers(1, 800), st.integers(0, 800), st.integers(0, 800))
    def test_of_upgrade_and_refund_closes_to_what_was_paid(
        self, price: Decimal, higher: Decimal, days: int, up_after: int, back_after: int
    ) -> None:
        first = date(2026, 1, 31)
        span = PaidSpan(first, first + timedelta(days=days), price)
        up_on = first + timedelta(days=min(up_after, days - 1))
        way_up = upgrade([span], price=higher, months=12, on=up_on)
        assert way_up.to_pay >= 0
        used_before = price - span.worth_from(up_on)
        assert used_before + sum(one.amount for one in way_up.spans) == price + way_up.to_pay
        ended = left_of(way_up.spans, max(up_on, first + timedelta(days=back_after)))
        assert Decimal(0) <= ended.left <= ended.paid
        assert used_before + ended.used + ended.left == price + way_up.to_pay
