"""The first half of recording a purchase: one call that writes it, locks its member's account and reads what is needed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from loyalty.assessment import Standing
from loyalty.floors import FloorSpan
from rewards import ledger
from rewards.earning import CapKey, CapUsage, Period
from rewards.services.orders import Order
from rewards.services.quoting import LineGoods


@dataclass(frozen=True, slots=True)
class OpenedPurchase:
    """A purchase that is new, the goods of its lines, and its member as she is under the lock of her account.

    `bearer_id` is the member to whom it is posted: another one than told where that one was merged into it.
    """

    id: int
    public_id: UUID
    goods: tuple[LineGoods, ...]
    member_no: str
    status: str
    standing: Standing | None
    floor: FloorSpan
    cap_used: Mapping[CapKey, CapUsage]
    bearer_id: int | None


def open_purchase(order: Order, *, cap_keys: Sequence[CapKey] = ()) -> OpenedPurchase | None:
    """Insert a purchase with its lines and lock its member's account; None when its number is known (after one in flight)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM rewards_open_purchase(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::smallint, %s::text[], %s::text[], "
            "%s::numeric[], %s::numeric[], %s::numeric[], %s::boolean[], %s::bigint[], %s::smallint[], %s::smallint[], %s::date[])",
            [
                order.source, order.external_order_no, order.fingerprint(), order.member_id, order.channel_id, order.store_id,
                order.ordered_at, order.original_currency, order.original_amount, order.exchange_rate, ledger.currency_id(),
                [line.sku for line in order.lines], [line.name for line in order.lines],
                [line.quantity for line in order.lines], [line.unit_price for line in order.lines],
                [line.amount for line in order.lines], [line.earns for line in order.lines],
                [key.rule_id for key in cap_keys], [key.currency_id for key in cap_keys],
                [int(key.period) for key in cap_keys], [key.start for key in cap_keys],
            ],
        )  # fmt: skip
        pk, public_id, earns, categories, brands, member_no, status, *found, cap_used, bearer_id = cursor.fetchone()
    if pk is None:
        return None
    return OpenedPurchase(
        pk, public_id, _goods(order, earns, categories, brands), member_no or "", status or "",
        Standing(*found[:3]) if found[0] is not None else None, FloorSpan(*found[3:]), _cap_usage(cap_used), bearer_id,
    )  # fmt: skip


def _cap_usage(stored: str | None) -> dict[CapKey, CapUsage]:
    return {
        CapKey(rule_id, currency_id, Period(period), date.fromisoformat(start)): CapUsage(used, times)
        for rule_id, currency_id, period, start, used, times in (json.loads(stored) if stored else ())
    }


def _goods(
    order: Order, earns: Sequence[bool], categories: Sequence[int | None], brands: Sequence[str]
) -> tuple[LineGoods, ...]:
    if not order.lines:
        return ()
    return tuple(LineGoods(*known) for known in zip(earns, categories, brands, strict=True))
