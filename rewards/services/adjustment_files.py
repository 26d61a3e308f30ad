"""A list of adjustments as a file: read, every row checked against members and reasons, and reported. Nothing is posted here.

Columns: member (number or phone), points (below 0: taken), reason (code or label), note. The file itself is not kept.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Func, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.jobs import plain_reason, words_of
from members.models import Member, MemberPerson
from members.personal_words import names_person
from members.phones import InvalidPhone, parse_phone
from members.queries import region
from members.sheets import sheet
from members.tables.lists import ListColumnMissing, ListTooLong, read_list
from members.tables.refused import TableError
from rewards import ledger
from rewards.models import AdjustmentBatch, AdjustmentBatchError, AdjustmentBatchRow, ReasonCode
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import NOTE_LENGTH, operator_id

MOST_ROWS: Final = 50_000
MOST_BYTES: Final = 10 * 1_048_576
MOST_POINTS: Final = 10_000_000
ERRORS_KEPT: Final = timedelta(days=7)
_CHUNK = 1_000

# Names of the columns as people write them.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "member": ("member", "member number", "phone", "会员", "会员号", "手机", "手机号", "會員", "會員編號", "手機", "手機號碼"),
    "points": ("points", "积分", "積分", "点数", "點數"),
    "reason": ("reason", "reason code", "原因", "原因代码", "原因代碼"),
    "note": ("note", "备注", "備註", "说明", "說明"),
}  # fmt: skip
_NEEDED: Final = ("member", "points", "reason")

UNKNOWN_MEMBER: Final = _("No member is known by this.")
_CLOSED = _("The member has left.")
_FROZEN = _("The member is frozen.")
_NO_POINTS = _("The points are no whole number other than 0, or too many.")
_NO_REASON = _("This reason is not offered.")
_WRONG_REASON = _("This reason does not explain points that are given or taken like this.")
_NO_NOTE = _("This reason needs a note.")
_NAMES_PERSON = _("The note names a person. It is kept even when the person asks to be erased, so leave that out.")
_TWICE = _("The member stands in row %(row)s already with the same points and reason.")


class BatchFileUnreadable(RewardsRefusal):
    """The file is no table that can be read, or lacks a column."""

    code = "batch_file_unreadable"
    status = 422
    text = _("%(problem)s")


class BatchFileTooLarge(RewardsRefusal):
    """More than is read at once."""

    code = "batch_file_too_large"
    status = 422
    text = _("At most %(rows)s rows and %(megabytes)s MB can be read at once.")


class BatchColumnMissing(RewardsRefusal):
    """A column that is needed is not there."""

    code = "batch_column_missing"
    status = 422
    text = _(
        "The file needs the columns member (number or phone), points, reason, and note where a reason needs one. Missing: %(missing)s."
    )


class BatchFileEmpty(RewardsRefusal):
    """No rows."""

    code = "batch_file_empty"
    status = 422
    text = _("The file has no rows.")


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a batch would do: its totals, the mean of its good rows (points), and the largest of them."""

    batch: AdjustmentBatch
    mean_points: int
    largest: tuple[AdjustmentBatchRow, ...]
    first_errors: tuple[AdjustmentBatchError, ...]


@dataclass(slots=True)
class _Read:
    number: int
    cells: dict[str, str]
    problem: str | Promise = ""
    params: dict[str, Any] | None = None
    member: Member | None = None
    points: int = 0
    reason: ReasonCode | None = None

    def text(self, column: str) -> str:
        return " ".join(self.cells.get(column, "").split())


@transaction.atomic
def read_batch(*, name: str, content: bytes, by: Actor, at: datetime) -> AdjustmentBatch:
    """Read a file into a batch that waits to be proposed; nothing is posted. Return it.

    Raises BatchFileUnreadable, BatchFileTooLarge, BatchColumnMissing, BatchFileEmpty.
    """
    if len(content) > MOST_BYTES:
        raise BatchFileTooLarge(rows=MOST_ROWS, megabytes=MOST_BYTES // 1_048_576)
    rows = _rows_of(name, content)
    if not rows:
        raise BatchFileEmpty
    batch = AdjustmentBatch.objects.create(
        file_name=Path(name).name[:200], file_sha256=hashlib.sha256(content).digest(), currency_id=ledger.currency_id(),
        maker_id=operator_id(by), created_at=at, errors_expire_at=at + ERRORS_KEPT,
    )  # fmt: skip
    reasons = _reasons()
    seen: dict[tuple[int, int, str], int] = {}
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        _find_members(chunk)
        for row in chunk:
            _check(row, reasons, seen)
        _write(batch, chunk)
    return batch


def report_of(batch: AdjustmentBatch) -> BatchReport:
    """Return what a batch would do: three queries, however long it is."""
    rows = AdjustmentBatchRow.objects.filter(batch=batch).select_related("member", "reason_code")
    largest = rows.annotate(size=Func(F("points"), function="abs")).order_by("-size", "number")[:10]
    total = rows.aggregate(points=Sum("points"))["points"] or 0
    mean = round(total / batch.rows_good) if batch.rows_good else 0
    return BatchReport(batch, mean, tuple(largest), tuple(batch.errors.order_by("number")[:20]))


def errors_sheet(batch: AdjustmentBatch) -> bytes:
    """Return the rows that can not be carried out as a workbook, as they came, with the reason beside."""
    header = (_("Row"), "member", "points", "reason", "note", _("Why not"))
    rows = (
        (
            error.number,
            *(error.cells.get(column, "") for column in _COLUMNS),
            words_of(error.reason, error.reason_params),
        )
        for error in batch.errors.order_by("number").iterator(chunk_size=_CHUNK)
    )
    return sheet(title=batch.file_name, header=header, rows=rows)


def forget_batch_errors(*, at: datetime) -> int:
    """Delete what stood in bad rows once its time is over; return how many rows."""
    return AdjustmentBatchError.objects.filter(batch__errors_expire_at__lte=at).delete()[0]


def _rows_of(name: str, content: bytes) -> list[_Read]:
    """Return the rows with the columns by our names."""
    try:
        listed = read_list(name=name, content=content, columns=_COLUMNS, needed=_NEEDED, most_rows=MOST_ROWS)
    except ListTooLong as error:
        raise BatchFileTooLarge(rows=MOST_ROWS, megabytes=MOST_BYTES // 1_048_576) from error
    except ListColumnMissing as error:
        raise BatchColumnMissing(**error.params) from error
    except TableError as error:
        raise BatchFileUnreadable(problem=str(error)) from error
    return [_Read(row.number, row.cells, row.problem, row.params or None) for row in listed]


def _reasons() -> dict[str, ReasonCode]:
    """Return the reasons that are offered by code and by label in each language."""
    known: dict[str, ReasonCode] = {}
    for reason in ReasonCode.objects.filter(is_active=True).order_by("code"):
        labels = [getattr(reason, f"label_{tag.replace('-', '_')}") for tag, _name in settings.LANGUAGES]
        for name in (reason.code, *filter(None, labels)):
            known.setdefault(name.lower(), reason)
    return known


def _find_members(rows: Sequence[_Read]) -> None:
    """Find the members of some rows by number or phone: two queries, and one more for those who were merged."""
    names = {row.text("member") for row in rows} - {""}
    by_number = {
        member.member_no: member for member in Member.objects.select_related("person").filter(member_no__in=names)
    }
    phones: dict[str, str] = {}
    for name in names - by_number.keys():
        try:
            phones[name] = parse_phone(name, region=region())
        except InvalidPhone:
            continue
    people = MemberPerson.objects.filter(phone__in=set(phones.values())).select_related("member")
    by_phone = {person.phone: person.member for person in people}
    merged = {found.merged_into_id for found in (*by_number.values(), *by_phone.values()) if found.merged_into_id}
    survivors = Member.objects.in_bulk(merged) if merged else {}
    for row in rows:
        name = row.text("member")
        member = by_number.get(name) or by_phone.get(phones.get(name, ""))
        row.member = survivors.get(member.merged_into_id, member) if member and member.merged_into_id else member


def _check(row: _Read, reasons: Mapping[str, ReasonCode], seen: dict[tuple[int, int, str], int]) -> None:
    if row.problem:
        return
    if row.member is None:
        row.problem = UNKNOWN_MEMBER
        return
    row.points = _whole(row.text("points"))
    row.reason = reasons.get(row.text("reason").lower())
    status = row.member.status_to(Member.Act.SPEND if row.points and row.points < 0 else Member.Act.EARN)
    if status == Member.Status.CLOSED:
        row.problem = _CLOSED
    elif status == Member.Status.FROZEN:
        row.problem = _FROZEN
    elif not row.points:
        row.problem = _NO_POINTS
    elif row.reason is None:
        row.problem = _NO_REASON
    elif not row.reason.allows(row.points):
        row.problem = _WRONG_REASON
    elif row.reason.needs_note and not row.text("note"):
        row.problem = _NO_NOTE
    elif row.text("note") and names_person(row.text("note"), getattr(row.member, "person", None)):
        row.problem = _NAMES_PERSON
    else:
        first = seen.setdefault((row.member.pk, row.points, row.reason.code), row.number)
        if first != row.number:
            row.problem, row.params = _TWICE, {"row": first}


def _whole(text: str) -> int:
    """Return a whole number of points; 0 for anything else."""
    plain = text.replace(",", "").replace("，", "").replace("−", "-").removesuffix(".0").removeprefix("+")
    digits = plain.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > len(str(MOST_POINTS)):
        return 0
    return int(plain) if int(digits) <= MOST_POINTS else 0


def _write(batch: AdjustmentBatch, chunk: Sequence[_Read]) -> None:
    good = [
        AdjustmentBatchRow(
            batch=batch, number=row.number, member=row.member, points=row.points, reason_code=row.reason,
            note=row.text("note")[:NOTE_LENGTH],
        )
        for row in chunk if not row.problem
    ]  # fmt: skip
    bad = [
        AdjustmentBatchError(
            batch=batch, number=row.number, cells=row.cells, reason=plain_reason(row.problem)[0], reason_params=row.params or {}
        )
        for row in chunk if row.problem
    ]  # fmt: skip
    AdjustmentBatchRow.objects.bulk_create(good)
    AdjustmentBatchError.objects.bulk_create(bad)
    batch.rows_total += len(chunk)
    batch.rows_good += len(good)
    batch.rows_unknown += sum(row.problem is UNKNOWN_MEMBER for row in chunk)
    batch.points_given += sum(row.points for row in good if row.points > 0)
    batch.points_taken -= sum(row.points for row in good if row.points < 0)
    batch.save(update_fields=["rows_total", "rows_good", "rows_unknown", "points_given", "points_taken"])
