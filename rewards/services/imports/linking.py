"""Returns whose sale the file names: each returned line is matched to lines of that sale with the same article."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection

from rewards.models import Purchase
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.orders import OrderDraft
from rewards.services.imports.refused import Params
from rewards.services.returns import ReturnItem


@dataclass(slots=True)
class _SoldLine:
    line_no: int
    sku: str
    left: Decimal


@dataclass(slots=True)
class Links:
    """What linked returns take back, by return number: whose sale it is (None: a guest's), and which of its lines.

    `refused` holds code and parameters of returns that fit no sale.
    """

    owners: dict[str, int | None] = field(default_factory=dict)
    items: dict[str, tuple[ReturnItem, ...]] = field(default_factory=dict)
    refused: dict[str, tuple[str, Params]] = field(default_factory=dict)


def link_returns(
    returns: Sequence[OrderDraft], sales: Iterable[OrderDraft], members: Mapping[str, int], mapping: OrderMapping
) -> Links:
    """Match returns, in order of time, to the sales of the file and to those recorded before.

    Depends on the file and on returns outside of it only, so the same file is matched in the same way again.
    """
    links = Links()
    wanted = {draft.original_order_no for draft in returns}
    if not wanted:
        return links
    recorded = dict(
        Purchase.objects.filter(source=mapping.source, external_order_no__in=wanted).values_list(
            "external_order_no", "member_id"
        )
    )
    owners = {draft.order_no: members.get(draft.member_key) for draft in sales if draft.order_no in wanted} | recorded
    sold = {
        draft.order_no: [_SoldLine(no, line.sku, line.quantity) for no, line in enumerate(draft.lines, 1)]
        for draft in sales
        if draft.order_no in wanted
    } | _recorded_lines(list(recorded), [draft.order_no for draft in returns], mapping.source)
    for draft in returns:
        number = draft.original_order_no
        if number not in owners:
            links.refused[draft.order_no] = ("unknown_order", {"field": "original_order_no", "value": number})
            continue
        links.owners[draft.order_no] = owners[number]
        items, missing = _allocated(draft, sold[number])
        if missing:
            links.refused[draft.order_no] = (
                "line_not_in_order",
                {"field": "sku", "value": missing[0], "order": number},
            )
        else:
            links.items[draft.order_no] = items
    return links


def _allocated(draft: OrderDraft, sold: Sequence[_SoldLine]) -> tuple[tuple[ReturnItem, ...], list[str]]:
    """Return how much of which sold line comes back, first lines first, or the article that can not; note what is left."""
    taken: dict[int, Decimal] = {}
    for line in draft.lines:
        rest = line.quantity
        for candidate in sold:
            part = min(rest, candidate.left - taken.get(candidate.line_no, Decimal(0)))
            if candidate.sku == line.sku and part > 0:
                taken[candidate.line_no] = taken.get(candidate.line_no, Decimal(0)) + part
                rest -= part
        if rest:
            return (), [line.sku]
    for candidate in sold:
        candidate.left -= taken.get(candidate.line_no, Decimal(0))
    return tuple(ReturnItem(number, quantity) for number, quantity in sorted(taken.items())), []


def _recorded_lines(order_nos: Sequence[str], return_nos: Sequence[str], source: str) -> dict[str, list[_SoldLine]]:
    """Return the lines of recorded sales, with what is left of them by returns other than these."""
    lines: dict[str, list[_SoldLine]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.external_order_no, l.line_no, l.sku,
                   l.quantity - coalesce(sum(r.quantity) FILTER (WHERE t.external_return_no <> ALL (%s)), 0)
            FROM rewards_purchase p
            JOIN rewards_purchaseline l ON l.purchase_id = p.id
            LEFT JOIN rewards_returnline r ON r.purchase_line_id = l.id
            LEFT JOIN rewards_purchasereturn t ON t.id = r.purchase_return_id
            WHERE p.source = %s AND p.external_order_no = ANY (%s)
            GROUP BY p.external_order_no, l.id ORDER BY p.external_order_no, l.line_no
            """,
            [list(return_nos), source, list(order_nos)],
        )
        for order_no, line_no, sku, left in cursor.fetchall():
            lines.setdefault(order_no, []).append(_SoldLine(line_no, sku, left))
    return lines
