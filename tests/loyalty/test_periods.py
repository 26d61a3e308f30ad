"""The calendar of the programme."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.periods import (
    add_months,
    anniversary_from,
    birthday_in,
    business_date,
    day_bounds,
    end_of_day,
    end_of_month_after,
    last_day_before,
    last_of_month,
    last_of_year,
    months_before,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
BEIRUT = ZoneInfo("Asia/Beirut")  # its clocks skip the midnight at which summer begins
ZONES = [SHANGHAI, NEW_YORK, BEIRUT, ZoneInfo("Pacific/Chatham"), ZoneInfo("America/Havana"), ZoneInfo("UTC")]

moments = st.datetimes(datetime(1995, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


class TestEndOfMonthAfter:
    @pytest.mark.parametrize(
        ("earned", "months", "ends"),
        [
            ("2026-03-15 10:00", 12, "2027-04-01 00:00"),
            ("2026-03-01 00:00", 12, "2027-04-01 00:00"),
            ("2026-03-31 23:59", 12, "2027-04-01 00:00"),
            ("2026-12-31 23:59", 1, "2027-02-01 00:00"),
            ("2024-02-29 12:00", 12, "2025-03-01 00:00"),
            ("2025-01-31 12:00", 1, "2025-03-01 00:00"),
            ("2026-11-22 12:00", 0, "2026-12-01 00:00"),
        ],
    )
    def test_is_the_first_moment_of_the_month_after(self, earned: str, months: int, ends: str) -> None:
        at = datetime.fromisoformat(earned).replace(tzinfo=SHANGHAI)
        assert end_of_month_after(at, months, SHANGHAI) == datetime.fromisoformat(ends).replace(tzinfo=SHANGHAI)

    def test_takes_the_month_of_the_zone_not_of_utc(self) -> None:
        at = datetime(2026, 3, 31, 17, tzinfo=UTC)  # 1 April, one in the morning in Shanghai
        assert end_of_month_after(at, 12, SHANGHAI) == datetime(2027, 4, 30, 16, tzinfo=UTC)
        assert end_of_month_after(at, 12, ZoneInfo("UTC")) == datetime(2027, 4, 1, tzinfo=UTC)

    def test_follows_the_clocks_of_the_season(self) -> None:
        at = datetime(2026, 1, 15, 12, tzinfo=UTC)
        assert end_of_month_after(at, 0, NEW_YORK) == datetime(2026, 2, 1, 5, tzinfo=UTC)
        assert end_of_month_after(at, 5, NEW_YORK) == datetime(2026, 7, 1, 4, tzinfo=UTC)

    @given(at=moments, months=st.integers(0, 40), zone=st.sampled_from(ZONES))
    def test_begins_a_local_month_so_many_months_on(self, at: datetime, months: int, zone: ZoneInfo) -> None:
        ends = end_of_month_after(at, months, zone).astimezone(zone)
        begun = at.astimezone(zone)
        assert ends.day == 1
        assert (ends.year * 12 + ends.month) - (begun.year * 12 + begun.month) == months + 1
        assert last_day_before(ends, zone) < ends.date()


class TestMonthsBefore:
    @pytest.mark.parametrize(
        ("at", "months", "begins"),
        [
            ("2026-03-15 18:00", 12, "2025-03-15"),
            ("2026-03-31 18:00", 1, "2026-02-28"),
            ("2024-03-31 18:00", 1, "2024-02-29"),
            ("2024-02-29 18:00", 12, "2023-02-28"),
            ("2027-04-01 00:00", 12, "2026-04-01"),
            ("2026-01-10 09:00", 3, "2025-10-10"),
        ],
    )
    def test_begins_with_the_day(self, at: str, months: int, begins: str) -> None:
        moment = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)
        assert months_before(moment, months, SHANGHAI) == datetime.fromisoformat(begins).replace(tzinfo=SHANGHAI)

    @given(earlier=moments, later=moments, months=st.integers(1, 24), zone=st.sampled_from(ZONES))
    def test_never_goes_back_while_time_goes_on(
        self, earlier: datetime, later: datetime, months: int, zone: ZoneInfo
    ) -> None:
        first, last = sorted((earlier, later))
        assert months_before(first, months, zone) <= months_before(last, months, zone) < last


class TestDays:
    def test_a_day_belongs_to_the_zone(self) -> None:
        assert business_date(datetime(2026, 11, 21, 16, tzinfo=UTC), SHANGHAI) == date(2026, 11, 22)
        assert business_date(datetime(2026, 11, 21, 16, tzinfo=UTC), NEW_YORK) == date(2026, 11, 21)

    def test_a_day_lasts_as_long_as_the_clocks_say(self) -> None:
        hours = {}
        for day in (date(2026, 3, 8), date(2026, 6, 1), date(2026, 11, 1)):
            start, end = day_bounds(day, NEW_YORK)
            hours[day.month] = (end - start).total_seconds() / 3600
        assert hours == {3: 23, 6: 24, 11: 25}

    def test_a_day_without_midnight_begins_when_the_clocks_jump(self) -> None:
        start, end = day_bounds(date(2026, 3, 29), BEIRUT)
        assert start.astimezone(BEIRUT).isoformat() == "2026-03-29T01:00:00+03:00"
        assert (end - start).total_seconds() == 23 * 3600

    @given(day=st.dates(date(1995, 1, 1), date(2060, 1, 1)), zone=st.sampled_from(ZONES))
    def test_days_follow_each_other_without_gap(self, day: date, zone: ZoneInfo) -> None:
        start, end = day_bounds(day, zone)
        assert business_date(start, zone) == day
        assert last_day_before(end, zone) == day
        assert day_bounds(business_date(end, zone), zone)[0] == end

    @given(day=st.dates(date(1995, 1, 1), date(2060, 1, 1)), months=st.integers(-60, 60))
    def test_adding_months_keeps_the_day_or_takes_the_last(self, day: date, months: int) -> None:
        moved = add_months(day, months)
        assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)
        assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months

    @given(day=st.dates(date(1995, 1, 1), date(2060, 1, 1)), zone=st.sampled_from(ZONES))
    def test_end_where_the_next_one_begins(self, day: date, zone: ZoneInfo) -> None:
        assert end_of_day(day, zone) == day_bounds(day + timedelta(days=1), zone)[0]
        assert last_day_before(end_of_day(day, zone), zone) == day


class TestLastDays:
    @pytest.mark.parametrize(
        ("day", "of_month", "of_year"),
        [
            (date(2026, 2, 1), date(2026, 2, 28), date(2026, 12, 31)),
            (date(2024, 2, 29), date(2024, 2, 29), date(2024, 12, 31)),
            (date(2026, 4, 30), date(2026, 4, 30), date(2026, 12, 31)),
            (date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
            (date(2027, 1, 1), date(2027, 1, 31), date(2027, 12, 31)),
        ],
    )
    def test_of_month_and_year(self, day: date, of_month: date, of_year: date) -> None:
        assert (last_of_month(day), last_of_year(day)) == (of_month, of_year)

    @given(at=moments, months=st.integers(0, 40), zone=st.sampled_from(ZONES))
    def test_of_a_month_agree_with_the_end_of_the_month(self, at: datetime, months: int, zone: ZoneInfo) -> None:
        day = add_months(business_date(at, zone).replace(day=1), months)
        assert end_of_day(last_of_month(day), zone) == end_of_month_after(at, months, zone)


class TestAnniversary:
    @pytest.mark.parametrize(
        ("day", "first", "kept"),
        [
            (date(2026, 3, 31), date(2020, 3, 31), date(2026, 3, 31)),
            (date(2026, 4, 1), date(2020, 3, 31), date(2027, 3, 31)),
            (date(2026, 1, 1), date(2024, 12, 31), date(2026, 12, 31)),
            (date(2027, 2, 28), date(2024, 2, 29), date(2027, 2, 28)),
            (date(2027, 3, 1), date(2024, 2, 29), date(2028, 2, 29)),
        ],
    )
    def test_is_the_next_such_day(self, day: date, first: date, kept: date) -> None:
        assert anniversary_from(day, first) == kept


class TestBirthday:
    def test_of_a_leap_day_is_kept_on_the_28th_in_common_years(self) -> None:
        assert birthday_in(2026, date(2000, 2, 29)) == date(2026, 2, 28)
        assert birthday_in(2028, date(2000, 2, 29)) == date(2028, 2, 29)

    def test_of_any_other_day_stays(self) -> None:
        assert birthday_in(2026, date(1990, 12, 31)) == date(2026, 12, 31)
