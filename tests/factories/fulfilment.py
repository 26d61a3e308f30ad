"""Orders of rewards as they stand in the middle of their way."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from members.models import Member
from rewards.models import Redemption, RedemptionEvent, RedemptionState, Reward
from tests.factories.catalogue import a_reward
from tests.factories.people import a_member

_numbers = count(1)


def a_gift(name: str = "Cup", price_points: int = 30, **changes: Any) -> Reward:
    """Return a gift that is sent by post."""
    return a_reward(
        price_points, **{"name": name, "kind": Reward.Kind.GIFT, "template": None, "by_post": True, **changes}
    )


def an_order(
    *,
    at: datetime,
    reward: Reward | None = None,
    member: Member | None = None,
    state: str = RedemptionState.PLACED,
    **more: Any,
) -> Redemption:
    """Return an order that was placed then and is due three days later, without the points that paid for it."""
    number = next(_numbers)
    order = Redemption.objects.create(
        member=member or a_member(), request_id=f"order-{number}", reward=reward or a_gift(), number=number, price_points=30,
        redeemed_at=at, state_at=at,
        **{"state": state, "delivery": Redemption.Delivery.POST, "due_at": at + timedelta(days=3), **more},
    )  # fmt: skip
    RedemptionEvent.objects.create(
        redemption=order, from_state="", to_state=RedemptionState.PLACED, actor_kind="member", actor_id=order.member_id,
        happened_at=at,
    )  # fmt: skip
    return order


def a_pickup(store: Any, *, at: datetime, **more: Any) -> Redemption:
    """Return an order that is picked up in a store."""
    number = next(_numbers)
    return an_order(
        at=at, **{"delivery": Redemption.Delivery.STORE, "store": store, "pickup_hmac": number.to_bytes(32, "big"), **more}
    )  # fmt: skip
