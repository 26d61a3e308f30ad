"""Move vouchers from state to state, each with its event. Whoever moves them has locked them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from members.actors import Actor
from rewards.models import Voucher, VoucherEvent

NOT_HELD: Final[dict[str, Any]] = {"held_until": None, "held_ref": None}
NOT_USED: Final[dict[str, Any]] = {"used_at": None, "used_source": "", "used_order_no": "", "used_off_amount": None}
HOLD_OVER: Final = "hold_over"


def move_vouchers(
    vouchers: Sequence[Voucher],
    to_state: Voucher.State,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    store_id: int | None = None,
    order_no: str = "",
    changed: Sequence[str] = (),
    **fields: Any,
) -> None:
    """Write a new state, with `fields` that go with it, and an event for each: two statements.

    `changed` are fields that the caller has set already, on each its own.
    """
    if not vouchers:
        return
    done = [
        VoucherEvent(
            voucher=voucher, from_state=voucher.state, to_state=to_state, store_id=store_id, external_order_no=order_no,
            reason=reason, actor_kind=by.kind, actor_id=by.id, happened_at=at,
        )
        for voucher in vouchers
    ]  # fmt: skip
    for voucher in vouchers:
        voucher.state = to_state
        for name, value in fields.items():
            setattr(voucher, name, value)
    Voucher.objects.bulk_update(vouchers, ["state", *fields, *changed])
    VoucherEvent.objects.bulk_create(done)


def end_lapsed_holds(vouchers: Sequence[Voucher], *, at: datetime, by: Actor) -> None:
    """Note for those of some vouchers that were held, or offered to a friend, past the end of it that they are free again."""
    lapsed = [
        voucher
        for voucher in vouchers
        if voucher.state in (Voucher.State.HELD, Voucher.State.OFFERED) and not voucher.is_held(at)
    ]
    move_vouchers(lapsed, Voucher.State.ISSUED, by=by, at=at, reason=HOLD_OVER, **NOT_HELD)
