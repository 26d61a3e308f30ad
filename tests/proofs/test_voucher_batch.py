"""Vouchers for a million members: how long the job takes, in how much memory, and that its taking back ends them all."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connection
from django.utils import timezone

from members.models import Job, Member, Segment
from members.proposals import approve
from members.services.jobs import undo_job
from rewards.models import Voucher, VoucherBatch
from rewards.services.voucher_batches import draw_up_batch, propose_batch
from tests.factories.catalogue import a_template
from tests.harness.million import make_members
from tests.harness.results import Figures
from tests.rewards.by_hand import actor
from tests.rewards.voucher_given import issuer

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = int(os.environ.get("PROOF_MEMBERS", "1000000"))
MOST_MEGABYTES = 400
WORKER = """
import sys, resource, django; django.setup()
from django.utils import timezone
from members.services.jobs import run_job
while (state := run_job(job_id=int(sys.argv[1]), worker="one", clock=timezone.now)) == "queued": pass
print(state, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
_EVERYBODY = """
    INSERT INTO members_segmentspan (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
    SELECT %s, id, now() - interval '1 day', 'list', 0, 0 FROM members_member
"""


def done(job: Job, url: str) -> tuple[float, int]:
    """Let a worker of its own do a job; return the seconds it took, and its megabytes at most."""
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    began = time.perf_counter()
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, str(job.pk)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    state, megabytes = worker.stdout.split()
    assert state == "done"
    return time.perf_counter() - began, int(megabytes)


def test_a_million_members_get_a_voucher_and_lose_it_again(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    make_members(MEMBERS)
    segment = Segment.objects.create(
        name="Everybody", kind="static", state="ready", number=1, created_at=timezone.now(), members_count=MEMBERS
    )
    with connection.cursor() as cursor:
        cursor.execute(_EVERYBODY, [segment.pk])
        cursor.execute("VACUUM (ANALYZE) members_segmentspan")
    maker, colleagues = issuer("marketing"), [issuer(), issuer()]
    batch = draw_up_batch(
        template_id=a_template().pk, segment_id=segment.pk, duplicates="skip", by=actor(maker), at=timezone.now()
    )
    began = time.perf_counter()
    outcome = propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(maker), at=timezone.now())
    previewed = time.perf_counter() - began
    for colleague in colleagues[: outcome.approvals_missing]:
        approve(proposal_id=outcome.proposal_id, by=actor(colleague), at=timezone.now())
    batch = VoucherBatch.objects.select_related("job").get(pk=batch.pk)
    assert batch.job is not None
    seconds, megabytes = done(batch.job, committed_db)
    batch.refresh_from_db()
    wanted = Member.objects.exclude(status=Member.Status.CLOSED).count()
    assert batch.issued == wanted
    assert Voucher.objects.values("member").distinct().count() == wanted
    undo = undo_job(job_id=batch.job.pk, by=actor(maker), at=timezone.now())
    back, megabytes_back = done(undo, committed_db)
    assert Voucher.objects.filter(state="voided").count() == wanted
    record_result(
        "vouchers for many",
        {
            "members": wanted, "seconds of the preview": round(previewed, 1), "seconds of the job": round(seconds, 1),
            "vouchers a second": round(wanted / seconds), "seconds to take all back": round(back, 1),
            "megabytes at most": max(megabytes, megabytes_back),
        },
    )  # fmt: skip
    assert max(megabytes, megabytes_back) <= MOST_MEGABYTES
