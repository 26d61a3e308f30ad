"""Runs of reviews: what is due on a day is planned, looked at beforehand, decided in waves by a job, and may be undone.

The decisions are those of the daily review (`loyalty.services.standing`), dated when they were due. So a run that is late,
killed, repeated or beside the daily review or a purchase leaves the same history, and nobody is decided about twice.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.models import ReviewRun
from loyalty.models.reviews import RUN_REVIEWS
from loyalty.periods import business_date, day_bounds
from loyalty.queries import ladder_book
from loyalty.refusals import LoyaltyRefusal
from loyalty.review_queries import count_due, floored_among, frozen_among
from loyalty.services import review_undo, rows
from loyalty.services.deciding import Reviewed, decide_due
from loyalty.services.standing import news_of, review_chunk
from members import jobs
from members.actors import SYSTEM, Actor
from members.copying import copy_rows
from members.identifiers import NotFound
from members.jobs import JobRun, JobStopped
from members.queries import programme
from members.services.jobs import cancel_job, continue_job, undo_job

FORECAST: Final = "loyalty.review_forecast"
RUN: Final = "loyalty.review_run"
WAVES: Final = 10
#: Members whose decisions commit together.
CHUNK: Final = 2_000
#: How long it is kept what undoing a run would need; undoing is possible for a shorter time.
DETAILS_KEPT: Final = timedelta(days=30)
FARTHEST: Final = timedelta(days=400)
_MOST_NAMED = 20

_MEMBER_COLUMNS = "run_id, member_id, wave, first_number, last_number, tier_id, since_at, valid_until, rise_at"


class ReviewDayIsPlanned(LoyaltyRefusal):
    """A run for that day is open."""

    code = "review_day_is_planned"
    text = gettext_lazy("A run of the reviews of %(day)s is planned already.")


class ReviewDayNotAhead(LoyaltyRefusal):
    """Reviews are planned for today or a day ahead."""

    code = "review_day_not_ahead"
    text = gettext_lazy("A run can be planned from %(first)s to %(last)s.")
    status = 422


class ReviewDayHasNotCome(LoyaltyRefusal):
    """What is due on a day is decided on that day at the earliest."""

    code = "review_day_has_not_come"
    text = gettext_lazy("These reviews are due on %(day)s; they can not be decided before.")


class DryRunFirst(LoyaltyRefusal):
    """A run starts after somebody could look at what it will decide."""

    code = "dry_run_first"
    text = gettext_lazy("Please make a dry run first, and look at what it found.")


class NothingToReview(LoyaltyRefusal):
    """Nothing is due, or it was decided already."""

    code = "nothing_to_review"
    text = gettext_lazy("No review is due until %(day)s, or all of them were decided already.")


class ReviewRunIsNotOpen(LoyaltyRefusal):
    """It has run, or was given up."""

    code = "review_run_is_not_open"
    text = gettext_lazy("This run is %(state)s; that can not be done with it now.")


@transaction.atomic
def plan_run(*, day: date, by: Actor, at: datetime) -> ReviewRun:
    """Plan a run of the reviews due on a day: the daily reviews leave these to it, for a week at most. Return it.

    Raises ReviewDayNotAhead, ReviewDayIsPlanned.
    """
    tz = programme().tz
    first = business_date(at, tz)
    last = first + FARTHEST
    if not first <= day <= last:
        raise ReviewDayNotAhead(first=date_format(first), last=date_format(last))
    from_at, before_at = day_bounds(day, tz)
    try:
        with transaction.atomic():
            return ReviewRun.objects.create(
                day=day, from_at=from_at, before_at=before_at, planned_at=at,
                planned_by_id=by.id if by.kind == "operator" else None,
            )  # fmt: skip
    except IntegrityError as error:
        raise ReviewDayIsPlanned(day=date_format(day)) from error


@transaction.atomic
def start_forecast(*, run_id: int, by: Actor, at: datetime) -> ReviewRun:
    """Begin a dry run: a job works out what would be decided as things stand, and writes none of it.

    Raises ReviewRunIsNotOpen, NotFound.
    """
    review = _locked(run_id, ReviewRun.State.PLANNED, ReviewRun.State.DRY)
    job = _job(FORECAST, review, by, at)
    review.forecast_job, review.forecast_at, review.forecast, review.exceptions, review.example = job, None, [], {}, {}
    review.save(update_fields=["forecast_job", "forecast_at", "forecast", "exceptions", "example"])
    return review


@transaction.atomic
def start_run(*, run_id: int, pauses: bool, by: Actor, at: datetime) -> ReviewRun:
    """Begin to decide, in waves of a tenth of those due; `pauses` stops after each wave until somebody lets it go on.

    Raises DryRunFirst, ReviewDayHasNotCome, NothingToReview, ReviewRunIsNotOpen, NotFound.
    """
    review = _locked(run_id, ReviewRun.State.PLANNED, ReviewRun.State.LOOKING, ReviewRun.State.DRY)
    if review.forecast_at is None:
        raise DryRunFirst
    if at < review.from_at:
        raise ReviewDayHasNotCome(day=date_format(review.day))
    total = count_due(min(at, review.until_at))
    if not total:
        raise NothingToReview(day=date_format(review.day))
    review.job = _job(RUN, review, by, at, total)
    review.pauses, review.wave_size = pauses, -(-total // WAVES)
    review.save(update_fields=["job", "pauses", "wave_size"])
    return review


def stop_run(*, run_id: int, by: Actor, at: datetime) -> None:
    """Ask a run to stop at the next safe point. Raises ReviewRunIsNotOpen, JobIsOver, NotFound."""
    review = _in_state(run_id, ReviewRun.State.RUNNING)
    cancel_job(job_id=_job_of(review), by=by, at=at)


@transaction.atomic
def continue_run(*, run_id: int, pauses: bool, by: Actor, at: datetime) -> None:
    """Let a run that was stopped, or pauses, go on: for one wave if it `pauses` again, else for all that are left.

    Raises ReviewRunIsNotOpen, JobIsNotStopped, JobCanNotGoOn, NotFound.
    """
    review = _locked(run_id, ReviewRun.State.STOPPED)
    review.pauses = pauses
    review.save(update_fields=["pauses"])
    continue_job(job_id=_job_of(review), by=by, at=at)


@transaction.atomic
def close_run(*, run_id: int, at: datetime) -> None:
    """Give up a run that is not running: the daily reviews decide what is left. Raises ReviewRunIsNotOpen, NotFound."""
    state = ReviewRun.State
    review = _locked(run_id, state.PLANNED, state.LOOKING, state.DRY, state.STOPPED)
    review.closed_at = at
    review.save(update_fields=["closed_at"])


def undo_run(*, run_id: int, by: Actor, at: datetime) -> None:
    """Begin to put members back where they stood before a run. Raises ReviewRunIsNotOpen, JobCanNotBeUndone, NotFound."""
    review = _in_state(run_id, ReviewRun.State.DONE, ReviewRun.State.STOPPED)
    undo_job(job_id=_job_of(review), by=by, at=at)


def forget_details(*, at: datetime, limit: int = 100_000) -> int:
    """Delete what undoing runs that ended a month ago would have needed, at most `limit` rows; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM loyalty_reviewrunmember WHERE id IN (
                SELECT d.id FROM loyalty_reviewrun r JOIN loyalty_reviewrunmember d ON d.run_id = r.id
                WHERE r.closed_at < %s LIMIT %s)
            """,
            [at - DETAILS_KEPT, limit],
        )
        return cursor.rowcount


def register() -> None:
    """Make dry runs and runs known to the workers. Called once, from `AppConfig.ready()`."""
    jobs.register_kind(
        jobs.JobKind(
            FORECAST, gettext_lazy("Dry run of reviews"), _forecast, title=_forecast_title, permission=RUN_REVIEWS
        )
    )
    jobs.register_kind(
        jobs.JobKind(
            RUN, gettext_lazy("Run of reviews"), _run, title=_run_title, can_undo=review_undo.can_undo,
            undo=review_undo.undo, permission=RUN_REVIEWS,
        )
    )  # fmt: skip


def tally(reviewed: Reviewed, wave: int) -> "Counter[tuple[int, str, str, str]]":
    """Count decisions by wave, reason, tier before and after; a rise that waited and was not reached, as `waited`."""
    counts: Counter[tuple[int, str, str, str]] = Counter()
    changed = set()
    for member_id, change in reviewed.changes:
        changed.add(member_id)
        counts[wave, change.reason, change.from_code, change.to_code] += 1
    codes = ladder_book().codes
    for member_id, standing in reviewed.due.items():
        if member_id not in changed:
            counts[wave, "waited", codes[standing.tier_id], codes[standing.tier_id]] += 1
    return counts


def _forecast(run: JobRun) -> None:
    """Work out, chunk by chunk, what is due until the end of the day."""
    done = False
    while not done:
        with run.chunk() as at:
            review = ReviewRun.objects.select_for_update(no_key=True).get(forecast_job=run.job)
            due = rows.due_standings(review.until_at, run.cursor.get("member", 0), CHUNK)
            reviewed = decide_due(ladder_book(), due, review.until_at) if due else Reviewed({}, [], [], {}, {})
            review.forecast = _added(review.forecast, tally(reviewed, 0))
            _note_exceptions(review, reviewed, at)
            for member_id, change in reviewed.changes:
                review.example.setdefault(change.reason, news_of(member_id, change, by=SYSTEM, quiet=True).payload)
            done = len(due) < CHUNK
            review.forecast_at = at if done else None
            review.save(update_fields=["forecast", "exceptions", "example", "forecast_at"])
            run.advance(done=len(due), ok=len(due), cursor={"member": max(due, default=0)})


def _note_exceptions(review: ReviewRun, reviewed: Reviewed, at: datetime) -> None:
    """Count, and name some of, those whose review is not like the others."""
    last = reviewed.last
    book = ladder_book()
    lowest = book.lowest_at(review.until_at).rank
    left = {member_id: reviewed.standings.get(member_id, standing) for member_id, standing in reviewed.due.items()}
    earned = {member_id: book.ranks[one.tier_id] if one else lowest for member_id, one in left.items()}
    floors = floored_among(earned, review.until_at)
    found = {
        "frozen": frozen_among(list(reviewed.due), at),
        "grace_ends": [
            member_id for member_id, standing in reviewed.due.items()
            if (change := last.get(member_id)) and change.reason == "grace" and change.valid_until == standing.valid_until
        ],
        "grace": [member_id for member_id, change in reviewed.changes if change.reason == "grace"],
        "rise_waits": [
            member_id for member_id, one in reviewed.due.items() if one.rise_at and one.rise_at <= review.until_at
        ],
        **{f"floor_{source}": member_ids for source, member_ids in floors.items()},
    }  # fmt: skip
    for kind, member_ids in found.items():
        noted = review.exceptions.setdefault(kind, {"number": 0, "members": []})
        noted["number"] += len(member_ids)
        noted["members"] = (noted["members"] + member_ids)[:_MOST_NAMED]


def _run(run: JobRun) -> None:
    """Decide wave by wave. A chunk, its counts, and what undoing it needs commit together."""
    done = is_paused = False
    while not done:
        if is_paused:
            raise JobStopped
        with run.chunk() as at:
            review = ReviewRun.objects.select_for_update(no_key=True).get(job=run.job)
            if review.closed_at:
                return  # given up: the daily reviews decide the rest
            wave, left = run.cursor.get("wave", 1), run.cursor.get("left", review.wave_size)
            limit = min(CHUNK, left)
            reviewed = review_chunk(
                at=min(at, review.until_at), by=run.by, after_member_id=run.cursor.get("member", 0), limit=limit
            )
            count = len(reviewed.due)
            _keep_members(review, reviewed, wave)
            review.counts = _added(review.counts, tally(reviewed, wave))
            done = count < limit
            left -= count
            if not left and wave < WAVES:
                is_paused = review.pauses and run.job.done + count < run.total
                wave += 1
            if done:
                review.closed_at = at
            review.save(update_fields=["counts", "closed_at"])
            counted = min(count, max(0, run.total - run.job.done))
            cursor = {"wave": wave, "left": left or review.wave_size, "member": max(reviewed.due, default=0)}
            run.advance(done=counted, ok=counted, cursor=cursor)


def _keep_members(review: ReviewRun, reviewed: Reviewed, wave: int) -> None:
    numbers: dict[int, tuple[int, int]] = {}
    for member_id, change in reviewed.changes:
        first, _last = numbers.get(member_id, (change.number, 0))
        numbers[member_id] = (first, change.number)
    copy_rows(
        f"loyalty_reviewrunmember ({_MEMBER_COLUMNS})",
        (
            (review.pk, member_id, wave, *numbers[member_id], one.tier_id, one.since_at, one.valid_until, one.rise_at)
            for member_id, one in reviewed.due.items() if member_id in numbers
        ),
    )  # fmt: skip


def _added(known: list[list[Any]], counts: "Counter[tuple[int, str, str, str]]") -> list[list[Any]]:
    total = Counter({(wave, reason, before, after): number for wave, reason, before, after, number in known})
    total.update(counts)
    return [[*key, number] for key, number in sorted(total.items())]


def _job(kind: str, review: ReviewRun, by: Actor, at: datetime, total: int = 0) -> Any:
    figures = {"day": review.day.isoformat()}
    return jobs.start_job(kind=kind, title_params=figures, params={"run": review.pk}, total=total, by=by, at=at)


def _job_of(review: ReviewRun) -> int:
    assert review.job_id is not None  # noqa: S101 - its state says so
    return review.job_id


def _in_state(run_id: int, *states: ReviewRun.State) -> ReviewRun:
    review = ReviewRun.objects.select_related("job__undone_by", "forecast_job").filter(pk=run_id).first()
    if review is None:
        raise NotFound
    if review.state not in states:
        raise ReviewRunIsNotOpen(state=review.state.label)
    return review


def _locked(run_id: int, *states: ReviewRun.State) -> ReviewRun:
    ReviewRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    return _in_state(run_id, *states)


def _forecast_title(params: Mapping[str, Any]) -> str:
    return _("Dry run of the reviews of %(day)s") % {"day": date_format(date.fromisoformat(params["day"]))}


def _run_title(params: Mapping[str, Any]) -> str:
    return _("Reviews of %(day)s") % {"day": date_format(date.fromisoformat(params["day"]))}
