"""Rows of a file as they stand there: csv, tsv, xlsx or JSON lines, one at a time, every cell as text.

A bad row does not stop the reading: it comes out as an UnreadableRow that says why, and the rows around it are not
touched. Only what makes the whole file useless is an TableError.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from django.utils.translation import gettext as _

from members.tables.records import MAX_CELL_CHARACTERS, CsvRecords, Fault, json_records
from members.tables.refused import TableError, UnreadableRow, reason_sentence
from members.tables.sniffing import MARK, MARKING, sniff_delimiter, sniff_encoding
from members.tables.workbooks import sheet_rows

type Row = tuple[int, dict[str, str]]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
BOOK_SUFFIXES = (".xlsx",)
MAX_COLUMNS = 1_000

# What PostgreSQL can not store or no encoder can write: NUL and lone surrogates, our mark among them.
_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t"}
_SAMPLE_LINES = 50
_BLOCK_BYTES = 1024 * 1024
_SHOWN_COLUMNS = 100


class TableRows(Iterator[Row]):
    """The rows below the header of one file, with what was found out about the file.

    Each is (row number, cells by column name). The header is row 1, so the first row is 2; in JSON lines the number is
    that of the line. Rows without any text are left out but counted. `columns` is empty for JSON lines, where each row
    names its own; `encoding`, `delimiter` and `sheet` are empty where they do not apply.
    `likely_rows` is about how many rows stand below the header, None where it is not known.
    """

    def __init__(
        self,
        rows: Iterator[Row],
        *,
        columns: tuple[str, ...] = (),
        encoding: str = "",
        delimiter: str = "",
        sheet: str = "",
        likely_rows: int | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._rows = rows
        self._close = close
        self.columns = columns
        self.encoding = encoding
        self.delimiter = delimiter
        self.sheet = sheet
        self.likely_rows = likely_rows

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def close(self) -> None:
        """Close the file; needed only by who stops before the last row."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_rows(
    path: Path | str, *, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
) -> TableRows:
    """Return the rows of a file as an iterator that reads on while it is used; the header is read at once.

    Encoding and delimiter of text and the sheet of a workbook (else the first visible one) are found out unless named.
    Raises TableError if the file can not be read at all or its header is unusable.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in BOOK_SUFFIXES + TEXT_SUFFIXES + JSON_SUFFIXES:
        params = {"name": path.name, "kinds": ", ".join(BOOK_SUFFIXES + TEXT_SUFFIXES + JSON_SUFFIXES)}
        raise TableError("unknown_kind", _("%(name)s is not of a known kind (%(kinds)s).") % params)
    try:
        with path.open("rb") as file:
            magic = file.read(8)
        if suffix in BOOK_SUFFIXES:
            return _book_rows(path, magic, sheet)
        if magic.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            message = _("%(name)s is an Excel workbook, not text. Name it .xlsx.") % {"name": path.name}
            raise TableError("disguised_workbook", message)
        # JSON is UTF-8 by its own standard.
        found = encoding or ("utf-8" if suffix in JSON_SUFFIXES else sniff_encoding(path))
        # utf-8-sig reads UTF-8 without a byte order mark just as well.
        decoder = "utf-8-sig" if codecs.lookup(found).name == "utf-8" else found
        stream = path.open(encoding=decoder, errors=MARKING, newline="")
    except OSError as error:
        params = {"name": path.name, "problem": error.strerror or str(error)}
        raise TableError("not_opened", _("%(name)s can not be opened: %(problem)s.") % params) from error
    except LookupError as error:
        message = _("There is no text encoding “%(encoding)s”.") % {"encoding": encoding}
        raise TableError("unknown_encoding", message) from error
    try:
        return (
            _json_rows(stream, found)
            if suffix in JSON_SUFFIXES
            else _text_rows(stream, found, delimiter, _lines_below_header(path))
        )
    except BaseException:
        stream.close()
        raise


def check_columns(found: Iterable[str], needed: Iterable[str]) -> None:
    """Raise TableError with the columns that are missing and those that are there, unless all needed ones are."""
    names = list(found)
    missing = [name for name in needed if name not in names]
    if missing:
        params = {"missing": _listed(missing), "found": _listed(names) or _("none")}
        message = _("The file has no column %(missing)s. Columns found: %(found)s.") % params
        raise TableError("missing_columns", message)


def _lines_below_header(path: Path) -> int:
    """Return about how many lines stand below the header: cells over several lines count more than once."""
    feeds = returns = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            feeds += block.count(b"\n")
            returns += block.count(b"\r")
    return feeds or returns


def _text_rows(stream: IO[str], encoding: str, delimiter: str | None, likely_rows: int) -> TableRows:
    if delimiter is None:
        sample = list(islice(iter(lambda: stream.readline(MAX_CELL_CHARACTERS), ""), _SAMPLE_LINES))
        stream.seek(0)
        chosen = sniff_delimiter(sample)
    else:
        chosen = _NAMED_DELIMITERS.get(delimiter.lower(), delimiter)
    if len(chosen) != 1 or chosen in '\r\n"':
        message = _("“%(delimiter)s” can not stand between cells. Give one character, or tab.") % {
            "delimiter": delimiter
        }
        raise TableError("bad_delimiter", message)
    records = CsvRecords(stream, chosen)
    numbered = enumerate(records, 1)
    header = next(numbered, (1, []))[1]
    columns = _column_names(header)
    width = records.width = len(header) if isinstance(header, list) else 0
    rows = _read(numbered, columns, width, encoding, stream.close)
    return TableRows(
        rows, columns=columns, encoding=encoding, delimiter=chosen, likely_rows=likely_rows, close=stream.close
    )


def _book_rows(path: Path, magic: bytes, sheet: str | None) -> TableRows:
    name, height, records = sheet_rows(path, magic, sheet)
    numbered = enumerate(records, 1)
    header = next(numbered, (1, []))[1]
    columns = _column_names(header)
    return TableRows(
        _read(numbered, columns, len(header), "", None), columns=columns, sheet=name, likely_rows=max(height - 1, 0)
    )


def _json_rows(stream: IO[str], encoding: str) -> TableRows:
    if stream.read(1024).lstrip().startswith("["):
        message = _("The file is one JSON list. Write one object on each line instead.")
        raise TableError("json_list", message)
    stream.seek(0)
    return TableRows(_read_json(stream, encoding), encoding=encoding, close=stream.close)


def _column_names(header: list[str] | Fault) -> tuple[str, ...]:
    """Return the names in the header without blank ones at its end. Raises TableError if they can not serve."""
    if isinstance(header, Fault):
        problem = reason_sentence(header.code, header.params)
        raise TableError("bad_header", _("The header can not be read. %(problem)s") % {"problem": problem})
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise TableError("no_header", _("The first row is empty. It must hold the names of the columns."))
    if len(names) > MAX_COLUMNS:
        params = {"found": len(names), "limit": MAX_COLUMNS}
        raise TableError("too_many_columns", _("The header has %(found)s columns; the limit is %(limit)s.") % params)
    if "" in names:
        message = _("Column %(number)s has no name in the first row.") % {"number": names.index("") + 1}
        raise TableError("unnamed_column", message)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        message = _("The header names these columns more than once: %(names)s.") % {"names": _listed(twice)}
        raise TableError("duplicate_columns", message)
    if any(_UNSAFE.search(name) for name in names):
        raise TableError("bad_header", _("The header holds bytes that can not be decoded. Name the encoding."))
    return tuple(names)


def _read(
    numbered: Iterator[tuple[int, list[str] | Fault]],
    columns: tuple[str, ...],
    width: int,
    encoding: str,
    close: Callable[[], None] | None,
) -> Iterator[Row]:
    """Yield each record as cells by column name, or as an UnreadableRow; then close the file."""
    named = len(columns)
    for row_no, record in numbered:
        if type(record) is Fault:
            yield row_no, UnreadableRow(_named(columns, record.cells), record.code, record.params)
            continue
        cells = [cell.strip() for cell in record]  # type: ignore[union-attr]  # a list: `type() is` does not narrow
        text = "".join(cells)
        if not text:
            continue
        if len(cells) != width:
            code = "too_few_cells" if len(cells) < width else "too_many_cells"
            yield row_no, UnreadableRow(_named(columns, cells), code, {"found": len(cells), "expected": width})
        elif width > named and any(cells[named:]):
            value = next(filter(None, cells[named:]))
            yield row_no, UnreadableRow(_named(columns, cells), "cell_without_column", {"value": value})
        elif len(text) > MAX_CELL_CHARACTERS or "\x00" in text or not text.isascii():
            yield row_no, _checked(dict(zip(columns, cells, strict=False)), encoding)
        else:
            yield row_no, dict(zip(columns, cells, strict=False))
    if close is not None:
        close()


def _read_json(stream: IO[str], encoding: str) -> Iterator[Row]:
    """Yield each line as cells by dotted name, or as an UnreadableRow; then close the file."""
    for row_no, record in enumerate(json_records(stream), 1):
        if isinstance(record, Fault):
            yield row_no, UnreadableRow({"line": record.cells[0]}, record.code, record.params)
        elif record:
            yield row_no, _checked(record, encoding)
    stream.close()


def _checked(cells: dict[str, str], encoding: str) -> dict[str, str]:
    """Return the cells, or an UnreadableRow if one is too long or holds what can not be stored."""
    for column, text in cells.items():
        if len(text) > MAX_CELL_CHARACTERS:
            return UnreadableRow(cells, "cell_too_long", {"limit": MAX_CELL_CHARACTERS})
        if not (text.isascii() and "\x00" not in text) and _UNSAFE.search(text):
            shown = _UNSAFE.sub("\ufffd", text)
            if MARK in text:
                return UnreadableRow(cells, "bad_bytes", {"column": column, "encoding": encoding, "value": shown})
            return UnreadableRow(cells, "bad_character", {"column": column, "value": shown})
    return cells


def _named(columns: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    """Return cells by column; those beyond the header are kept under names of their own."""
    named = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    beyond = [cell.strip() for cell in cells[len(columns) : len(columns) + _SHOWN_COLUMNS]]
    return named | {f"+{number}": cell for number, cell in enumerate(beyond, 1) if cell}


def _listed(names: list[str]) -> str:
    """Return names for a sentence; of very many the first ones."""
    shown = ", ".join(f"“{_UNSAFE.sub('\ufffd', name)}”" for name in names[:_SHOWN_COLUMNS])
    return shown + ", …" if len(names) > _SHOWN_COLUMNS else shown
