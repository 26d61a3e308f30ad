"""Orders read from a file and not yet posted: sales, returns, their lines, and the report about them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, Self

from rewards.services.imports.refused import Rejected

_NOTHING = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line of an order. Quantities are above 0 with at most three decimals, amounts are not negative."""

    line_no: int
    sku: str
    description: str
    category: str
    quantity: Decimal
    unit_price: Decimal
    """In the currency of the file, at most four decimals; without a price in the file the amount by the quantity."""
    amount: Decimal
    """In the programme's currency, two decimals."""
    original_amount: Decimal
    """In the currency of the file, two decimals."""
    earns: bool
    row_no: int


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """One sale or return. `rate` is the programme's currency for 1 unit of `currency`; a guest has no member key.

    `content_hash` covers what the file says of money, member, time and goods, but not texts, constants of the mapping,
    rates and shifts: it is the same when the file is read again with other ones.
    """

    kind: Literal["sale", "return"]
    order_no: str
    member_key: str
    ordered_at: datetime
    store_code: str
    currency: str
    rate: Decimal
    lines: tuple[DraftLine, ...]
    original_order_no: str
    content_hash: bytes
    generated_no: bool

    @property
    def total_amount(self) -> Decimal:
        """Return the sum of the lines in the programme's currency."""
        return sum((line.amount for line in self.lines), _NOTHING)

    @property
    def total_original_amount(self) -> Decimal:
        """Return the sum of the lines in the currency of the file."""
        return sum((line.original_amount for line in self.lines), _NOTHING)


@dataclass(frozen=True, slots=True)
class DraftReport:
    """All orders of a file by time and number, all refused rows by row, and what was counted.

    Sums named `original` are in the file's own amounts (of all currencies together); the others in the programme's.
    """

    drafts: list[OrderDraft]
    rejected: list[Rejected]
    rows_read: int
    """Rows with any text in them, also ignored and refused ones."""
    rows_ignored: int
    """Rows that the filter passed over."""
    rows_empty: int
    """Rows of orders that hold no line: corrections of stock without money, or neither quantity nor amount."""
    sales: int
    returns: int
    lines: int
    sale_amount: Decimal
    return_amount: Decimal
    sale_original: Decimal
    return_original: Decimal
    rejected_original: Decimal
    """What refused rows count, as far as their amounts can be read."""
    file_original: Decimal
    """What all rows count, added up as they were read."""

    @property
    def orders(self) -> int:
        """Return the number of drafts, sales and returns."""
        return self.sales + self.returns

    @property
    def first_at(self) -> datetime | None:
        """Return the time of the first order."""
        return self.drafts[0].ordered_at if self.drafts else None

    @property
    def last_at(self) -> datetime | None:
        """Return the time of the last order."""
        return self.drafts[-1].ordered_at if self.drafts else None

    def moved(self, shift: timedelta) -> Self:
        """Return the report with all orders moved in time, everything else unchanged."""
        return replace(self, drafts=[replace(draft, ordered_at=draft.ordered_at + shift) for draft in self.drafts])
