"""What returns take back, in figures: lines and money, points, credits, promotion points. Any sequence of returns closes exactly.

Shares are differences of `earning.share_of` over the growing returned amount, so the return that completes the order
takes what is left, to the point and to the cent.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from rewards import earning
from rewards.models import LedgerTransaction, Product, Purchase
from rewards.queries import points_in_trace, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services.orders import OrderLine
from rewards.services.quoting import credits_of

_CENT = Decimal("0.01")


class ReturnExceedsOrder(RewardsRefusal):
    """More would come back than was bought."""

    code = "return_exceeds_order"
    text = _("Order %(order_no)s: at most %(left)s can still be returned, not %(asked)s.")


@dataclass(frozen=True, slots=True)
class ReturnItem:
    """So much of one line of the purchase: pieces, or (`amount`, without pieces) money that is paid back for it."""

    line_no: int
    quantity: Decimal
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """A return as its source tells it.

    Linked: `external_order_no` names the purchase; `items` say what came back, or `amount` how much money is paid back
    for the order as a whole (spread over its lines); neither means all that is left.
    Unlinked (no order number): `lines` are what came back, of a member or of nobody.
    """

    source: str
    external_return_no: str
    external_order_no: str | None
    channel_id: int
    store_id: int | None
    returned_at: datetime
    items: tuple[ReturnItem, ...] = ()
    member_id: int | None = None
    lines: tuple[OrderLine, ...] = ()
    amount: Decimal | None = None

    def fingerprint(self) -> bytes:
        """SHA-256 of what the return says."""
        parts = [str(self.external_order_no), str(self.member_id), self.returned_at.astimezone(UTC).isoformat()]
        if self.amount is not None:
            parts.append(f"amount={_plain(self.amount)}")
        parts += [
            f"{item.line_no}={_plain(item.quantity)}" + (f"={_plain(item.amount)}" if item.amount else "")
            for item in self.items
        ]
        parts += [f"{line.sku}={_plain(line.quantity)}={_plain(line.amount)}" for line in self.lines]
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """One line that comes back, with its money. Without pieces (quantity 0) it is money paid back for the line."""

    purchase_line_id: int | None
    sku: str
    name: str
    quantity: Decimal
    amount: Decimal
    earns: bool


@dataclass(slots=True)
class BoughtLine:
    """One line of a purchase, and what came back of it before: pieces, money, and of the money what came without pieces."""

    id: int
    sku: str
    name: str
    quantity: Decimal
    amount: Decimal
    earns: bool
    quantity_before: Decimal
    amount_before: Decimal
    paid_before: Decimal

    @property
    def is_returned(self) -> bool:
        """Nothing of it is left to return."""
        return self.quantity_before >= self.quantity

    @property
    def amount_left(self) -> Decimal:
        """Money that was not paid back yet."""
        return self.amount - self.amount_before

    def money_of(self, quantity: Decimal) -> Decimal:
        """Return the money of so many pieces more: their share of what was not paid back without pieces; the last take the rest."""
        after = self.quantity_before + quantity
        if after == self.quantity:
            return self.amount_left
        until_now = ((self.amount - self.paid_before) * after / self.quantity).quantize(_CENT, ROUND_HALF_UP)
        return min(max(until_now - (self.amount_before - self.paid_before), Decimal(0)), self.amount_left)

    def give_back(self, line: ReturnedLine) -> None:
        """Count what came back."""
        self.quantity_before += line.quantity
        self.amount_before += line.amount
        if not line.quantity:
            self.paid_before += line.amount


@dataclass(frozen=True, slots=True)
class Earned:
    """What a purchase earned in one currency, as its posting says."""

    transaction_id: int | None
    currency_id: int
    points: int
    trace: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CurrencyShare:
    """Points of one currency that a return takes back, and the posting that had earned them."""

    currency_id: int
    points: int
    transaction_id: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """What a return takes back in figures. `points` are those of the default currency, `others` of other ones.

    `part` gives the share of any whole that belongs to the purchase (caps and budgets are freed by it).
    """

    points: int
    credits: int
    uses: tuple[tuple[str, int], ...]
    others: tuple[CurrencyShare, ...] = ()
    part: Callable[[int], int] | None = None


NOTHING = Share(0, 0, ())


def share_of_purchase(
    purchase: Purchase, eligible: Decimal, returned_before: Decimal, earned: Sequence[Earned]
) -> Share:
    """Return what a return of `eligible` takes back, when `returned_before` of the purchase came back earlier.

    `earned` is what the purchase earned, the default currency first.
    """
    if not purchase.eligible_amount or not earned:
        return NOTHING

    def part(whole: int) -> int:
        after = earning.share_of(whole, returned_before + eligible, purchase.eligible_amount)
        return after - earning.share_of(whole, returned_before, purchase.eligible_amount)

    uses = [use for posted in earned for use in uses_in_trace(posted.trace)]
    return Share(
        part(earned[0].points),
        part(credits_of(purchase.eligible_amount, purchase.ordered_at)),
        tuple((ref, part(given)) for ref, given in uses if part(given)),
        tuple(CurrencyShare(one.currency_id, part(one.points), one.transaction_id) for one in earned[1:]),
        part,
    )


def share_of_unknown_sale(eligible: Decimal, moment: datetime) -> Share:
    """Return what an unlinked return takes back: the base points and credits of its amount, never a tier's or promotion's extra."""
    return Share(rule_book().at(moment).points_for(eligible), credits_of(eligible, moment), ())


def share_of_payment(points: int, total: Decimal, returned_before: Decimal, whole_amount: Decimal) -> int:
    """Return how many of the points paid on an order come back with a return of `total`."""
    after = earning.share_of(points, returned_before + total, whole_amount)
    return after - earning.share_of(points, returned_before, whole_amount)


def return_trace(amount: Decimal, points: int, *, unlinked: bool) -> dict[str, Any]:
    """The stored explanation of a return."""
    return {"v": 1, "kind": "return", "amount": str(amount), "points": points, "unlinked": unlinked}


def uses_in_trace(trace: dict[str, Any] | None) -> list[tuple[str, int]]:
    """Return (promotion, points) of a purchase's stored explanation."""
    return [(line[1], line[2]) for line in (trace or {}).get("lines", []) if line[0] == "promotion"]


def earned_in(posted: LedgerTransaction) -> Earned:
    """Return what a posting of a purchase earned."""
    return Earned(posted.pk, posted.currency_id, points_in_trace(posted), posted.trace)


def articles_that_do_not_earn(returns: Iterable[Return]) -> set[str]:
    """Return the article numbers of unlinked returns that the catalogue says earn nothing (postage, fees)."""
    skus = {line.sku for ret in returns if ret.external_order_no is None for line in ret.lines}
    return set(Product.objects.filter(sku__in=skus, earns=False).values_list("sku", flat=True)) if skus else set()


def as_returned(lines: Iterable[OrderLine], not_earning: Container[str]) -> list[ReturnedLine]:
    """Return the lines of an unlinked return as they are recorded."""
    return [
        ReturnedLine(None, line.sku, line.name, line.quantity, line.amount, line.earns and line.sku not in not_earning)
        for line in lines
    ]


def purchase_lines(purchase_ids: Sequence[int]) -> dict[int, dict[int, BoughtLine]]:
    """Return for each purchase its lines by number, with what came back of each so far: one query for all."""
    found: dict[int, dict[int, BoughtLine]] = {pk: {} for pk in purchase_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.purchase_id, l.line_no, l.id, l.sku, l.name, l.quantity, l.amount, l.earns,
                   coalesce(sum(r.quantity), 0), coalesce(sum(r.amount), 0), coalesce(sum(r.amount) FILTER (WHERE r.quantity = 0), 0)
            FROM rewards_purchaseline l LEFT JOIN rewards_returnline r ON r.purchase_line_id = l.id
            WHERE l.purchase_id = ANY (%s) GROUP BY l.id ORDER BY l.purchase_id, l.line_no
            """,
            [list(purchase_ids)],
        )
        for purchase_id, line_no, *rest in cursor.fetchall():
            found[purchase_id][line_no] = BoughtLine(*rest)
    return found


def allocate(lines: dict[int, BoughtLine], ret: Return, order_no: str) -> list[ReturnedLine]:
    """Return the money of each line that comes back; refuse more than was bought."""
    if ret.amount is not None:
        return _spread(lines, ret.amount, order_no)
    items = ret.items or [
        ReturnItem(no, line.quantity - line.quantity_before) for no, line in lines.items() if not line.is_returned
    ]
    if not items or len({item.line_no for item in items}) < len(items):
        raise ReturnExceedsOrder(order_no=order_no, left=0, asked=len(items))
    return [_returned(lines.get(item.line_no), item, order_no) for item in items]


def _returned(line: BoughtLine | None, item: ReturnItem, order_no: str) -> ReturnedLine:
    if line is None or item.quantity > line.quantity - line.quantity_before:
        left = line.quantity - line.quantity_before if line else Decimal(0)
        raise ReturnExceedsOrder(order_no=order_no, left=_plain(left), asked=_plain(item.quantity))
    amount = line.money_of(item.quantity) if item.amount is None else item.amount
    if amount > line.amount_left:
        raise ReturnExceedsOrder(order_no=order_no, left=_plain(line.amount_left), asked=_plain(amount))
    return ReturnedLine(line.id, line.sku, line.name, item.quantity, amount, line.earns)


def _spread(lines: dict[int, BoughtLine], amount: Decimal, order_no: str) -> list[ReturnedLine]:
    """Spread money that is paid back for an order over its lines, by what is left of each; the last line takes the rest."""
    open_lines = [line for line in lines.values() if line.amount_left]
    left = sum((line.amount_left for line in open_lines), Decimal(0))
    if not 0 < amount <= left:
        raise ReturnExceedsOrder(order_no=order_no, left=_plain(left), asked=_plain(amount))
    returned, seen, given = [], Decimal(0), Decimal(0)
    for line in open_lines:
        seen += line.amount_left
        part = (amount * seen / left).quantize(_CENT, ROUND_HALF_UP) - given
        given += part
        if part:
            returned.append(ReturnedLine(line.id, line.sku, line.name, Decimal(0), part, line.earns))
    return returned


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
