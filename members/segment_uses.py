"""Who uses a segment: floors above say so, and what is used is not retired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Use:
    """Something that uses a segment: its sort and name in the active language, and where its page is ("" for none)."""

    sort: str | Promise
    name: str
    address: str = ""


#: Returns what uses the segment with this id; at most some dozens.
Uses = Callable[[int], Sequence[Use]]

_finders: dict[str, Uses] = {}


def register_uses(name: str, find: Uses) -> None:
    """Register a floor's way to find what uses a segment. Called once, from `AppConfig.ready()`."""
    _finders[name] = find


def uses_of(segment_id: int) -> list[Use]:
    """Return all that uses a segment."""
    return [use for find in _finders.values() for use in find(segment_id)]
