"""What rules ask about a member's other orders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from rewards.earning import Needs


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """Whether an order is the member's first, and how many orders, it among them, he made within spans of days before it."""

    is_first_order: bool = False
    orders_in: Mapping[int, int] = field(default_factory=dict)


def missing_facts(*, needs: Needs, member_id: int, purchase_id: int, ordered_at: datetime) -> OrderFacts:
    """Return what rules ask about the member's other orders: one statement, none when they ask nothing.

    An order is the first when no other one is recorded, orders that came back wholly left out: one first-order bonus,
    whatever the order in which purchases arrive, and again after everything was returned.
    """
    if not needs.first_order and not needs.order_days:
        return OrderFacts()
    days = sorted(needs.order_days)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT %s AND NOT EXISTS (
                       SELECT FROM rewards_purchase p WHERE p.member_id = ANY (members_family(%s)) AND p.id <> %s AND NOT EXISTS (
                           SELECT FROM rewards_purchasereturn r WHERE r.purchase_id = p.id
                           HAVING sum(r.total_amount) >= p.total_amount)),
                   ARRAY (
                       SELECT 1 + (SELECT count(*) FROM rewards_purchase p
                           WHERE p.member_id = ANY (members_family(%s)) AND p.id <> %s AND p.ordered_at <= %s
                               AND p.ordered_at > %s::timestamptz - make_interval(hours => 24 * span))
                       FROM unnest(%s::int[]) WITH ORDINALITY AS s (span, n) ORDER BY n)
            """,
            [needs.first_order, member_id, purchase_id, member_id, purchase_id, ordered_at, ordered_at, days],
        )
        is_first, counts = cursor.fetchone()
    return OrderFacts(is_first, dict(zip(days, counts, strict=True)))
