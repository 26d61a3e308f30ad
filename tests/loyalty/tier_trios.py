"""A member three times over: reviewed together with others, reviewed alone, and replayed in memory from what was told.

Whatever is told to one is told to all three, so they have the same history, or one of the ways to decide is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal

from loyalty.replay import load_replays, save_replays
from loyalty.services.standing import CountedFact, count_fact, review_due_tiers, tier_for_fact
from members.actors import SYSTEM
from members.models import Member
from tests.loyalty.stories import State, make_member, state_of

Met = tuple[str, Decimal]


@dataclass
class Sale:
    """A purchase, and how much of it has not come back."""

    fact: CountedFact
    left: int


@dataclass
class Floor:
    """A floor that all three got, by the ids of its rows. It ends by itself or, earlier, when it is ended."""

    tier_id: int
    begins_at: datetime
    until: datetime | None
    row_ids: list[int]
    ended_at: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether it is in force at a moment."""
        ends = [end for end in (self.until, self.ended_at) if end is not None]
        return self.begins_at <= moment and all(moment < end for end in ends)

    def can_end(self, moment: datetime) -> bool:
        """Whether it is not over and nobody has ended it."""
        return self.ended_at is None and (self.until is None or moment < self.until)


@dataclass
class Trio:
    """The three, what happened to them, and what the replayed one has not been told yet (None: a review at that moment)."""

    alone: int
    replayed: int
    in_set: int
    sales: list[Sale] = field(default_factory=list)
    told: list[CountedFact] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    graces: int = 0
    _untold: list[tuple[datetime, CountedFact | None]] = field(default_factory=list)
    _met: list[Met] = field(default_factory=list)

    @property
    def member_ids(self) -> tuple[int, int, int]:
        """All three."""
        return self.alone, self.replayed, self.in_set

    def tell(self, fact: CountedFact, at: datetime) -> None:
        """Let a fact (of nobody) reach all three as a purchase does: first its tier, then its count."""
        met = [self._tell(one, fact, at) for one in (self.in_set, self.alone)]
        assert met[0] == met[1]
        self.told.append(fact)
        self._met.append(met[0])
        self._untold.append((at, _of(fact, self.replayed)))

    def tell_again(self, fact: CountedFact, at: datetime) -> None:
        """Repeat a fact: it brings overdue reviews up to its moment up to date, and nothing else."""
        met = [self._tell(one, fact, at) for one in (self.in_set, self.alone)]
        assert met[0] == met[1]
        self._untold.append((fact.happened_at, None))

    def review_alone(self, moment: datetime, at: datetime) -> None:
        """Decide about the other two what is due until `moment`, as reading the tier of a fact of then does."""
        tier_for_fact(member_id=self.alone, moment=moment, by=SYSTEM, at=at)
        self._untold.append((moment, None))

    def replay(self, at: datetime, *, compared: bool = True) -> None:
        """Tell the replayed one, in one batch, what it does not know yet; it stands where the others stand."""
        if not self._untold:
            return
        earliest_at = min(fact.happened_at if fact else clock for clock, fact in self._untold)
        replays = load_replays([self.replayed], earliest_at=earliest_at)
        replay, met = replays[self.replayed], []
        for clock, fact in self._untold:
            tier = replay.tier_for_fact(fact.happened_at if fact else clock)
            if fact:
                met.append((tier.code, tier.points_multiplier))
                replay.count(fact)
        save_replays(replays, by=SYSTEM, at=at, quiet=True)
        assert met == self._met
        self._untold.clear()
        self._met.clear()
        if compared:
            assert seen_of(self.replayed) == seen_of(self.in_set)

    def floor_at(self, moment: datetime, ranks: dict[int, int]) -> Floor | None:
        """Return the highest floor in force."""
        in_force = [floor for floor in self.floors if floor.holds(moment)]
        return max(in_force, key=lambda floor: ranks[floor.tier_id], default=None)

    @staticmethod
    def _tell(member_id: int, fact: CountedFact, at: datetime) -> Met:
        mine = _of(fact, member_id)
        tier = tier_for_fact(member_id=member_id, moment=mine.happened_at, by=SYSTEM, at=at).tier
        count_fact(fact=mine, by=SYSTEM, at=at)
        return tier.code, tier.points_multiplier


def make_trios(joined_at: Sequence[datetime]) -> list[Trio]:
    """Make one for each moment of joining; those reviewed in sets come last, so that a set can begin beyond all others."""
    alone, replayed, in_set = ([make_member().pk for _ in joined_at] for _ in range(3))
    trios = [Trio(*ids) for ids in zip(alone, replayed, in_set, strict=True)]
    for trio, moment in zip(trios, joined_at, strict=True):
        Member.objects.filter(pk__in=trio.member_ids).update(joined_at=moment)
    return trios


def review_sets(trios: Sequence[Trio], at: datetime, *, limit: int) -> int:
    """Review those of the trios that are reviewed together, as the beat does; return how many decisions there were."""
    last, decided = min(trio.in_set for trio in trios) - 1, 0
    while True:
        chunk = review_due_tiers(at=at, by=SYSTEM, after_member_id=last, limit=limit, but_planned=True)
        decided += chunk.kept + chunk.fallen
        if chunk.done:
            return decided
        last = chunk.last_member_id


def seen_of(member_id: int) -> list[tuple[object, ...]]:
    """Return everything loyalty keeps of a member, without what names the member."""
    state = state_of(member_id)
    return [tuple(_nameless(value, member_id) for value in row) for row in _rows(state)]


def _rows(state: State) -> Iterator[tuple[object, ...]]:
    for part in fields(state):
        value = getattr(state, part.name)
        yield from value if isinstance(value, list) else [value or ()]


def _of(fact: CountedFact, member_id: int) -> CountedFact:
    """Return a fact as one of this member's: references are unique among all."""
    cause = fact.cause and f"{fact.cause}@{member_id}"
    return replace(fact, member_id=member_id, source_ref=f"{fact.source_ref}@{member_id}", cause=cause)


def _nameless(value: object, member_id: int) -> object:
    # What is carried over is named by the member and the number of the change.
    return value.removesuffix(f"@{member_id}").removeprefix(f"{member_id}:") if isinstance(value, str) else value
