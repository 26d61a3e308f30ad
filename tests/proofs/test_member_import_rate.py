"""How fast members of another system come in, from the file to the last balance, and in how much memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.utils import timezone

from members.models import Member, MemberImport, Operator
from members.services.imports.checking import check_import
from members.services.imports.fields import guess
from members.services.imports.files import take_in
from members.services.jobs import run_job
from rewards.services.verification import verify
from tests.factories.imports import HEADER, an_importer, approved, choices
from tests.factories.work import actor
from tests.harness.results import Figures

PROJECT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 20.0
MOST_MEGABYTES = 400


def file_of(rows: int) -> Iterator[bytes]:
    """The pieces of a csv file of so many members, most with points."""
    yield (",".join(HEADER) + "\n").encode()
    for number in range(rows):
        phone = f"1{38 + number % 2}{number:08d}"
        yield f"L{number},张小{chr(0x4E00 + number % 5000)},{phone},m{number}@example.com,1990-0{number % 9 + 1}-15,2020-05-06,{number % 700}\n".encode()


def brought_in(rows: int) -> tuple[float, float, float, MemberImport]:
    """Bring a file in; return the seconds of the check, of the load, those of this process's CPU, and the import."""
    at = timezone.now()
    maker: Operator = an_importer()
    made = take_in(name="members.csv", pieces=file_of(rows), by=actor(maker), at=at)
    cpu, began = time.process_time(), time.perf_counter()
    job = check_import(import_id=made.pk, fields=guess(made.columns), choices=choices(), by=actor(maker), at=at)
    while run_job(job_id=job.pk, worker="one", clock=timezone.now) == "queued":
        pass  # its turn was over, and it goes on
    checked = time.perf_counter()
    job = approved(MemberImport.objects.get(pk=made.pk), at=timezone.now())
    waiting = time.perf_counter()
    while run_job(job_id=job.pk, worker="one", clock=timezone.now) == "queued":
        pass
    loaded = time.perf_counter()
    cpu = time.process_time() - cpu
    return checked - began, loaded - waiting, cpu, MemberImport.objects.select_related("job").get(pk=made.pk)


def test_thirty_thousand_members_come_in_within_twenty_seconds(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    check, load, cpu, done = brought_in(30_000)
    record_result(
        "Import of 30,000 members with balances",
        {
            "seconds of the check": f"{check:.1f}",
            "seconds of the load": f"{load:.1f}",
            "of these, CPU of the worker": f"{cpu:.1f}",
            "bound": f"{MOST_SECONDS:.0f} s",
        },
    )
    assert done.job is not None
    assert (done.job.state, done.job.ok, done.job.failed) == ("done", 30_000, 0)
    assert Member.objects.count() == 30_000
    assert list(verify(at=timezone.now())) == []
    assert check + load <= MOST_SECONDS


def test_a_million_members_come_in_within_bounded_memory(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    rows = int(os.environ.get("PROOF_MEMBERS", "1000000"))
    script = f"""
import resource, django; django.setup()
from tests.proofs.test_member_import_rate import brought_in
check, load, cpu, done = brought_in({rows})
assert done.job.ok == {rows}, done.job
print(check, load, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    environment = {**os.environ, "DATABASE_URL": committed_db, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    check, load, megabytes = done.stdout.split()[-3:]
    record_result(
        "Import of a million members",
        {"members": rows, "seconds of the check": check, "seconds of the load": load, "most memory (MB)": megabytes},
    )
    assert int(megabytes) <= MOST_MEGABYTES
