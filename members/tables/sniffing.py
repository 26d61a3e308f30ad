"""What a text file does not say about itself: its encoding and the character between its cells.

A guess never decides over a row: the file is decoded strictly with the encoding that is chosen here, and what does not
decode is refused row by row. A person who knows better names encoding and delimiter.
"""

import codecs
import csv
from collections.abc import Iterable
from pathlib import Path

MARK = "\udcff"
"""Stands in decoded text where bytes could not be decoded: a lone surrogate, which no strict decoder ever makes."""

MARKING = "perennial.marking"
"""Name of the error handler that puts MARK where bytes can not be decoded, so that the rest is still read."""

DELIMITERS = (",", ";", "\t", "|")

_HEAD_BYTES = 64 * 1024
_SAMPLE_BYTES = 256 * 1024
_BLOCK_BYTES = 1024 * 1024
_MOST_CHARACTERS = 20_000
_LEAST_COMMON_SHARE = 0.6


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Return the mark and the place where decoding goes on. What can not be encoded is an error as ever."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(MARKING, _mark)


def sniff_encoding(path: Path) -> str:
    """Return the Python name of the encoding that fits a file best.

    A byte order mark decides. Else UTF-8, if at least half of the lines with other than ASCII characters are valid
    UTF-8: text of another encoding almost never is. Else the one of GB 18030 and Big5 in which the characters are
    everyday ones, else cp1252. The sample is the head of the file and the first part of it that is not plain ASCII.
    """
    sample = _sample(path)
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    telling = [line for line in sample.splitlines() if not line.isascii()]
    if not telling or 2 * sum(_is_utf8(line) for line in telling) >= len(telling):
        return "utf-8"
    shares = {name: _common_share(telling, name) for name in ("gb18030", "big5hkscs")}
    best = max(shares, key=lambda name: shares[name])  # the first of equals
    return best if shares[best] >= _LEAST_COMMON_SHARE else "cp1252"


def sniff_delimiter(lines: Iterable[str]) -> str:
    """Return the delimiter that cuts the header and the rows below it to the same width, a comma if none does."""
    sample = list(lines)
    best, best_score = ",", (0.0, 1)
    for delimiter in DELIMITERS:
        try:
            widths = [len(record) for record in csv.reader(sample, delimiter=delimiter) if record]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sample(path: Path) -> bytes:
    """Return whole lines from the head of the file and, if they are ASCII, from the first part that is not."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if len(head) == _HEAD_BYTES:
            head = head[: head.rfind(b"\n") + 1] or head
        if not head.isascii():
            return head
        while block := file.read(_BLOCK_BYTES):
            if not block.isascii():
                # Cut at line ends: half a character at either edge would look like a broken one.
                first = next(index for index, byte in enumerate(block) if byte > 127)
                start = block.rfind(b"\n", 0, first) + 1
                part = block[start : start + _SAMPLE_BYTES]
                return head + b"\n" + (part[: part.rfind(b"\n") + 1] or part)
    return head


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _common_share(lines: list[bytes], encoding: str) -> float:
    """Return which share of the Chinese characters would be everyday ones if the lines had this encoding.

    Everyday are level 1 of GB 2312 and level 1 of Big5. Nearly every Big5 text is also valid GB 18030, but then full of
    characters that nobody uses; validity alone can not tell them apart. Punctuation and symbols say nothing.
    """
    common = other = 0
    for line in lines:
        for character in line.decode(encoding, MARKING):
            if character.isascii():
                continue
            code = b"" if character == MARK else character.encode(encoding)
            if len(code) == 2 and 0xA1 <= code[0] <= 0xA3 and code[1] >= 0xA1:
                continue
            if len(code) == 2 and _is_everyday(code, encoding):
                common += 1
            else:
                other += 1
        if common + other > _MOST_CHARACTERS:
            break
    return common / (common + other) if common + other else 1.0


def _is_everyday(code: bytes, encoding: str) -> bool:
    if encoding == "gb18030":
        return 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1
    return 0xA4 <= code[0] <= 0xC6
