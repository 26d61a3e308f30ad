"""What the till tells the timeline: orders that were voided. What a hold sets aside is told by its parts."""

from datetime import datetime
from typing import Final

from members.actors import Actor
from members.timeline import NewEntry

ORDER_VOIDED: Final = "rewards.order_voided.v1"


def order_voided(
    *, purchase_id: int, return_id: int, member_id: int | None, store_id: int | None, order_no: str, happened_at: datetime,
    by: Actor,
) -> NewEntry:  # fmt: skip
    """An order was undone as a whole on its own day; the return that took everything back tells its figures."""
    payload = {"purchase": purchase_id, "return": return_id, "store": store_id, "order_no": order_no}
    return NewEntry(ORDER_VOIDED, member_id, happened_at, by, payload, f"purchase:{purchase_id}")
