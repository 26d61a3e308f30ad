"""What rewards tells upward: facts for the timeline. Ids and numbers only; money as decimal strings."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from members.actors import Actor
from members.timeline import NewEntry


def purchase_recorded(
    *, purchase_id: int, member_id: int | None, store_id: int | None, channel_id: int, amount: Decimal, points: int,
    pending: bool, credits: int, order_no: str, happened_at: datetime, by: Actor, quiet: bool = False,
) -> NewEntry:  # fmt: skip
    """A purchase was recorded, with what it earned (0 for people who are not members)."""
    payload = {
        "purchase": purchase_id, "store": store_id, "channel": channel_id, "amount": str(amount), "points": points,
        "pending": pending, "credits": credits, "order_no": order_no,
    }  # fmt: skip
    return _entry("rewards.purchase_recorded.v1", member_id, happened_at, by, payload, quiet, f"purchase:{purchase_id}")


def return_recorded(
    *, return_id: int, purchase_id: int | None, member_id: int | None, store_id: int | None, amount: Decimal, points: int,
    arrears: int, credits: int, return_no: str, happened_at: datetime, by: Actor, quiet: bool = False,
) -> NewEntry:  # fmt: skip
    """Goods came back. `points` is how much less the member has in all; `arrears` the part of it that is owed."""
    payload = {
        "return": return_id, "purchase": purchase_id, "store": store_id, "amount": str(amount), "points": points,
        "arrears": arrears, "credits": credits, "return_no": return_no,
    }  # fmt: skip
    return _entry("rewards.return_recorded.v1", member_id, happened_at, by, payload, quiet, f"return:{return_id}")


def points_expired(*, member_id: int, points: int, lots: int, happened_at: datetime, by: Actor) -> NewEntry:
    """Lots of a member expired."""
    return _entry("rewards.points_expired.v1", member_id, happened_at, by, {"points": points, "lots": lots})


def points_released(*, member_id: int, points: int, happened_at: datetime, by: Actor) -> NewEntry:
    """Pending points became available."""
    return _entry("rewards.points_released.v1", member_id, happened_at, by, {"points": points})


def reward_redeemed(
    *,
    redemption_id: int,
    reward_id: int,
    voucher_id: int,
    member_id: int,
    points: int,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A member redeemed points for a reward."""
    payload = {"redemption": redemption_id, "reward": reward_id, "points": points, "voucher": voucher_id}
    return _entry(
        "rewards.reward_redeemed.v1", member_id, happened_at, by, payload, subject=f"redemption:{redemption_id}"
    )


def voucher_used(
    *,
    voucher_id: int,
    template_id: int,
    member_id: int,
    store_id: int | None,
    order_no: str,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A voucher was used at a till."""
    payload = {"voucher": voucher_id, "store": store_id, "order_no": order_no, "template": template_id}
    return _entry("rewards.voucher_used.v1", member_id, happened_at, by, payload, subject=f"voucher:{voucher_id}")


def voucher_expired(*, voucher_id: int, member_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """A voucher reached its end unused."""
    return _entry(
        "rewards.voucher_expired.v1",
        member_id,
        happened_at,
        by,
        {"voucher": voucher_id},
        subject=f"voucher:{voucher_id}",
    )


def _entry(
    kind: str,
    member_id: int | None,
    happened_at: datetime,
    by: Actor,
    payload: dict[str, Any],
    quiet: bool = False,
    subject: str = "",
) -> NewEntry:
    if quiet:
        payload["quiet"] = True
    return NewEntry(kind, member_id, happened_at, by, payload, subject)
