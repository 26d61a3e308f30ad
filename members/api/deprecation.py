"""What callers should stop using: said in the answer, in the description, and long before it goes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from django.urls import reverse
from django.utils.http import http_date

#: Between the day on which something is deprecated and the day on which it may go lie at least so many years.
YEARS: Final = 1


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Something of the API that goes: deprecated from `since` on, kept until `sunset` at least; `instead` names what to use.

    Raises ValueError where callers would have less than a year.
    """

    since: date
    sunset: date
    instead: str

    def __post_init__(self) -> None:
        if self.sunset < _years_later(self.since, YEARS):
            message = f"what is deprecated on {self.since} has to stay for a year, not until {self.sunset}"
            raise ValueError(message)

    @property
    def sentence(self) -> str:
        """Return what the description says of it."""
        return f"Deprecated since {self.since}; goes on {self.sunset} at the earliest. Use {self.instead} instead."

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer: when it was deprecated (RFC 9745), when it may go (RFC 8594), where that is told."""
        return {
            "Deprecation": f"@{_seconds(self.since)}",
            "Sunset": http_date(_seconds(self.sunset)),
            "Link": f'<{reverse("api:docs")}>; rel="deprecation"; type="text/html"',
        }


#: How these headers are described, once for every answer of an operation that goes.
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Deprecation": {
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
        "description": "Since when the operation is deprecated (RFC 9745).",
    },
    "Sunset": {"schema": {"type": "string"}, "description": "When it may go at the earliest (RFC 8594)."},
    "Link": {"schema": {"type": "string"}, "description": "Where deprecations are described."},
}


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return date(day.year + years, 3, 1)
