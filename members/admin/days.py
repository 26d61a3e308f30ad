"""Moments as days of the programme's zone, as staff and members speak of them."""

from datetime import datetime, timedelta

from django.utils.formats import date_format

from members.queries import programme


def local_day(moment: datetime) -> str:
    """Return the day of a moment in the programme's zone."""
    return date_format(moment.astimezone(programme().tz).date(), "DATE_FORMAT")


def last_day(until: datetime) -> str:
    """Return the last day before `until`: what is valid until midnight of the 1st is so to the end of the day before."""
    return local_day(until - timedelta(microseconds=1))


def local_moment(moment: datetime) -> str:
    """Return the day and time of a moment in the programme's zone."""
    return date_format(moment.astimezone(programme().tz), "DATETIME_FORMAT")
