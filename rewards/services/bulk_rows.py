"""The set-based statements of bulk posting: purchases and returns in, by COPY through temporary tables."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from members.copying import copy_rows
from members.models import Member
from members.queries import status_sql
from rewards import ledger
from rewards.models import Product, Purchase, PurchaseReturn
from rewards.services.orders import Order, hold_bearers
from rewards.services.quoting import LineGoods
from rewards.services.return_shares import Return, ReturnedLine, Share


@dataclass(frozen=True, slots=True)
class InsertedPurchase:
    """A purchase that is new, and how much of it earns (known products decide, too)."""

    id: int
    eligible_amount: Decimal


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """A return ready to be written."""

    ret: Return
    purchase_id: int | None
    member_id: int | None
    lines: tuple[ReturnedLine, ...]
    total_amount: Decimal
    eligible_amount: Decimal
    share: Share


def serialise(sources: Iterable[str]) -> None:
    """Let one bulk posting of a source run at a time, until the end of the transaction."""
    keys = sorted(
        int.from_bytes(hashlib.sha256(f"bulk:{source}".encode()).digest()[:8], signed=True) for source in sources
    )
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def hold_statuses(member_ids: Iterable[int]) -> list[tuple[int, str, str]]:
    """Return (id, number, status as far as earning goes) of members, and keep it so until the end of the transaction.

    Of a member who was merged, number and status are those of the survivor.
    """
    bearers = hold_bearers(member_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, member_no, {status_sql(Member.Act.EARN)} FROM members_member WHERE id = ANY (%s)",  # noqa: S608
            [list(set(bearers.values()))],
        )
        standing = {pk: (member_no, status) for pk, member_no, status in cursor.fetchall()}
    return [(pk, *standing[bearer]) for pk, bearer in bearers.items()]


def insert_purchases(orders: Sequence[Order]) -> dict[tuple[str, str], InsertedPurchase]:
    """Insert the orders whose numbers are new, with their lines; return the new ones by (source, number)."""
    if not orders:
        return {}
    _fill(
        "bulk_order",
        "n int, source text, no text, fingerprint bytea, member_id bigint, channel_id bigint, store_id bigint, ordered_at timestamptz, "
        "currency text, original numeric, rate numeric",
        (
            (
                n, order.source, order.external_order_no, order.fingerprint(), order.member_id, order.channel_id, order.store_id,
                order.ordered_at, order.original_currency, order.original_amount, order.exchange_rate,
            )
            for n, order in enumerate(orders)
        ),
    )  # fmt: skip
    _fill(
        "bulk_line",
        "n int, line_no int, sku text, name text, quantity numeric, unit_price numeric, amount numeric, earns boolean",
        (
            (n, line_no, line.sku, line.name, line.quantity, line.unit_price, line.amount, line.earns)
            for n, order in enumerate(orders)
            for line_no, line in enumerate(order.lines, 1)
        ),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH line AS (
                SELECT l.*, p.id AS product_id, l.earns AND coalesce(p.earns, true) AS counts
                FROM bulk_line l LEFT JOIN rewards_product p ON p.sku = l.sku
            ), total AS (
                SELECT n, sum(amount) AS amount, coalesce(sum(amount) FILTER (WHERE counts), 0) AS eligible FROM line GROUP BY n
            ), purchase AS (
                INSERT INTO rewards_purchase AS p
                    (source, external_order_no, fingerprint, member_id, channel_id, store_id, ordered_at, total_amount,
                     eligible_amount, original_currency, original_amount, exchange_rate)
                SELECT o.source, o.no, o.fingerprint, o.member_id, o.channel_id, o.store_id, o.ordered_at, t.amount, t.eligible,
                       o.currency, o.original, o.rate
                FROM bulk_order o JOIN total t USING (n) ORDER BY o.n
                ON CONFLICT (source, external_order_no) DO NOTHING
                RETURNING p.id, p.source, p.external_order_no, p.eligible_amount
            ), lines AS (
                INSERT INTO rewards_purchaseline (purchase_id, line_no, sku, name, product_id, quantity, unit_price, amount, earns)
                SELECT p.id, l.line_no, l.sku, l.name, l.product_id, l.quantity, l.unit_price, l.amount, l.counts
                FROM purchase p JOIN bulk_order o ON o.source = p.source AND o.no = p.external_order_no JOIN line l USING (n)
            )
            SELECT source, external_order_no, id, eligible_amount FROM purchase
            """
        )
        return {(source, number): InsertedPurchase(pk, eligible) for source, number, pk, eligible in cursor.fetchall()}


def goods_of(skus: Iterable[str]) -> dict[str, LineGoods]:
    """Return what the catalogue knows of article numbers, by number."""
    rows = Product.objects.filter(sku__in=list(skus)).values_list("sku", "earns", "category_id", "brand")
    return {sku: LineGoods(earns, category_id, brand) for sku, earns, category_id, brand in rows}


def lock_referred(returns: Iterable[Return]) -> list[Purchase]:
    """Return the known purchases that returns name, locked, ascending, until the end of the transaction."""
    keys = {(ret.source, ret.external_order_no) for ret in returns if ret.external_order_no is not None}
    if not keys:
        return []
    found = [
        purchase
        for purchase in Purchase.objects.filter(
            source__in={source for source, _ in keys}, external_order_no__in=[number for _, number in keys]
        )
        if (purchase.source, purchase.external_order_no) in keys
    ]
    ledger.lock_purchases(purchase_ids=[purchase.pk for purchase in found])
    return found


def insert_returns(rows: Sequence[ReturnRow]) -> list[int]:
    """Insert returns with their lines; return their ids in order. A number that appears meanwhile is an integrity error."""
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('rewards_purchasereturn', 'id')) FROM generate_series(1, %s)",
            [len(rows)],
        )
        ids = [row[0] for row in cursor.fetchall()]
    numbered = list(zip(ids, rows, strict=True))
    copy_rows(
        "rewards_purchasereturn (id, source, external_return_no, fingerprint, purchase_id, member_id, channel_id, store_id, "
        "returned_at, total_amount, eligible_amount, points, credits)",
        (_return_columns(pk, row) for pk, row in numbered),
    )
    copy_rows(
        "rewards_returnline (purchase_return_id, line_no, purchase_line_id, sku, name, quantity, amount, earns)",
        (
            (pk, line_no, line.purchase_line_id, line.sku, line.name, line.quantity, line.amount, line.earns)
            for pk, row in numbered
            for line_no, line in enumerate(row.lines, 1)
        ),
    )
    return ids


def _return_columns(pk: int, row: ReturnRow) -> tuple[Any, ...]:
    ret = row.ret
    return (
        pk, ret.source, ret.external_return_no, ret.fingerprint(), row.purchase_id, row.member_id, ret.channel_id, ret.store_id,
        ret.returned_at, row.total_amount, row.eligible_amount, row.share.points, row.share.credits,
    )  # fmt: skip


def fingerprints(
    model: type[Purchase | PurchaseReturn], number: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """Return the fingerprints of what is recorded under these (source, number) keys."""
    if not keys:
        return {}
    wanted = set(keys)
    rows = model._default_manager.filter(
        source__in={source for source, _ in keys}, **{f"{number}__in": [no for _, no in keys]}
    )
    return {
        (source, no): bytes(fingerprint)
        for source, no, fingerprint in rows.values_list("source", number, "fingerprint")
        if (source, no) in wanted
    }


def returned_amounts(purchase_ids: Sequence[int]) -> dict[int, tuple[Decimal, Decimal]]:
    """Return for each purchase of which something came back: how much in all, and how much of what earns."""
    rows = (
        PurchaseReturn.objects.filter(purchase_id__in=purchase_ids)
        .values_list("purchase_id")
        .annotate(Sum("total_amount"), Sum("eligible_amount"))
    )
    return {purchase_id: (total, eligible) for purchase_id, total, eligible in rows}


def _fill(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns}) ON COMMIT DELETE ROWS")
        cursor.execute(f"TRUNCATE {table}")
        copy_rows(table, rows)
        cursor.execute(f"ANALYZE {table}")
