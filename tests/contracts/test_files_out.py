"""Control 20: whatever leaves as a table runs nothing in a spreadsheet. A writer that this list does not know is found."""

import ast
import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from members.lifecycle import Section
from members.services.data_copy import _table
from members.sheet_parts import book, rows_part
from members.sheets import sheet
from rewards.partners.files import CsvFiles
from rewards.partners.lines import OutLine
from rewards.services.close_files import harmless
from rewards.services.imports.refused import Rejected, write_rejected

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("members", "loyalty", "rewards", "campaigns", "analytics", "config")
HOSTILE = [
    "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|'x'!A0", "\t=1+1", "\r=1+1", "+HYPERLINK(\"http://evil.example\")", "-2+3+cmd|'x'!A0",
    "＝1+1", "＠SUM(1)",
]  # fmt: skip
BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")
# Every module that writes a table, and why nothing in it runs: the tests below, or what stands in it.
WRITERS = {
    "members/sheets.py": "below",
    "members/sheet_parts.py": "below",
    "members/services/data_copy.py": "below",
    "rewards/partners/files.py": "below",
    "rewards/services/imports/refused.py": "below",
    "rewards/services/close_files.py": "below; the workbook: tests/rewards/test_close_files.py",
    "members/admin/cards.py": "nothing but digits of our own",
    "rewards/admin/expiry_workbook.py": "days and figures of our own; the name of a currency stands behind a word of ours",
}


def writers() -> Iterator[str]:
    """Yield the modules of the project that make csv files, workbooks or their parts."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not any(word in text for word in ("csv", "Workbook", "spreadsheetml")):
                continue
            called = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
            is_writer = called & {
                "csv.writer",
                "csv.DictWriter",
                "writer",
                "DictWriter",
                "Workbook",
                "openpyxl.Workbook",
            }
            if is_writer or "spreadsheetml/2006/main" in text:
                yield path.relative_to(ROOT).as_posix()


def cells_of_book(content: bytes) -> list[Any]:
    page = openpyxl.load_workbook(io.BytesIO(content)).active
    assert page is not None
    cells = [cell for row in page.iter_rows() for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    return [cell.value for cell in cells]


def cells_of_csv(text: str) -> list[Any]:
    return [cell for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")) for cell in row]


def a_sheet(text: str, _folder: Path) -> list[Any]:
    return cells_of_book(sheet(title=text, header=[text], rows=[[text, 5]]))


def a_book(text: str, _folder: Path) -> list[Any]:
    return cells_of_book(book(title="x", notes=[text], header=[text], parts=[rows_part([[text, 5]])]))


def a_copy(text: str, _folder: Path) -> list[Any]:
    return cells_of_csv(_table(Section("x", "x", (text,), [(text,)], labels=(text,))))


def a_partner_file(text: str, _folder: Path) -> list[Any]:
    line = OutLine(ref="R1", account=text, units=5, asked_at=datetime(2026, 1, 1, tzinfo=UTC))
    return cells_of_csv(CsvFiles().export([line]).decode("utf-8-sig"))


def refused_rows(text: str, folder: Path) -> list[Any]:
    path = folder / "refused.csv"
    write_rejected(path, [Rejected(2, {text: text}, "not_recorded", {"reason": text})], [text])
    return cells_of_csv(path.read_text(encoding="utf-8-sig"))


def a_journal(text: str, _folder: Path) -> list[Any]:
    return [harmless(text)]


class TestWhateverLeaves:
    def test_is_written_by_a_module_that_is_known(self) -> None:
        assert set(writers()) == WRITERS.keys()

    @pytest.mark.parametrize("write", [a_sheet, a_book, a_copy, a_partner_file, refused_rows, a_journal])
    @pytest.mark.parametrize("text", HOSTILE)
    def test_runs_nothing(self, write: Callable[[str, Path], list[Any]], text: str, tmp_path: Path) -> None:
        cells = [cell for cell in write(text, tmp_path) if isinstance(cell, str)]
        assert any(text.strip()[-4:] in cell for cell in cells), "the text is there"
        assert [cell for cell in cells if cell.startswith(BEGINNINGS)] == []
