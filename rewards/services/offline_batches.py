"""Orders that a till took while it was offline: each recorded by itself, in a transaction of its own, and answered once.

Lock order: the batch, then as every purchase. A batch that broke off goes on where it stopped, by a repeat or by the beat.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import ApiKey
from members.queries import member_id_by_public_id
from members.refusals import Refusal
from members.services.key_bounds import count_against_ceiling
from members.services.keys import KeyIsRevoked
from rewards.models import OfflineBatch, OfflineBatchLine
from rewards.refusals import RewardsRefusal
from rewards.services.orders import Order, OrderLine
from rewards.services.purchases import PurchaseReceipt, record_purchase

logger = logging.getLogger(__name__)

MOST_ORDERS: Final = 500
#: Why an order of a batch can not be read, or not be taken, beside what recording it refuses.
INVALID, SPENDING = "validation_error", "spending_offline"
#: After so long a batch that is not done is taken up by the beat.
_LEFT_ALONE: Final = timedelta(minutes=2)
_AT_ONCE: Final = 20

Outcome = OfflineBatchLine.Outcome


class SpendingOffline(RewardsRefusal):
    """The order would spend points or vouchers, which is not possible afterwards."""

    code = SPENDING
    text = _("Points, vouchers and benefits can not be spent offline.")
    status = 422


class BatchConflict(RewardsRefusal):
    """The number of the batch is known with other contents."""

    code = "order_conflict"
    text = _("Batch %(batch_no)s was told before with other contents.")


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """An order of a batch as the till tells it: what to record, or why it can not be (`code` with figures)."""

    external_order_no: str
    order: Mapping[str, Any] | None = None
    code: str = ""
    params: Mapping[str, Any] | None = None


def accept_batch(
    *, key: ApiKey, external_batch_no: str, fingerprint: bytes, told: Sequence[ToldOrder], at: datetime
) -> OfflineBatch:
    """Keep a batch to be worked off, in the caller's transaction; told again, the batch that is known.

    Raises BatchConflict where the number is known with other contents.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_offlinebatch (source, external_batch_no, fingerprint, key_id, store_id, total, orders, received_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, '[]', %s) ON CONFLICT (source, external_batch_no) DO NOTHING RETURNING id",
            [key.source, external_batch_no, fingerprint, key.pk, key.store_id, len(told), at],
        )
        found = cursor.fetchone()
    batch = OfflineBatch.objects.get(source=key.source, external_batch_no=external_batch_no)
    if found is None:
        if bytes(batch.fingerprint) != fingerprint or batch.store_id != key.store_id:
            raise BatchConflict(batch_no=external_batch_no)
        return batch
    refused = [
        OfflineBatchLine(
            batch=batch, position=position, external_order_no=one.external_order_no, outcome=Outcome.REFUSED, code=one.code,
            params=dict(one.params or {}),
        )
        for position, one in enumerate(told, 1)
        if one.order is None
    ]  # fmt: skip
    OfflineBatchLine.objects.bulk_create(refused)
    batch.orders = [[position, one.order] for position, one in enumerate(told, 1) if one.order is not None]
    batch.save(update_fields=["orders"])
    return batch


def work_off_batch(*, batch_id: int, at: datetime) -> OfflineBatch:
    """Record the orders of a batch that wait, each by itself; return the batch, done. Safe beside itself.

    An order is dated by when it was made, so `at` only says that it is not later than now, and on which day its points count
    against what the key may move.
    """
    batch = OfflineBatch.objects.select_related("key").get(pk=batch_id)
    answered = set(batch.lines.values_list("position", flat=True))
    for position, order in batch.orders:
        if position not in answered:
            _record_one(batch, position, order, at)
    with transaction.atomic():
        batch = OfflineBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
        if batch.done_at is None and batch.lines.count() == batch.total:
            batch.done_at, batch.orders = at, []
            batch.save(update_fields=["done_at", "orders"])
    return batch


def work_off_batches(*, at: datetime) -> int:
    """Go on with batches that broke off; return how many were looked at."""
    waiting = OfflineBatch.objects.filter(done_at__isnull=True, received_at__lte=at - _LEFT_ALONE)
    ids = list(waiting.order_by("received_at").values_list("pk", flat=True)[:_AT_ONCE])
    for batch_id in ids:
        try:
            work_off_batch(batch_id=batch_id, at=at)
        except Exception:
            if not connection.is_usable():  # the server is gone, not the batch wrong
                raise
            logger.exception("offline batch %s could not be worked off", batch_id)
    return len(ids)


def batch_of_till(public_id: UUID, *, source: str, store_id: int) -> OfflineBatch:
    """Return a batch of this till's store. Raises NotFound."""
    found = OfflineBatch.objects.filter(public_id=public_id, source=source, store_id=store_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def _record_one(batch: OfflineBatch, position: int, told: Mapping[str, Any], at: datetime) -> None:
    locked = OfflineBatch.objects.select_for_update(no_key=True, of=("self",)).select_related("key")
    batch = locked.defer("orders").get(pk=batch.pk)
    if batch.lines.filter(position=position).exists():
        return  # another worker was faster
    line = OfflineBatchLine(batch=batch, position=position, external_order_no=told["no"])
    try:
        receipt = _recorded(batch, told, at)
    except Refusal as refusal:
        line.outcome, line.code, line.params = Outcome.REFUSED, refusal.code, refusal.stored_params()
    else:
        line.outcome = Outcome.KNOWN if receipt.already_recorded else Outcome.RECORDED
        line.purchase_id, line.points = receipt.purchase_id, receipt.points
    line.save(force_insert=True)


@transaction.atomic
def _recorded(batch: OfflineBatch, told: Mapping[str, Any], at: datetime) -> PurchaseReceipt:
    """Record an order of a batch; one that is past the day's ceiling of the key is not recorded, and can be told another day.

    Nothing is recorded for a key that was revoked since the batch came.
    """
    if batch.key.revoked_at is not None:
        raise KeyIsRevoked
    receipt = record_purchase(
        order=order_as_stored(told, key=batch.key, store_id=batch.store_id), by=Actor("device", batch.key_id), at=at
    )
    if not receipt.already_recorded:
        count_against_ceiling(batch.key, points=receipt.points_in_all, at=at)
    return receipt


def stored_order(
    *,
    external_order_no: str,
    member_ref: UUID | None,
    ordered_at: datetime,
    lines: Sequence[OrderLine],
    payer: bytes | None,
) -> dict[str, Any]:
    """Return an order as it waits in its batch: plain JSON values, the payer as a hash."""
    return {
        "no": external_order_no,
        "member": member_ref.hex if member_ref else None,
        "at": ordered_at.isoformat(),
        "lines": [
            [line.sku, line.name, str(line.quantity), str(line.unit_price), str(line.amount), line.earns] for line in lines
        ],
        "payer": payer.hex() if payer else None,
    }  # fmt: skip


def order_as_stored(told: Mapping[str, Any], *, key: ApiKey, store_id: int) -> Order:
    """Return an order of `stored_order` as the key tells it of a store. Raises MemberNotFound."""
    return Order(
        source=key.source,
        external_order_no=told["no"],
        member_id=member_id_by_public_id(UUID(told["member"])) if told["member"] else None,
        channel_id=key.channel_id,
        store_id=store_id,
        ordered_at=datetime.fromisoformat(told["at"]),
        lines=tuple(
            OrderLine(sku, name, Decimal(quantity), Decimal(price), Decimal(amount), earns)
            for sku, name, quantity, price, amount, earns in told["lines"]
        ),
        payer=bytes.fromhex(told["payer"]) if told["payer"] else None,
    )
