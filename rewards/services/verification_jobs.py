"""A verification of the ledger that staff ask for: a job, range by range, which goes on where it was interrupted."""

from dataclasses import asdict
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from members import jobs
from members.actors import Actor
from members.models import Job
from rewards.services.checks import SWEEPS
from rewards.services.verification import Finding, Tally, record_verification, steps

KIND = "ledger_verification"
PERMISSION = "rewards.run_ledgerverification"


def register() -> None:
    """Make the kind of job known. Called from `AppConfig.ready()`."""
    jobs.register_kind(
        jobs.JobKind(code=KIND, label=_("Verification of the points ledger"), run=run_checks, permission=PERMISSION)
    )


def start_verification(*, by: Actor, at: datetime) -> Job:
    """Queue a verification of the whole ledger and return its job."""
    return jobs.start_job(kind=KIND, title_params={}, params={}, total=len(SWEEPS) + 1, by=by, at=at)


def run_checks(run: jobs.JobRun) -> None:
    """Run all checks, a range to a chunk, and write down what they found. The cursor holds where it is and what it saw."""
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            seen = run.cursor or {"begin": [0, 0], "began_at": at.isoformat(), "tally": asdict(Tally())}
            tally = Tally(**seen["tally"] | {"findings": [Finding(**finding) for finding in seen["tally"]["findings"]]})
            step = next(steps(at=at, begin=(seen["begin"][0], seen["begin"][1])), None)
            if step is None:
                record_verification(tally, by=run.by, began_at=datetime.fromisoformat(seen["began_at"]), at=at)
                run.advance(cursor={"is_over": True})
                continue
            tally.add(step)
            run.advance(
                done=int(step.is_last), ok=int(step.is_last),
                cursor={"begin": list(step.then), "began_at": seen["began_at"], "tally": asdict(tally)},
            )  # fmt: skip
