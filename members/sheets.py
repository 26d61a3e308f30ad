"""Tables for staff as xlsx files. Text that a spreadsheet would take for a formula is escaped."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

CONTENT_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_CHARACTERS = 32_767  # of a cell
_BEGINS_FORMULA = tuple("=+-@＝＋－＠\t\r\n")
_PLAIN_NUMBER = re.compile(r"[+-][0-9]+([.,][0-9]+)*")  # phone numbers and amounts compute nothing


def safe_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, also when it is saved as csv and opened again."""
    clean = ILLEGAL_CHARACTERS_RE.sub(" ", text)[: _MOST_CHARACTERS - 1]
    if clean.startswith(_BEGINS_FORMULA) and not _PLAIN_NUMBER.fullmatch(clean):
        return f"'{clean}"
    return clean


def sheet(*, title: str, header: Sequence[object], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return an xlsx file of one sheet: a header in bold, and rows of numbers, dates and escaped text."""
    workbook = Workbook(write_only=True)
    page = workbook.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", title)[:31] or None)
    page.freeze_panes = "A2"
    cells = []
    for name in header:
        cell = WriteOnlyCell(page, safe_text(str(name)))
        cell.font = Font(bold=True)
        cells.append(cell)
    page.append(cells)
    for row in rows:
        page.append([_cell(value) for value in row])
    stream = BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | Decimal):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)  # in the zone in which it is given: cells have none
    return value if isinstance(value, date) else safe_text(str(value))
