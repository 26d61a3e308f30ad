"""Records of text files: csv cell by cell, JSON line by line, and a Fault where a record can not be read."""

import csv
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from members.tables.refused import Params, shorten

MAX_LINE_CHARACTERS = 1024 * 1024
MAX_CELL_CHARACTERS = 131_072
"""The csv module's own limit, used for every kind of file."""
MAX_JSON_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that can not be read: reason code, parameters, and what cells there are."""

    code: str
    params: Params = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)


class _Overlong(str):
    """The beginning of a line that is longer than any line may be."""

    __slots__ = ()


class _RecordTooLong(csv.Error):
    """A line, or the lines that a quoted cell spans, exceed the limit."""


class CsvRecords:
    """The records of a csv stream, in order; a blank line is an empty record, so that counting stays true.

    A stray quotation mark makes a csv reader swallow lines up to the next one. When such a record does not come out
    right, only its first line is a Fault, and the lines after it are read afresh: no good row is lost to a bad one.
    """

    def __init__(self, stream: IO[str], delimiter: str) -> None:
        self._readline = stream.readline
        self._delimiter = delimiter
        self._again: deque[str] = deque()
        self._lines: list[str] = []  # of the record that is being read
        self.width = 0
        """Cells of the header, once known: a record over several lines must have as many to be believed."""

    def __iter__(self) -> Iterator[list[str] | Fault]:
        lines = self._lines
        while True:
            reader = csv.reader(self._feed(), delimiter=self._delimiter, strict=True)
            try:
                for record in reader:
                    if len(lines) > 1 and self.width and len(record) != self.width:
                        yield self._fault(csv.Error())
                    else:
                        lines.clear()
                        yield record
            except csv.Error as error:
                yield self._fault(error)
            else:
                return

    def _feed(self) -> Iterator[str]:
        """Yield line after line to the csv reader, remembering those of the current record."""
        lines, again, readline = self._lines, self._again, self._readline
        size = 0
        while line := again.popleft() if again else readline(MAX_LINE_CHARACTERS):
            if len(line) == MAX_LINE_CHARACTERS and line[-1] not in "\r\n":
                line = _Overlong(line[:MAX_CELL_CHARACTERS])
                while (rest := readline(MAX_LINE_CHARACTERS)) and rest[-1] not in "\r\n":
                    pass
            size = size + len(line) if lines else len(line)
            lines.append(line)
            if size > MAX_LINE_CHARACTERS or type(line) is _Overlong:
                raise _RecordTooLong
            yield line

    def _fault(self, error: csv.Error) -> Fault:
        """Return the fault of the record's first line, and put back the lines after it."""
        first, *rest = self._lines
        self._lines.clear()
        self._again.extendleft(reversed(rest))
        try:
            cells = next(csv.reader([first], delimiter=self._delimiter), [])
        except csv.Error:
            cells = [first[:MAX_CELL_CHARACTERS]]
        if type(first) is _Overlong or (not rest and "field limit" in str(error)):
            return Fault("cell_too_long", {"limit": MAX_CELL_CHARACTERS}, cells)
        return Fault("bad_quotes", {}, cells)


def json_records(stream: IO[str]) -> Iterator[dict[str, str] | Fault | None]:
    """Yield the object of each line with dotted names for nested keys, a Fault, or None for a blank line.

    Numbers keep the digits that stand in the file; true, false and lists are their JSON text, null is an empty cell.
    """
    while line := stream.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS and line[-1] != "\n":
            while (rest := stream.readline(MAX_LINE_CHARACTERS)) and rest[-1] != "\n":
                pass
            yield Fault("cell_too_long", {"limit": MAX_CELL_CHARACTERS}, [line[:MAX_CELL_CHARACTERS]])
        elif line.isspace():
            yield None
        else:
            yield _json_record(line)


def _json_record(line: str) -> dict[str, str] | Fault:
    try:
        value = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        if not isinstance(value, dict):
            return Fault("bad_json", {"value": shorten(line.strip())}, [line.strip()])
        cells: dict[str, str] = {}
        _flatten(value, "", cells, MAX_JSON_DEPTH)
    except (ValueError, RecursionError):
        return Fault("bad_json", {"value": shorten(line.strip())}, [line.strip()])
    return cells


def _flatten(value: dict[str, Any], prefix: str, cells: dict[str, str], depth: int) -> None:
    """Put the members of a JSON object among the cells, nested ones under dotted names. Raises ValueError."""
    if not depth:
        raise ValueError("nested too deeply")
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, dict):
            _flatten(item, name + ".", cells, depth - 1)
            continue
        if name in cells:
            raise ValueError(f"{name} twice")
        if isinstance(item, str):
            cells[name] = item.strip()
        elif item is None:
            cells[name] = ""
        else:
            cells[name] = json.dumps(item, ensure_ascii=False)
