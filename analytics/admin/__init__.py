"""The admin pages of analytics, and of the schedules that it ships for all apps."""

from analytics.admin import days, schedules

__all__ = ["days", "schedules"]
