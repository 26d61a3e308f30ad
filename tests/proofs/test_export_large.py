"""A list of 100,000 members: how long its file takes, that its progress is seen from outside, and that it can be stopped."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import Job, JobFile, MemberExport
from members.proposals import approve
from members.services.exports import Wanted, propose_export
from members.services.jobs import cancel_job, continue_job
from tests.factories.imports import may
from tests.factories.portal import an_operator
from tests.factories.work import actor, an_approver
from tests.harness.million import make_members
from tests.harness.results import Figures

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = int(os.environ.get("PROOF_MEMBERS", "100000"))
FIELDS = ("member_no", "full_name", "phone", "email", "birthday", "fact:rewards.balance", "fact:loyalty.tier")
MOST_SECONDS_TO_STOP = 30.0
MOST_MEGABYTES = 400
WORKER = """
import sys, resource, django; django.setup()
from django.utils import timezone
from members.services.jobs import run_job
while (state := run_job(job_id=int(sys.argv[1]), worker="one", clock=timezone.now)) == "queued": pass
print(state, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def a_worker(job: Job, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(job.pk)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def ended(worker: subprocess.Popen[str]) -> tuple[str, int]:
    told, _errors = worker.communicate(timeout=600)
    state, megabytes = told.split()
    return state, int(megabytes)


def test_a_hundred_thousand_rows_are_watched_stopped_and_finished(
    committed_db: str, record_result: Callable[[str, Figures], None], tmp_path: Path
) -> None:
    make_members(MEMBERS)
    operator = may(an_operator("marketing"), "members.export_members", "members.view_job")
    at = timezone.now()
    export, outcome = propose_export(
        wanted=Wanted(purpose="Invitations by post", fields=FIELDS), by=actor(operator), at=at
    )
    colleague = may(an_approver("administrator"), "members.export_members")
    approve(proposal_id=outcome.proposal_id, by=actor(colleague), at=at)
    job = MemberExport.objects.select_related("job").get(pk=export.pk).job
    assert job is not None
    page = Client(headers={"accept-language": "en"})
    page.force_login(operator)
    began = time.perf_counter()
    worker = a_worker(job, committed_db)
    seen: list[int] = []
    while len(seen) < 3 or seen[-1] < job.total // 3:  # what somebody reads who watches the page
        assert worker.poll() is None, "it ended before it was stopped"
        shown = page.get(reverse("admin:members_job_progress", args=[job.pk])).text
        done = re.search(r"([\d,]+) of ([\d,]+) rows", shown)
        assert done is not None, shown
        if not seen or int(done[1].replace(",", "")) > seen[-1]:
            seen.append(int(done[1].replace(",", "")))
        time.sleep(0.01)
    asked = time.perf_counter()
    cancel_job(job_id=job.pk, by=actor(operator), at=timezone.now())
    state, _memory = ended(worker)
    stopped = time.perf_counter()
    job.refresh_from_db()
    assert (state, job.state) == ("cancelled", Job.State.CANCELLED)
    assert 0 < job.done < job.total
    assert not JobFile.objects.filter(job=job).exists()
    rows_when_stopped = job.done
    continue_job(job_id=job.pk, by=actor(operator), at=timezone.now())
    again = time.perf_counter()
    state, megabytes = ended(a_worker(job, committed_db))
    finished = time.perf_counter()
    job.refresh_from_db()
    assert (state, job.done, job.ok) == ("done", job.total, job.total)
    content = bytes(JobFile.objects.get(job=job).content)
    path = tmp_path / "members.xlsx"
    path.write_bytes(content)
    sheet = openpyxl.load_workbook(path, read_only=True).active
    assert sheet is not None
    numbers = [row[0] for row in sheet.iter_rows(min_row=4, max_col=1, values_only=True)]
    assert len(numbers) == len(set(numbers)) == job.total
    seconds = (stopped - began) + (finished - again)
    record_result(
        "Export of 100,000 members",
        {
            "members": MEMBERS,
            "rows of the file": job.total,
            "rows that the page showed on the way": str(seen),
            "rows when it was stopped": rows_when_stopped,
            "from the wish to stop to the stop": f"{stopped - asked:.2f} s",
            "all in all, with two starts of a worker": f"{seconds:.1f} s",
            "most memory of the worker": f"{megabytes} MB",
            "size of the file": f"{len(content) / 1e6:.1f} MB",
        },
    )
    assert stopped - asked <= MOST_SECONDS_TO_STOP
    assert megabytes <= MOST_MEGABYTES
