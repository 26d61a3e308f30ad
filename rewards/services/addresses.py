"""Where parcels go: told with an order, kept encrypted in a row of its own, forgotten a month after it was sent."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext_lazy as _

from members.names import clean_name
from members.phones import home_region, parse_phone
from members.queries import programme
from rewards.encryption import decrypted, encrypted
from rewards.models import RedemptionAddress, RedemptionState
from rewards.refusals import RewardsRefusal

WHAT: Final = "delivery-address"
MOST_LINES: Final = 4
LONGEST_LINE: Final = 120
LONGEST_NAME: Final = 60
#: How long after its parcel was sent, or its order ended, an address is kept.
KEPT: Final = timedelta(days=30)
_OVER: Final = (RedemptionState.SHIPPED, RedemptionState.DONE, RedemptionState.CANCELLED, RedemptionState.REFUNDED)


class AddressMissing(RewardsRefusal):
    """Something that is sent needs to know where to."""

    code = "address_missing"
    status = 422
    text = _("Please say where it is to be sent: a name, a phone number and the address.")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes. Personal: shown to who may see it, never written to logs or history. `phone` is in E.164."""

    name: str
    phone: str
    lines: tuple[str, ...]


def checked_address(*, name: str, phone: str, lines: Collection[str]) -> Address:
    """Return an address as it is kept. Raises AddressMissing, InvalidPhone."""
    kept = tuple(line for line in (clean_name(line)[:LONGEST_LINE] for line in lines) if line)[:MOST_LINES]
    person = clean_name(name)[:LONGEST_NAME]
    if not person or not kept:
        raise AddressMissing
    return Address(person, parse_phone(phone, region=home_region(programme().currency)), kept)


def write_address(*, redemption_id: int, address: Address, at: datetime) -> None:
    """Keep the address of an order, in the transaction that places it."""
    text = json.dumps([address.name, address.phone, list(address.lines)], ensure_ascii=False)
    RedemptionAddress.objects.create(
        redemption_id=redemption_id, ciphertext=encrypted(WHAT, text), written_at=at
    )  # fmt: skip


def addresses_of(redemption_ids: Collection[int]) -> dict[int, Address]:
    """Return the addresses of orders by id, of those that are kept: one query. Who asks writes down that they were seen."""
    found = RedemptionAddress.objects.filter(pk__in=list(redemption_ids)).values_list("pk", "ciphertext")
    return {pk: _read(bytes(content)) for pk, content in found}


def forget_addresses(*, at: datetime, limit: int = 2_000) -> int:
    """Delete at most `limit` addresses of parcels that were sent, and of orders that ended, a month ago; return how many."""
    old = RedemptionAddress.objects.filter(redemption__state__in=_OVER, redemption__state_at__lt=at - KEPT)
    deleted, _by_model = RedemptionAddress.objects.filter(pk__in=old.order_by("pk").values("pk")[:limit]).delete()
    return deleted


def forget_addresses_of(member_id: int) -> int:
    """Delete the addresses of all orders of a member; return how many."""
    deleted, _by_model = RedemptionAddress.objects.filter(redemption__member=member_id).delete()
    return deleted


def _read(content: bytes) -> Address:
    name, phone, lines = json.loads(decrypted(WHAT, content))
    return Address(name, phone, tuple(lines))
