"""Whole orders out of the rows of a file, ready to be posted, and what had to be refused.

Rows of one order may stand anywhere in the file, so all rows are gathered before the first order is made. An order with
a bad row is refused whole: half an order would earn wrong points. No money is lost: sales minus returns plus refused
rows is exactly the sum of the file.

Which rows become what:
- A line is money back if its row is cancelled (by the prefix of its order number, or by a column) or its amount is
  negative.
- An order of cancelled rows only is a return under its own number. Its amounts may be written with or without a minus,
  but not both.
- Money back in another order becomes a return under the order's number and "-R" (an order of nothing else keeps its
  number if the mapping takes negative quantities as cancellations). What it takes back is not told by the file, so it
  is linked to a sale only by the column that the mapping names for this.
- A negative quantity without money and without a member is a correction of stock, no return, and a quantity of 0
  without money is no line: such rows are counted, not drafted.
- A row of a file without order numbers is an order of its own. Its number is made of its contents and of how many equal
  rows stand above it, so that a longer file gives it the same number.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from django.utils.translation import gettext as _

from members.tables.refused import Params, UnreadableRow
from members.tables.rows import Row, TableRows, check_columns
from rewards.services.imports.lines import Layout, LineReader, OrderLine, RowRefused
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.mapping_values import MappingError
from rewards.services.imports.orders import DraftLine, DraftReport, OrderDraft
from rewards.services.imports.refused import Rejected, write_rejected
from rewards.services.imports.values import LIMIT

__all__ = ["DraftLine", "DraftReport", "OrderDraft", "Rejected", "read_drafts", "write_rejected"]

type _Fault = tuple[str, Params]
"""Reason code and parameters."""

type _Raw = tuple[int, Layout, str]
"""A row that waits for the rest of its order: row number, layout, and its cells in one string, to save memory."""

_BETWEEN_CELLS = "\0"  # no cell that the file reader lets through holds one
_NOTHING = Decimal("0.00")
_RETURN_SUFFIX = "-R"
_ROWS_OF_A_STEP = 1_000
# Of JSON lines, whose rows may leave out what is empty, these must be in some row at least.
_NEEDED_USES = ("order_no", "member", "ordered_at", "quantity", "unit_price", "amount", "filter")


def read_drafts(
    rows: Iterable[Row],
    mapping: OrderMapping,
    *,
    programme_currency: str,
    shift: timedelta | None = None,
    not_after: datetime | None = None,
    progress: Callable[[int], object] | None = None,
) -> DraftReport:
    """Return the orders of all rows. All times are moved by `shift`; those then after `not_after` are refused.

    `progress` is told of so many more rows every now and then.

    Raises MappingError if a rate is missing or leads to another currency than the programme's, TableError if the
    file has not the columns of the mapping.
    """
    _check_rates(mapping, programme_currency)
    if isinstance(rows, TableRows) and rows.columns:
        check_columns(rows.columns, mapping.columns.values())
    reader = LineReader(mapping, programme_currency=programme_currency, shift=shift, not_after=not_after)
    gathering = _Gathering(mapping, reader, shift or timedelta(0))
    take = gathering.take
    untold = 0
    for row_no, cells in rows:
        take(row_no, cells)
        untold += 1
        if progress is not None and untold == _ROWS_OF_A_STEP:
            progress(untold)
            untold = 0
    if progress is not None:
        progress(untold)
    gathering.check_found_columns()
    return gathering.report()


def _check_rates(mapping: OrderMapping, programme_currency: str) -> None:
    """Raise MappingError if the mapping can not convert to the programme's currency."""
    if mapping.currency == programme_currency:
        return
    if mapping.rates and mapping.rate_currency not in ("", programme_currency):
        params = {"given": mapping.rate_currency, "needed": programme_currency}
        raise MappingError("rate", _("leads to %(given)s, but the programme's currency is %(needed)s.") % params)
    if mapping.currency and mapping.rate_to(programme_currency, mapping.currency) is None:
        params = {"currency": mapping.currency, "needed": programme_currency}
        raise MappingError("rate", _("is required: how much %(needed)s is 1 %(currency)s?") % params)


class _Gathering:
    """Takes row after row, keeps what is needed of each, and makes orders and refusals of them at the end."""

    def __init__(self, mapping: OrderMapping, reader: LineReader, shift: timedelta) -> None:
        self._mapping = mapping
        self._reader = reader
        self._shift = shift
        self._columns = mapping.columns
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._rows_of_orders: dict[str, list[_Raw]] = {}
        self._unreadable_rows: dict[str, int] = {}
        self._equal_rows: Counter[bytes] = Counter()
        self._drafts: list[OrderDraft] = []
        self._rejected: list[Rejected] = []
        self._rows_read = self._rows_ignored = self._rows_empty = 0
        self._file_original = self._rejected_original = _NOTHING

    def take(self, row_no: int, cells: dict[str, str]) -> None:
        """Take the next row."""
        self._rows_read += 1
        if isinstance(cells, UnreadableRow):
            self._rejected.append(Rejected(row_no, dict(cells), cells.code, cells.params))
            if number := cells.get(self._mapping.order_no):
                self._unreadable_rows.setdefault(number, row_no)
            return
        columns = tuple(cells)
        layout = self._layouts.get(columns)
        if layout is None:
            layout = self._layouts[columns] = Layout(columns, self._columns)
        values = [*cells.values(), ""]
        mapping = self._mapping
        if mapping.filter_column and values[layout.filter] != mapping.filter_value:
            self._rows_ignored += 1
        elif not mapping.order_no:
            self._take_order([(row_no, layout, _BETWEEN_CELLS.join(values))], "")
        elif number := values[layout.order_no]:
            raw = (row_no, layout, _BETWEEN_CELLS.join(values))
            self._rows_of_orders.setdefault(number, []).append(raw)
        else:
            fault = ("missing_value", {"field": "order_no", "column": mapping.order_no})
            self._take_order([(row_no, layout, _BETWEEN_CELLS.join(values))], "", fault)

    def check_found_columns(self) -> None:
        """Raise TableError if a needed column was in no row at all; for rows that came without a header.

        Rows that all have the same columns must have all of the mapping, others may each leave out what is empty.
        """
        found = {name for columns in self._layouts for name in columns}
        if len(self._layouts) == 1:
            check_columns(next(iter(self._layouts)), self._columns.values())
        elif self._layouts:
            uses = _NEEDED_USES if self._rows_read > self._rows_ignored else ("filter",)
            check_columns(sorted(found), [self._columns[use] for use in uses if use in self._columns])

    def report(self) -> DraftReport:
        """Make the orders and return everything."""
        for number, raws in self._rows_of_orders.items():
            self._take_order(raws, number)
            raws.clear()  # the drafts hold what is needed; both at once would be twice the memory
        drafts = self._drafts
        drafts.sort(key=lambda draft: (draft.ordered_at, draft.order_no))
        sales = [draft for draft in drafts if draft.kind == "sale"]
        returns = [draft for draft in drafts if draft.kind == "return"]
        return DraftReport(
            drafts=drafts,
            rejected=sorted(self._rejected, key=lambda rejected: rejected.row_no),
            rows_read=self._rows_read,
            rows_ignored=self._rows_ignored,
            rows_empty=self._rows_empty,
            sales=len(sales),
            returns=len(returns),
            lines=sum(len(draft.lines) for draft in drafts),
            sale_amount=sum((draft.total_amount for draft in sales), _NOTHING),
            return_amount=sum((draft.total_amount for draft in returns), _NOTHING),
            sale_original=sum((draft.total_original_amount for draft in sales), _NOTHING),
            return_original=sum((draft.total_original_amount for draft in returns), _NOTHING),
            rejected_original=self._rejected_original,
            file_original=self._file_original,
        )

    def _take_order(self, raws: list[_Raw], number: str, fault: _Fault | None = None) -> None:
        """Make the order of these rows, or refuse all of them."""
        lines: list[OrderLine] = []
        own_faults: dict[int, _Fault] = {}
        total = _NOTHING
        read = self._reader.read
        for row_no, layout, text in raws:
            try:
                line = read(row_no, layout, text.split(_BETWEEN_CELLS))
            except RowRefused as refused:
                own_faults[row_no] = (refused.code, refused.params)
                total += refused.amount
            else:
                lines.append(line)
                total += line.signed_original
        self._file_original += total
        if fault is None and own_faults:
            fault = ("other_row_refused", {"row": next(iter(own_faults))})
        elif fault is None and number in self._unreadable_rows:
            fault = ("other_row_refused", {"row": self._unreadable_rows[number]})
        fault = fault or self._make_drafts(lines, number)
        if fault is not None:
            self._rejected_original += total
            for row_no, layout, text in raws:
                cells = dict(zip(layout.columns, text.split(_BETWEEN_CELLS), strict=False))
                self._rejected.append(Rejected(row_no, cells, *own_faults.get(row_no, fault)))

    def _make_drafts(self, lines: list[OrderLine], number: str) -> _Fault | None:
        """Draft the sale, the return, or both that are in the lines of one order; or return why they can not be."""
        fault = _disagreement(lines, "member", "store", "currency")
        if fault:
            return fault
        cancelled = all(line.is_cancelled for line in lines)
        if cancelled and len({line.money.original > 0 for line in lines if line.money.original}) > 1:
            return "mixed_signs", {}
        returned = [line for line in lines if _is_money_back(line)]
        sold = [line for line in lines if line.money.quantity > 0 and not _is_money_back(line)]
        fault = _disagreement(returned, "original_order_no") or _oversize(sold) or _oversize(returned)
        if fault:
            return fault
        return_no = number
        if not (cancelled or not number or (self._mapping.cancel_negative_quantity and not sold)):
            return_no += _RETURN_SUFFIX
        if returned and return_no != number and return_no in self._rows_of_orders:
            return "number_taken", {"value": return_no}
        self._rows_empty += len(lines) - len(returned) - len(sold)
        if sold:
            self._drafts.append(self._draft("sale", number, sold))
        if returned:
            self._drafts.append(self._draft("return", return_no, returned))
        return None

    def _draft(self, kind: Literal["sale", "return"], number: str, lines: list[OrderLine]) -> OrderDraft:
        first = lines[0]
        at = min(line.at for line in lines)
        original_order_no = first.original_order_no if kind == "return" else ""
        content_hash = self._content_hash(kind, number, at, original_order_no, lines)
        generated_no = not number
        if generated_no:
            self._equal_rows[content_hash] += 1
            number = f"row-{content_hash.hex()[:20]}-{self._equal_rows[content_hash]}"
        excluded = self._mapping.excluded_skus
        return OrderDraft(
            kind,
            number,
            first.member,
            at,
            first.store,
            first.currency,
            first.rate,
            tuple(_draft_line(line_no, line, line.sku not in excluded) for line_no, line in enumerate(lines, 1)),
            original_order_no,
            content_hash,
            generated_no,
        )

    def _content_hash(
        self, kind: str, number: str, at: datetime, original_order_no: str, lines: list[OrderLine]
    ) -> bytes:
        """Return the SHA-256 of what the file says, the lines in an order of their own: files can be sorted anew."""
        first = lines[0]
        store = first.store if self._mapping.store_column else ""
        currency = first.currency if self._mapping.currency_column else ""
        moment = (at - self._shift).isoformat()
        head = (kind, number, first.member, moment, store, currency, original_order_no)
        contents = sorted(f"{line.sku}\0{line.category}\0{line.money.canonical}" for line in lines)
        return sha256("\0".join((*head, *contents)).encode()).digest()


def _is_money_back(line: OrderLine) -> bool:
    """Return whether a line belongs to a return: also one without money, if it takes goods back from a member."""
    if not line.money.quantity:
        return False
    return line.is_cancelled or line.money.original < 0 or (line.money.quantity < 0 and bool(line.member))


def _disagreement(lines: list[OrderLine], *fields: str) -> _Fault | None:
    """Return the fault of lines of one order that differ in one of these fields."""
    for name in fields:
        values = {getattr(line, name) for line in lines}
        if len(values) > 1:
            value, other = sorted(values)[:2]
            return "order_disagrees", {"field": name, "value": value, "other": other}
    return None


def _oversize(lines: list[OrderLine]) -> _Fault | None:
    """Return the fault of lines whose sum can not be stored."""
    originals = sum((line.money.original for line in lines), _NOTHING)
    amounts = sum((line.money.amount for line in lines), _NOTHING)
    for total in (originals, amounts):
        if abs(total) >= LIMIT:
            return "number_too_large", {"field": "amount", "value": str(total), "limit": f"{LIMIT:,}"}
    return None


def _draft_line(line_no: int, line: OrderLine, earns: bool) -> DraftLine:
    money = line.money
    quantity, amount, original = money.quantity, money.amount, money.original
    if quantity < 0 or original < 0:
        quantity, amount, original = quantity.copy_abs(), amount.copy_abs(), original.copy_abs()
    return DraftLine(
        line_no,
        line.sku,
        line.description,
        line.category,
        quantity,
        money.unit_price,
        amount,
        original,
        earns,
        line.row_no,
    )
