"""What rewards tells upward of orders of rewards after they were placed. Ids and numbers only."""

from datetime import datetime
from typing import Any, Final

from members.actors import Actor
from members.timeline import NewEntry
from rewards.models import RedemptionState

REDEMPTION_PREPARING: Final = "rewards.redemption_preparing.v1"
REDEMPTION_SHIPPED: Final = "rewards.redemption_shipped.v1"
REDEMPTION_READY: Final = "rewards.redemption_ready.v1"
REDEMPTION_DONE: Final = "rewards.redemption_done.v1"
REDEMPTION_CANCELLED: Final = "rewards.redemption_cancelled.v1"
REDEMPTION_REFUNDED: Final = "rewards.redemption_refunded.v1"
#: What is told of each state an order moves to.
KINDS: Final = {
    RedemptionState.PREPARING: REDEMPTION_PREPARING,
    RedemptionState.SHIPPED: REDEMPTION_SHIPPED,
    RedemptionState.READY: REDEMPTION_READY,
    RedemptionState.DONE: REDEMPTION_DONE,
    RedemptionState.CANCELLED: REDEMPTION_CANCELLED,
    RedemptionState.REFUNDED: REDEMPTION_REFUNDED,
}


def redemption_moved(
    *, redemption_id: int, reward_id: int, member_id: int, to_state: str, points: int = 0, household: int = 0,
    store_id: int | None = None, happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """An order of a reward moved on. `points` came back to who had paid, `household` of them to others than the member."""
    payload: dict[str, Any] = {"redemption": redemption_id, "reward": reward_id}
    payload |= {"points": points} if points else {}
    payload |= {"household": household} if household else {}
    payload |= {"store": store_id} if store_id is not None else {}
    kind = KINDS[RedemptionState(to_state)]
    return NewEntry(kind, member_id, happened_at, by, payload, f"redemption:{redemption_id}")
