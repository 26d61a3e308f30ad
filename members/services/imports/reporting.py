"""What a check found, for the page: counts, errors by sort, and the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Min

from members.jobs import words_of
from members.models import JobErrorRow, MemberImport

FIRST_ERRORS: Final = 50
_MOST_SORTS: Final = 30


@dataclass(frozen=True, slots=True)
class ErrorSort:
    """A sort of error: an example of its sentence, and how many rows have it."""

    sentence: str
    rows: int


@dataclass(frozen=True, slots=True)
class BadLine:
    """A bad row as it came, shortened, and why."""

    number: int
    cells: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found beside the counts of the import: errors by sort, most frequent first, and the first bad rows."""

    sorts: tuple[ErrorSort, ...]
    first: tuple[BadLine, ...]


def report_of(member_import: MemberImport) -> Report:
    """Return what the check of an import found: three queries, however long it is."""
    errors = JobErrorRow.objects.filter(job=member_import.check_job_id)
    counted = errors.values("reason").annotate(rows=Count("pk"), first=Min("pk")).order_by("-rows", "reason")
    sorts = list(counted[:_MOST_SORTS])
    examples = errors.in_bulk([sort["first"] for sort in sorts])
    return Report(
        tuple(
            ErrorSort(words_of(sort["reason"], examples[sort["first"]].reason_params), sort["rows"]) for sort in sorts
        ),
        tuple(
            BadLine(
                row.number, [str(value) for _name, value in row.cells if value], words_of(row.reason, row.reason_params)
            )
            for row in errors.order_by("number")[:FIRST_ERRORS]
        ),
    )
