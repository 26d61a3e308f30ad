"""Look at a voucher before it is used."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from members.actors import Actor
from rewards.services.vouchers import VoucherReceipt, use_voucher


def check_voucher(
    *, code: str, store_id: int | None, spend_amount: Decimal | None, by: Actor, at: datetime
) -> VoucherReceipt:
    """Return what using the voucher would give, and change nothing. Raises what `use_voucher` raises."""
    with transaction.atomic():
        receipt = use_voucher(
            code=code, store_id=store_id, external_order_no="", spend_amount=spend_amount, by=by, at=at
        )
        transaction.set_rollback(True)
    return receipt
