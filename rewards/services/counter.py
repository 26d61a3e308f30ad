"""What is handed over a counter without the app: one code, whatever it is of, and taking it back within minutes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from rewards.models import Redemption, RedemptionState, Voucher
from rewards.refusals import RewardsRefusal
from rewards.services.fulfilment import PickupNotFound, complete_pickup
from rewards.services.redemption_steps import RedemptionStateConflict, locked, take_step
from rewards.services.voucher_refusals import VoucherNotUsable
from rewards.services.vouchers import UNDO_FOR, undo_voucher_use, use_voucher, voucher_code


class CodeNotKnown(RewardsRefusal):
    """Neither a voucher nor an order to be picked up has this code. One answer for every wrong code."""

    code = "voucher_not_usable"
    text = _("No voucher and nothing to be picked up has this code.")


class HandedOverElsewhere(RewardsRefusal):
    """It was handed over in another store, or not at all."""

    code = "wrong_store"
    text = _("This was not handed over in this store.")


class HandedOverTooLongAgo(RewardsRefusal):
    """What was handed over can be taken back for some minutes only."""

    code = "undo_too_late"
    text = _("What was handed over can be taken back for %(minutes)s minutes.")


@dataclass(frozen=True, slots=True)
class Served:
    """What a code gave: a voucher that was used, or an order that was handed over. `off_amount` None: no sum is known."""

    voucher: Voucher | None = None
    redemption: Redemption | None = None
    off_amount: Decimal | None = None
    again: bool = False


def serve(*, code: str, store_id: int, order_no: str, spend_amount: Decimal | None, by: Actor, at: datetime) -> Served:
    """Use the voucher or hand over the order that a code is of. The same code with the same order again: the first answer.

    Raises CodeNotKnown, and what `use_voucher` and `complete_pickup` raise.
    """
    try:
        receipt = use_voucher(
            code=code, store_id=store_id, external_order_no=order_no, spend_amount=spend_amount, by=by, at=at, source="counter"
        )  # fmt: skip
    except VoucherNotUsable:
        pass
    else:
        return Served(voucher=receipt.voucher, off_amount=receipt.off_amount, again=receipt.already_used_here)
    try:
        redemption, again = complete_pickup(code=code, store_id=store_id, by=by, at=at)
    except PickupNotFound as unknown:
        raise CodeNotKnown from unknown
    return Served(redemption=redemption, again=again)


def take_voucher_back(*, voucher_id: int, store_id: int, by: Actor, at: datetime) -> Voucher:
    """Take back the use of a voucher at this counter. Raises NotFound, and what `undo_voucher_use` raises."""
    voucher = Voucher.objects.filter(pk=voucher_id).first()
    last = voucher.events.filter(to_state=Voucher.State.USED).order_by("-id").first() if voucher else None
    if voucher is None or last is None:
        raise NotFound
    code = voucher_code(voucher.public_id)
    return undo_voucher_use(
        code=code, store_id=store_id, external_order_no=last.external_order_no, by=by, at=at
    ).voucher


@transaction.atomic
def take_pickup_back(*, redemption_id: int, store_id: int, by: Actor, at: datetime) -> Redemption:
    """Take back that an order was handed over at this counter, within five minutes; told again, nothing changes.

    Raises NotFound, HandedOverElsewhere, HandedOverTooLongAgo, RedemptionStateConflict.
    """
    try:
        redemption, _bearer_id = locked(redemption_id)
    except Redemption.DoesNotExist as unknown:
        raise NotFound from unknown
    last = redemption.events.filter(to_state=RedemptionState.DONE).order_by("-id").first()
    if last is None or last.store_id != store_id:
        raise HandedOverElsewhere
    if redemption.state == RedemptionState.READY:
        return redemption
    if redemption.state != RedemptionState.DONE or last.from_state != RedemptionState.READY:
        raise RedemptionStateConflict(redemption)
    if at >= last.happened_at + UNDO_FOR:
        raise HandedOverTooLongAgo(minutes=int(UNDO_FOR.total_seconds() // 60))
    take_step(redemption, RedemptionState.READY, by=by, at=at, reason="undone", store_id=store_id)
    return redemption
