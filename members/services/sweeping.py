"""Looking for a person in what names persons without saying whom: files, refused rows, kept answers.

Everything is read, some rows or one file at a time, each in a short transaction of its own. What work that is still to be
done needs stays: files and rows of jobs that wait or run, and of imports that are still to be loaded, as far as they do
not name the person beyond doubt. A name alone is not beyond doubt: others have it as well.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from members.models import Job, JobFile, MemberExport, MemberExportPart, MemberImport, MemberImportPart
from members.personal_words import Traces, mentions_in_file

#: How long a file of members that was read may wait for being checked before it is looked into.
CHECKED_WITHIN: Final = timedelta(days=1)
_ROWS_AT_ONCE: Final = 10_000
_FILES_AT_ONCE: Final = 500
_ACTIVE: Final = (Job.State.QUEUED, Job.State.RUNNING)

_JOB_HAS_ENDED: Final = (
    "NOT EXISTS (SELECT 1 FROM members_job j WHERE j.id = r.job_id AND j.state IN ('queued', 'running'))"
)
_IS_OVER: Final = (
    "(r.expires_at <= %(at)s OR EXISTS (SELECT 1 FROM members_job j WHERE j.id = r.job_id AND j.state = 'done'))"
)
_BLANK_ROW: Final = (
    "UPDATE members_memberimportrow r SET external_id = NULL, full_name = '', phone = NULL, email = NULL, birthday = NULL, "
    "cells = '[]', before = NULL"
)
_OF_ROW: Final = ("external_id", "full_name", "phone", "email", "cells", "before")


@dataclass(frozen=True, slots=True)
class _Searched:
    """Columns of a table in which a person may stand, and what is done where one does. `certain`: a name is not enough."""

    table: str
    columns: tuple[str, ...]
    change: str
    only: str = "true"
    certain: bool = False


_SEARCHED: Final = (
    _Searched("members_joberrorrow", ("cells", "reason_params"), "DELETE FROM members_joberrorrow r", _JOB_HAS_ENDED),
    _Searched("members_parkedentry", ("error",), "UPDATE members_parkedentry r SET error = '…'"),
    _Searched("members_job", ("message_params",), "UPDATE members_job r SET message_params = '{}', message = ''"),
    _Searched(
        "members_job",
        ("title_params",),
        """UPDATE members_job r SET title_params = title_params || '{"file": "…"}'""",
        "r.title_params ->> 'file' IS NOT NULL",
    ),
    # A row that was carried out belongs to a member; somebody else of this name keeps it, and it can be taken back.
    _Searched("members_memberimportrow", _OF_ROW, _BLANK_ROW, "r.state = 'bad'"),
    _Searched("members_memberimportrow", _OF_ROW, _BLANK_ROW, "r.state NOT IN ('bad', 'new', 'known')", certain=True),
    _Searched(
        "members_memberimportrow",
        ("cells",),
        "UPDATE members_memberimportrow r SET cells = '[]'",
        "r.state IN ('new', 'known')",
        certain=True,
    ),
    _Searched(
        "members_memberimport",
        ("file_name",),
        "UPDATE members_memberimport r SET file_name = '…' || coalesce(substring(file_name FROM '\\.[A-Za-z0-9]+$'), '')",
    ),
    _Searched(
        "members_memberimport",
        ("columns", "fields"),
        "UPDATE members_memberimport r SET columns = '[]', fields = '{}'",
        _IS_OVER,
    ),
    _Searched(
        "members_memberimport",
        ("columns", "fields"),
        "UPDATE members_memberimport r SET columns = '[]', fields = '{}'",
        f"NOT {_IS_OVER} AND r.checked_at IS NOT NULL",
        certain=True,
    ),
    _Searched("members_importmapping", ("fields",), "DELETE FROM members_importmapping r"),
)


def sweep(traces: Traces) -> dict[str, int]:
    """Delete files, kept answers and refused rows that name a person; return how many. Outside any transaction."""
    counts: Counter[str] = Counter()
    for one in _SEARCHED:
        words = traces.certain if one.certain else traces.words
        counts[one.table.removeprefix("members_")] += change_where_named(
            one.table, one.columns, one.change, words, only=one.only, at=traces.at
        )
    counts["answers"] += change_where_named(
        "members_idempotentanswer", ("answer", "key"), "DELETE FROM members_idempotentanswer r",
        traces.words | traces.references,
    )  # fmt: skip
    counts["files"] += _sweep_job_files(traces) + _sweep_exports(traces) + _sweep_imports(traces)
    return dict(counts)


def change_where_named(
    table: str,
    columns: Sequence[str],
    change: str,
    words: Collection[str],
    *,
    only: str = "true",
    at: datetime | None = None,
) -> int:
    """Run a DELETE or UPDATE of rows `r` of a table that name one of the words in these columns; return how many rows.

    Digits are compared without what stands between them, letters without regard to capitals. `only` is a condition on `r`,
    in which `%(at)s` may stand. Some rows at a time, each time in a transaction of its own; of each row the text is made once.
    """
    if not words:
        return 0
    text = " || ' ' || ".join(f"coalesce(r.{column}::text, '')" for column in columns)
    plain = rf"regexp_replace(lower({text}), '([0-9])[ ()./-]+(?=[0-9])', '\1', 'g')"
    # OFFSET 0 keeps the planner from making the text anew for each word.
    statement = f"""
        {change} WHERE r.id IN (
            SELECT x.id FROM (
                SELECT r.id, {plain} AS plain FROM {table} r WHERE r.id > %(after)s AND r.id <= %(upto)s AND {only} OFFSET 0
            ) x WHERE EXISTS (SELECT 1 FROM unnest(%(words)s::text[]) w WHERE position(w IN x.plain) > 0))"""  # noqa: S608
    changed = 0
    for after, upto in _id_ranges(table):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, {"after": after, "upto": upto, "words": sorted(words), "at": at})
            changed += cursor.rowcount
    return changed


def _id_ranges(table: str) -> Iterator[tuple[int, int]]:
    """Yield spans of ids, each with a bounded number of rows, up to the last row there is at the beginning."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - constants
        (last,) = cursor.fetchone()
    after = 0
    while after < last:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) x",  # noqa: S608
                [after, last, _ROWS_AT_ONCE],
            )
            (upto,) = cursor.fetchone()
        if upto is None:
            return
        yield after, upto
        after = upto


def _sweep_job_files(traces: Traces) -> int:
    """Delete files of ended jobs that name somebody, page after page until none is left."""
    gone = after = 0
    files = JobFile.objects.exclude(job__state__in=_ACTIVE).order_by("pk")
    last = JobFile.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    while ids := list(files.filter(pk__gt=after, pk__lte=last).values_list("pk", flat=True)[:_FILES_AT_ONCE]):
        for pk in ids:
            file = files.filter(pk=pk).first()
            if file is None:
                continue
            if mentions_in_file(file.name.encode(), traces.words) or mentions_in_file(
                bytes(file.content), traces.words
            ):
                gone += JobFile.objects.filter(pk=pk).delete()[0]
        after = ids[-1]
    return gone


def _sweep_exports(traces: Traces) -> int:
    """Delete what an export that was stopped has written, where that names somebody: it says so if it is to go on."""
    gone = 0
    parts = MemberExportPart.objects.order_by("number")
    exports = MemberExport.objects.filter(pk__in=MemberExportPart.objects.values("member_export"))
    for export_id, job_id in exports.exclude(job__state__in=_ACTIVE).order_by("pk").values_list("pk", "job"):
        if not _in_pieces(parts.filter(member_export=export_id), traces.words):
            continue
        with transaction.atomic():
            # Whoever lets the job go on waits for us, or was first and needs the parts.
            job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
            if job is None or not job.is_active:
                parts.filter(member_export=export_id).delete()
                gone += 1
    return gone


def _sweep_imports(traces: Traces) -> int:
    """Delete files of members that name somebody. One that is still to be loaded goes when it does so beyond doubt: its rows
    were read, and are loaded without it.
    """
    gone = 0
    parts = MemberImportPart.objects.order_by("number")
    holding = MemberImport.objects.filter(pk__in=MemberImportPart.objects.values("member_import"))
    holding = holding.exclude(check_job__state__in=_ACTIVE).exclude(job__state__in=_ACTIVE)
    for one in holding.select_related("job").order_by("pk"):
        if one.checked_at is None and one.created_at > traces.at - CHECKED_WITHIN:
            continue
        is_over = one.expires_at <= traces.at or (one.job is not None and one.job.state == Job.State.DONE)
        words = traces.words if is_over else traces.certain
        of_one = parts.filter(member_import=one)
        # The first rows are kept beside the file, as part 0.
        if _in_pieces(of_one.filter(number=0), words) or _in_pieces(of_one.filter(number__gt=0), words):
            of_one.delete()
            gone += 1
    return gone


def _in_pieces(parts: Any, words: Collection[str]) -> bool:
    """Return whether a file has one of the words; it is put together, as a word may be cut in two."""
    pieces = parts.values_list("content", flat=True).iterator(chunk_size=1)
    return mentions_in_file(b"".join(bytes(piece) for piece in pieces), words)
