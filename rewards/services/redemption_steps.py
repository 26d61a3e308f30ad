"""The steps of an order of a reward: each moves the state by a guarded statement, with its event and what the timeline tells."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from rewards.events_redemptions import redemption_moved
from rewards.models import FlashSale, Redemption, RedemptionEvent, RedemptionState, Reward
from rewards.refusals import RewardsRefusal
from rewards.services.orders import hold_bearer


class RedemptionStateConflict(RewardsRefusal):
    """The order stands elsewhere than where this step begins."""

    code = "redemption_state_conflict"
    text = _("This order is: %(state)s. That can not be done with it.")

    def __init__(self, redemption: Redemption) -> None:
        super().__init__(state=str(redemption.get_state_display()))


def locked(redemption_id: int) -> tuple[Redemption, int]:
    """Return an order, locked until the end of the transaction, and to whom its points belong (who was merged: the survivor).

    The member first: an erasure ends what is open of a member whom it has locked. Raises Redemption.DoesNotExist.
    """
    member_id = Redemption.objects.values_list("member_id", flat=True).get(pk=redemption_id)
    bearer_id = hold_bearer(member_id)
    orders = Redemption.objects.select_for_update(no_key=True, of=("self",)).select_related("reward")
    return orders.get(pk=redemption_id), bearer_id


def take_step(
    redemption: Redemption, to_state: RedemptionState, *, by: Actor, at: datetime, reason: str = "", store_id: int | None = None,
    points: int = 0, household: int = 0, columns: Mapping[str, Any] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Move a locked order to a state, with its event and the timeline; `columns` are changed with it."""
    before = redemption.state
    moved = Redemption.objects.filter(pk=redemption.pk, state=before).update(state=to_state, state_at=at, **columns)
    if not moved:
        raise RedemptionStateConflict(redemption)
    RedemptionEvent.objects.create(
        redemption=redemption, from_state=before, to_state=to_state, reason=reason[:200], store_id=store_id, actor_kind=by.kind,
        actor_id=by.id, happened_at=at,
    )  # fmt: skip
    for name, value in {"state": to_state, "state_at": at, **columns}.items():
        setattr(redemption, name, value)
    timeline.record([
        redemption_moved(
            redemption_id=redemption.pk, reward_id=redemption.reward_id, member_id=redemption.member_id, to_state=to_state,
            points=points, household=household, store_id=store_id, happened_at=at, by=by,
        )
    ])  # fmt: skip


def note_refund(*, transaction_id: int, refund_id: int, points: int, by: Actor, at: datetime, reason: str = "") -> None:
    """Note that the points of an order came back by another way (a correction, a partner's no); nothing where there is none."""
    redemption_id = Redemption.objects.filter(transaction=transaction_id).values_list("pk", flat=True).first()
    if redemption_id is None:
        return
    redemption, _bearer_id = locked(redemption_id)
    if redemption.refund_id is None:
        take_step(
            redemption,
            RedemptionState.REFUNDED,
            by=by,
            at=at,
            reason=reason,
            points=points,
            columns={"refund_id": refund_id},
        )
        put_back(redemption, at)


def put_back(redemption: Redemption, at: datetime) -> None:
    """Put the piece of an order back where it was taken from: the sale while it runs, else the reward's stock. Last of all."""
    sales = FlashSale.objects.filter(pk=redemption.sale_id or 0, stock__isnull=False)
    if sales.filter(ends_at__gt=at).update(stock=F("stock") + 1):
        return
    Reward.objects.filter(pk=redemption.reward_id, stock__isnull=False).update(stock=F("stock") + 1)
