"""What rewards tells upward of vouchers besides their use and their end. Ids and numbers only."""

from datetime import datetime
from uuid import UUID

from members.actors import Actor
from members.timeline import NewEntry

VOUCHER_ISSUED = "rewards.voucher_issued.v1"
VOUCHER_HELD = "rewards.voucher_held.v1"
VOUCHER_RELEASED = "rewards.voucher_released.v1"
VOUCHER_USE_UNDONE = "rewards.voucher_use_undone.v1"
VOUCHER_GIVEN_BACK = "rewards.voucher_given_back.v1"
VOUCHERS_LEFT_OUT = "rewards.vouchers_left_out.v1"


def voucher_issued(
    *,
    voucher_id: int,
    template_id: int,
    member_id: int,
    origin: str,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A member got a voucher."""
    payload = {"voucher": voucher_id, "template": template_id, "origin": origin}
    return NewEntry(VOUCHER_ISSUED, member_id, happened_at, by, payload, f"voucher:{voucher_id}")


def voucher_held(
    *, voucher_id: int, member_id: int, ref: UUID, until: datetime, happened_at: datetime, by: Actor
) -> NewEntry:
    """A voucher is held for an order until a moment."""
    payload = {"voucher": voucher_id, "hold": str(ref), "until": until.isoformat()}
    return NewEntry(VOUCHER_HELD, member_id, happened_at, by, payload, f"voucher:{voucher_id}")


def voucher_released(*, voucher_id: int, member_id: int, expired: bool, happened_at: datetime, by: Actor) -> NewEntry:
    """A voucher that was held, or offered to a friend, may be used again; `expired`: because that had reached its end."""
    payload = {"voucher": voucher_id, "expired": expired}
    return NewEntry(VOUCHER_RELEASED, member_id, happened_at, by, payload, f"voucher:{voucher_id}")


def voucher_use_undone(
    *,
    voucher_id: int,
    template_id: int,
    member_id: int,
    store_id: int | None,
    order_no: str,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """The till took the use of a voucher back."""
    payload = {"voucher": voucher_id, "template": template_id, "store": store_id, "order_no": order_no}
    return NewEntry(VOUCHER_USE_UNDONE, member_id, happened_at, by, payload, f"voucher:{voucher_id}")


def voucher_given_back(
    *,
    voucher_id: int,
    template_id: int,
    member_id: int,
    store_id: int | None,
    order_no: str,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """The order for which a voucher was used, in a store, was voided or wholly returned; the member has the voucher again."""
    payload = {"voucher": voucher_id, "template": template_id, "store": store_id, "order_no": order_no}
    return NewEntry(VOUCHER_GIVEN_BACK, member_id, happened_at, by, payload, f"voucher:{voucher_id}")


def vouchers_left_out(
    *, template_id: int, member_id: int, entitlement_id: int, vouchers: int, most: int, happened_at: datetime, by: Actor
) -> NewEntry:
    """A member did not get so many vouchers that a benefit promised: they hold `most` unused ones, which is all one may."""
    payload = {"template": template_id, "entitlement": entitlement_id, "vouchers": vouchers, "most": most}
    return NewEntry(VOUCHERS_LEFT_OUT, member_id, happened_at, by, payload, f"voucher_template:{template_id}")
