"""What can not be read of a file: rows that keep their cells and say why, and files that are of no use as a whole."""

import re
from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal

READING_REASONS: Final = {
    "bad_bytes": _("Column “%(column)s” holds bytes that are not valid %(encoding)s: “%(value)s”."),
    "bad_character": _("Column “%(column)s” holds a character that can not be stored: “%(value)s”."),
    "too_few_cells": _("The row has %(found)s cells, the header %(expected)s."),
    "too_many_cells": _("The row has %(found)s cells, the header only %(expected)s."),
    "cell_without_column": _("“%(value)s” stands in a column without a name."),
    "cell_too_long": _("A cell or the row is too long: a cell may hold %(limit)s characters."),
    "bad_quotes": _("A quotation mark is not closed, or text follows a closing one."),
    "bad_json": _("The line is not a JSON object with each name once: “%(value)s”."),
}
"""The sentence of each reason why a row can not be read. Codes are stable; parameters can be stored."""

type Params = Mapping[str, str | int]

UNWRITABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""What no database keeps and no encoder writes."""

_SHOWN_CHARACTERS = 80
_KEPT_CHARACTERS = 1_000


class TableError(MembersRefusal):
    """The whole file can not be used. `problem` is stable and says which kind of trouble; the text is for people."""

    code = "file_unusable"
    text = "%(message)s"
    status = 422

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(problem=problem, message=message)
        self.problem = problem

    def __str__(self) -> str:
        return self.sentence()


class UnreadableRow(dict[str, str]):
    """The cells of a row as far as they could be read, with the code and parameters of what is wrong with it."""

    __slots__ = ("code", "params")

    def __init__(self, cells: Mapping[str, str], code: str, params: Params) -> None:
        super().__init__({name: _kept(text) for name, text in cells.items()})
        self.code = code
        self.params = dict(params)

    def reason(self) -> str:
        """Return the reason as a sentence in the active language."""
        return reason_sentence(self.code, self.params)


def reason_sentence(code: str, params: Params) -> str:
    """Return the sentence of a code of READING_REASONS; a long value is cut."""
    shown: dict[str, object] = dict(params)
    if "value" in shown:
        shown["value"] = shorten(str(shown["value"]))
    return str(READING_REASONS[code] % shown)


def shorten(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
    """Return the text, cut so that it has at most so many characters."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _kept(text: str) -> str:
    """Return what is kept of a cell of an unreadable row: writable, and not a megabyte."""
    text = UNWRITABLE.sub("\ufffd", text[: _KEPT_CHARACTERS + 1])
    return text if len(text) <= _KEPT_CHARACTERS else text[:_KEPT_CHARACTERS] + "…"
