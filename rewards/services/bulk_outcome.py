"""What the two ways of bulk posting share: the outcome, the order of facts, members who are refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rewards.refusals import RewardsRefusal
from rewards.services import bulk_rows
from rewards.services.orders import Order, check_active
from rewards.services.return_shares import Return


@dataclass(slots=True)
class BulkOutcome:
    """What a call did. `refused` names (number, reason) of what was not recorded; those rows changed nothing."""

    orders_new: int = 0
    orders_known: int = 0
    returns_new: int = 0
    returns_known: int = 0
    points: int = 0
    refused: list[tuple[str, RewardsRefusal]] = field(default_factory=list)


def in_order(orders: Iterable[Order], returns: Iterable[Return]) -> list[Order | Return]:
    """Return facts in order of time; at the same moment sales come before returns, then by number.

    A return that is dated before its sale (a date without a time, a wrong clock) comes right after it.
    """
    placed: list[tuple[datetime, str, Order | Return]] = []
    sold_at: dict[tuple[str, str], datetime] = {}
    for order in orders:
        sold_at[order.source, order.external_order_no] = order.ordered_at
        placed.append((order.ordered_at, f"0{order.external_order_no}", order))
    for ret in returns:
        sold = sold_at.get((ret.source, ret.external_order_no or ""), ret.returned_at)
        placed.append((max(ret.returned_at, sold), f"1{ret.external_return_no}", ret))
    return [fact for *_, fact in sorted(placed, key=lambda item: item[:2])]


def without_refused_members(orders: Sequence[Order], outcome: BulkOutcome) -> list[Order]:
    """Return the orders of nobody and of active members; those of others are refused."""
    refused: dict[int, RewardsRefusal] = {}
    for pk, member_no, status in bulk_rows.hold_statuses({order.member_id for order in orders if order.member_id}):
        try:
            check_active(member_no, status)
        except RewardsRefusal as refusal:
            refused[pk] = refusal
    kept = []
    for order in orders:
        if order.member_id in refused:
            outcome.refused.append((order.external_order_no, refused[order.member_id]))
        else:
            kept.append(order)
    return kept
