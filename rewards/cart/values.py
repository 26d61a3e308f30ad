"""The values with which vouchers are chosen for a cart. Money has two decimal places, in the programme's currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

Label = dict[str, str]

NOTHING: Final = Decimal("0.00")
ALONE, ONE_OF_CLASS, FREE = "alone", "class", "free"
MONEY_KINDS: Final = frozenset({"amount", "threshold", "percent"})


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of a cart. `amount` is what is paid for it before vouchers; `category_ids`: its category and those above it."""

    line_no: int
    sku: str
    quantity: Decimal
    amount: Decimal
    category_ids: tuple[int, ...] = ()
    brand: str = ""
    is_discountable: bool = True


@dataclass(frozen=True, slots=True)
class Cart:
    """What is to be paid, where and when. `local` is the moment in the programme's zone."""

    lines: tuple[CartLine, ...]
    store_id: int | None
    channel_id: int
    local: datetime
    shipping_amount: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class VoucherTerms:
    """A voucher with what it gives and when it may be used. Empty lists: everywhere, always, all goods."""

    voucher_id: int
    public_id: UUID
    label: Label
    kind: str
    valid_from: datetime
    expires_at: datetime
    off_amount: Decimal | None = None
    off_percent: Decimal | None = None
    cap_amount: Decimal | None = None
    min_spend_amount: Decimal = NOTHING
    most_times: int = 1
    multiplier: Decimal | None = None
    gift: Label | None = None
    store_ids: tuple[int, ...] = ()
    channel_ids: tuple[int, ...] = ()
    category_ids: tuple[int, ...] = ()
    skus: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    hours_from: int | None = None
    hours_to: int | None = None
    stacking: str = ALONE
    stacking_class: str = ""
    priority: int = 0
    held_until: datetime | None = None
    template_id: int = 0
    day_limit: int | None = None
    used_today: int = 0

    @property
    def is_money(self) -> bool:
        """Whether it takes money off goods."""
        return self.kind in MONEY_KINDS

    @property
    def left_today(self) -> int | None:
        """How many of its template the member may still use today; None: without limit."""
        return None if self.day_limit is None else max(self.day_limit - self.used_today, 0)

    @property
    def likeness(self) -> tuple[object, ...]:
        """What two vouchers of the same worth and terms have in common."""
        return (
            self.kind, self.off_amount, self.off_percent, self.cap_amount, self.min_spend_amount, self.most_times,
            self.multiplier, tuple(sorted((self.gift or {}).items())), self.category_ids, self.skus, self.stacking,
            self.stacking_class, self.priority, self.template_id if self.day_limit is not None else 0,
        )  # fmt: skip

    @property
    def rank(self) -> tuple[int, datetime, int]:
        """The order of vouchers that give the same: higher priority, then the one that ends first."""
        return (-self.priority, self.expires_at, self.voucher_id)


@dataclass(frozen=True, slots=True)
class VoucherUse:
    """What a voucher gives in a set. `shares`: what is taken off each line, by its number; they add up to `off_amount`."""

    voucher_id: int
    off_amount: Decimal = NOTHING
    shares: Mapping[int, Decimal] | None = None
    frees_shipping: bool = False
    gift: Label | None = None
    multiplier: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VoucherNotUsed:
    """Why a voucher is not in the set: a code with its figures, as they may be stored."""

    voucher_id: int
    code: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VoucherSet:
    """The vouchers to use, in the order in which they take off, and why the others are not.

    `off_amount` is off the goods; `shipping_off_amount` off the shipping. `is_exact` is off where there were too many
    combinations to look at each; then no better set is promised.
    """

    used: tuple[VoucherUse, ...]
    not_used: tuple[VoucherNotUsed, ...]
    off_amount: Decimal
    shipping_off_amount: Decimal = NOTHING
    is_exact: bool = True
