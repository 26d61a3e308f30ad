"""Balances that members bring along from another system: counted and posted by the floor that owns the points."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.functional import Promise

from members.actors import Actor
from members.models import Proposal


@dataclass(frozen=True, slots=True)
class Opening:
    """A balance to begin with: `key` names it for ever within the system that it comes from."""

    member_id: int
    points: int
    key: str


@dataclass(frozen=True, slots=True)
class OpeningBalances:
    """How balances are posted. Each call runs inside the caller's transaction, with at most some thousand members.

    `post` posts them; one that was posted before changes nothing. `standing` returns those of the members who have
    a balance from this system already. `take_back` takes the balances under these keys back as far as they are left, and
    returns how many points could not be taken back. `worth` is what points cost in the programme's money (None: not known).
    `told_as` is the kind of entry with which the timeline is told of a balance that was posted.
    """

    label: str | Promise
    post: Callable[[str, Sequence[Opening], Actor, datetime], None]
    standing: Callable[[str, Collection[int]], set[int]]
    take_back: Callable[[str, Collection[str], Actor, datetime, Proposal], int]
    worth: Callable[[int, datetime], Decimal | None]
    told_as: str


_registered: list[OpeningBalances] = []


def register_opening_balances(balances: OpeningBalances) -> None:
    """Make opening balances possible. Called once per process, from the `AppConfig.ready()` of the floor with the points."""
    _registered[:] = [balances]


def opening_balances() -> OpeningBalances | None:
    """Return how opening balances are posted; None where no floor has points."""
    return _registered[0] if _registered else None
