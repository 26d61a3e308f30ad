"""What was handed over a store's counter on a day: for the list of the shift and its totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rewards.models import RedemptionEvent, RedemptionState, Voucher, VoucherEvent

MOST = 200
_NEWEST = ("-happened_at", "-id")


@dataclass(frozen=True, slots=True)
class Handed:
    """One line of the list: a voucher used or an order handed over, and whether it still is."""

    at: datetime
    voucher_id: int | None
    redemption_id: int | None
    name: str
    member_no: str
    order_no: str
    off_amount: Decimal | None
    stands: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """The lines of a day, newest first, at most MOST of each sort, and what stands of them."""

    lines: Sequence[Handed]
    vouchers: int
    pickups: int
    off_amount: Decimal


def shift_of(store_id: int, *, since: datetime) -> Shift:
    """Return what was handed over in a store since a moment: two queries."""
    used = VoucherEvent.objects.filter(store=store_id, to_state=Voucher.State.USED, happened_at__gte=since)
    done = RedemptionEvent.objects.filter(store=store_id, to_state=RedemptionState.DONE, happened_at__gte=since)
    lines = [
        _of_voucher(event)
        for event in used.select_related("voucher__template", "voucher__member").order_by(*_NEWEST)[:MOST]
    ]
    lines += [
        _of_order(event)
        for event in done.select_related("redemption__reward", "redemption__member").order_by(*_NEWEST)[:MOST]
    ]
    stands = [line for line in lines if line.stands]
    return Shift(
        sorted(lines, key=lambda line: line.at, reverse=True),
        sum(line.voucher_id is not None for line in stands),
        sum(line.redemption_id is not None for line in stands),
        sum((line.off_amount or Decimal(0) for line in stands), Decimal(0)),
    )


def _of_voucher(event: VoucherEvent) -> Handed:
    voucher = event.voucher
    stands = voucher.state == Voucher.State.USED and voucher.used_at == event.happened_at
    return Handed(
        event.happened_at, voucher.pk, None, voucher.template.name, voucher.member.member_no, event.external_order_no,
        voucher.used_off_amount if stands else None, stands,
    )  # fmt: skip


def _of_order(event: RedemptionEvent) -> Handed:
    order = event.redemption
    stands = order.state == RedemptionState.DONE and order.state_at == event.happened_at
    return Handed(event.happened_at, None, order.pk, order.reward.name, order.member.member_no, "", None, stands)
