"""What is due about many members, decided together: the same for a review, for its dry run, and for warnings ahead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.assessment import Change, Standing, assess_due, due_of
from loyalty.course import REVIEWS_AT_ONCE, CountedFact, carried
from loyalty.ladder import Anchors, LadderBook, Sums, Window
from loyalty.periods import RESOLUTION
from loyalty.services import rows
from loyalty.services.rows import MemberChange
from loyalty.sums import sums_in


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was decided: the standings before it, the changes in order, what is carried over, and the standings after it.

    `last` are the newest changes of the members before it.
    """

    due: dict[int, Standing]
    changes: list[MemberChange]
    carried: list[CountedFact]
    standings: dict[int, Standing | None]
    last: dict[int, Change]


def decide_due(
    book: LadderBook, due: dict[int, Standing], at: datetime, *, until_now: datetime | None = None
) -> Reviewed:
    """Decide what is due until `at` about members, one period of all of them after another. Writes nothing.

    `until_now` looks at what lies ahead: the next decision of each only, with what was done until then.
    """
    first = rows.last_changes(list(due), book)
    before, last = dict(due), dict(first)
    joined = rows.joined_at_of(list(due)) if book.needs_anchors else {}
    standings: dict[int, Standing | None] = {}
    changes: list[MemberChange] = []
    handed_on: list[CountedFact] = []
    carries: dict[int, list[CountedFact]] = {}
    for _ in range(REVIEWS_AT_ONCE if until_now is None else 1):
        asked = []
        for member_id, standing in due.items():
            anchors = Anchors(joined.get(member_id), standing.held_since)
            next_due = due_of(book, standing, last.get(member_id), anchors)
            if next_due and next_due.at <= at:
                asked.append((member_id, standing, next_due, anchors))
        if not asked:
            break
        windows = [(one, _until(next_due.window, until_now)) for one, _, next_due, _ in asked]
        sums = sums_in(windows, needs_more=book.needs_more)
        due = {}
        for (member_id, standing, next_due, anchors), found in zip(asked, sums, strict=True):
            known = _and_carried(found, next_due.window, carries.get(member_id, []))
            decision = assess_due(book, standing, next_due, known, last.get(member_id), anchors)
            if decision.change:
                changes.append((member_id, decision.change))
                last[member_id] = decision.change
                if decision.carry:
                    fact = carried(member_id, decision.carry, decision.change)
                    handed_on.append(fact)
                    carries.setdefault(member_id, []).append(fact)
            standings[member_id] = decision.standing
            if decision.standing:
                due[member_id] = decision.standing
    return Reviewed(before, changes, handed_on, standings, first)


def _and_carried(sums: Sums, window: Window, handed_on: Sequence[CountedFact]) -> Sums:
    """Return sums with what reviews of this run handed on to a member, which is not written yet."""
    extra = sum(fact.credits for fact in handed_on if window.from_at <= fact.happened_at < window.before_at)
    return replace(sums, credits=sums.credits + extra, carried=sums.carried + extra) if extra else sums


def _until(window: Window, moment: datetime | None) -> Window:
    """Return a span up to a moment, which is part of it."""
    return window if moment is None else replace(window, before_at=min(window.before_at, moment + RESOLUTION))
