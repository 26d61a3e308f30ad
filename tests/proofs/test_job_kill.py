"""A worker's process is killed in the middle of a job, again and again: nothing is lost and nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from django.db import connection

from members import jobs
from members.actors import SYSTEM
from members.jobs import LEASE
from members.models import Job, JobErrorRow, JobFile, Member, MemberExportPart, MemberImportRow
from members.proposals import approve
from members.services.exports import Wanted, propose_export
from members.services.imports.checking import check_import
from members.services.imports.fields import guess
from members.services.imports.files import take_in
from members.services.jobs import run_job
from rewards.models import LedgerTransaction
from rewards.services.verification import verify
from tests.factories.imports import an_importer, approved, choices, may
from tests.factories.portal import an_operator
from tests.factories.times import at
from tests.factories.work import Clock, a_job, a_job_kind, actor, an_approver, brands_of
from tests.harness.results import Figures
from tests.proofs.test_member_import_rate import file_of

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

# The same with the portal's own kinds of work: exports and imports, in small chunks.
OWN_WORKER = """
import sys, django; django.setup()
from datetime import datetime
from tests.factories.work import Clock
from members.services import exports
from members.services.imports import checking, loading
from members.services.jobs import run_job
exports._IDS_AT_ONCE = checking._CHUNK = loading._CHUNK = int(sys.argv[3])
print("ready", flush=True)
print(run_job(job_id=int(sys.argv[1]), worker="killed", clock=Clock(datetime.fromisoformat(sys.argv[2]))), flush=True)
"""


def a_worker(job: Job, now: str, url: str, script: str = WORKER) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, "-c", script, str(job.pk), now, str(CHUNK)]
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


def killed_and_finished(job: Job, url: str, moment: datetime, chance: random.Random) -> tuple[datetime, list[int]]:
    """Kill workers of a job of the portal's own in its middle, let another one finish it; return when, and what each kept."""
    kept = []
    for _kill in range(KILLS):
        job.refresh_from_db()
        worker = a_worker(job, moment.isoformat(), url, OWN_WORKER)
        wait_for_progress(job)
        time.sleep(chance.uniform(0.0, 0.05))
        worker.send_signal(signal.SIGKILL)
        worker.wait(20)
        wait_for_the_server()
        job.refresh_from_db()
        kept.append(job.done)
        moment += LEASE + timedelta(seconds=1)
    assert kept == sorted(set(kept)), f"somebody made no progress: {kept}"
    assert kept[-1] < ROWS, f"a kill came after the work: {kept}"
    assert run_job(job_id=job.pk, worker="the last", clock=Clock(moment)) == "done"
    job.refresh_from_db()
    return moment, kept


class TestKilledImportsAndExports:
    def test_bring_everybody_in_and_take_everybody_out_exactly_once(
        self, committed_db: str, record_result: Callable[[str, Figures], None]
    ) -> None:
        chance = random.Random(20261123)
        maker = an_importer()
        made = take_in(name="members.csv", pieces=file_of(ROWS), by=actor(maker), at=NOON)
        check = check_import(import_id=made.pk, fields=guess(made.columns), choices=choices(), by=actor(maker), at=NOON)
        moment, kept_of_check = killed_and_finished(check, committed_db, NOON, chance)
        made.refresh_from_db()
        assert (made.rows_total, made.rows_new, made.rows_bad) == (ROWS, ROWS, 0)
        assert MemberImportRow.objects.filter(member_import=made).count() == ROWS
        load = approved(made, at=moment)
        moment, kept_of_load = killed_and_finished(load, committed_db, moment, chance)
        assert (load.ok, load.failed) == (ROWS, 0)
        assert Member.objects.count() == ROWS
        assert LedgerTransaction.objects.count() == sum(1 for number in range(ROWS) if number % 700)
        assert list(verify(at=moment)) == []
        exporter = may(an_operator("marketing"), "members.export_members", "members.export_unmasked")
        wanted = Wanted(purpose="Invitations by post", fields=("member_no", "full_name"), is_unmasked=True)
        export, outcome = propose_export(wanted=wanted, by=actor(exporter), at=moment)
        colleague = may(an_approver("administrator"), "members.export_members", "members.export_unmasked")
        approve(proposal_id=outcome.proposal_id, by=actor(colleague), at=moment)
        export.refresh_from_db()
        assert export.job is not None
        moment, kept_of_export = killed_and_finished(export.job, committed_db, moment, chance)
        page = openpyxl.load_workbook(
            BytesIO(bytes(JobFile.objects.get(job=export.job).content)), read_only=True
        ).active
        assert page is not None
        taken = [row[0] for row in page.iter_rows(min_row=4, values_only=True)]
        assert taken == list(Member.objects.order_by("pk").values_list("member_no", flat=True))
        assert not MemberExportPart.objects.exists()
        record_result(
            "import_and_export_kill",
            {
                "rows": ROWS,
                "rows kept at each kill of the check": str(kept_of_check),
                "of the load": str(kept_of_load),
                "of the export": str(kept_of_export),
            },
        )


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
