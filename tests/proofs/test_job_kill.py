"""A worker's process is killed in the middle of a job, again and again: nothing is lost and nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from members import jobs
from members.actors import SYSTEM
from members.jobs import LEASE
from members.models import Job, JobErrorRow
from members.services.jobs import run_job
from tests.factories.times import at
from tests.factories.work import Clock, a_job, a_job_kind, brands_of
from tests.harness.results import Figures

ROOT = Path(__file__).resolve().parents[2]
NOON = at("2026-03-15 12:00")
ROWS, CHUNK, KILLS = 1_200, 10, 4
BAD = [7, 600, 1_199]

# What a worker does, in a process of its own.
WORKER = """
import sys, django; django.setup()
from datetime import datetime
from tests.factories.work import Clock, a_job_kind
from members.services.jobs import run_job
a_job_kind(chunk_rows=int(sys.argv[3]))
print("ready", flush=True)
print(run_job(job_id=int(sys.argv[1]), worker="killed", clock=Clock(datetime.fromisoformat(sys.argv[2]))), flush=True)
"""


def a_worker(job: Job, now: str, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, "-c", WORKER, str(job.pk), now, str(CHUNK)]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def wait_for_progress(job: Job) -> None:
    """Return once the worker has committed something, so that the kill falls into the work."""
    until = time.monotonic() + 30
    before = job.done
    while job.done == before:
        assert time.monotonic() < until, "the worker does nothing"
        time.sleep(0.005)
        job.refresh_from_db()


def wait_for_the_server() -> None:
    """Return once the server has noticed that the worker is gone: a commit on its way is decided then."""
    until = time.monotonic() + 30
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with connection.cursor() as cursor:
        cursor.execute(others)
        while cursor.fetchone()[0]:
            assert time.monotonic() < until
            time.sleep(0.02)
            cursor.execute(others)


class TestKilledWorkers:
    def test_leave_a_job_that_others_finish_exactly_once(
        self, committed_db: str, record_result: Callable[[str, Figures], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "_kinds", {})
        a_job_kind(chunk_rows=20 * CHUNK)  # those who are killed take smaller ones
        job = a_job(ROWS, at=NOON, by=SYSTEM, bad=BAD)
        chance = random.Random(20261122)
        moment, kept = NOON, []
        for _kill in range(KILLS):
            worker = a_worker(job, moment.isoformat(), committed_db)
            wait_for_progress(job)
            time.sleep(chance.uniform(0.0, 0.05))
            worker.send_signal(signal.SIGKILL)
            worker.wait(20)
            wait_for_the_server()
            job.refresh_from_db()
            kept.append(job.done)
            assert brands_of(job) == [row for row in range(1, job.done + 1) if row not in BAD]
            moment += LEASE + timedelta(seconds=1)
        assert kept == sorted(set(kept)), f"somebody made no progress: {kept}"
        assert kept[-1] < ROWS, f"a kill came after the work: {kept}"
        assert run_job(job_id=job.pk, worker="the last", clock=Clock(moment)) == "done"
        job.refresh_from_db()
        assert (job.state, job.done, job.ok, job.failed) == (Job.State.DONE, ROWS, ROWS - len(BAD), len(BAD))
        assert brands_of(job) == [row for row in range(1, ROWS + 1) if row not in BAD]
        assert list(JobErrorRow.objects.filter(job=job).order_by("number").values_list("number", flat=True)) == BAD
        record_result("job_kill", {"rows": ROWS, "kills": KILLS, "rows kept at each kill": str(kept)})
