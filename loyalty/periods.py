"""The programme's calendar: months, month ends, business days, birthdays. Pure; every result is in UTC.

A business day begins at local midnight. Where the clocks skip midnight, it begins at the first moment that exists.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

RESOLUTION = timedelta(microseconds=1)


def business_date(at: datetime, tz: ZoneInfo) -> date:
    """Return the day on which a moment falls in the zone."""
    return at.astimezone(tz).date()


def day_bounds(day: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open span of a day of the zone. On the days the clocks change it is not 24 hours."""
    return _midnight(day, tz), _midnight(day + timedelta(days=1), tz)


def add_months(day: date, months: int) -> date:
    """Return the same day some months on (or back, when negative); the last of the month where there is no such day."""
    years, month0 = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month0 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


@lru_cache(maxsize=1024)  # reviews of a day ask the same of each member
def months_before(at: datetime, months: int, tz: ZoneInfo) -> datetime:
    """Return the beginning of the day that lies `months` before the day of `at`."""
    return _midnight(add_months(business_date(at, tz), -months), tz)


@lru_cache(maxsize=1024)
def end_of_month_after(at: datetime, months: int, tz: ZoneInfo) -> datetime:
    """Return the end of the month that lies `months` after the month of `at`: the first moment of the month after it.

    Earned on 2026-03-15, 12 months: 2027-04-01 at local midnight.
    """
    return _midnight(add_months(business_date(at, tz).replace(day=1), months + 1), tz)


def end_of_day(day: date, tz: ZoneInfo) -> datetime:
    """Return the end of a day of the zone: the first moment of the day after it."""
    return day_bounds(day, tz)[1]


def last_of_month(day: date) -> date:
    """Return the last day of the month of a day."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def last_of_year(day: date) -> date:
    """Return 31 December of the year of a day."""
    return date(day.year, 12, 31)


def anniversary_from(day: date, first: date) -> date:
    """Return the first day, not before `day`, with the month and day of `first`. Of 29 February it is the 28th in common years."""
    this_year = birthday_in(day.year, first)
    return this_year if this_year >= day else birthday_in(day.year + 1, first)


def last_day_before(until: datetime, tz: ZoneInfo) -> date:
    """Return the last day that lies before an open end, as people say it: until 31 March, not until 1 April."""
    return business_date(until - RESOLUTION, tz)


def birthday_in(year: int, birthday: date) -> date:
    """Return the day a birthday is kept in a year. Those born on 29 February keep the 28th in common years."""
    if birthday.month == 2 and birthday.day == 29 and not calendar.isleap(year):
        return date(year, 2, 28)
    return birthday.replace(year=year)


def months_since(first: date, day: date) -> int:
    """Return the whole months from one day to another, 0 before it. From 31 January a month is over on the last of February."""
    months = (day.year - first.year) * 12 + day.month - first.month
    return max(0, months if add_months(first, months) <= day else months - 1)


def year_of(day: date) -> tuple[date, date]:
    """Return the half-open calendar year of a day."""
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def quarter_of(day: date) -> tuple[date, date]:
    """Return the half-open calendar quarter of a day."""
    begin = date(day.year, day.month - (day.month - 1) % 3, 1)
    return begin, add_months(begin, 3)


def year_from(day: date, first: date) -> tuple[date, date]:
    """Return the half-open year of a day, counted from the anniversaries of `first`; before `first`, the year that ends there."""
    end = anniversary_from(day + timedelta(days=1), first)
    return birthday_in(end.year - 1, first), end


def midnight(day: date, tz: ZoneInfo) -> datetime:
    """Return the moment at which a day of the zone begins."""
    return _midnight(day, tz)


def _midnight(day: date, tz: ZoneInfo) -> datetime:
    # fold=0 takes the first of two midnights, and of a skipped one the moment at which the clocks jump.
    return datetime.combine(day, time(), tz).astimezone(UTC)
