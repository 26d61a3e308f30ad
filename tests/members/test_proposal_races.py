"""Staff at the same moment: limits are never passed, a proposal is decided once, a job is worked at by one."""

from collections import Counter
from datetime import timedelta
from threading import Event

import pytest
from django.db.models import Sum

from members import jobs, proposals
from members.actors import SYSTEM
from members.jobs import LEASE, JobRun
from members.limits import POINTS, count_towards_limit
from members.models import Channel, Job, LimitUsage, OperatorLimit, Proposal, TimelineEntry
from members.proposals import ProposalOutcome, approve, expire_proposals, refuse, withdraw
from members.refusals import Refusal
from members.services.jobs import cancel_job, run_job, undo_job
from tests.factories.portal import an_operator
from tests.factories.times import at
from tests.factories.work import (
    Clock,
    a_job,
    a_job_kind,
    a_proposal,
    a_proposal_kind,
    actor,
    an_approver,
    brands_of,
    made_by,
)
from tests.harness.threads import spread, together

NOON = at("2026-03-15 12:00")
LATER = NOON + timedelta(hours=1)
THREADS = 16


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "_kinds", {})
    monkeypatch.setattr(jobs, "_kinds", {})
    a_proposal_kind()


def used() -> int:
    return LimitUsage.objects.aggregate(points=Sum("used_points"))["points"] or 0


class TestALimit:
    def test_is_filled_and_never_passed_by_16_threads(self, committed_db: str) -> None:
        operator = an_operator("service")
        amounts = [37 + 13 * (n % 31) for n in range(96)]

        def count(number: int) -> int:
            amount = amounts[number]
            fits = count_towards_limit(operator_id=operator.pk, family=POINTS, amount=amount, at=NOON)
            return amount if fits else 0

        counted = spread(count, times=len(amounts), threads=THREADS)
        assert used() == sum(counted) <= 5_000
        assert used() > 5_000 - max(amounts)  # whatever was refused did not fit when it came

    def test_lets_just_so_many_proposals_through(self, committed_db: str) -> None:
        maker = an_operator("service")
        outcomes = spread(
            lambda n: a_proposal(500, at=NOON, maker=maker, code=f"bonus-{n}").state, times=32, threads=THREADS
        )
        assert Counter(outcomes) == {Proposal.State.CARRIED_OUT: 10, Proposal.State.WAITING: 22}
        assert used() == 5_000
        assert Channel.objects.filter(code__startswith="bonus-").count() == 10


class TestOneRequest:
    def test_sent_over_16_connections_is_one_proposal_with_equal_answers(self, committed_db: str) -> None:
        maker = an_operator("service")
        outcomes = spread(
            lambda _n: a_proposal(400, at=NOON, maker=maker, request_id="form-1"), times=32, threads=THREADS
        )
        assert set(outcomes) == {
            ProposalOutcome(outcomes[0].proposal_id, Proposal.State.CARRIED_OUT, "400 points were given.")
        }
        assert Proposal.objects.count() == 1
        assert used() == 400


class TestOneProposal:
    def outcome(self, act: object) -> str:
        try:
            answer = act()  # type: ignore[operator]
        except Refusal as refusal:
            return refusal.code
        return str(answer.state) if isinstance(answer, ProposalOutcome) else "turned down"

    def test_approved_by_8_at_once_is_carried_out_once(self, committed_db: str) -> None:
        proposal_id = a_proposal(501, at=NOON).proposal_id
        checkers = [actor(an_approver()) for _ in range(8)]
        outcomes = together([
            lambda by=by: self.outcome(lambda: approve(proposal_id=proposal_id, by=by, at=LATER))  # type: ignore[misc]
            for by in checkers
        ])  # fmt: skip
        assert Counter(outcomes) == {"carried_out": 1, "proposal_is_decided": 7}
        assert TimelineEntry.objects.filter(kind="members.proposal_carried_out.v1").count() == 1

    def test_that_needs_two_gets_two_different_people(self, committed_db: str) -> None:
        proposal_id = a_proposal(200_001, at=NOON).proposal_id
        checkers = [actor(an_approver()) for _ in range(4)] * 2
        outcomes = together([
            lambda by=by: self.outcome(lambda: approve(proposal_id=proposal_id, by=by, at=LATER))  # type: ignore[misc]
            for by in checkers
        ])  # fmt: skip
        assert outcomes.count("carried_out") == outcomes.count("waiting") == 1
        proposal = Proposal.objects.get()
        assert proposal.first_checker_id != proposal.second_checker_id

    def test_is_approved_refused_withdrawn_or_expired_but_only_one_of_them(self, committed_db: str) -> None:
        for number in range(6):
            maker = an_operator("service")
            code = f"bonus-{number}"
            proposal_id = a_proposal(501, at=NOON, maker=maker, code=code).proposal_id
            checker, other, made_it = actor(an_approver()), actor(an_approver()), actor(maker)
            outcomes = together([
                lambda i=proposal_id, by=checker: self.outcome(lambda: approve(proposal_id=i, by=by, at=LATER)),  # type: ignore[misc]
                lambda i=proposal_id, by=other: self.outcome(lambda: refuse(proposal_id=i, by=by, at=LATER, reason="no")),  # type: ignore[misc]
                lambda i=proposal_id, by=made_it: self.outcome(lambda: withdraw(proposal_id=i, by=by, at=LATER)),  # type: ignore[misc]
                lambda: str(expire_proposals(at=NOON + timedelta(days=9))),
            ])  # fmt: skip
            state = Proposal.objects.get(pk=proposal_id).state
            assert state != Proposal.State.WAITING
            ended = outcomes.count("carried_out") + outcomes.count("turned down") + outcomes.count("1")
            assert ended == 1
            assert made_by(code) == (state == Proposal.State.CARRIED_OUT)


class TestOneJob:
    def test_is_taken_by_one_of_many_workers(self, committed_db: str) -> None:
        a_job_kind(chunk_rows=5)
        job = a_job(60, at=NOON)
        states = spread(lambda n: run_job(job_id=job.pk, worker=f"worker {n}", clock=Clock(NOON)), times=8, threads=8)
        assert sorted(states) == [""] * 7 + ["done"]
        assert brands_of(job) == list(range(1, 61))

    def test_held_by_a_worker_that_was_thought_lost_is_committed_by_one_only(self, committed_db: str) -> None:
        in_chunk, other_done = Event(), Event()

        def be_slow(run: JobRun, last: int) -> None:
            if not in_chunk.is_set():
                in_chunk.set()
                assert other_done.wait(20)

        # The slow worker has made no row yet that the other one would wait for.
        a_job_kind(chunk_rows=3, before_chunk=be_slow)
        job = a_job(10, at=NOON)

        def second() -> str:
            assert in_chunk.wait(20)
            try:
                return run_job(job_id=job.pk, worker="two", clock=Clock(NOON + LEASE))
            finally:
                other_done.set()

        first = lambda: run_job(job_id=job.pk, worker="one", clock=Clock(NOON))  # noqa: E731
        assert together([first, second]) == ["", "done"]
        job.refresh_from_db()
        assert (job.state, job.worker, job.done) == (Job.State.DONE, "two", 10)
        assert brands_of(job) == list(range(1, 11))

    def test_is_stopped_while_a_chunk_is_worked_at_without_waiting_for_it(self, committed_db: str) -> None:
        in_chunk, asked = Event(), Event()

        def be_slow(run: JobRun, last: int) -> None:
            in_chunk.set()
            assert asked.wait(20)  # would fail if asking had to wait for the chunk

        a_job_kind(chunk_rows=4, after_chunk=be_slow)
        job = a_job(12, at=NOON)

        def stop() -> str:
            assert in_chunk.wait(20)
            cancel_job(job_id=job.pk, by=SYSTEM, at=NOON)
            asked.set()
            return "asked"

        states = together([lambda: run_job(job_id=job.pk, worker="one", clock=Clock(NOON)), stop])
        assert states == ["cancelled", "asked"]
        assert brands_of(job) == [1, 2, 3, 4]

    def test_is_taken_back_once(self, committed_db: str) -> None:
        a_job_kind()
        job = a_job(4, at=NOON)
        run_job(job_id=job.pk, worker="one", clock=Clock(NOON))

        def take_back(number: int) -> str:
            try:
                undo_job(job_id=job.pk, by=SYSTEM, at=LATER)
            except Refusal as refusal:
                return refusal.code
            return "queued"

        assert Counter(spread(take_back, times=8, threads=8)) == {"queued": 1, "job_is_undone": 7}


class TestLimitsAndDays:
    def test_of_two_days_do_not_wait_for_each_other(self, committed_db: str) -> None:
        OperatorLimit.objects.filter(role__name="service").update(per_day_points=500)
        operator = an_operator("service")
        days = [NOON + timedelta(days=n) for n in range(4)]

        def count(number: int) -> bool:
            return count_towards_limit(operator_id=operator.pk, family=POINTS, amount=500, at=days[number % 4])

        assert sum(spread(count, times=16, threads=THREADS)) == 4
        assert LimitUsage.objects.count() == 4
