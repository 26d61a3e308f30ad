"""What happens to tiers when two members are merged, and when that is taken apart.

Entries stay with the member they were counted for; the survivor gets copies, so that all that is decided of it looks at
what both did. It holds the higher of the two tiers, or one that both together reach. Taken apart, the copies are booked
out, what was counted in the merged member's name since goes over to it, and each stands where its own facts put it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from loyalty.assessment import Change, Reason, Standing, assess_rise, held_tier_id, told_figures
from loyalty.course import Course, carried
from loyalty.criteria import together
from loyalty.ladder import Anchors, LadderBook, Sums, TierNow, Window
from loyalty.models import Tier
from loyalty.queries import ladder_book, standing_of
from loyalty.refusals import NoLadder
from loyalty.services import rows
from loyalty.services.standing import news_of
from loyalty.sums import sums_in
from members import lifecycle, timeline
from members.figures import grouped
from members.lifecycle import Merge, Part, PreviewLine
from members.queries import programme

_COLUMNS = "member_id, kind, source, source_ref, credits, spend_amount, orders, activity, active_on, happened_at"
_TAKEN_BACK = (
    "-credits, -spend_amount, -orders, -activity, coalesce(active_on, (happened_at AT TIME ZONE %(zone)s)::date)"
)
_COPY = f"""
    INSERT INTO loyalty_qualificationentry ({_COLUMNS})
    SELECT %(kept)s, kind, 'merge', %(merge)s || ':' || id, credits, spend_amount, orders, activity, active_on, happened_at
    FROM loyalty_qualificationentry WHERE member_id = %(merged)s ORDER BY id"""  # noqa: S608 - constants of this module
# What is booked out is named the other way round: an entry that took away gives back.
_BOOKED_OUT = "CASE kind WHEN 'purchase' THEN 'return' WHEN 'return' THEN 'purchase' ELSE kind END"
_BOOK_OUT = f"""
    INSERT INTO loyalty_qualificationentry ({_COLUMNS})
    SELECT member_id, {_BOOKED_OUT}, 'unmerge', %(merge)s || ':' || id, {_TAKEN_BACK}, happened_at
    FROM loyalty_qualificationentry WHERE member_id = %(kept)s AND source = 'merge' AND source_ref LIKE %(copies)s
    ORDER BY id"""  # noqa: S608 - constants of this module
_HAND_OVER = f"""
    WITH counted AS (
        SELECT q.* FROM unnest(%(kinds)s::text[], %(sources)s::text[], %(refs)s::text[]) AS f (kind, source, ref)
        JOIN loyalty_qualificationentry q ON q.kind = f.kind AND q.source = f.source AND q.source_ref = f.ref
        WHERE q.member_id = %(kept)s
    )
    INSERT INTO loyalty_qualificationentry ({_COLUMNS})
    SELECT member_id, {_BOOKED_OUT}, 'unmerge', %(merge)s || ':' || id, {_TAKEN_BACK}, happened_at FROM counted
    UNION ALL
    SELECT %(merged)s, kind, 'unmerge', %(merge)s || ':' || id || ':own', credits, spend_amount, orders, activity, active_on, happened_at
    FROM counted"""  # noqa: S608 - constants of this module


def register() -> None:
    """Register what loyalty does with a whole member at a merge."""
    lifecycle.register_part(Part("loyalty", merge_preview=_preview, merge=_merge, unmerge=_unmerge))


def hand_over(*, merge: Merge, facts: Sequence[tuple[str, str, str]]) -> None:
    """Let facts (kind, source, reference) that were counted for the survivor count for the merged member, as it comes apart."""
    kinds, sources, refs = ([fact[place] for fact in facts] for place in range(3))
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER, {**_named(merge), "kinds": kinds, "sources": sources, "refs": refs})


def _named(merge: Merge) -> dict[str, Any]:
    return {
        "merge": str(merge.merge_id), "kept": merge.kept_id, "merged": merge.merged_id, "zone": programme().tz.key,
    }  # fmt: skip


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    try:
        kept, merged = (standing_of(member_id, at).earned for member_id in (kept_id, merged_id))
    except NoLadder:
        return []
    book = ladder_book()
    window = book.rise_window(at)
    both = sums_in([(kept_id, window), (merged_id, window)], needs_more=book.needs_more)
    added = together(*both)
    higher = max(kept, merged, key=lambda tier: tier.rank)
    reached = [step for step in book.at(at).steps if step.rank > higher.rank and step.rise.is_met(added)]
    names = dict(Tier.objects.values_list("code", "name"))
    return [
        PreviewLine(_("Tier"), names[kept.code], names[merged.code], names[_code(reached, higher)]),
        PreviewLine(
            _("Tier credits in the qualifying period"),
            grouped(both[0].credits),
            grouped(both[1].credits),
            grouped(added.credits),
        ),
    ]


def _code(reached: Sequence[Any], higher: TierNow) -> str:
    return str(reached[-1].code) if reached else higher.code


class _Member:
    """One member on the ladder while it is merged or taken apart: what it holds, and the changes that lead there.

    One that is `supposed` is only asked where it would stand, and writes nothing.
    """

    def __init__(
        self, member_id: int, book: LadderBook, standing: Standing | None, *, is_supposed: bool = False
    ) -> None:
        self.member_id = member_id
        self.book = book
        self.is_supposed = is_supposed
        self.new: list[Change] = []
        self._last = rows.last_changes([member_id], book).get(member_id)
        self.course = Course(book, self, standing)

    def sums(self, window: Window) -> Sums:
        return sums_in([(self.member_id, window)], needs_more=self.book.needs_more)[0]

    def joined_at(self) -> datetime | None:
        return rows.joined_at_of([self.member_id]).get(self.member_id)

    def last_change(self) -> Change | None:
        return self._last

    def standing_before(self, rise: Change) -> Standing | None:
        return None  # nothing is undone here

    def add(self, change: Change) -> None:
        self.new.append(change)
        self._last = change

    def carry(self, credits: int, change: Change) -> None:
        if not self.is_supposed:
            rows.copy_facts([carried(self.member_id, credits, change)])

    def rank(self, moment: datetime) -> int:
        """Return the rank of the tier held now."""
        return self.book.ranks[held_tier_id(self.book, self.course.standing, moment)]

    def rise(self, moment: datetime, cause: str) -> None:
        """Rise to what is reached."""
        anchors = self._anchors()
        window = self.book.rise_window(moment, anchors)
        decision = assess_rise(
            self.book, self.course.standing, moment, window, self.sums(window), cause, self._last, anchors
        )  # fmt: skip
        if decision and decision.change:
            self.course.standing = decision.standing
            self.add(decision.change)

    def put(self, target: Standing | None, moment: datetime, cause: str) -> None:
        """Come to another standing, by a change that says so; none where it is the same."""
        standing = self.course.standing
        from_tier, to_tier = (held_tier_id(self.book, one, moment) for one in (standing, target))
        valid_until = target.valid_until if target else None
        if from_tier == to_tier and valid_until == (standing.valid_until if standing else None):
            return
        window = self.book.rise_window(moment, self._anchors())
        sums = self.sums(window)
        ladder = self.book.at(moment)
        ranks = self.book.ranks
        criteria = ladder.step_for(ranks[to_tier]).rise
        figures = told_figures(criteria, sums)
        reason: Reason = "kept" if from_tier == to_tier else "risen" if ranks[to_tier] > ranks[from_tier] else "fallen"
        self.add(
            Change(
                number=self._last.number + 1 if self._last else 1, reason=reason, from_tier_id=from_tier, to_tier_id=to_tier,
                from_code=self.book.codes[from_tier], to_code=self.book.codes[to_tier], ladder_id=ladder.id,
                window_from=window.from_at, credits=sums.credits, needed_credits=criteria.credits,
                returned_credits=sums.returned, valid_until=valid_until, cause=cause,
                happened_at=max(moment, self._last.happened_at) if self._last else moment,
                figures=figures, must=criteria.must if figures else 0,
            )
        )  # fmt: skip
        since = standing.since_at if standing and from_tier == to_tier else moment
        self.course.standing = Standing(to_tier, since, valid_until) if target else None

    def _anchors(self) -> Anchors:
        if not self.book.needs_anchors:
            return Anchors()
        return Anchors(self.joined_at(), self.course.standing.held_since if self.course.standing else None)


def _merge(merge: Merge) -> dict[str, Any]:
    members = _load(merge)
    if members is None:
        _run(_COPY, _named(merge))
        return {"kept": None, "merged": None}
    kept, merged = members
    for member in members:
        member.course.catch_up(merge.at)
    held = [member.course.standing for member in members]
    _run(_COPY, _named(merge))
    brought = merged.course.standing
    own = kept.course.standing
    if (brought and merged.rank(merge.at) > kept.rank(merge.at)) or (
        brought and own and brought.tier_id == own.tier_id and _is_later(brought.valid_until, own.valid_until)
    ):
        kept.put(brought, merge.at, _cause("merge", merge))
    kept.rise(merge.at, _cause("merge", merge))
    merged.course.standing = None  # closed: it stands nowhere, and nothing is reviewed
    _write(members, merge)
    return {"kept": _kept(held[0]), "merged": _kept(held[1])}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    _run(_BOOK_OUT, {**_named(merge), "copies": f"{merge.merge_id}:%"})
    members = _load(merge)
    if members is None:
        return
    for member, stored in zip(members, (memo["kept"], memo["merged"]), strict=True):
        # As if it had gone on alone from where it stood: the reviews since, and what its own facts reach now.
        alone = _Member(member.member_id, member.book, _read(stored), is_supposed=True)
        alone.course.catch_up(merge.at)
        alone.rise(merge.at, "")
        member.put(alone.course.standing, merge.at, _cause("unmerge", merge))
    _write(members, merge)


def _load(merge: Merge) -> tuple[_Member, _Member] | None:
    """Return both as they stand, locked; None where the programme has no tiers."""
    try:
        book = ladder_book()
    except NoLadder:
        return None
    standings = rows.lock_standings([merge.kept_id, merge.merged_id])
    kept, merged = (_Member(one, book, standings.get(one)) for one in (merge.kept_id, merge.merged_id))
    return kept, merged


def _write(members: Sequence[_Member], merge: Merge) -> None:
    """Write the changes and where the members stand now; tell the timeline, and nobody is written to for it."""
    changes = [(member.member_id, change) for member in members for change in member.new]
    rows.insert_changes(changes)
    rows.write_standings({member.member_id: member.course.standing for member in members})
    timeline.record([news_of(member_id, change, by=merge.by, quiet=True) for member_id, change in changes])


def _run(sql: str, params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _cause(what: str, merge: Merge) -> str:
    return f"{what}:{merge.merge_id}"


def _is_later(one: datetime | None, other: datetime | None) -> bool:
    return other is not None and (one is None or one > other)


def _kept(standing: Standing | None) -> list[Any] | None:
    if standing is None:
        return None
    until = standing.valid_until
    return [standing.tier_id, standing.since_at.isoformat(), until.isoformat() if until else None]


def _read(stored: list[Any] | None) -> Standing | None:
    if stored is None:
        return None
    tier_id, since_at, until = stored
    return Standing(tier_id, datetime.fromisoformat(since_at), datetime.fromisoformat(until) if until else None)
