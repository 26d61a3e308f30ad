"""The port through which a floor above adds lines to purchases: promotions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rewards.earning.values import EarnLine, NotApplied, PurchaseFacts


@dataclass(frozen=True, slots=True)
class OfferUse:
    """Points that an offer gave to a purchase (or that a return took back)."""

    ref: str
    member_id: int
    source: str
    source_ref: str
    points: int
    happened_at: datetime


class Offer(Protocol):
    """One promotion as a pure function of a purchase."""

    def quote(self, facts: PurchaseFacts) -> EarnLine | NotApplied | None:
        """Return the line, why not, or None when the offer does not concern this purchase at all."""


class Contributor(Protocol):
    """A floor above that adds lines to purchases: promotions."""

    def offers(self, start: datetime, end: datetime) -> Sequence[Offer]:
        """Return the offers that may apply to purchases in [start, end]."""

    def commit(self, uses: Sequence[OfferUse]) -> None:
        """Book uses; a use that is booked already is passed over."""

    def reverse(self, uses: Sequence[OfferUse]) -> None:
        """Book uses taken back by returns."""

    def forget(self) -> None:
        """Read the offers again at the next purchase: they may be kept for seconds."""


_contributors: list[Contributor] = []


def register_contributor(contributor: Contributor) -> None:
    """Register a contributor, once, from `AppConfig.ready()`."""
    if contributor not in _contributors:
        _contributors.append(contributor)


def contributors() -> Sequence[Contributor]:
    """Return the registered contributors."""
    return _contributors
