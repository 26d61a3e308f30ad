"""Count facts towards tiers, and review tiers that are due. Decisions are `loyalty.course`'s; here they meet the rows.

Whoever counts facts of a member holds the lock of the member's points account, taken in an earlier statement; the
standing row is locked here, against the reviews, which lock nothing else. A member of the lowest tier has no row, and
no review either. What happened comes back as timeline entries, so that the caller tells it together with its own.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact, Course, carried
from loyalty.course import standing_before as standing_before_rise
from loyalty.events import (
    TIER_GRACE_GIVEN,
    TIER_KEPT,
    TIER_LOWERED,
    TIER_PUT_BACK,
    TIER_RAISED,
    TIER_RISE_UNDONE,
    TierDecided,
)
from loyalty.floors import NO_FLOOR, FloorSpan, lifted
from loyalty.ladder import LadderBook, Sums, TierNow, Window
from loyalty.models import TierStanding
from loyalty.queries import earned_tier_at, floor_at, ladder_book
from loyalty.refusals import FactFromFuture
from loyalty.services import rows
from loyalty.services.deciding import Reviewed, decide_due
from loyalty.sums import sums_in
from members import timeline
from members.actors import Actor
from members.statements import Statement, run
from members.timeline import NewEntry

__all__ = [
    "Counted",
    "CountedFact",
    "Held",
    "ReviewChunk",
    "count_fact",
    "counted",
    "insertion_of",
    "news_of",
    "refuse_future",
    "review_all_due",
    "review_chunk",
    "review_due_tiers",
    "tier_for_fact",
    "tier_for_standing",
]

FUTURE_TOLERANCE = timedelta(days=1)
_KINDS = {
    "risen": TIER_RAISED,
    "kept": TIER_KEPT,
    "fallen": TIER_LOWERED,
    "undone": TIER_RISE_UNDONE,
    "grace": TIER_GRACE_GIVEN,
    "restored": TIER_PUT_BACK,
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting a fact did: the tier earned before it, the changes it made, and the news, not yet recorded.

    `is_new` is False when the fact had been counted before: then nothing else happened. `after` is the tier earned then.
    """

    tier: TierNow
    changes: list[Change]
    news: list[NewEntry]
    is_new: bool = True
    after: TierNow | None = None

    @property
    def changed_to(self) -> str:
        """The code of the tier the member has earned after it, if that is another one than before; else empty."""
        code = self.changes[-1].to_code if self.changes else self.tier.code
        return "" if code == self.tier.code else code

    def changed_over(self, floor: TierNow | None) -> str:
        """The same over a floor: empty where what the member holds stays the floor, or comes to the same as before."""
        if floor is None or self.after is None:
            return self.changed_to
        before, after = (max(floor, tier, key=lambda one: one.rank).code for tier in (self.tier, self.after))
        return "" if after == before else after


class Held(NamedTuple):
    """The tier that a fact meets, and what bringing it up to date has to tell (not yet recorded); the floor at its moment."""

    tier: TierNow
    news: list[NewEntry]
    floor: TierNow | None = None


@dataclass(frozen=True, slots=True)
class ReviewChunk:
    """What one chunk of reviews did: decisions by outcome, the last member seen, whether it was the last chunk."""

    last_member_id: int
    kept: int
    fallen: int
    done: bool


def count_fact(*, fact: CountedFact, by: Actor, at: datetime, quiet: bool = False) -> Counted:
    """Count a fact towards its member's tier, and decide what follows: overdue reviews, an undone rise, a rise.

    A fact counted before changes nothing. The caller holds the member's account lock and records the news. Decisions
    look at the facts' own moments, never at `at`, which only refuses what is dated over a day later. One statement
    when nothing changes and no later fact is known. Raises FactFromFuture, NoLadder.
    """
    insertion = insertion_of(fact=fact, at=at)
    with transaction.atomic(savepoint=False):
        return counted(fact=fact, inserted=run(insertion), by=by, quiet=quiet)


def insertion_of(*, fact: CountedFact, at: datetime) -> Statement[rows.Inserted]:
    """Return the statement that inserts a fact: the first half of counting it, for those who send it with others.

    What it read goes to `counted`, in the same transaction. Raises FactFromFuture, NoLadder.
    """
    refuse_future(fact.happened_at, at)
    book = ladder_book()
    needs_all = book.needs_more and not book.needs_anchors
    return rows.fact_statement(fact, book.rise_window(fact.happened_at), everything_in=book.tz if needs_all else None)


def counted(*, fact: CountedFact, inserted: rows.Inserted, by: Actor, quiet: bool = False) -> Counted:
    """Decide what follows from an inserted fact: the second half of counting it. Raises NoLadder."""
    book = ladder_book()
    # Where a year begins on a day of the member, the statement did not know it: what is needed is asked for then.
    known = {} if book.needs_anchors else {book.rise_window(fact.happened_at): inserted.sums}
    record = _DatabaseRecord(fact.member_id, book, known, inserted.standing)
    course = Course(book, record, inserted.standing)
    if not inserted.is_new:
        return Counted(course.tier(fact.happened_at), [], [], is_new=False)
    tier = course.count(fact, inserted.latest_at)
    after = course.tier(fact.happened_at)
    return Counted(tier, record.new, record.write(course.standing, by=by, quiet=quiet), after=after)


def tier_for_fact(*, member_id: int, moment: datetime, by: Actor, at: datetime, quiet: bool = False) -> Held:
    """Return the tier a fact of `moment` meets, floors included, after the reviews due until then.

    One statement when none is due. The caller holds the member's account lock and records the news. Raises
    FactFromFuture, NoLadder.
    """
    columns = ("tier_id", "since_at", "valid_until", "rise_at", "floor_tier_id", "floor_from", "floor_until")
    row = TierStanding.objects.filter(member_id=member_id).values_list(*columns).first()
    return tier_for_standing(
        member_id=member_id, seen=Standing(*row[:4]) if row else None, floor=FloorSpan(*row[4:]) if row else NO_FLOOR,
        moment=moment, by=by, at=at, quiet=quiet,
    )  # fmt: skip


def tier_for_standing(
    *, member_id: int, seen: Standing | None, floor: FloorSpan = NO_FLOOR, moment: datetime, by: Actor, at: datetime, quiet: bool = False
) -> Held:  # fmt: skip
    """Return the same for a standing (None: the lowest tier) and floors that the caller read under the account lock.

    No statement when no review is due and the span of the floors covers the moment.
    """
    refuse_future(moment, at)
    book = ladder_book()
    earned, news = _earned(member_id, seen, moment, book, by=by, quiet=quiet)
    floor_tier_id = floor_at(member_id, moment, floor)
    tier = lifted(book, earned, floor_tier_id, moment)
    return Held(tier, news, None if floor_tier_id is None else book.tier_now(floor_tier_id, moment))


def _earned(
    member_id: int, seen: Standing | None, moment: datetime, book: LadderBook, *, by: Actor, quiet: bool
) -> tuple[TierNow, list[NewEntry]]:
    if seen is None:
        return book.lowest_at(moment), []
    if not seen.is_due(moment):
        is_past = moment < seen.since_at
        return earned_tier_at(member_id, moment) if is_past else book.tier_now(seen.tier_id, moment), []
    with transaction.atomic(savepoint=False):
        standing = rows.lock_standings([member_id]).get(member_id)
        record = _DatabaseRecord(member_id, book, {}, standing)
        course = Course(book, record, standing)
        course.catch_up(moment)
        return course.tier(moment), record.write(course.standing, by=by, quiet=quiet)


@transaction.atomic
def review_due_tiers(
    *,
    at: datetime,
    by: Actor,
    after_member_id: int = 0,
    limit: int = 1000,
    quiet: bool = False,
    but_planned: bool = False,
) -> ReviewChunk:
    """Decide the reviews due until `at` of the next members beyond one, `limit` members at most; tell the timeline.

    Each review is dated at the moment it was due. Run late, again or beside itself, it leaves the same history.
    A fixed number of statements for each overdue period, however many members. `but_planned` leaves what a run of reviews
    is planned for. Raises NoLadder.
    """
    reviewed = review_chunk(
        at=at, by=by, after_member_id=after_member_id, limit=limit, quiet=quiet, but_planned=but_planned
    )
    if not reviewed.due:
        return ReviewChunk(after_member_id, 0, 0, done=True)
    outcomes = Counter(change.reason for _member_id, change in reviewed.changes)
    return ReviewChunk(max(reviewed.due), outcomes["kept"], outcomes["fallen"], done=len(reviewed.due) < limit)


def review_chunk(
    *, at: datetime, by: Actor, after_member_id: int, limit: int, quiet: bool = False, but_planned: bool = False
) -> Reviewed:
    """Do the same in the caller's transaction, and return what was decided."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
    due = rows.lock_due_standings(at, after_member_id, limit, but_planned=but_planned)
    if not due:
        return Reviewed({}, [], [], {}, {})
    reviewed = decide_due(ladder_book(), due, at)
    rows.copy_facts(reviewed.carried)
    rows.insert_changes(reviewed.changes)
    rows.write_standings(reviewed.standings)
    timeline.record_many(news_of(member_id, change, by=by, quiet=quiet) for member_id, change in reviewed.changes)
    return reviewed


def review_all_due(
    *,
    at: datetime,
    by: Actor,
    quiet: bool = False,
    limit: int = 1000,
    chunks: int = 100_000,
    but_planned: bool = False,
) -> None:
    """Decide the reviews due until `at`, chunk by chunk, at most `chunks` of them; what is left over, the next run does."""
    last_member_id = 0
    for _ in range(chunks):
        chunk = review_due_tiers(
            at=at, by=by, after_member_id=last_member_id, limit=limit, quiet=quiet, but_planned=but_planned
        )
        if chunk.done:
            return
        last_member_id = chunk.last_member_id


def refuse_future(moment: datetime, at: datetime) -> None:
    """Raise FactFromFuture for a moment over a day after `at`: once counted, it would date all later decisions."""
    if moment > at + FUTURE_TOLERANCE:
        raise FactFromFuture(moment=moment.isoformat())


def news_of(member_id: int, change: Change, *, by: Actor, quiet: bool) -> NewEntry:
    """Return the timeline entry of a change."""
    decided = TierDecided(
        kind=_KINDS[change.reason], member_id=member_id, change=change.number, from_tier=change.from_code,
        to_tier=change.to_code, credits=change.credits, needed=change.needed_credits, valid_until=change.valid_until,
        happened_at=change.happened_at, figures=change.figures, must=change.must,
    )  # fmt: skip
    return decided.entry(by=by, quiet=quiet)


class _DatabaseRecord:
    """A member as the database knows it; new changes are kept until they are written together."""

    def __init__(self, member_id: int, book: LadderBook, known: dict[Window, Sums], standing: Standing | None) -> None:
        self.member_id = member_id
        self.book = book
        self.known = known
        self.new: list[Change] = []
        self._stored = standing
        self._last: Change | None = None
        self._is_last_read = False
        self._joined_at: datetime | None = None

    def sums(self, window: Window) -> Sums:
        if window not in self.known:
            [self.known[window]] = sums_in([(self.member_id, window)], needs_more=self.book.needs_more)
        return self.known[window]

    def joined_at(self) -> datetime | None:
        if self._joined_at is None:
            self._joined_at = rows.joined_at_of([self.member_id]).get(self.member_id)
        return self._joined_at

    def last_change(self) -> Change | None:
        if not self._is_last_read:
            self._last = rows.last_changes([self.member_id], self.book).get(self.member_id)
            self._is_last_read = True
        return self._last

    def standing_before(self, rise: Change) -> Standing | None:
        changes = rows.changes_of([self.member_id], self.book).get(self.member_id, [])
        return standing_before_rise(rise, [change for change in changes if change.number < rise.number])

    def add(self, change: Change) -> None:
        self.new.append(change)
        self._last, self._is_last_read = change, True

    def carry(self, credits: int, change: Change) -> None:
        fact = carried(self.member_id, credits, change)
        rows.copy_facts([fact])  # at once: the next period is summed by the database
        self.known.clear()

    def write(self, standing: Standing | None, *, by: Actor, quiet: bool) -> list[NewEntry]:
        """Write the new changes and the standing they left; return what there is to tell."""
        rows.write_decisions(self.member_id, self.new, standing, is_moved=standing != self._stored)
        return [news_of(self.member_id, change, by=by, quiet=quiet) for change in self.new]
