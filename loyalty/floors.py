"""What floors make of an earned tier: the higher one counts. Pure."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.ladder import LadderBook, TierNow


@dataclass(frozen=True, slots=True)
class FloorSpan:
    """What a member's floors come to over [from_at, until): the highest tier of them, or none. An open end is None."""

    tier_id: int | None = None
    from_at: datetime | None = None
    until: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        """Whether it speaks of this moment; of others the floors themselves are asked."""
        return (self.from_at is None or self.from_at <= moment) and (self.until is None or moment < self.until)

    @property
    def is_blank(self) -> bool:
        """Whether the member has no floor and never had one."""
        return self.from_at is None and self.until is None


NO_FLOOR = FloorSpan()


def lifted(book: LadderBook, earned: TierNow, floor_tier_id: int | None, moment: datetime) -> TierNow:
    """Return the tier that counts at a moment: the earned one, or the floor where that is higher."""
    if floor_tier_id is None or book.ranks[floor_tier_id] <= earned.rank:
        return earned
    return book.tier_now(floor_tier_id, moment)
