"""Tiers of many members in memory, for bulk imports: load, count facts one after another, save in sets.

The decisions are those of `loyalty.course`, so they are the same as if each fact had been counted by itself.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact, Course, effective
from loyalty.course import standing_before as standing_before_rise
from loyalty.floors import lifted
from loyalty.ladder import LadderBook, Sums, TierNow, Window
from loyalty.periods import months_before
from loyalty.queries import floors_of, ladder_book
from loyalty.services import rows
from loyalty.services.standing import Counted, news_of, refuse_future
from members.actors import Actor
from members.timeline import NewEntry


class _Credits:
    """Facts in order of time with running totals. A fact at the end costs the same however many lie before it."""

    def __init__(self, facts: Sequence[tuple[datetime, int]]) -> None:
        self.facts = list(facts)
        self.totals = [0]
        self.returned = [0]
        self._total_from(0)

    @property
    def latest_at(self) -> datetime | None:
        return self.facts[-1][0] if self.facts else None

    def add(self, happened_at: datetime, credits: int) -> None:
        place = bisect_right(self.facts, (happened_at, credits))
        insort(self.facts, (happened_at, credits))
        self._total_from(place)

    def between(self, window: Window) -> Sums:
        first = bisect_left(self.facts, window.from_at, key=lambda fact: fact[0])
        beyond = bisect_left(self.facts, window.before_at, key=lambda fact: fact[0])
        return Sums(self.totals[beyond] - self.totals[first], self.returned[beyond] - self.returned[first])

    def _total_from(self, place: int) -> None:
        del self.totals[place + 1 :], self.returned[place + 1 :]
        for _happened_at, credits in self.facts[place:]:
            self.totals.append(self.totals[-1] + credits)
            self.returned.append(self.returned[-1] + max(0, -credits))


class _MemoryRecord:
    """A member as memory knows it: facts of every span that can still be asked for, and all changes."""

    def __init__(self, facts: Sequence[tuple[datetime, int]], changes: Sequence[Change]) -> None:
        self.credits = _Credits(facts)
        self.changes = list(changes)
        self.new: list[Change] = []

    def sums(self, window: Window) -> Sums:
        return self.credits.between(window)

    def last_change(self) -> Change | None:
        return self.changes[-1] if self.changes else None

    def standing_before(self, rise: Change) -> Standing | None:
        return standing_before_rise(rise, self.changes[: rise.number - 1])

    def add(self, change: Change) -> None:
        self.changes.append(change)
        self.new.append(change)


class MemberReplay:
    """One member's facts and tier in memory. Made by `load_replays`, written by `save_replays`.

    Takes facts since the moment it was loaded for, in any order, and no fact that the database already has.
    """

    def __init__(
        self,
        member_id: int,
        book: LadderBook,
        standing: Standing | None = None,
        facts: Sequence[tuple[datetime, int]] = (),
        changes: Sequence[Change] = (),
        floors: Sequence[tuple[int, datetime, datetime | None]] = (),
    ) -> None:
        self.member_id = member_id
        self.floors = floors
        self.new_facts: dict[tuple[str, str, str], CountedFact] = {}
        self._record = _MemoryRecord(facts, changes)
        self._course = Course(book, self._record, standing)

    @property
    def new_changes(self) -> list[Change]:
        """The changes not yet saved, in order."""
        return self._record.new

    @property
    def standing(self) -> Standing | None:
        """Where the member stands now; None: the lowest tier."""
        return self._course.standing

    def tier_for_fact(self, moment: datetime) -> TierNow:
        """Return the tier a fact of `moment` meets, floors included, after the reviews due until then."""
        book = self._course.book
        in_force = [tier_id for tier_id, begin, end in self.floors if begin <= moment and (end is None or moment < end)]
        floor = max(in_force, key=lambda tier_id: book.ranks[tier_id], default=None)
        return lifted(book, self._earned_tier(moment), floor, moment)

    def _earned_tier(self, moment: datetime) -> TierNow:
        book, standing = self._course.book, self.standing
        if standing is None:
            return book.lowest_at(moment)
        if standing.is_due(moment) or moment >= standing.since_at:
            self._course.catch_up(moment)
            return self._course.tier(moment)
        held = [change for change in effective(self._record.changes) if change.happened_at <= moment]
        return book.tier_now(held[-1].to_tier_id, moment) if held else book.lowest_at(moment)

    def count(self, fact: CountedFact) -> Counted:
        """Count a fact and decide what follows. A fact counted in this replay before changes nothing.

        The news is empty: `save_replays` returns it for all.
        """
        key = (fact.kind, fact.source, fact.source_ref)
        if key in self.new_facts:
            return Counted(self._course.tier(fact.happened_at), [], [], is_new=False)
        self.new_facts[key] = fact
        latest_at = self._record.credits.latest_at
        self._record.credits.add(fact.happened_at, fact.credits)
        known = len(self._record.new)
        tier = self._course.count(fact, latest_at)
        return Counted(tier, self._record.new[known:], [])


def load_replays(member_ids: Iterable[int], *, earliest_at: datetime) -> dict[int, MemberReplay]:
    """Return replays of members for facts since `earliest_at`, in four statements; locks their standings, ascending.

    The caller holds the members' account locks and saves in the same transaction. Facts are read only as far back as
    a decision can still look: the longest qualifying period before the batch, an overdue review, or the last rise.
    """
    book = ladder_book()
    ids = sorted(set(member_ids))
    standings = rows.lock_standings(ids)
    changes = rows.changes_of(ids, book)
    froms = {
        member_id: _look_back(book, standings.get(member_id), changes.get(member_id, []), earliest_at)
        for member_id in ids
    }
    facts = rows.facts_since(froms)
    floors = floors_of(ids)
    return {
        member_id: MemberReplay(
            member_id, book, standings.get(member_id), facts.get(member_id, ()), changes.get(member_id, ()),
            floors.get(member_id, ()),
        )
        for member_id in ids
    }  # fmt: skip


def save_replays(replays: Mapping[int, MemberReplay], *, by: Actor, at: datetime, quiet: bool) -> list[NewEntry]:
    """Write what replays added, in sets; return the news in order of members, for the caller to record.

    Saved replays may go on counting. Raises IntegrityError when a fact was counted beside them (the caller did not
    hold the lock, or passed a known fact), and FactFromFuture.
    """
    in_order = [replays[member_id] for member_id in sorted(replays)]
    facts = [fact for replay in in_order for fact in replay.new_facts.values()]
    for fact in facts:
        refuse_future(fact.happened_at, at)
    changed = [replay for replay in in_order if replay.new_changes]
    changes = [(replay.member_id, change) for replay in changed for change in replay.new_changes]
    with transaction.atomic(savepoint=False):
        rows.copy_facts(facts)
        rows.insert_changes(changes)
        rows.write_standings({replay.member_id: replay.standing for replay in changed})
    for replay in in_order:
        replay.new_facts.clear()
        replay.new_changes.clear()
    return [news_of(member_id, change, by=by, quiet=quiet) for member_id, change in changes]


def _look_back(
    book: LadderBook, standing: Standing | None, changes: Sequence[Change], earliest_at: datetime
) -> datetime:
    moments = [earliest_at]
    if standing and standing.valid_until:
        moments.append(standing.valid_until)
    from_at = months_before(min(moments), book.longest_qualifying_months, book.tz)
    is_last_a_rise = bool(changes) and changes[-1].reason == "risen"
    return min(from_at, changes[-1].window_from) if is_last_a_rise else from_at
