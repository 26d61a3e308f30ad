"""Runs of reviews: planned, looked at beforehand, decided in waves, stopped, killed, undone."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import tasks
from loyalty.course import CountedFact
from loyalty.models import LadderVersion, ReviewRun, ReviewRunMember, TierChange, TierFloor, TierRule, TierStanding
from loyalty.queries import change_in_force, forget_ladder_book, tier_at
from loyalty.replay import load_replays, save_replays
from loyalty.review_queries import due_days, matrix
from loyalty.sentences import change_sentence
from loyalty.services import review_runs
from loyalty.services.review_runs import (
    DryRunFirst,
    NothingToReview,
    ReviewDayHasNotCome,
    ReviewDayIsPlanned,
    ReviewDayNotAhead,
    ReviewRunIsNotOpen,
    close_run,
    continue_run,
    forget_details,
    plan_run,
    start_forecast,
    start_run,
    stop_run,
    undo_run,
)
from loyalty.services.standing import review_due_tiers
from members.actors import SYSTEM, Actor
from members.jobs import LEASE
from members.models import Job, JobErrorRow, Member, TimelineEntry
from members.services.jobs import JobCanNotBeUndone, run_job
from tests.factories.plans import a_floor
from tests.factories.portal import an_operator, signed_in
from tests.factories.work import Clock
from tests.harness.generated import examples
from tests.loyalty.stories import goods_back, local, make_member, path_of, purchase, review, state_of, tell
from tests.loyalty.test_same_decisions import Event, Terms, _moments, _publish, _tell_one_by_one, events, terms

MARCH = local("2025-03-15")
DAY = date(2026, 4, 1)
MORNING = local("2026-04-01 09:00")


def silver(spent: int = 500, *, kept: bool = False) -> Member:
    """A member who rose to silver in March 2025 and is reviewed on 1 April 2026, enough to keep it or not."""
    member = make_member()
    tell(purchase(member.pk, f"rise-{member.pk}", spent, MARCH))
    if kept:
        tell(purchase(member.pk, f"keep-{member.pk}", 450, local("2025-12-01")))
    return member


def give_plan_floor(member: Member, tier: str) -> None:
    floor = a_floor(member.pk, tier, MARCH, None, ref=f"plan of {member.pk}")
    TierFloor.objects.filter(pk=floor.pk).update(source=TierFloor.Source.PLAN)


def work(job: Job | None, at: datetime) -> str:
    assert job is not None
    return run_job(job_id=job.pk, worker="test", clock=Clock(at))


def looked_at(at: datetime = MORNING, day: date = DAY) -> ReviewRun:
    """A run that was planned, and whose dry run was made."""
    run = start_forecast(run_id=plan_run(day=day, by=SYSTEM, at=at).pk, by=SYSTEM, at=at)
    assert work(run.forecast_job, at) == "done"
    run.refresh_from_db()
    return run


def started(*, pauses: bool = False, at: datetime = MORNING) -> ReviewRun:
    return start_run(run_id=looked_at(at).pk, pauses=pauses, by=SYSTEM, at=at)


def run_through(at: datetime = MORNING) -> ReviewRun:
    run = started(at=at)
    assert work(run.job, at) == "done"
    run.refresh_from_db()
    return run


def undone(run: ReviewRun, at: datetime) -> ReviewRun:
    undo_run(run_id=run.pk, by=SYSTEM, at=at)
    assert work(Job.objects.get(undoes=run.job), at) == "done"
    return ReviewRun.objects.get(pk=run.pk)


@pytest.mark.django_db
class TestPlanning:
    def test_keeps_the_daily_reviews_off_the_day(self) -> None:
        member, later = silver(), silver()
        TierStanding.objects.filter(member=later).update(valid_until=local("2026-04-02 00:00"))
        run = plan_run(day=DAY, by=SYSTEM, at=MORNING)
        review_due_tiers(at=local("2026-04-02 01:00"), by=SYSTEM, but_planned=True)
        assert len(path_of(member.pk)) == 1
        assert len(path_of(later.pk)) == 2
        close_run(run_id=run.pk, at=MORNING)
        review_due_tiers(at=local("2026-04-02 01:00"), by=SYSTEM, but_planned=True)
        assert len(path_of(member.pk)) == 2

    def test_that_nobody_follows_up_is_no_longer_waited_for_after_a_week(self) -> None:
        member = silver()
        plan_run(day=DAY, by=SYSTEM, at=MORNING)
        review_due_tiers(at=local("2026-04-08 23:00"), by=SYSTEM, but_planned=True)
        assert len(path_of(member.pk)) == 1
        review_due_tiers(at=local("2026-04-09 00:30"), by=SYSTEM, but_planned=True)
        assert len(path_of(member.pk)) == 2

    def test_is_what_the_beat_respects(self, monkeypatch: pytest.MonkeyPatch) -> None:
        member = silver()
        plan_run(day=DAY, by=SYSTEM, at=MORNING)
        monkeypatch.setattr(tasks.timezone, "now", lambda: MORNING)
        tasks.review_due_tiers()
        assert len(path_of(member.pk)) == 1

    def test_is_for_today_or_later_and_once_for_a_day(self) -> None:
        plan_run(day=DAY, by=SYSTEM, at=MORNING)
        with pytest.raises(ReviewDayIsPlanned):
            plan_run(day=DAY, by=SYSTEM, at=MORNING)
        with pytest.raises(ReviewDayNotAhead):
            plan_run(day=DAY - timedelta(days=1), by=SYSTEM, at=MORNING)
        assert ReviewRun.objects.count() == 1

    def test_shows_the_days_ahead_with_their_members(self) -> None:
        silver(), silver()
        assert [(one.day, one.members) for one in due_days(local("2026-03-15"))] == [(DAY, 2)]


@pytest.mark.django_db
class TestDryRun:
    def test_says_what_would_be_decided_and_writes_none_of_it(self) -> None:
        falls, keeps = silver(), silver(kept=True)
        before = [state_of(member.pk) for member in (falls, keeps)]
        run = looked_at(local("2026-03-20"))
        assert matrix(run.forecast) == {("fallen", "silver", "member"): 1, ("kept", "silver", "silver"): 1}
        assert [state_of(member.pk) for member in (falls, keeps)] == before
        assert run.example["fallen"]["needed"] == 400
        assert run.state == ReviewRun.State.DRY

    def test_names_the_exceptions(self) -> None:
        LadderVersion.objects.update(grace_percent=50, grace_days=30)
        forget_ladder_book()
        near = silver()
        tell(purchase(near.pk, "near", 300, local("2025-12-01")))
        run = looked_at()
        assert run.exceptions["grace"] == {"number": 1, "members": [near.pk]}
        assert run.exceptions["frozen"]["number"] == 0

    def test_names_who_holds_more_than_the_review_leaves(self) -> None:
        by_hand, both, past, below = silver(), silver(), silver(kept=True), silver(kept=True)
        a_floor(by_hand.pk, "silver", MARCH, None, ref="1")
        a_floor(both.pk, "gold", MARCH, None, ref="2")
        give_plan_floor(both, "diamond")
        a_floor(past.pk, "gold", MARCH, local("2026-03-31"), ref="3")
        a_floor(below.pk, "silver", MARCH, None, ref="4")  # kept anyway
        run = looked_at()
        assert run.exceptions["floor_staff"] == {"number": 1, "members": [by_hand.pk]}
        assert run.exceptions["floor_plan"] == {"number": 1, "members": [both.pk]}
        assert run.exceptions["floor_campaign"]["number"] == 0
        with override("en"):  # and the language of the other tests afterwards
            page = signed_in("marketing").get(reverse("admin:loyalty_reviewrun_change", args=[run.pk])).text
        assert "Locked: a tier set by hand lies over what the review leaves; they keep it." in page
        assert by_hand.member_no in page

    def test_comes_before_the_run(self) -> None:
        run = plan_run(day=DAY, by=SYSTEM, at=MORNING)
        with pytest.raises(DryRunFirst):
            start_run(run_id=run.pk, pauses=False, by=SYSTEM, at=MORNING)
        assert Job.objects.count() == 0

    def test_costs_a_fixed_number_of_statements(self) -> None:
        for _ in range(2):
            silver()
        run = start_forecast(run_id=plan_run(day=DAY, by=SYSTEM, at=MORNING).pk, by=SYSTEM, at=MORNING)
        with CaptureQueriesContext(
            connection,
        ) as few:
            work(run.forecast_job, MORNING)
        for _ in range(6):
            silver()
        run = start_forecast(run_id=run.pk, by=SYSTEM, at=MORNING)
        with CaptureQueriesContext(connection) as many:
            work(run.forecast_job, MORNING)
        assert len(many) == len(few)


@pytest.mark.django_db
class TestForecast:
    @settings(max_examples=examples(40))
    @given(stories=st.lists(st.lists(events, min_size=3, max_size=10), min_size=1, max_size=4), ladder=terms)
    def test_equals_what_the_day_does_when_nothing_comes_between(
        self, stories: list[list[Event]], ladder: Terms
    ) -> None:
        with _undone_afterwards():
            _publish(ladder)
            for number, story in enumerate(stories):
                member_id = make_member().pk
                told = [(clock, fact and _named(fact, number)) for clock, fact in _moments(member_id, story)]
                _tell_one_by_one(member_id, told)
            dues = TierStanding.objects.order_by("valid_until").values_list("valid_until", "rise_at")
            moments = [moment for pair in dues for moment in pair if moment]
            if not moments:
                return
            day = min(moments).astimezone(MARCH.tzinfo).date()
            before = local(f"{day - timedelta(days=20)} 10:00")
            on_the_day = local(f"{day} 10:00")
            run = looked_at(before, day)
            assert TierStanding.objects.count() == len(dues)
            start_run(run_id=run.pk, pauses=False, by=SYSTEM, at=on_the_day)
            run.refresh_from_db()
            assert work(run.job, on_the_day) == "done"
            run.refresh_from_db()
            assert matrix(run.counts) == matrix(run.forecast)


def _named(fact: CountedFact, number: int) -> CountedFact:
    """Return a fact under names of its own, beside those of other members."""
    cause = fact.cause.replace("till:", f"till:{number}-")
    return replace(fact, source_ref=f"{number}-{fact.source_ref}", cause=cause)


@contextmanager
def _undone_afterwards() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_ladder_book()


@pytest.mark.django_db
class TestRun:
    def test_decides_as_the_daily_review_does(self) -> None:
        members = [silver(), silver(kept=True), silver(1600)]
        with transaction.atomic():
            review(MORNING)
            expected = [state_of(member.pk) for member in members]
            transaction.set_rollback(True)
        run = run_through()
        assert [state_of(member.pk) for member in members] == expected
        assert run.state == ReviewRun.State.DONE
        assert matrix(run.counts) == matrix(run.forecast)
        assert TimelineEntry.objects.filter(kind="loyalty.tier_lowered.v1").count() == 2

    def test_goes_in_ten_waves_and_pauses_after_each(self) -> None:
        members = [silver() for _ in range(20)]
        run = started(pauses=True)
        assert work(run.job, MORNING) == "cancelled"
        assert TierChange.objects.filter(reason="fallen").count() == 2
        run = ReviewRun.objects.get()
        assert (run.state, [row[0] for row in run.counts]) == (ReviewRun.State.STOPPED, [1])
        for _ in range(9):
            continue_run(run_id=run.pk, pauses=True, by=SYSTEM, at=MORNING)
            ended = work(run.job, MORNING)
        assert ended == "done"
        run.refresh_from_db()
        assert [(wave, number) for wave, *_, number in run.counts] == [(wave, 2) for wave in range(1, 11)]
        assert {len(path_of(member.pk)) for member in members} == {2}

    def test_stops_at_a_safe_point_and_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(review_runs, "CHUNK", 2)
        members = [silver() for _ in range(5)]
        run = started()
        stop = review_runs.review_chunk

        def chunk(**kwargs: object) -> object:
            done = stop(**kwargs)  # type: ignore[arg-type]
            Job.objects.filter(pk=run.job_id or 0).update(cancel_asked_at=MORNING)
            return done

        monkeypatch.setattr(review_runs, "review_chunk", chunk)
        assert work(run.job, MORNING) == "cancelled"
        assert TierChange.objects.filter(reason="fallen").count() == 1
        monkeypatch.setattr(review_runs, "review_chunk", stop)
        continue_run(run_id=run.pk, pauses=False, by=SYSTEM, at=MORNING)
        assert work(run.job, MORNING) == "done"
        assert {len(path_of(member.pk)) for member in members} == {2}

    def test_stop_asks_the_job(self) -> None:
        silver()
        run = started()
        stop_run(run_id=run.pk, by=SYSTEM, at=MORNING)
        assert ReviewRun.objects.get().state == ReviewRun.State.STOPPED
        with pytest.raises(ReviewRunIsNotOpen):
            stop_run(run_id=run.pk, by=SYSTEM, at=MORNING)

    def test_goes_on_where_a_lost_worker_had_committed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(review_runs, "CHUNK", 2)
        members = [silver() for _ in range(7)]
        run = started()
        real, calls = review_runs.review_chunk, []

        class Killed(BaseException):
            pass

        def dies(**kwargs: object) -> object:
            calls.append(1)
            done = real(**kwargs)  # type: ignore[arg-type]
            if len(calls) == 3:
                raise Killed
            return done

        monkeypatch.setattr(review_runs, "review_chunk", dies)
        with pytest.raises(Killed):
            work(run.job, MORNING)
        monkeypatch.setattr(review_runs, "review_chunk", real)
        assert TierChange.objects.filter(reason="fallen").count() == 2
        assert work(run.job, MORNING + LEASE + timedelta(seconds=1)) == "done"
        assert {len(path_of(member.pk)) for member in members} == {2}
        assert sum(row[-1] for row in ReviewRun.objects.get().counts) == 7

    def test_does_not_come_before_its_day(self) -> None:
        silver()
        run = looked_at(local("2026-03-20"))
        with pytest.raises(ReviewDayHasNotCome):
            start_run(run_id=run.pk, pauses=False, by=SYSTEM, at=local("2026-03-31 23:59"))
        assert ReviewRun.objects.get().job is None

    def test_needs_something_to_review(self) -> None:
        run = looked_at()
        with pytest.raises(NothingToReview):
            start_run(run_id=run.pk, pauses=False, by=SYSTEM, at=MORNING)

    def test_given_up_leaves_the_rest_to_the_daily_reviews(self) -> None:
        members = [silver() for _ in range(20)]
        run = started(pauses=True)
        work(run.job, MORNING)
        close_run(run_id=run.pk, at=MORNING)
        review_due_tiers(at=MORNING, by=SYSTEM, but_planned=True)
        assert {len(path_of(member.pk)) for member in members} == {2}


class TestRaces:
    def test_beside_the_daily_review_nobody_is_decided_about_twice(
        self, committed_db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(review_runs, "CHUNK", 5)
        members = [silver() for _ in range(40)]
        run = started()
        barrier = threading.Barrier(2)

        def beside() -> None:
            barrier.wait()
            review(MORNING)
            connection.close()

        def running() -> str:
            barrier.wait()
            try:
                return work(run.job, MORNING)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            other, mine = pool.submit(beside), pool.submit(running)
            other.result(), mine.result()
        assert mine.result() == "done"
        assert {len(path_of(member.pk)) for member in members} == {2}

    def test_two_plans_for_a_day_are_one(self, committed_db: str) -> None:
        barrier = threading.Barrier(2)

        def plan() -> bool:
            barrier.wait()
            try:
                plan_run(day=DAY, by=SYSTEM, at=MORNING)
            except ReviewDayIsPlanned:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(2) as pool:
            assert Counter(one.result() for one in [pool.submit(plan), pool.submit(plan)]) == {True: 1, False: 1}


@pytest.mark.django_db
class TestUndo:
    def test_puts_everybody_back_and_reviews_again_after_thirty_days(self) -> None:
        falls, keeps = silver(), silver(kept=True)
        before = [TierStanding.objects.get(member=member) for member in (falls, keeps)]
        run = undone(run_through(), local("2026-04-03 10:00"))
        assert run.state == ReviewRun.State.UNDONE
        for was, member in zip(before, (falls, keeps), strict=True):
            now = TierStanding.objects.get(member=member)
            assert (now.tier_id, now.since_at) == (was.tier_id, was.since_at)
            assert now.valid_until == local("2026-05-03 00:00")
        assert path_of(falls.pk)[1:] == [
            "fallen silver>member 2026-04-01 0/400",
            "restored member>silver 2026-04-03 0/400 until 2026-05-03",
        ]
        with override("en"):
            told = change_sentence(TierChange.objects.get(member=falls, number=3))
        assert told.startswith("The reviews of that day were undone")
        review(local("2026-04-20"))
        assert len(path_of(falls.pk)) == 3
        tell(purchase(falls.pk, "made-up", 400, local("2026-04-20")))
        review(local("2026-05-03 01:00"))
        again = TierChange.objects.get(member=falls, number=4)
        # The period of the review that was undone, and the days since.
        assert (again.reason, again.credits, again.window_from) == ("kept", 400, local("2025-04-01 00:00"))

    def test_makes_the_run_count_as_never_been(self) -> None:
        falls = silver()
        undone(run_through(), local("2026-04-03 10:00"))
        tell(purchase(falls.pk, "gold", 1500, local("2026-04-10")))
        between = local("2026-04-02")
        assert tier_at(falls.pk, between).code == "silver"
        in_force = change_in_force(falls.pk, between)
        assert in_force is not None
        assert in_force.number == 1
        replay = load_replays([falls.pk], earliest_at=MARCH)[falls.pk]
        assert replay.tier_for_fact(between).code == "silver"

    def test_gives_a_later_undone_rise_the_standing_of_before(self) -> None:
        falls = silver()
        undone(run_through(), local("2026-04-03 10:00"))
        tell(purchase(falls.pk, "gold", 1500, local("2026-04-10")))
        tell(goods_back(falls.pk, "back", 1500, local("2026-04-12"), "gold"))
        now = TierStanding.objects.get(member=falls)
        assert (now.tier.code, now.since_at, now.valid_until) == ("silver", MARCH, local("2026-05-03 00:00"))

    def test_is_the_same_for_a_replay_that_goes_on(self) -> None:
        falls = silver()
        undone(run_through(), local("2026-04-03 10:00"))
        facts = [
            purchase(falls.pk, "gold", 1500, local("2026-04-10")),
            goods_back(falls.pk, "back", 1500, local("2026-04-12"), "gold"),
            purchase(falls.pk, "late", 10, local("2026-06-01")),
        ]
        states = []
        for replayed in (False, True):
            with transaction.atomic():
                if replayed:
                    replays = load_replays([falls.pk], earliest_at=facts[0].happened_at)
                    for fact in facts:
                        replays[falls.pk].tier_for_fact(fact.happened_at)
                        replays[falls.pk].count(fact)
                    save_replays(replays, by=SYSTEM, at=local("2026-07-01"), quiet=True)
                else:
                    for fact in facts:
                        tell(fact)
                states.append(state_of(falls.pk))
                transaction.set_rollback(True)
        assert states[0] == states[1]

    def test_leaves_alone_whom_something_else_was_decided_about(self) -> None:
        rose, left, back = silver(), silver(), silver()
        run = run_through()
        tell(purchase(rose.pk, "again", 600, local("2026-04-02")))
        Member.objects.filter(pk=left.pk).update(status=Member.Status.CLOSED)
        undone(run, local("2026-04-03 10:00"))
        outcomes = dict(ReviewRunMember.objects.values_list("member_id", "undo"))
        assert outcomes == {rose.pk: "decided_since", left.pk: "left", back.pk: "put_back"}
        assert [change.reason for change in TierChange.objects.filter(member=rose).order_by("number")] == [
            "risen", "fallen", "risen",
        ]  # fmt: skip
        assert JobErrorRow.objects.count() == 2

    def test_books_out_what_the_run_carried_over(self) -> None:
        LadderVersion.objects.update(window="year", carries_over=True)
        forget_ladder_book()
        member = make_member()
        tell(purchase(member.pk, "a", 500, MARCH))
        tell(purchase(member.pk, "b", 700, local("2026-06-01")))
        day = date(2027, 1, 1)
        at = local("2027-01-01 09:00")
        run = start_run(run_id=looked_at(at, day).pk, pauses=False, by=SYSTEM, at=at)
        assert work(run.job, at) == "done"
        assert [entry[3] for entry in state_of(member.pk).entries if entry[0] == "carry"] == [300]
        undone(ReviewRun.objects.get(), local("2027-01-04 09:00"))
        carries = {entry[3] for entry in state_of(member.pk).entries if entry[0] == "carry"}
        assert carries == {-300, 300}
        review(local("2027-02-04 09:00"))
        again = TierChange.objects.filter(member=member).order_by("-number").first()
        assert again is not None
        # The year that was reviewed counts again, not only the weeks of the new one.
        assert (again.reason, again.credits, again.returned_credits) == ("kept", 700, 0)
        assert again.valid_until == local("2028-01-01 00:00")

    def test_is_possible_for_a_week_and_once(self) -> None:
        silver()
        run = run_through()
        with pytest.raises(JobCanNotBeUndone):
            undo_run(run_id=run.pk, by=SYSTEM, at=MORNING + timedelta(days=7, seconds=1))
        undone(run, MORNING)
        with pytest.raises(ReviewRunIsNotOpen):
            undo_run(run_id=run.pk, by=SYSTEM, at=MORNING)

    def test_of_a_stopped_run_ends_it(self) -> None:
        members = [silver() for _ in range(20)]
        run = started(pauses=True)
        work(run.job, MORNING)
        run = undone(ReviewRun.objects.get(), MORNING)
        assert run.closed_at is not None
        assert TierStanding.objects.filter(tier__code="silver").count() == 20
        assert {len(path_of(member.pk)) for member in members} == {1, 3}

    def test_names_who_asked(self) -> None:
        silver()
        staff = Actor("operator", an_operator("administrator").pk)
        run = start_run(run_id=looked_at().pk, pauses=False, by=staff, at=MORNING)
        work(run.job, MORNING)
        undo_run(run_id=run.pk, by=staff, at=MORNING)
        work(Job.objects.get(undoes=run.job), MORNING)
        told = TimelineEntry.objects.get(kind="loyalty.tier_put_back.v1")
        assert (told.actor_kind, told.payload["from"], told.payload["to"]) == ("operator", "member", "silver")


@pytest.mark.django_db
class TestDetails:
    def test_are_forgotten_a_month_after_the_run(self) -> None:
        silver()
        run_through()
        assert forget_details(at=MORNING + timedelta(days=29)) == 0
        assert forget_details(at=MORNING + timedelta(days=31)) == 1
        assert TierRule.objects.exists()
