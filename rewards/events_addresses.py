"""What rewards tells of who saw where parcels go. Ids only."""

from datetime import datetime

from members.actors import Actor
from members.timeline import NewEntry

ADDRESS_SEEN = "rewards.delivery_address_seen.v1"


def address_seen(*, redemption_id: int, member_id: int, on_a_list: bool, happened_at: datetime, by: Actor) -> NewEntry:
    """Somebody saw the name, phone number and address of a parcel: on the order's page, or on a list of several."""
    payload: dict[str, object] = {"redemption": redemption_id}
    if on_a_list:
        payload["list"] = True
    return NewEntry(ADDRESS_SEEN, member_id, happened_at, by, payload, f"redemption:{redemption_id}")
