"""Moments as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(local: str) -> datetime:
    """Return the moment of a local time in Shanghai, in UTC: `at("2026-03-15 12:00")`. A date alone is its midnight."""
    return datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)
