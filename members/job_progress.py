"""How far a job is: its share, its pace, and how long it will take yet, as far as they can be told."""

from dataclasses import dataclass

from members.models import Job


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. What can not be told is None: the share without a total, the pace before the first rows."""

    percent: int | None
    left: int | None
    rows_a_second: float | None
    seconds_left: float | None
    seconds_worked: float


def progress_of(job: Job) -> Progress:
    """Return how far a job is. The pace is that of the time worked; waiting does not slow it."""
    seconds = job.ran_ms / 1000
    pace = job.done / seconds if seconds and job.done else None
    left = max(job.total - job.done, 0) if job.total else None
    percent = min(100 * job.done // job.total, 100) if job.total else None
    return Progress(
        percent=100 if job.state == Job.State.DONE else percent,
        left=left,
        rows_a_second=pace if job.state == Job.State.RUNNING else None,
        seconds_left=left / pace if pace and left and job.is_active else None,
        seconds_worked=seconds,
    )
