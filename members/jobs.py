"""Long work: kinds of jobs, how one is asked for, and how its work is done in chunks that survive a crash.

The floor that owns a kind registers it. Its `run` does the work in chunks, each in one transaction with its progress:

    def run(run: JobRun) -> None:
        while rows := next_rows(after=run.cursor.get("row", 0), limit=1_000):
            with run.chunk() as at:
                ...
                run.advance(done=len(rows), ok=len(rows), cursor={"row": rows[-1].number})

A worker that is killed has committed whole chunks only; whoever takes over begins at the cursor. Two workers on one job
can not both commit a chunk: each commit asks for the lease.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from celery import current_app
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError as BrokerError

from members.actors import SYSTEM, Actor, ActorKind
from members.models import Job, JobErrorRow, JobFile
from members.models.work import MOST_FILE_BYTES
from members.refusals import MembersRefusal, Refusal
from members.timeline import NewEntry, nudge, record

logger = logging.getLogger(__name__)

#: How long a worker holds a job without a sign of life. A chunk should take less than 5 seconds.
LEASE: Final = timedelta(seconds=90)
#: How long files and refused rows are kept after the end, unless the kind says otherwise.
FILES_KEPT: Final = timedelta(days=7)
#: How long one worker works at one job before the next one gets its turn.
SLICE_SECONDS: Final = 600.0
#: What is told of a job, under the subject `job:<id>`; found by a partial index over just these kinds.
MILESTONES: Final = tuple(
    f"members.job_{what}.v1"
    for what in ("started", "stop_asked", "continued", "stopped", "failed", "done", "file_taken")
)
#: Who may ask for work, and in which column of the job it stands.
_ASKED_BY: Final[Mapping[ActorKind, str]] = {"operator": "owner_id", "member": "member_id", "device": "api_key_id"}
_SENT_AGAIN_SECONDS = 60  # a message that no worker took by then is dropped: beat has sent others


class FileTooLarge(MembersRefusal):
    """A file is larger than jobs take."""

    code = "file_too_large"
    text = _("The file has %(megabytes)s MB; at most %(most)s MB can be taken.")
    status = 422


class JobStopped(Exception):
    """The work stops here: somebody asked for it, the turn is over, or another worker has taken over."""


class JobHandedOver(JobStopped):
    """The turn of this worker is over; the job waits for the next one."""


class JobLeaseLost(JobStopped):
    """Another worker has the job, or it was ended."""


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What taking a job back would do: how many rows, and what can no longer be taken back, in words."""

    total: int
    lines: tuple[str, ...] = ()
    is_possible: bool = True


@dataclass(frozen=True, slots=True)
class JobKind:
    """A sort of long work.

    `run` does the work of a job; `title` says from its title_params what it does, without asking the database.
    `can_undo` says what taking it back would do (None: it can not be taken back), `undo` does so as a job of its own,
    whose `run.undoes` is the first one. `permission` is what an operator needs to see and take back such jobs.
    """

    code: str
    label: str | Promise
    run: Callable[["JobRun"], None]
    title: Callable[[Mapping[str, Any]], str] | None = None
    can_undo: Callable[[Job, datetime], UndoPreview] | None = None
    undo: Callable[["JobRun"], None] | None = None
    permission: str = "members.view_job"
    files_kept: timedelta = FILES_KEPT


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a job works on."""

    name: str
    content: bytes
    holds_personal_data: bool = True


_kinds: dict[str, JobKind] = {}


def register_kind(kind: JobKind) -> None:
    """Make a kind known. Called once per process, from the module of the kind or from `AppConfig.ready()`."""
    _kinds[kind.code] = kind


def kind_of(job: Job) -> JobKind | None:
    """Return the kind of a job; None where the installation no longer knows it."""
    return _kinds.get(job.kind)


def kinds() -> list[JobKind]:
    """Return all kinds, by code."""
    return [_kinds[code] for code in sorted(_kinds)]


def title_of(job: Job) -> str:
    """Return what a job does as a sentence in the active language."""
    kind = kind_of(job)
    if kind is None:
        return gettext("Work of a kind that is no longer known")
    title = kind.title(job.title_params) if kind.title else str(kind.label)
    return gettext("Take back: %(title)s") % {"title": title} if job.undoes_id else title


def start_job(
    *,
    kind: str,
    title_params: Mapping[str, Any],
    params: Mapping[str, Any],
    total: int,
    by: Actor,
    at: datetime,
    file: InputFile | None = None,
) -> Job:
    """Queue a job in the caller's transaction; a worker takes it after the commit. Return it.

    `total` is the number of rows, 0 where it is not known yet. Parameters hold ids and figures, no personal data.
    Raises `FileTooLarge`, KeyError where the kind is unknown.
    """
    return _queue(_kinds[kind], title_params, params, total, by, at, file=file)


def start_undo(*, job: Job, total: int, by: Actor, at: datetime) -> Job:
    """Queue the job that takes another one back; its constraint lets there be one. For `members.services.jobs`."""
    return _queue(_kinds[job.kind], job.title_params, job.params, total, by, at, undoes=job)


def _queue(
    kind: JobKind,
    title_params: Mapping[str, Any],
    params: Mapping[str, Any],
    total: int,
    by: Actor,
    at: datetime,
    *,
    file: InputFile | None = None,
    undoes: Job | None = None,
) -> Job:
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind.code, title_params=dict(title_params), params=dict(params), total=total,
            language=get_language() or "en", undoes=undoes, **{column: by.id for who, column in _ASKED_BY.items() if who == by.kind},
            created_at=at, files_expire_at=at + kind.files_kept,
        )  # fmt: skip
        if file is not None:
            keep_file(
                job, JobFile.Role.INPUT, file.name, file.content, at=at, holds_personal_data=file.holds_personal_data
            )
        tell(job, "started", by=by, at=at)
        send_to_worker(job.pk)
    return job


def tell(job: Job, what: str, *, by: Actor, at: datetime) -> None:
    """Write a milestone of a job to the timeline, within the caller's transaction."""
    figures = {"job": job.pk, "done": job.done, "ok": job.ok, "failed": job.failed, "total": job.total}
    record([NewEntry(f"members.job_{what}.v1", None, at, by, figures, f"job:{job.pk}")])
    nudge()


def asker_of(job: Job) -> Actor:
    """Return who asked for a job: an operator, a member, a server with a key; else the system itself."""
    asked = ((who, getattr(job, column)) for who, column in _ASKED_BY.items())
    return next((Actor(who, one) for who, one in asked if one), SYSTEM)


def send_to_worker(job_id: int) -> None:
    """Ask a worker to take the job after the commit. Only saves time: beat looks for waiting jobs anyway."""

    def send() -> None:
        try:
            current_app.send_task(
                "members.run_job", kwargs={"job_id": job_id}, retry=False, expires=_SENT_AGAIN_SECONDS
            )
        except (BrokerError, OSError):
            logger.warning("the broker does not answer; beat will find job %s", job_id)

    transaction.on_commit(send, robust=True)


def keep_file(
    job: Job, role: JobFile.Role, name: str, content: bytes, *, at: datetime, holds_personal_data: bool
) -> None:
    """Keep a file of a job in the place of the one it had in this role. Raises `FileTooLarge`."""
    if len(content) > MOST_FILE_BYTES:
        raise FileTooLarge(megabytes=-(-len(content) // 1_048_576), most=MOST_FILE_BYTES // 1_048_576)
    made = {"name": name[:200], "content": content, "holds_personal_data": holds_personal_data, "created_at": at}
    JobFile.objects.update_or_create(job=job, role=role, defaults=made)


def plain_reason(reason: Refusal | Promise | str) -> tuple[str, dict[str, Any]]:
    """Return a reason as it is stored: its untranslated sentence, and what fills it. See `words_of`."""
    with translation.override(None):  # the sentence itself is the key of its translations
        if isinstance(reason, Refusal):
            return str(reason.text)[:500], {name: _storable(value) for name, value in reason.params.items()}
        return str(reason)[:500], {}


def lasting_reason(reason: Refusal | Promise | str) -> tuple[str, dict[str, Any]]:
    """Return a reason as `plain_reason` does, with figures only: what is kept for ever names nobody."""
    words, params = plain_reason(reason)
    figures = reason.stored_params() if isinstance(reason, Refusal) else {}
    texts = {name: next(iter(value.values()), "…") for name, value in figures.items() if isinstance(value, Mapping)}
    return words, {name: _storable(({**figures, **texts}).get(name, "…")) for name in params}


def words_of(reason: str, params: Mapping[str, Any]) -> str:
    """Return a stored reason in the active language."""
    if not reason:
        return ""
    words = translation.gettext(reason)  # it was marked for translation where it was raised
    return words % params if params else words


def _storable(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else str(value)


@dataclass(slots=True)
class _Progress:
    """What a chunk has done so far; written when it commits."""

    done: int = 0
    ok: int = 0
    failed: int = 0
    cursor: dict[str, Any] | None = None
    rows: list[JobErrorRow] = field(default_factory=list)


class JobRun:
    """A job in the hands of a worker: what its kind needs to do the work. `clock` comes from the edge, as a job lasts."""

    def __init__(self, job: Job, token: UUID, clock: Callable[[], datetime]) -> None:
        self.job = job
        self._token = token
        self._clock = clock
        self._began = self._marked = time.monotonic()
        self._progress: _Progress | None = None

    @property
    def params(self) -> dict[str, Any]:
        """What is to be done."""
        return self.job.params

    @property
    def cursor(self) -> dict[str, Any]:
        """Where to go on: what the last committed chunk wrote; empty at the beginning."""
        return self.job.cursor

    @property
    def total(self) -> int:
        """How many rows there are in all; 0 where it is not known."""
        return self.job.total

    @property
    def undoes(self) -> Job | None:
        """The job that this one takes back."""
        return self.job.undoes

    @property
    def by(self) -> Actor:
        """Who asked for the job."""
        return asker_of(self.job)

    def input(self) -> bytes:
        """Return the content of the file that came with the job. Raises `JobFile.DoesNotExist`."""
        return bytes(JobFile.objects.get(job=self.job, role=JobFile.Role.INPUT).content)

    @contextmanager
    def chunk(self) -> Iterator[datetime]:
        """One transaction with its progress; yields the moment at which the chunk happens.

        Begins at a safe point: raises `JobStopped` when somebody asked to stop, the turn is over, or the lease is lost,
        also at the end, where nothing of the chunk is kept then. The kind lets it pass.
        """
        at = self._clock()
        if time.monotonic() - self._began > SLICE_SECONDS:
            raise JobHandedOver
        with transaction.atomic():
            found = Job.objects.filter(pk=self.job.pk, lease_token=self._token).values_list("cancel_asked_at").first()
            if found is None:
                raise JobLeaseLost
            if found[0] is not None:
                raise JobStopped
            self._progress = progress = _Progress()
            try:
                yield at
            finally:
                self._progress = None
            self._write(progress)
        self._remember(progress)

    def advance(self, *, done: int = 0, ok: int = 0, failed: int = 0, cursor: Mapping[str, Any] | None = None) -> None:
        """Count rows of this chunk, and say where the next one begins. Without `done`: those that went well or failed."""
        progress = self._current()
        progress.done += done or ok + failed
        progress.ok += ok
        progress.failed += failed
        if cursor is not None:
            progress.cursor = dict(cursor)

    def error_row(self, row: Mapping[str, Any], reason: Refusal | Promise | str, *, number: int, **params: Any) -> None:
        """Keep a row that was refused, for the file of refused rows: its cells by column, its number, and why.

        The reason is a refusal, or a translatable sentence with `params`; it is read in the reader's language. Does
        not count: `advance(failed=…)` does.
        """
        words, figures = plain_reason(reason)
        figures |= {name: _storable(value) for name, value in params.items()}
        cells = [[str(name), _storable(value)] for name, value in row.items()]
        self._current().rows.append(
            JobErrorRow(job=self.job, number=number, cells=cells, reason=words, reason_params=figures)
        )

    def set_total(self, total: int) -> None:
        """Say how many rows there are in all, in a chunk, once it is known."""
        self._current()
        Job.objects.filter(pk=self.job.pk, lease_token=self._token).update(total=total)
        self.job.total = total

    def save_result(self, *, name: str, content: bytes, at: datetime, holds_personal_data: bool = True) -> None:
        """Keep the file that the job made, in a chunk. Raises `FileTooLarge`."""
        self._current()
        keep_file(self.job, JobFile.Role.RESULT, name, content, at=at, holds_personal_data=holds_personal_data)

    def milliseconds(self) -> int:
        """Return the time worked since it was last asked for."""
        now = time.monotonic()
        elapsed, self._marked = round(1000 * (now - self._marked)), now
        return elapsed

    def _current(self) -> _Progress:
        if self._progress is None:
            message = "progress is made within a chunk"
            raise RuntimeError(message)
        return self._progress

    def _write(self, progress: _Progress) -> None:
        """Write the progress, if the lease is still ours, and renew it. The row is locked for the commit only."""
        JobErrorRow.objects.bulk_create(progress.rows, batch_size=1_000)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE members_job SET done = done + %s, ok = ok + %s, failed = failed + %s, ran_ms = ran_ms + %s,
                    cursor = coalesce(%s::jsonb, cursor), lease_until = %s, stalls = 0
                WHERE id = %s AND lease_token = %s
                """,
                [
                    progress.done, progress.ok, progress.failed, self.milliseconds(),
                    None if progress.cursor is None else DjangoJSONEncoder().encode(progress.cursor),
                    self._clock() + LEASE, self.job.pk, self._token,
                ],
            )  # fmt: skip
            if cursor.rowcount == 0:
                raise JobLeaseLost

    def _remember(self, progress: _Progress) -> None:
        self.job.done += progress.done
        self.job.ok += progress.ok
        self.job.failed += progress.failed
        if progress.cursor is not None:
            self.job.cursor = progress.cursor
