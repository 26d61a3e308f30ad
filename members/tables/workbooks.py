"""Rows of an Excel workbook (.xlsx), after a look at what it would unpack to."""

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from members.tables.refused import TableError

MAX_UNPACKED_BYTES = 1024**3
MAX_CELLS = 20_000_000
"""Rows times columns up to the last cell: the reader keeps one place for each, also for the empty ones."""

_CHUNK_BYTES = 1024 * 1024
# Neither "<" nor ">" within a tag: each byte is looked at for one tag only, however many are never closed.
_PLACE = re.compile(rb"<(?:\w+:)?(?:c|row)\s(?:[^<>]*?\s)?r\s*=\s*[\"']([A-Za-z]{0,3})([0-9]{1,7})[\"']")
_EXACT_IN_EXCEL = 10**15
_EXACT_IN_A_FLOAT = 2**53


class RoundedNumber(str):
    """A number of a cell that may have had other digits than these: Excel keeps 15, and puts noughts for the others."""

    __slots__ = ()

    def strip(self, chars: str | None = None, /) -> "RoundedNumber":
        """Return the number itself: it has nothing around it, and stays known as rounded."""
        return self


def sheet_rows(path: Path, magic: bytes, sheet: str | None) -> tuple[str, int, Iterator[list[str]]]:
    """Return the name of the sheet (the first visible one unless named), how many rows it has, and these as text.

    Raises TableError if the file is no workbook, too large once unpacked, has no such sheet or a merged header.
    """
    _refuse_what_is_no_workbook(path, magic)
    try:
        _refuse_bombs(path)
        book = CalamineWorkbook.from_path(path)
        visible = [data.name for data in book.sheets_metadata if data.visible == SheetVisibleEnum.Visible]
        name = sheet or next(iter(visible), "")
        if name not in book.sheet_names:
            params = {"sheet": name, "found": ", ".join(book.sheet_names)}
            raise TableError("no_such_sheet", _("There is no sheet “%(sheet)s”. Sheets found: %(found)s.") % params)
        chosen = book.get_sheet_by_name(name)
    except (CalamineError, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        message = _("%(name)s is a damaged workbook: %(problem)s.") % {"name": path.name, "problem": error}
        raise TableError("damaged_workbook", message) from error
    _refuse_merged_header(chosen)
    return name, chosen.height, ([_as_text(value) for value in row] for row in chosen.iter_rows())


def _refuse_what_is_no_workbook(path: Path, magic: bytes) -> None:
    if magic.startswith(b"PK\x03\x04"):
        return
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        message = _("%(name)s is encrypted or of the old kind (.xls). Save it as .xlsx without a password.")
    else:
        message = _("%(name)s is not an Excel workbook. If it is text, name it .csv.")
    raise TableError("no_workbook", message % {"name": path.name})


def _refuse_bombs(path: Path) -> None:
    """Raise TableError if the parts of the workbook unpack to more than the limits, whatever their headers say."""
    unpacked = 0
    with zipfile.ZipFile(path) as parts:
        for part in parts.infolist():
            # Read to the true end: neither the stated size nor the checksum of a hostile file may stop us early.
            part.file_size = MAX_UNPACKED_BYTES + 1
            part.CRC = None  # type: ignore[assignment]
            rows = columns = 0
            rest = b""
            with parts.open(part) as content:
                while chunk := content.read(_CHUNK_BYTES):
                    unpacked += len(chunk)
                    if unpacked > MAX_UNPACKED_BYTES:
                        raise TableError("workbook_too_large", _("The workbook unpacks to more than 1 GiB."))
                    text = rest + chunk
                    for letters, digits in _PLACE.findall(text):
                        rows = max(rows, int(digits))
                        columns = max(columns, _column_no(letters))
                    cut = text.rfind(b"<")
                    rest = text[cut:] if cut >= 0 and len(text) - cut < _CHUNK_BYTES else b""
            if rows * columns > MAX_CELLS:
                message = _("A sheet reaches to row %(row)s, column %(column)s: more than %(limit)s cells.")
                params = {"row": rows, "column": columns, "limit": f"{MAX_CELLS:,}"}
                raise TableError("workbook_too_large", message % params)


def _column_no(letters: bytes) -> int:
    """Return the number of a column (A is 1)."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _refuse_merged_header(sheet: CalamineSheet) -> None:
    if any(start[0] == 0 and end[1] > start[1] for start, end in sheet.merged_cell_ranges or ()):
        message = _("Cells of the first row are merged. Each column needs a name of its own there.")
        raise TableError("bad_header", message)


def _as_text(value: Any) -> str:
    """Return a cell as text: times in ISO form, whole numbers with all digits that are exact, others with the 15 of Excel.

    A whole number whose last digits can not be trusted comes out as a RoundedNumber.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _EXACT_IN_A_FLOAT:
            text = str(int(value))
            # One digit more than Excel keeps: a last digit other than 0 was written there by a program, and is true.
            return RoundedNumber(text) if abs(value) >= _EXACT_IN_EXCEL and text.endswith("0") else text
        text = f"{value:.15g}"
        text = f"{Decimal(text):f}" if "e" in text else text
        return RoundedNumber(text) if value.is_integer() else text
    if isinstance(value, datetime):
        return _to_second(value).isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.15g}"
    return str(value)


def _to_second(value: datetime) -> datetime:
    """Return the time without the rounding error of a day counted as a floating-point number."""
    if 0 < value.microsecond <= 1000 or value.microsecond >= 999_000:
        value += timedelta(microseconds=500_000)
        return value.replace(microsecond=0)
    return value
