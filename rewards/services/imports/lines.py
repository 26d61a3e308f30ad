"""One row of an order file, understood by the mapping: what was bought, by whom, when and for how much, or why not."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.refused import Params, shorten
from rewards.services.imports.values import (
    LIMIT,
    NoTimeZone,
    at_most_decimals,
    parse_number,
    plain_text,
    product_to_cents,
    quotient,
)

LONGEST = {
    "order_no": 78,  # leaves room for the -R of a return
    "member": 120,
    "store": 30,
    "sku": 60,
    "category": 40,
    "original_order_no": 80,
}
"""Most characters of a value, by use. A longer description is cut, everything else identifies something."""
LONGEST_DESCRIPTION = 200

_ONE = Decimal(1)
_QUANTITY_LIMIT = Decimal(10) ** 9
_LEAST_QUANTITY = Decimal("0.001")
_NOTHING = Decimal("0.00")
# Dates, quantities and prices repeat; the tables of what they mean are emptied before they grow large.
_MOST_REMEMBERED = 50_000


class RowRefused(Exception):
    """A row can not be used: reason code, parameters, and the signed amount of its line if that could be read."""

    def __init__(self, code: str, params: Params, *, amount: Decimal = _NOTHING) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
        self.amount = amount


class Money(NamedTuple):
    """Quantity and amounts of a line, signed as in the file; `original` is in the file's currency, `amount` in ours."""

    quantity: Decimal
    unit_price: Decimal
    original: Decimal
    amount: Decimal
    canonical: str


class OrderLine(NamedTuple):
    """One row, understood."""

    row_no: int
    member: str
    at: datetime
    store: str
    currency: str
    rate: Decimal
    sku: str
    description: str
    category: str
    money: Money
    is_cancelled: bool
    original_order_no: str

    @property
    def signed_original(self) -> Decimal:
        """Return what the line counts in the file's currency: a cancelled one is money back, however it is signed."""
        original = self.money.original
        return -original if self.is_cancelled and original > 0 else original


class Layout:
    """Where each use stands among the cells of rows with these columns; -1, an empty cell at the end, if nowhere."""

    __slots__ = (
        "amount", "cancel", "category", "columns", "currency", "description", "filter", "limits", "member", "order_no",
        "ordered_at", "original_order_no", "quantity", "sku", "store", "unit_price",
    )  # fmt: skip

    def __init__(self, columns: tuple[str, ...], uses: dict[str, str]) -> None:
        self.columns = columns
        places = {use: columns.index(column) for use, column in uses.items() if column in columns}
        self.order_no = places.get("order_no", -1)
        self.member = places.get("member", -1)
        self.ordered_at = places.get("ordered_at", -1)
        self.store = places.get("store", -1)
        self.sku = places.get("sku", -1)
        self.description = places.get("description", -1)
        self.category = places.get("category", -1)
        self.quantity = places.get("quantity", -1)
        self.unit_price = places.get("unit_price", -1)
        self.amount = places.get("amount", -1)
        self.currency = places.get("currency", -1)
        self.original_order_no = places.get("original_order_no", -1)
        self.cancel = places.get("cancel", -1)
        self.filter = places.get("filter", -1)
        self.limits = [(use, places[use], limit) for use, limit in LONGEST.items() if use in places]


class LineReader:
    """Reads rows by one mapping. Remembers what texts mean, for the same dates and prices come again and again."""

    def __init__(
        self, mapping: OrderMapping, *, programme_currency: str, shift: timedelta | None, not_after: datetime | None
    ) -> None:
        self._mapping = mapping
        self._programme_currency = programme_currency
        self._shift = shift or timedelta(0)
        self._not_after = not_after
        self._times = mapping.time_reader()
        self._columns = mapping.columns
        self._moments: dict[str, datetime] = {}
        self._moneys: dict[tuple[str, str, str, str, bool], Money] = {}
        self._rates: dict[str, Decimal] = {}

    def read(self, row_no: int, layout: Layout, cells: list[str]) -> OrderLine:
        """Return the line of a row whose cells end with an empty one. Raises RowRefused."""
        mapping = self._mapping
        currency = cells[layout.currency].upper() if mapping.currency_column else mapping.currency
        rate = self._rates.get(currency) or self._rate(currency)
        is_cancelled = self.is_cancelled(layout, cells)
        money = self._money(
            cells[layout.quantity], cells[layout.unit_price], cells[layout.amount], currency, is_cancelled
        )
        try:
            for use, place, limit in layout.limits:
                if len(cells[place]) > limit:
                    raise self._refused("too_long", use, cells[place], limit=limit)
            moment = self._moments.get(cells[layout.ordered_at]) or self._moment(cells[layout.ordered_at])
        except RowRefused as refused:
            refused.amount = -abs(money.original) if is_cancelled else money.original
            raise
        return OrderLine(
            row_no,
            cells[layout.member],
            moment,
            cells[layout.store] or mapping.store,
            currency or self._programme_currency,
            rate,
            cells[layout.sku],
            shorten(cells[layout.description], LONGEST_DESCRIPTION),
            cells[layout.category],
            money,
            is_cancelled,
            cells[layout.original_order_no],
        )

    def is_cancelled(self, layout: Layout, cells: list[str]) -> bool:
        """Return whether the prefix of its order number or a value of the row itself marks it as cancelled."""
        mapping = self._mapping
        if mapping.cancel_prefix and cells[layout.order_no].startswith(mapping.cancel_prefix):
            return True
        return bool(mapping.cancel_column) and cells[layout.cancel] == mapping.cancel_value

    def _refused(self, code: str, use: str, value: str, **more: str | int) -> RowRefused:
        return RowRefused(code, {"field": use, "column": self._columns.get(use, ""), "value": value, **more})

    def _rate(self, currency: str) -> Decimal:
        if self._mapping.currency_column and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise self._refused("bad_currency", "currency", currency)
        rate = self._mapping.rate_to(self._programme_currency, currency)
        if rate is None:
            raise self._refused("no_rate", "currency", currency)
        self._rates[currency] = rate
        return rate

    def _moment(self, text: str) -> datetime:
        """Return the shifted moment of a text, for the next row too."""
        if not text:
            raise self._refused("missing_value", "ordered_at", text)
        try:
            moment = self._times.read(text) + self._shift
        except OverflowError as error:
            raise self._refused("time_out_of_range", "ordered_at", text) from error
        except NoTimeZone as error:
            raise self._refused("no_time_zone", "ordered_at", text) from error
        except ValueError as error:
            raise self._refused("bad_time", "ordered_at", text, format=self._mapping.time_format) from error
        if self._not_after is not None and moment > self._not_after:
            raise self._refused("in_future", "ordered_at", text)
        if len(self._moments) >= _MOST_REMEMBERED:
            self._moments.clear()
        self._moments[text] = moment
        return moment

    def _money(self, quantity: str, unit_price: str, amount: str, currency: str, is_cancelled: bool) -> Money:
        key = (quantity, unit_price, amount, currency, is_cancelled)
        money = self._moneys.get(key)
        if money is None:
            money = self._work_out(*key)
            if len(self._moneys) >= _MOST_REMEMBERED:
                self._moneys.clear()
            self._moneys[key] = money
        return money

    def _work_out(self, quantity: str, unit_price: str, amount: str, currency: str, is_cancelled: bool) -> Money:
        """Return quantity and amounts of a line. An amount that is there wins over quantity times unit price."""
        if not amount and not unit_price:
            raise self._refused("missing_value", "amount" if self._mapping.amount else "unit_price", "")
        if not quantity and self._mapping.quantity and not amount:
            raise self._refused("missing_value", "quantity", "")
        count = self._number("quantity", quantity, _QUANTITY_LIMIT) if quantity else _ONE
        price = self._number("unit_price", unit_price) if unit_price else None
        use, text = ("amount", amount) if amount else ("unit_price", unit_price)
        try:
            if amount or price is None:
                original = product_to_cents(_ONE, self._number("amount", amount))
            else:
                original = product_to_cents(count, price)
            if amount and count < 0 < original and self._mapping.cancel_negative_quantity:
                original = -original
            converted = product_to_cents(original, self._rates[currency])
        except OverflowError as error:
            raise self._refused("number_too_large", use, text, limit=_written(LIMIT)) from error
        refused = None
        if price is not None and price < 0:
            refused = self._refused("negative_price", "unit_price", unit_price)
        elif count < 0 < original and not is_cancelled:
            refused = self._refused("sign_conflict", "amount", amount)
        elif original and not count:
            refused = self._refused("zero_quantity", "quantity", quantity)
        if refused is not None:
            refused.amount = -abs(original) if is_cancelled else original
            raise refused
        if price is None:
            price = quotient(original.copy_abs(), count.copy_abs() or _ONE)
        canonical = "\0".join(plain_text(number) for number in (count, price, original))
        # What is not nothing may not be stored as nothing.
        stored = at_most_decimals(count, 3) or (_LEAST_QUANTITY.copy_sign(count) if count else count)
        return Money(stored, at_most_decimals(price, 4), original, converted, canonical)

    def _number(self, use: str, text: str, limit: Decimal = LIMIT) -> Decimal:
        try:
            return parse_number(text, decimal_mark=self._mapping.decimal_mark, limit=limit)
        except OverflowError as error:
            raise self._refused("number_too_large", use, text, limit=_written(limit)) from error
        except ValueError as error:
            raise self._refused("bad_number", use, text) from error


def _written(limit: Decimal) -> str:
    return f"{limit:,}"
