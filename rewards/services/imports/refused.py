"""Rows that are not imported, the reason of each as a sentence, and the file in which people correct them."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from members.tables.refused import READING_REASONS, UNWRITABLE, Params, shorten

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
    **READING_REASONS,
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

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
# Full-width forms too: spreadsheets of East Asian languages take them for the same signs.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


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
    text = UNWRITABLE.sub("\ufffd", text)
    if text.startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(text):
        return "'" + text
    return text
