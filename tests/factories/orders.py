"""Orders and returns as a shop tells them."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from members.models import Member
from rewards.services.purchases import Order, OrderLine
from rewards.services.returns import Return, ReturnItem
from tests.factories.people import a_channel
from tests.factories.times import at

NOON = at("2026-03-14 12:00")  # a Saturday
_numbers = count(1)


def a_line(amount: str = "50.00", *, quantity: str = "1", sku: str = "LATTE", earns: bool = True) -> OrderLine:
    """Return a line of an order; `amount` is that of the whole line."""
    total, pieces = Decimal(amount), Decimal(quantity)
    return OrderLine(sku, sku.title(), pieces, (total / pieces).quantize(Decimal("0.0001")), total, earns)


def an_order(
    member: Member | None,
    amount: str = "50.00",
    *,
    number: str = "",
    lines: tuple[OrderLine, ...] = (),
    ordered_at: datetime = NOON,
    store_id: int | None = None,
    payer: bytes | None = None,
) -> Order:
    """Return an order of one line, or of the given ones, under a number of its own unless one is given."""
    return Order(
        source="shop",
        external_order_no=number or f"S-{next(_numbers):05}",
        member_id=member.pk if member else None,
        channel_id=a_channel().pk,
        store_id=store_id,
        ordered_at=ordered_at,
        lines=lines or (a_line(amount),),
        payer=payer,
    )


def a_return(order: Order, *items: tuple[int, str], number: str = "", returned_at: datetime | None = None) -> Return:
    """Return what comes back of an order: (line, quantity) each, or all that is left; a day later unless told otherwise."""
    return Return(
        source=order.source,
        external_return_no=number or f"R-{next(_numbers):05}",
        external_order_no=order.external_order_no,
        channel_id=order.channel_id,
        store_id=order.store_id,
        returned_at=returned_at or order.ordered_at + timedelta(days=1),
        items=tuple(ReturnItem(line_no, Decimal(quantity)) for line_no, quantity in items),
    )


def a_return_of_an_unknown_sale(
    member: Member | None, amount: str = "50.00", *, number: str = "", returned_at: datetime = NOON
) -> Return:
    """Return goods that come back without a receipt."""
    return Return(
        source="shop",
        external_return_no=number or f"R-{next(_numbers):05}",
        external_order_no=None,
        channel_id=a_channel().pk,
        store_id=None,
        returned_at=returned_at,
        member_id=member.pk if member else None,
        lines=(a_line(amount),),
    )
