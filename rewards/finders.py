"""How a member is found by an order, a return, or a voucher in hand."""

import re
from typing import Final

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.finding import Finder, Found, Look, register_finder
from rewards.models import Voucher
from rewards.services.vouchers import code_hmac

_MOST: Final = 11
_ORDER_NUMBER: Final = re.compile(r"[^\s@]{4,80}")
_VOUCHER_CODE: Final = re.compile(r"[0-9A-Za-z]{4}([- ]?[0-9A-Za-z]{4}){3}")
# Order numbers are unique within a source. There are few sources, and the index leads from one to the next.
_BY_NUMBER: Final = """
WITH RECURSIVE sources AS (
    (SELECT source FROM {table} ORDER BY source LIMIT 1)
    UNION ALL
    SELECT (SELECT later.source FROM {table} later WHERE later.source > sources.source ORDER BY later.source LIMIT 1)
    FROM sources WHERE sources.source IS NOT NULL
)
SELECT DISTINCT told.member_id
FROM sources JOIN {table} told ON told.source = sources.source AND told.{number} = %(number)s
WHERE told.member_id IS NOT NULL AND (%(stores)s::bigint[] IS NULL OR told.store_id = ANY(%(stores)s))
ORDER BY 1 LIMIT {most}
"""


def register() -> None:
    """Register the look-ups of orders, returns and vouchers."""
    register_finder(Finder("rewards.order", _("order number"), _by_order, 10, "rewards.view_purchase"))
    register_finder(Finder("rewards.return", _("return number"), _by_return, 11, "rewards.view_purchasereturn"))
    register_finder(Finder("rewards.voucher", _("voucher code"), _by_voucher, 12, "rewards.view_voucher"))


def _by_order(look: Look) -> Found:
    return _by_number("rewards_purchase", "external_order_no", look)


def _by_return(look: Look) -> Found:
    return _by_number("rewards_purchasereturn", "external_return_no", look)


def _by_number(table: str, number: str, look: Look) -> Found:
    """Who is limited to stores finds by receipts of these stores only."""
    if not _ORDER_NUMBER.fullmatch(look.text):
        return None
    stores = None if look.stores is None else sorted(look.stores)
    with connection.cursor() as cursor:
        statement = _BY_NUMBER.format(table=table, number=number, most=_MOST)
        cursor.execute(statement, {"number": look.text, "stores": stores})
        return [member_id for (member_id,) in cursor.fetchall()]


def _by_voucher(look: Look) -> Found:
    if not _VOUCHER_CODE.fullmatch(look.text):
        return None
    return list(Voucher.objects.filter(code_hmac=code_hmac(look.text)).values_list("member_id", flat=True))
