"""What waits to be sent and handed over: orders of rewards by where they stand. For lists, the home page and papers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, Q, QuerySet

from rewards.models import Redemption, RedemptionState

#: Not sent off or made ready yet.
OPEN: Final = (RedemptionState.PLACED, RedemptionState.PREPARING)
_TO_POST: Final = Q(state__in=OPEN, delivery=Redemption.Delivery.POST)
_TO_STORE: Final = Q(state__in=OPEN, delivery=Redemption.Delivery.STORE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many orders wait: to be sent, those of them that are late, to be made ready in a store, and to be picked up."""

    to_send: int
    late: int
    to_make_ready: int
    to_pick_up: int


def to_send() -> QuerySet[Redemption]:
    """Return the orders that wait to be sent, along the partial index of what is to be fulfilled."""
    return Redemption.objects.filter(_TO_POST)


def to_make_ready() -> QuerySet[Redemption]:
    """Return the orders that a store is to put aside."""
    return Redemption.objects.filter(_TO_STORE)


def to_pick_up() -> QuerySet[Redemption]:
    """Return the orders that wait in a store for their members."""
    return Redemption.objects.filter(state=RedemptionState.READY)


def is_late(order: Redemption, at: datetime) -> bool:
    """Whether an order should have been sent or made ready by now."""
    return order.state in OPEN and order.due_at is not None and order.due_at <= at


def waiting(at: datetime, *, store_ids: Collection[int] | None = None) -> Waiting:
    """Return what waits, in all or for some stores: two queries, each along its partial index.

    Parcels leave no store, so those who see some stores only have none to send.
    """
    orders = Redemption.objects.all() if store_ids is None else Redemption.objects.filter(store__in=store_ids)
    counted = orders.filter(state__in=OPEN).aggregate(
        to_send=Count("pk", filter=_TO_POST),
        late=Count("pk", filter=_TO_POST & Q(due_at__lte=at)),
        to_make_ready=Count("pk", filter=_TO_STORE),
    )
    return Waiting(**counted, to_pick_up=orders.filter(state=RedemptionState.READY).count())
