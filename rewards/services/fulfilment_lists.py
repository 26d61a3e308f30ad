"""What goes on paper of orders: what to pick and for whom, with the address only for those who may see it, written down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from members.actors import Actor
from members.identifiers import NotFound
from members.names import mask_name
from members.phones import display_phone
from members.queries import region
from members.timeline import record
from rewards.events_addresses import address_seen
from rewards.fulfilment_queries import is_late
from rewards.models import Redemption
from rewards.order_numbers import order_no
from rewards.services.addresses import Address, addresses_of
from rewards.services.picking import PickedOrder

MAY_SEE_ADDRESSES: Final = "rewards.view_redemptionaddress"
#: So many orders stand on one list; with addresses fewer, since taking many of them out is an export.
MOST_LISTED: Final = 500
MOST_ADDRESSES: Final = 50


def picked_orders(*, redemption_ids: Sequence[int], with_addresses: bool, by: Actor, at: datetime) -> list[PickedOrder]:
    """Return orders as they stand on a picking list, in the order of their ids given: two queries, three with addresses.

    With addresses the timeline of each member is told who saw theirs. At most MOST_LISTED, or MOST_ADDRESSES.
    """
    ids = list(redemption_ids)[: MOST_ADDRESSES if with_addresses else MOST_LISTED]
    orders = Redemption.objects.select_related("reward", "member__person", "store").defer("pickup_hmac").in_bulk(ids)
    addresses = addresses_of(ids) if with_addresses else {}
    record([
        address_seen(
            redemption_id=pk, member_id=orders[pk].member_id, on_a_list=True, happened_at=at, by=by
        )
        for pk in ids if pk in addresses and pk in orders
    ])  # fmt: skip
    return [_picked(orders[pk], addresses.get(pk), at) for pk in ids if pk in orders]


def see_address(*, redemption_id: int, by: Actor, at: datetime) -> Address:
    """Return where an order goes, after the timeline was told who looked. Raises NotFound where that is not kept (any more)."""
    member_id = Redemption.objects.filter(pk=redemption_id).values_list("member_id", flat=True).first()
    address = addresses_of([redemption_id]).get(redemption_id)
    if address is None or member_id is None:
        raise NotFound
    record([
        address_seen(redemption_id=redemption_id, member_id=member_id, on_a_list=False, happened_at=at, by=by)
    ])  # fmt: skip
    return address


def _picked(order: Redemption, address: Address | None, at: datetime) -> PickedOrder:
    person = getattr(order.member, "person", None)
    name = address.name if address else mask_name(person.full_name) if person else ""
    return PickedOrder(
        order_no=order_no(order.pk),
        placed_at=order.redeemed_at,
        reward=order.reward.name,
        quantity=order.quantity,
        member_no=order.member.member_no,
        name=name,
        address=(display_phone(address.phone, region=region()), *address.lines) if address else (),
        place=order.store.name if order.store else "",
        is_late=is_late(order, at),
    )
