"""Whom a rule is for: floors above keep things by live segments of their own, and hear who came to meet one and who no longer does.

A rule is a live segment that is not shown among segments (`is_of_tag`): that of an automatic tag, or of what a floor above
gives to whoever meets a condition. What it owns is told in the transaction in which the stays change, so the two never
differ; whoever hears it holds the lock of the clock of segments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RuleNews:
    """Members who came to meet a rule (`is_in`), or no longer do, all at one moment."""

    segment_id: int
    is_in: bool
    member_ids: Sequence[int]


#: Gets the news of rules, also of those that are others', the moment, and whether nobody is to be written to for it.
Owner = Callable[[Sequence[RuleNews], datetime, bool], None]

_owners: dict[str, Owner] = {}


def register_owner(name: str, hear: Owner) -> None:
    """Register who hears of rules. Called once, from `AppConfig.ready()`. It asks in a bounded number of statements."""
    _owners[name] = hear


def tell_owners(news: Sequence[RuleNews], at: datetime, is_quiet: bool) -> None:
    """Tell the owners of rules, within the caller's transaction."""
    for hear in _owners.values():
        hear(news, at, is_quiet)
