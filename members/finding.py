"""Where floors register how a member is found from what a caller gives: a phone, an order number, a voucher's code.

Each look-up is exact and uses an index, so that it takes the same time however many members there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise

#: Ids of members; None when the text is nothing that is looked up here (then it does not count as tried).
Found = Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked up: the text without spaces at its ends, and the stores to which the operator is limited (None: all)."""

    text: str
    stores: frozenset[int] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Finder:
    """One look-up. `label` says by what (“phone”). It is tried for those who hold the permission."""

    name: str
    label: str | Promise
    find: Callable[[Look], Found]
    order: int
    permission: str = "members.view_member"


_finders: dict[str, Finder] = {}


def register_finder(finder: Finder) -> None:
    """Register a look-up. Called once, from `AppConfig.ready()`."""
    _finders[finder.name] = finder


def finders() -> list[Finder]:
    """Return all look-ups in their order."""
    return sorted(_finders.values(), key=lambda finder: (finder.order, finder.name))
