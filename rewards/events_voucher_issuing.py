"""What rewards tells upward of vouchers that are taken back, extended, passed on and offered. Ids and numbers only."""

from datetime import datetime
from typing import Any

from members.actors import Actor
from members.timeline import NewEntry

VOUCHER_VOIDED = "rewards.voucher_voided.v1"
VOUCHER_RESTORED = "rewards.voucher_restored.v1"
VOUCHER_EXTENDED = "rewards.voucher_extended.v1"
VOUCHER_OFFERED = "rewards.voucher_offered.v1"
VOUCHER_GIVEN = "rewards.voucher_given.v1"
VOUCHER_OFFER_CHANGED = "rewards.voucher_offer_changed.v1"


def voucher_voided(*, voucher_id: int, template_id: int, member_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """A voucher that could be used was made void."""
    payload = {"voucher": voucher_id, "template": template_id}
    return _of_voucher(VOUCHER_VOIDED, voucher_id, member_id, payload, happened_at, by)


def voucher_restored(
    *, voucher_id: int, template_id: int, member_id: int, happened_at: datetime, by: Actor
) -> NewEntry:
    """A voucher that was voided can be used again."""
    payload = {"voucher": voucher_id, "template": template_id}
    return _of_voucher(VOUCHER_RESTORED, voucher_id, member_id, payload, happened_at, by)


def voucher_extended(
    *, voucher_id: int, template_id: int, member_id: int, until: datetime, happened_at: datetime, by: Actor
) -> NewEntry:
    """A voucher has another end, until before this moment."""
    payload = {"voucher": voucher_id, "template": template_id, "until": until.isoformat()}
    return _of_voucher(VOUCHER_EXTENDED, voucher_id, member_id, payload, happened_at, by)


def voucher_offered(*, voucher_id: int, gift_id: int, member_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """A member offered a voucher to a friend."""
    return _of_voucher(
        VOUCHER_OFFERED, voucher_id, member_id, {"voucher": voucher_id, "gift": gift_id}, happened_at, by
    )


def voucher_given(
    *, voucher_id: int, gift_id: int, received_id: int, member_id: int, happened_at: datetime, by: Actor
) -> NewEntry:
    """A friend accepted the voucher: it is void, the friend has `received` instead."""
    payload = {"voucher": voucher_id, "gift": gift_id, "received": received_id}
    return _of_voucher(VOUCHER_GIVEN, voucher_id, member_id, payload, happened_at, by)


def voucher_offer_changed(*, offer_id: int, state: str, reason: str, happened_at: datetime, by: Actor) -> NewEntry:
    """An offer of vouchers was started, paused or ended (`state`)."""
    payload = {"offer": offer_id, "state": state} | ({"reason": reason} if reason else {})
    return NewEntry(VOUCHER_OFFER_CHANGED, None, happened_at, by, payload, f"voucher_offer:{offer_id}")


def _of_voucher(
    kind: str, voucher_id: int, member_id: int, payload: dict[str, Any], happened_at: datetime, by: Actor
) -> NewEntry:
    return NewEntry(kind, member_id, happened_at, by, payload, f"voucher:{voucher_id}")
