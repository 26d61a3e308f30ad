"""The yearly review of a million members, run by its job: fast, in bounded memory, and the same after a kill in its middle."""

import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

from django.db import connection

from loyalty.models import ReviewRun, TierChange, TierStanding
from loyalty.review_queries import matrix
from loyalty.services.review_runs import plan_run, start_forecast, start_run
from loyalty.services.standing import review_due_tiers
from members.actors import SYSTEM
from members.jobs import LEASE
from members.models import Job
from members.services.jobs import run_job
from tests.factories.work import Clock
from tests.harness.load import busy
from tests.harness.results import Figures
from tests.loyalty.stories import local, make_member
from tests.proofs.test_job_kill import ROOT, wait_for_progress, wait_for_the_server

MEMBERS = int(os.environ.get("REVIEWED_MEMBERS", "1000000"))
DAY = date(2026, 4, 1)
MORNING = local("2026-04-01 09:00")
#: At most so much more memory at the end of a run than after its first wave, in megabytes.
MOST_GROWTH_MB = 64
#: A run, which writes four rows about each member, takes at most so many times what summing takes, which writes none.
MOST_RATIO = 400

_WORKER = """
import sys, django; django.setup()
from datetime import datetime
from tests.factories.work import Clock
from members.services.jobs import run_job
print("ready", flush=True)
print(run_job(job_id=int(sys.argv[1]), worker="killed", clock=Clock(datetime.fromisoformat(sys.argv[2]))), flush=True)
"""
_MEMBERS = """
    INSERT INTO members_member (member_no, channel_id, joined_at)
    SELECT 'R' || lpad(n::text, 8, '0'), %s, %s FROM generate_series(1, %s) n
"""
# Two in three are short of what keeping silver takes; one of four of the entries came back.
_ENTRIES = """
    INSERT INTO loyalty_qualificationentry (member_id, kind, source, source_ref, credits, spend_amount, orders, happened_at)
    SELECT m.id, CASE WHEN k = 4 THEN 'return' ELSE 'purchase' END, 'till', m.id || '-' || k,
        CASE WHEN k = 4 THEN -1 ELSE 1 END * (20 + (m.id * 37 + k * 11) %% 280), 0, CASE WHEN k = 4 THEN 0 ELSE 1 END,
        %s::timestamptz - make_interval(days => (20 * k + m.id %% 17)::int)
    FROM members_member m CROSS JOIN generate_series(1, 4) k WHERE m.member_no LIKE 'R%%' ORDER BY m.id, k
"""
_RISES = """
    INSERT INTO loyalty_tierchange (member_id, number, reason, from_tier_id, to_tier_id, ladder_id, window_from, credits,
        needed_credits, returned_credits, valid_until, cause, happened_at)
    SELECT m.id, 1, 'risen', low.id, silver.id, l.id, %(since)s - interval '1 year', 500, 500, 0, %(due)s, 'till:x', %(since)s
    FROM members_member m, loyalty_tier low, loyalty_tier silver, loyalty_ladderversion l
    WHERE m.member_no LIKE 'R%%' AND low.code = 'member' AND silver.code = 'silver' ORDER BY m.id
"""
_STANDINGS = """
    INSERT INTO loyalty_tierstanding (member_id, tier_id, since_at, valid_until)
    SELECT member_id, to_tier_id, happened_at, valid_until FROM loyalty_tierchange ORDER BY member_id
"""
_AGGREGATE = """
    SELECT count(*), count(*) FILTER (WHERE credits >= 400) FROM (
        SELECT s.member_id, coalesce(sum(q.credits), 0) AS credits,
            coalesce(-sum(q.credits) FILTER (WHERE q.credits < 0), 0) AS returned
        FROM loyalty_tierstanding s
        LEFT JOIN loyalty_qualificationentry q
            ON q.member_id = s.member_id AND q.happened_at >= %(from)s AND q.happened_at < %(before)s
        WHERE s.valid_until <= %(before)s GROUP BY s.member_id
    ) summed
"""


def make_business(count: int) -> None:
    """Make members who rose to silver a year before the day, with four entries each."""
    channel = make_member().channel_id
    since, due = local("2025-03-15"), local("2026-04-01 00:00")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # of this connection: what is made here is made at once
        cursor.execute(_MEMBERS, [channel, local("2024-01-01"), count])
        cursor.execute(_ENTRIES, [due])
        cursor.execute(_RISES, {"since": since, "due": due})
        cursor.execute(_STANDINGS)
        for table in ("members_member", "loyalty_qualificationentry", "loyalty_tierchange", "loyalty_tierstanding"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def aggregated() -> tuple[float, int, int]:
    """Return how long the plain sums take the database (the median of three), how many are due, and how many keep the tier."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(_AGGREGATE, {"from": local("2025-04-01 00:00"), "before": local("2026-04-01 00:00")})
            due, kept = cursor.fetchone()
        took.append(time.perf_counter() - began)
    return statistics.median(took), due, kept


def planned_run() -> ReviewRun:
    run = plan_run(day=DAY, by=SYSTEM, at=MORNING)
    run = start_forecast(run_id=run.pk, by=SYSTEM, at=MORNING)
    assert run.forecast_job is not None
    assert run_job(job_id=run.forecast_job.pk, worker="looks", clock=Clock(MORNING)) == "done"
    return start_run(run_id=run.pk, pauses=False, by=SYSTEM, at=MORNING)


def a_worker(job: Job, moment: datetime, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, "-c", _WORKER, str(job.pk), moment.isoformat()]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


class Memory:
    """What a process holds, watched from beside it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.seen: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        pages = Path(f"/proc/{self.pid}/statm")
        while not self._over.wait(0.2):
            try:
                self.seen.append(int(pages.read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20)
            except (FileNotFoundError, ProcessLookupError, IndexError):
                return

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def outcome() -> list[tuple[object, ...]]:
    """Return a digest of all that reviews leave: the changes and the standings, row by row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(hashtext(ROW(member_id, number, reason, to_tier_id, credits, needed_credits, returned_credits, "
            "valid_until, happened_at)::text)::bigint) FROM loyalty_tierchange UNION ALL "
            "SELECT count(*), sum(hashtext(ROW(member_id, tier_id, since_at, valid_until)::text)::bigint) FROM loyalty_tierstanding "
            "UNION ALL SELECT count(*), sum(hashtext(ROW(kind, member_id, payload)::text)::bigint) FROM members_timelineentry "
            "WHERE kind LIKE 'loyalty.%'"
        )
        return cursor.fetchall()


class TestMillionReviewed:
    def test_runs_in_bounded_memory_and_survives_a_kill_and_a_second_run_beside_it(
        self, committed_db: str, record_result: Callable[[str, Figures], None]
    ) -> None:
        make_business(MEMBERS)
        plain, due, keeping = aggregated()
        assert due == MEMBERS
        run = planned_run()
        assert run.job is not None
        job = run.job
        chance = random.Random(20261122)

        first = a_worker(job, MORNING, committed_db)
        wait_for_progress(job)
        time.sleep(chance.uniform(0.0, 0.5))
        first.send_signal(signal.SIGKILL)
        first.wait(20)
        wait_for_the_server()
        job.refresh_from_db()
        before_kill = job.done
        assert 0 < before_kill < MEMBERS

        later = MORNING + LEASE + timedelta(seconds=1)
        second = a_worker(job, later, committed_db)
        began = time.perf_counter()
        memory = Memory(second.pid)
        assert second.stdout is not None
        assert second.stdout.readline() == "done\n"
        took = time.perf_counter() - began
        second.wait(60)
        memory.end()
        run = ReviewRun.objects.get()
        assert run.state == ReviewRun.State.DONE
        decided = matrix(run.counts)
        assert decided[("kept", "silver", "silver")] == keeping
        assert decided[("fallen", "silver", "member")] == MEMBERS - keeping
        assert decided == matrix(run.forecast)
        assert TierChange.objects.count() == 2 * MEMBERS

        one_by_one = outcome()
        beside = self._the_same_by_the_daily_review(run)
        assert beside == one_by_one

        done = MEMBERS - before_kill
        tenth = max(1, len(memory.seen) // 10)
        early, late = max(memory.seen[: 2 * tenth]), max(memory.seen[-tenth:])
        rate = done / took
        ratio = took / done * MEMBERS / plain
        record_result(
            "Review of a million members",
            {
                "members reviewed": f"{MEMBERS:,}",
                "done before the kill": f"{before_kill:,}",
                "members a second": f"{rate:,.0f}",
                "plain sums of the same metrics": f"{plain:.2f} s",
                "the whole run, as many times": f"{ratio:.1f}",
                "memory of the worker after a fifth": f"{early:.0f} MB",
                "memory of the worker at the end": f"{late:.0f} MB",
                "load average of the machine": f"{os.getloadavg()[0]:.1f}",
            },
        )
        assert late - early <= MOST_GROWTH_MB
        assert ratio <= MOST_RATIO * busy()

    def _the_same_by_the_daily_review(self, run: ReviewRun) -> list[tuple[object, ...]]:
        """Put everything back as it was; let a run and two daily reviews beside each other decide it anew; return what they leave."""
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("TRUNCATE loyalty_reviewrunmember")
            for table in ("loyalty_tierchange", "members_timelineentry"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("DELETE FROM loyalty_tierchange WHERE number > 1")
            cursor.execute("DELETE FROM members_timelineentry WHERE kind LIKE 'loyalty.%'")
            for table in ("loyalty_tierchange", "members_timelineentry"):
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute("TRUNCATE loyalty_tierstanding")
            cursor.execute(_STANDINGS)
        run = planned_run()
        assert run.job is not None
        job = run.job

        def daily() -> None:
            last = 0
            try:
                while not (chunk := review_due_tiers(at=MORNING, by=SYSTEM, after_member_id=last)).done:
                    last = chunk.last_member_id
            finally:
                connection.close()

        beside = [threading.Thread(target=daily) for _ in range(2)]
        for thread in beside:
            thread.start()
        assert run_job(job_id=job.pk, worker="beside", clock=Clock(MORNING)) == "done"
        for thread in beside:
            thread.join()
        assert not TierStanding.objects.filter(valid_until__lte=MORNING).exists()
        return outcome()
