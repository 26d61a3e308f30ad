"""Undo a run of reviews: members stand where they stood before it, unless something else was decided about them since.

The history stays: an opposite change is added, and what it takes back counts as never been. What was due then is due again
in some weeks, over the same period and the days since. Credits that the run carried over are booked out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.assessment import Change, Standing, put_back
from loyalty.ladder import LadderBook
from loyalty.models import ReviewRun, ReviewRunMember
from loyalty.queries import ladder_book
from loyalty.services import rows
from loyalty.services.standing import news_of
from members import timeline
from members.figures import grouped
from members.jobs import JobRun, UndoPreview
from members.models import Job, Member

#: So long after it ended a run can be undone.
UNDO_WITHIN: Final = timedelta(days=7)
CHUNK: Final = 1_000
Undo = ReviewRunMember.Undo

_BOOK_OUT = """
    INSERT INTO loyalty_qualificationentry
        (member_id, kind, source, source_ref, credits, spend_amount, orders, activity, active_on, happened_at)
    SELECT q.member_id, 'carry', 'review_undone', q.source_ref, -q.credits, -q.spend_amount, -q.orders, -q.activity,
           q.active_on, q.happened_at
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS m (id, first, last)
    CROSS JOIN LATERAL generate_series(m.first, m.last) AS number
    JOIN loyalty_qualificationentry q
        ON q.kind = 'carry' AND q.source = 'review' AND q.source_ref = m.id || ':' || number
    ORDER BY q.id
"""


def can_undo(job: Job, at: datetime) -> UndoPreview:
    """Return what undoing the run of a job would do."""
    total = ReviewRunMember.objects.filter(run__job=job).count()
    is_possible = job.finished_at is not None and at < job.finished_at + UNDO_WITHIN and total > 0
    words = ngettext(
        "%(members)s member is put back to where it stood before.",
        "%(members)s members are put back to where they stood before.",
        total,
    )
    lines = (
        words % {"members": grouped(total)},
        _("Members about whom something else was decided since are left alone, and listed."),
        _("Their reviews are due again in 30 days."),
    )
    return UndoPreview(total, lines, is_possible)


def undo(run: JobRun) -> None:
    """Put members back, in chunks."""
    while True:
        with run.chunk() as at:
            review = ReviewRun.objects.select_for_update(no_key=True).get(job=run.undoes)
            if review.closed_at is None:
                review.closed_at = at
                review.save(update_fields=["closed_at"])
            found = ReviewRunMember.objects.filter(run=review, member__gt=run.cursor.get("member", 0))
            members = list(found.select_related("member").order_by("member_id")[:CHUNK])
            if not members:
                return
            back = _put_back(review, members, run, at)
            run.advance(
                done=len(members), ok=back, failed=len(members) - back, cursor={"member": members[-1].member_id}
            )


def _put_back(review: ReviewRun, members: Sequence[ReviewRunMember], run: JobRun, at: datetime) -> int:
    book = ladder_book()
    ids = [one.member_id for one in members]
    standings = rows.lock_standings(ids)
    last = rows.last_changes(ids, book)
    outcomes = {one.member_id: _outcome(one, standings.get(one.member_id), last.get(one.member_id)) for one in members}
    back = [one for one in members if outcomes[one.member_id] == Undo.PUT_BACK]
    spans = [(one.member_id, one.first_number, one.last_number) for one in back]
    changes = _changes(review, back, rows.changes_taken(spans, book), book, at)
    _book_out(spans, book)
    rows.insert_changes([(member_id, change) for member_id, change, _standing in changes])
    rows.write_standings({member_id: standing for member_id, _change, standing in changes})
    timeline.record_many(news_of(member_id, change, by=run.by, quiet=False) for member_id, change, _standing in changes)
    _note(review, outcomes)
    for number, one in enumerate(members, run.job.done + 1):
        outcome = outcomes[one.member_id]
        if outcome != Undo.PUT_BACK:
            run.error_row({_("Member"): one.member.member_no}, outcome.label, number=number)
    return len(back)


def _outcome(one: ReviewRunMember, standing: Standing | None, last: Change | None) -> Undo:
    """Return whether a member can be put back, or why not."""
    if one.member.status == Member.Status.CLOSED:
        return Undo.LEFT
    if standing is None or last is None or last.number != one.last_number:
        return Undo.DECIDED_SINCE
    if standing.rise_at is not None and standing.rise_at != one.rise_at:
        return Undo.RISE_WAITS
    return Undo.PUT_BACK


def _changes(
    review: ReviewRun, back: Sequence[ReviewRunMember], taken: dict[int, list[Change]], book: LadderBook, at: datetime
) -> list[tuple[int, Change, Standing]]:
    cause = f"review_run:{review.pk}"
    changes = []
    for one in back:
        before = Standing(one.tier_id, one.since_at, one.valid_until, one.rise_at)
        changes.append((one.member_id, *put_back(book, before, taken[one.member_id], at, cause)))
    return changes


def _book_out(spans: Sequence[tuple[int, int, int]], book: LadderBook) -> None:
    if spans and any(ladder.carries_over for ladder in book.ladders):
        _run(_BOOK_OUT, [[span[place] for span in spans] for place in range(3)])


def _note(review: ReviewRun, outcomes: dict[int, Undo]) -> None:
    _run(
        "UPDATE loyalty_reviewrunmember r SET undo = o.undo FROM unnest(%s::bigint[], %s::text[]) AS o (id, undo) "
        "WHERE r.run_id = %s AND r.member_id = o.id",
        [list(outcomes), [outcome.value for outcome in outcomes.values()], review.pk],
    )


def _run(sql: str, params: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
