"""Rows that are not imported, the reason of each as a sentence, and the file in which people correct them."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from rewards.refusals import RewardsRefusal

FIELDS = {
    "order_no": _("order number"),
    "member": _("member"),
    "store": _("store"),
    "ordered_at": _("order time"),
    "sku": _("SKU"),
    "description": _("description"),
    "category": _("category"),
    "quantity": _("quantity"),
    "unit_price": _("unit price"),
    "amount": _("amount"),
    "currency": _("currency"),
    "original_order_no": _("original order number"),
}
"""What a column is read for, in words."""

REASONS = {
    # The row can not be read.
    "bad_bytes": _("Column “%(column)s” holds bytes that are not valid %(encoding)s: “%(value)s”."),
    "bad_character": _("Column “%(column)s” holds a character that can not be stored: “%(value)s”."),
    "too_few_cells": _("The row has %(found)s cells, the header %(expected)s."),
    "too_many_cells": _("The row has %(found)s cells, the header only %(expected)s."),
    "cell_without_column": _("“%(value)s” stands in a column without a name."),
    "cell_too_long": _("A cell or the row is too long: a cell may hold %(limit)s characters."),
    "bad_quotes": _("A quotation mark is not closed, or text follows a closing one."),
    "bad_json": _("The line is not a JSON object with each name once: “%(value)s”."),
    # One value of the row can not be used.
    "missing_value": _("%(field)s: column “%(column)s” is empty."),
    "too_long": _("%(field)s: “%(value)s” in column “%(column)s” is longer than %(limit)s characters."),
    "bad_number": _("%(field)s: “%(value)s” in column “%(column)s” is not a number."),
    "number_too_large": _("%(field)s: “%(value)s” is not below %(limit)s."),
    "negative_price": _("%(field)s: negative unit price “%(value)s” in column “%(column)s”."),
    "sign_conflict": _("%(field)s: “%(value)s” is positive while the quantity is negative."),
    "zero_quantity": _("%(field)s: “%(value)s” in column “%(column)s”, and yet an amount."),
    "bad_time": _("%(field)s: “%(value)s” in column “%(column)s” is not a time of the form %(format)s."),
    "no_time_zone": _("%(field)s: “%(value)s” has no time zone and the mapping names none."),
    "time_out_of_range": _("%(field)s: “%(value)s” lies before the year 1900 or too far ahead."),
    "in_future": _("%(field)s: “%(value)s” lies in the future."),
    "bad_currency": _("%(field)s: “%(value)s” in column “%(column)s” is not a currency code of three letters."),
    "no_rate": _("%(field)s: the mapping has no rate for “%(value)s”."),
    # The order as a whole can not be used.
    "order_disagrees": _("%(field)s: one order has both “%(value)s” and “%(other)s”."),
    "mixed_signs": _("A cancellation has positive as well as negative amounts."),
    "number_taken": _("The returned lines would need the order number “%(value)s”, which the file uses itself."),
    "other_row_refused": _("Another row of this order was refused (row %(row)s)."),
    # The order can be read, but not recorded.
    "unknown_store": _("%(field)s: no store has the code “%(value)s”."),
    "unknown_member": _("%(field)s: no member is known as “%(value)s”."),
    "unknown_order": _("%(field)s: no order “%(value)s” is known."),
    "line_not_in_order": _(
        "%(field)s: “%(value)s” is not in order “%(order)s”, or came back more often than it was bought."
    ),
    "not_recorded": _("%(reason)s"),
}
"""The sentence of each reason code. Codes are stable; parameters are text or whole numbers and can be stored."""

type Params = Mapping[str, str | int]

_SHOWN_CHARACTERS = 80
_KEPT_CHARACTERS = 1_000
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
# Full-width forms too: spreadsheets of East Asian languages take them for the same signs.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


class OrderFileError(RewardsRefusal):
    """The whole file can not be used. `problem` is stable and says which kind of trouble; the text is for people."""

    code = "order_file_unusable"
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


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row of the file that is not imported: where it stands, its cells, and why."""

    row_no: int
    cells: dict[str, str]
    code: str
    params: Params = field(default_factory=dict)

    def reason(self) -> str:
        """Return the reason as a sentence in the active language, naming field, column and value."""
        return reason_sentence(self.code, self.params)


def reason_sentence(code: str, params: Params) -> str:
    """Return the sentence of a reason code; a field among the parameters is named in words, long values are cut."""
    shown: dict[str, object] = dict(params)
    for name in shown.keys() & {"value", "other"}:
        shown[name] = shorten(str(shown[name]))
    if "field" in shown:
        shown["field"] = str(FIELDS.get(str(shown["field"]), shown["field"]))
    sentence = str(REASONS[code] % shown)
    return sentence[:1].upper() + sentence[1:]


def shorten(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
    """Return the text, cut so that it has at most so many characters."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def write_rejected(path: Path | str, rejected: Iterable[Rejected], header: Sequence[str]) -> int:
    """Write rejected rows as csv under the header of their file, with the columns `row` and `reason`; return how many.

    UTF-8 with a byte order mark, as spreadsheets expect it. A cell that a spreadsheet would run as a formula gets an
    apostrophe in front, unless it is a plain number. Once corrected, the file can be imported with the same mapping.
    """
    rows = list(rejected)
    columns = list(header)
    known = set(columns)
    for row in rows:
        # Cells beyond the header, and the keys of JSON lines, come after the columns that are known.
        new = [name for name in row.cells if name not in known]
        columns += new
        known.update(new)
    row_column, reason_column = _free_name("row", known), _free_name("reason", known)
    with Path(path).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_harmless(name) for name in (*columns, row_column, reason_column)])
        for row in rows:
            cells = [_harmless(row.cells.get(name, "")) for name in columns]
            writer.writerow([*cells, row.row_no, _harmless(row.reason())])
    return len(rows)


def _free_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number behind it if the file has such a column itself."""
    chosen, number = name, 2
    while chosen in taken:
        chosen, number = f"{name} {number}", number + 1
    return chosen


def _harmless(text: str) -> str:
    """Return a cell that no spreadsheet runs and every encoder writes."""
    text = _UNWRITABLE.sub("\ufffd", text)
    if text.startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(text):
        return "'" + text
    return text


def _kept(text: str) -> str:
    """Return what is kept of a cell of an unreadable row: writable, and not a megabyte."""
    text = _UNWRITABLE.sub("\ufffd", text[: _KEPT_CHARACTERS + 1])
    return text if len(text) <= _KEPT_CHARACTERS else text[:_KEPT_CHARACTERS] + "…"
