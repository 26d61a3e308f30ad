"""Tiers of many members in memory, for bulk imports: load, count facts one after another, save in sets.

The decisions are those of `loyalty.course`, so they are the same as if each fact had been counted by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact, Course, carried, effective
from loyalty.course import standing_before as standing_before_rise
from loyalty.floors import lifted
from loyalty.ladder import LadderBook, Sums, TierNow, Window
from loyalty.memory import FactsInMemory, KeptFact
from loyalty.periods import months_before
from loyalty.queries import floors_of, ladder_book
from loyalty.services import rows
from loyalty.services.standing import Counted, news_of, refuse_future
from members.actors import Actor
from members.timeline import NewEntry


class _MemoryRecord:
    """A member as memory knows it: facts of every span that can still be asked for, and all changes."""

    def __init__(self, member_id: int, facts: FactsInMemory, changes: Sequence[Change]) -> None:
        self.member_id = member_id
        self.facts = facts
        self.changes = list(changes)
        self.new: list[Change] = []
        self.carried: list[CountedFact] = []

    def sums(self, window: Window) -> Sums:
        return self.facts.between(window)

    def joined_at(self) -> datetime | None:
        return self.facts.joined_at

    def last_change(self) -> Change | None:
        return self.changes[-1] if self.changes else None

    def standing_before(self, rise: Change) -> Standing | None:
        return standing_before_rise(rise, self.changes[: rise.number - 1])

    def add(self, change: Change) -> None:
        self.changes.append(change)
        self.new.append(change)

    def carry(self, credits: int, change: Change) -> None:
        fact = carried(self.member_id, credits, change)
        self.carried.append(fact)
        self.facts.add(KeptFact.of(fact))


class MemberReplay:
    """One member's facts and tier in memory. Made by `load_replays`, written by `save_replays`.

    Takes facts since the moment it was loaded for, in any order, and no fact that the database already has.
    """

    def __init__(
        self,
        member_id: int,
        book: LadderBook,
        standing: Standing | None = None,
        facts: Sequence[KeptFact] = (),
        changes: Sequence[Change] = (),
        joined_at: datetime | None = None,
        floors: Sequence[tuple[int, datetime, datetime | None]] = (),
    ) -> None:
        self.member_id = member_id
        self.floors = floors
        self.new_facts: dict[tuple[str, str, str], CountedFact] = {}
        kept = FactsInMemory(facts, tz=book.tz, needs_more=book.needs_more, joined_at=joined_at)
        self._record = _MemoryRecord(member_id, kept, changes)
        self._course = Course(book, self._record, standing)
        self._saved = standing

    @property
    def new_changes(self) -> list[Change]:
        """The changes not yet saved, in order."""
        return self._record.new

    @property
    def carried(self) -> list[CountedFact]:
        """What reviews handed on to a next period, not yet saved."""
        return self._record.carried

    @property
    def is_moved(self) -> bool:
        """Whether the standing is another one than was saved last."""
        return self.standing != self._saved

    def forget_saved(self) -> None:
        """Take note that everything was saved."""
        self.new_facts.clear()
        self.new_changes.clear()
        self.carried.clear()
        self._saved = self.standing

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
        latest_at = self._record.facts.latest_at
        self._record.facts.add(KeptFact.of(fact))
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
    joined = rows.joined_at_of(ids) if book.needs_more else {}
    floors = floors_of(ids)
    return {
        member_id: MemberReplay(
            member_id,
            book,
            standings.get(member_id),
            facts.get(member_id, ()),
            changes.get(member_id, ()),
            joined.get(member_id),
            floors.get(member_id, ()),
        )
        for member_id in ids
    }


def save_replays(replays: Mapping[int, MemberReplay], *, by: Actor, at: datetime, quiet: bool) -> list[NewEntry]:
    """Write what replays added, in sets; return the news in order of members, for the caller to record.

    Saved replays may go on counting. Raises IntegrityError when a fact was counted beside them (the caller did not
    hold the lock, or passed a known fact), and FactFromFuture.
    """
    in_order = [replays[member_id] for member_id in sorted(replays)]
    facts = [fact for replay in in_order for fact in replay.new_facts.values()]
    for fact in facts:
        refuse_future(fact.happened_at, at)
    handed_on = [fact for replay in in_order for fact in replay.carried]
    changes = [(replay.member_id, change) for replay in in_order for change in replay.new_changes]
    with transaction.atomic(savepoint=False):
        rows.copy_facts([*facts, *handed_on])
        rows.insert_changes(changes)
        rows.write_standings({replay.member_id: replay.standing for replay in in_order if replay.is_moved})
    for replay in in_order:
        replay.forget_saved()
    return [news_of(member_id, change, by=by, quiet=quiet) for member_id, change in changes]


def _look_back(
    book: LadderBook, standing: Standing | None, changes: Sequence[Change], earliest_at: datetime
) -> datetime:
    """Return since when facts may still be asked for: two periods before anything due, and the last rise, grace or undoing."""
    moments = [earliest_at]
    if standing and standing.due_at:
        moments.append(standing.due_at)
    from_at = months_before(min(moments), book.longest_months, book.tz)
    looks_back = bool(changes) and changes[-1].reason in ("risen", "grace", "restored")
    return min(from_at, changes[-1].window_from) if looks_back else from_at
