"""Prove the ledger: every balance, lot, hold and hash derived again from history. Each check names the rows that break it.

The checks stand in rewards/services/checks. Each sweep runs in ranges of ids, one short statement each: memory stays
that of a range, no snapshot is held for long, and postings go on beside it. Nothing less than all of it would do: who
changes an old row does not stop at rows that were looked at before.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.history import append_only_tables
from rewards.models import LedgerAnchor, LedgerSeal, LedgerVerification, VerificationFinding
from rewards.services.anchoring import Anchor, anchor_keys, as_anchor
from rewards.services.checks import CHECKS as SWEPT_CHECKS
from rewards.services.checks import SWEEPS, Check, Sweep

ANCHOR_CHECK = Check(
    "anchors_agree_with_the_chain",
    "rewards_ledgeranchor",
    _("The chain of sealed blocks is not the one that was anchored."),
)
CHECKS = (*SWEPT_CHECKS, ANCHOR_CHECK)
_SWEEP_OF_ANCHORS = "anchors"
_SWEEP_OF_ENTRIES = "entries"
_ANCHORS_AT_ONCE = 500
_MOST_RECORDED = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks an invariant."""

    check: str
    table: str
    row_id: int
    detail: str
    member_id: int | None = None

    def __str__(self) -> str:
        member = f"member {self.member_id}: " if self.member_id is not None else ""
        return f"{self.check}: {self.table} row {self.row_id}: {member}{self.detail}"


@dataclass(frozen=True, slots=True)
class Step:
    """A range that was swept: how many rows it had, what broke in it, and whether its sweep is done with it.

    `then` is where to go on after it: the number of a sweep, and the id after which it goes on.
    """

    sweep: str
    rows: int
    findings: tuple[Finding, ...]
    is_last: bool
    then: tuple[int, int]


Progress = Callable[[str, int, float], None]


def words_of(check: str) -> str | Promise:
    """Return what is wrong where a check breaks, for staff."""
    return next((known.words for known in CHECKS if known.name == check), check)


def verify(
    *,
    at: datetime,
    limit: int = 20,
    checks: Collection[str] = (),
    anchors: Iterable[Anchor] = (),
    progress: Progress | None = None,
) -> Iterator[Finding]:
    """Run every check (or those named) and yield what breaks, at most `limit` rows each; nothing when the ledger is sound.

    `anchors` are held against the chain beside those of the database: what was exported proves what a whole chain that
    was rewritten can not. Checks of what is due ask at `at`. `progress` is told each sweep's name, rows and seconds.
    """
    rows, began = 0, time.monotonic()
    for step in steps(at=at, limit=limit, checks=checks, anchors=anchors):
        rows += step.rows
        yield from step.findings
        if step.is_last:
            if progress is not None:
                progress(step.sweep, rows, time.monotonic() - began)
            rows, began = 0, time.monotonic()


def steps(
    *,
    at: datetime,
    limit: int = 20,
    checks: Collection[str] = (),
    anchors: Iterable[Anchor] = (),
    begin: tuple[int, int] = (0, 0),
) -> Iterator[Step]:
    """Run the checks range by range, from `begin` on (see `Step.then`); yield what each range showed.

    Whoever asks for the next range may do other work first.
    """
    for number in range(begin[0], len(SWEEPS)):
        wanted = [check.name for check in SWEEPS[number].checks if not checks or check.name in checks]
        if wanted:
            yield from _sweep(number, wanted, at, limit, begin[1] if number == begin[0] else 0)
    if begin[0] <= len(SWEEPS) and (not checks or ANCHOR_CHECK.name in checks):
        yield from _sweep_anchors(anchors, limit)


def _sweep(number: int, wanted: Sequence[str], at: datetime, limit: int, after: int) -> Iterator[Step]:
    sweep = SWEEPS[number]
    left = dict.fromkeys(wanted, limit)
    last = _last_id(sweep) if sweep.walk else 0
    place: int | None = after
    while place is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            _be_patient(cursor)
            first, rows, place = _range(cursor, sweep, place, last) if sweep.walk else (0, 0, None)
            found = _broken_rows(cursor, sweep, {"at": at, "first": first, "last": first + sweep.step - 1}, left)
        for finding in found:
            left[finding.check] -= 1
        if not any(left.values()):
            place = None
        then = (number + 1, 0) if place is None else (number, place)
        yield Step(sweep.name, rows, found, place is None, then)


def _be_patient(cursor: CursorWrapper) -> None:
    """Ranges are joined by index: a plan that reads a whole table for each would make the work grow with its square."""
    cursor.execute(
        "SET LOCAL statement_timeout = '30min'; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; "
        "SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 1.1; SET LOCAL max_parallel_workers_per_gather = 0"
    )


def _last_id(sweep: Sweep) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max({sweep.key}), 0) FROM {sweep.walk}")  # noqa: S608 - names from this code
        return cursor.fetchone()[0]


def _range(cursor: CursorWrapper, sweep: Sweep, after: int, last: int) -> tuple[int, int, int | None]:
    """Return where the next range begins (ids that are nobody's are passed over), its rows, and what comes after it."""
    cursor.execute(f"SELECT min({sweep.key}) FROM {sweep.walk} WHERE {sweep.key} > %s", [after])  # noqa: S608
    first = cursor.fetchone()[0]
    if first is None:
        return after + 1, 0, None
    end = first + sweep.step - 1
    cursor.execute(f"SELECT count(*) FROM {sweep.walk} WHERE {sweep.key} BETWEEN %s AND %s", [first, end])  # noqa: S608
    return first, cursor.fetchone()[0], end if end < last else None


def _broken_rows(
    cursor: CursorWrapper, sweep: Sweep, params: dict[str, Any], left: dict[str, int]
) -> tuple[Finding, ...]:
    tables = {check.name: check.table for check in sweep.checks}
    cursor.execute(
        f"""
        SELECT name, row_id, member_id, detail FROM (
            SELECT x.*, row_number() OVER (PARTITION BY name ORDER BY row_id) AS place FROM ({sweep.sql}) AS x (name, row_id, member_id, detail)
            WHERE x.name = ANY (%(names)s)) AS ranked
        WHERE place <= %(most)s ORDER BY name, place
        """,  # noqa: S608
        params
        | {
            "names": [name for name, most in left.items() if most],
            "most": max(left.values()),
            "history": append_only_tables(),
        },
    )
    counted = dict.fromkeys(left, 0)
    found = []
    for name, row_id, member_id, detail in cursor.fetchall():
        counted[name] += 1
        if counted[name] <= left[name]:
            found.append(Finding(name, tables[name], row_id, detail, member_id))
    return tuple(found)


def _sweep_anchors(told: Iterable[Anchor], limit: int) -> Iterator[Step]:
    """Hold the anchors of the database, and those told from outside, against the blocks they name."""
    found: list[Finding] = []
    rows = 0
    after: date | None = None
    while kept := _anchors_after(after):
        after = kept[-1].date
        rows += len(kept)
        found += _wrong_anchors([(row.pk, as_anchor(row)) for row in kept], "")
    outside = [(anchor.number, anchor) for anchor in told]
    rows += len(outside)
    for start in range(0, len(outside), _ANCHORS_AT_ONCE):
        found += _wrong_anchors(outside[start : start + _ANCHORS_AT_ONCE], "exported ")
    yield Step(_SWEEP_OF_ANCHORS, rows, tuple(found[:limit]), True, (len(SWEEPS) + 1, 0))


def _anchors_after(day: date | None) -> list[LedgerAnchor]:
    rows = LedgerAnchor.objects.order_by("date")
    return list((rows.filter(date__gt=day) if day else rows)[:_ANCHORS_AT_ONCE])


def _wrong_anchors(anchors: Sequence[tuple[int, Anchor]], which: str) -> Iterator[Finding]:
    keys = anchor_keys()
    blocks = LedgerSeal.objects.in_bulk([anchor.number for _row_id, anchor in anchors])
    for row_id, anchor in anchors:
        block = blocks.get(anchor.number)
        name = f"the {which}anchor of {anchor.date}"
        if block is None:
            detail = f"{name} ends with block {anchor.number}, which is not there: blocks were taken away, or an older backup was restored"
        elif (bytes(block.hash), block.entries_so_far) != (anchor.root, anchor.entries):
            detail = f"{name} names another block {anchor.number}: the chain was rewritten up to there"
        elif not anchor.is_signed_with(keys):
            detail = f"{name} is not signed with a key of this installation"
        else:
            continue
        yield Finding(ANCHOR_CHECK.name, ANCHOR_CHECK.table if not which else LedgerSeal._meta.db_table, row_id, detail)


def run_verification(*, by: Actor, at: datetime) -> LedgerVerification:
    """Run all checks and write down what they found (at most 100 rows), for the page of the ledger's proof."""
    began = time.monotonic()
    tally = Tally()
    for step in steps(at=at):
        tally.add(step)
    return record_verification(tally, by=by, began_at=at, at=at + timedelta(seconds=time.monotonic() - began))


@dataclass(slots=True)
class Tally:
    """What a run has seen so far; goes into the cursor of a job and back."""

    rows: int = 0
    entries: int = 0
    count: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count what a range showed."""
        self.rows += step.rows
        self.entries += step.rows if step.sweep == _SWEEP_OF_ENTRIES else 0
        self.count += len(step.findings)
        self.findings += step.findings[: max(_MOST_RECORDED - len(self.findings), 0)]


@transaction.atomic
def record_verification(tally: Tally, *, by: Actor, began_at: datetime, at: datetime) -> LedgerVerification:
    """Write down a verification that ended at `at`."""
    made = LedgerVerification.objects.create(
        started_at=began_at, finished_at=at, checks=len(CHECKS), rows=tally.rows, entries=tally.entries,
        findings_count=tally.count, actor_kind=by.kind, actor_id=by.id,
    )  # fmt: skip
    VerificationFinding.objects.bulk_create(
        VerificationFinding(
            verification=made, check_name=finding.check, row_table=finding.table, row_id=finding.row_id,
            member_id=finding.member_id, detail=finding.detail[:400],
        )
        for finding in tally.findings
    )  # fmt: skip
    return made
