"""Who paid, as a keyed hash: enough to see one payer behind many members, too little to say who it is."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection

from members.statements import Statement
from rewards.models import PurchasePayer

#: How long it is kept who paid.
PAYERS_KEPT: Final = timedelta(days=60)


def payer_hash(account: str) -> bytes:
    """Return the hash under which a payment account is compared; without the key of the installation nobody makes it."""
    plain = "".join(account.split())
    return hmac.digest(settings.CODE_SECRET.encode(), b"payer:" + plain.encode(), hashlib.sha256)


def payer_statement(*, purchase_id: int, member_id: int, payer: bytes, paid_at: datetime) -> Statement[None]:
    """Return what notes who paid for an order, for those who send it with others."""
    return Statement(
        "INSERT INTO rewards_purchasepayer (purchase_id, member_id, payer, paid_at) VALUES (%s, %s, %s, %s) RETURNING 1",
        [purchase_id, member_id, payer, paid_at],
        lambda _rows: None,
    )


def forget_payers(*, at: datetime, limit: int = 10_000) -> int:
    """Delete at most `limit` notes of payers whose time is over; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM rewards_purchasepayer WHERE purchase_id IN "
            "(SELECT purchase_id FROM rewards_purchasepayer WHERE paid_at < %s ORDER BY paid_at LIMIT %s)",
            [at - PAYERS_KEPT, limit],
        )
        return cursor.rowcount


def forget_payers_of(member_id: int) -> int:
    """Delete who paid for a member's orders, in the caller's transaction; return for how many."""
    deleted, _rows = PurchasePayer.objects.filter(member=member_id).delete()
    return deleted
