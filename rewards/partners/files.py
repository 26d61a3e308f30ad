"""Exchange by csv files, which staff send to the partner and get from it. Nothing here reaches the network."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Final

from members.sheets import safe_text
from rewards.partners.lines import AnswerLine, BadLine, IncomingLine, OutLine

_ACCEPTED: Final = frozenset({"ok", "accepted", "confirmed", "yes", "1", "成功", "接受"})
_REJECTED: Final = frozenset({"rejected", "refused", "no", "0", "失败", "失敗", "拒绝", "拒絕"})
_LONGEST = 60
MOST_UNITS: Final = 10**12


class CsvFiles:
    """UTF-8 csv with a header. Out: ref, account, units, asked_at. Answer: ref, result, reason. In: ref, member, units."""

    suffix = "csv"

    def export(self, lines: Sequence[OutLine]) -> bytes:
        """Return the file for the partner; texts that a spreadsheet would take for a formula are escaped."""
        stream = StringIO()
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(["ref", "account", "units", "asked_at"])
        for line in lines:
            writer.writerow(
                [line.ref, safe_text(line.account), line.units, line.asked_at.isoformat(timespec="seconds")]
            )
        return stream.getvalue().encode("utf-8-sig")

    def read_answer(self, content: bytes) -> tuple[list[AnswerLine], list[BadLine]]:
        """Return what the partner says, and the rows without a reference or a known result."""
        read: list[AnswerLine] = []
        bad: list[BadLine] = []
        for number, row in _rows(content):
            ref, result = _text(row, "ref"), _text(row, "result").lower()
            if not ref:
                bad.append(BadLine(number, "ref"))
            elif result not in _ACCEPTED | _REJECTED:
                bad.append(BadLine(number, "result"))
            else:
                read.append(AnswerLine(number, ref, result in _ACCEPTED, _text(row, "reason")[:200]))
        return read, bad

    def read_incoming(self, content: bytes) -> tuple[list[IncomingLine], list[BadLine]]:
        """Return what is to be exchanged, and the rows without reference, member or whole units."""
        read: list[IncomingLine] = []
        bad: list[BadLine] = []
        for number, row in _rows(content):
            ref, member, units = _text(row, "ref"), _text(row, "member"), _text(row, "units")
            if not ref or len(ref) > _LONGEST:
                bad.append(BadLine(number, "ref"))
            elif not member:
                bad.append(BadLine(number, "member"))
            elif not (units.isascii() and units.isdigit() and 0 < int(units[:14]) <= MOST_UNITS):
                bad.append(BadLine(number, "units"))
            else:
                read.append(IncomingLine(number, ref, member, int(units)))
        return read, bad


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield (row number, cells by column name); the header is row 1."""
    stream = StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    for number, row in enumerate(csv.DictReader(stream), 2):
        yield number, {(name or "").strip().lower(): value for name, value in row.items() if isinstance(value, str)}


def _text(row: dict[str, str | None], name: str) -> str:
    return (row.get(name) or "").strip().removeprefix("'")
