"""The refused rows of a job as a sheet: the first of them, read and written some hundred at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _

from members.figures import grouped
from members.jobs import words_of
from members.models import JobErrorRow
from members.sheet_parts import book, rows_part

#: How many rows a sheet holds; whoever has more to mend begins with these.
MOST_ROWS: Final = 50_000
#: How much text a sheet holds, in characters; rows that are longer than usual end it earlier.
MOST_CHARACTERS: Final = 40_000_000
_AT_ONCE: Final = 500


@dataclass(slots=True)
class _Extent:
    """What fits into a sheet: up to which row, how many these are, and their columns in the order of their first row."""

    last: int = 0
    rows: int = 0
    columns: dict[str, None] = field(default_factory=dict)


def as_sheet(job_id: int) -> bytes:
    """Return an xlsx file of the first refused rows of a job, with the reason of each in the active language.

    Where there are more rows, its last line says so. At least one row is there.
    """
    extent = _extent(job_id)
    return book(
        title=_("Refused rows"), notes=[], header=[_("Row"), *extent.columns, _("Reason")], parts=_parts(job_id, extent),
    )  # fmt: skip


def _extent(job_id: int) -> _Extent:
    extent, characters = _Extent(), 0
    for rows in _pages(job_id):
        for row in rows:
            characters += sum(len(str(name)) + len(str(value)) for name, value in row.cells)
            if extent.rows >= MOST_ROWS or (extent.rows and characters > MOST_CHARACTERS):
                return extent
            extent.columns.update(dict.fromkeys(name for name, _value in row.cells))
            extent.last, extent.rows = row.number, extent.rows + 1
    return extent


def _parts(job_id: int, extent: _Extent) -> Iterator[bytes]:
    for rows in _pages(job_id, upto=extent.last):
        yield rows_part(_line(row, extent) for row in rows)
    there = JobErrorRow.objects.filter(job=job_id).count()
    if there > extent.rows:
        words = _("Only the first %(rows)s of %(there)s refused rows stand here.")
        yield rows_part([[words % {"rows": grouped(extent.rows), "there": grouped(there)}]])


def _line(row: JobErrorRow, extent: _Extent) -> list[Any]:
    cells = dict(row.cells)
    return [row.number, *(cells.get(name) for name in extent.columns), words_of(row.reason, row.reason_params)]


def _pages(job_id: int, upto: int | None = None) -> Iterator[list[JobErrorRow]]:
    """Yield the refused rows in their order, a page in memory at a time; those up to a number, where one is given."""
    rows = JobErrorRow.objects.filter(job=job_id).order_by("number")
    if upto is not None:
        rows = rows.filter(number__lte=upto)
    page = list(rows[:_AT_ONCE])
    while page:
        yield page
        page = list(rows.filter(number__gt=page[-1].number)[:_AT_ONCE])
