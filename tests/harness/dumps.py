"""What two histories are compared by: the business columns of every value table, no ids of their own."""

from typing import Any

from django.db import connection

DUMPS = {
    "accounts": "SELECT member_id, currency_id, available, pending, held, debt, seq, deadline_at FROM rewards_pointsaccount WHERE seq > 0 ORDER BY 1, 2",
    "transactions": """SELECT kind, source, natural_key, currency_id, member_id, actor_kind, happened_at, store_id, tier_code, trace::text
        FROM rewards_ledgertransaction ORDER BY 1, 2, 3, 4""",
    "entries": """SELECT t.kind, t.natural_key, e.member_id, e.seq, e.d_available, e.d_pending, e.d_held, e.d_debt, e.available_after,
        e.pending_after, e.debt_after, e.contra, e.happened_at FROM rewards_ledgerentry e
        JOIN rewards_ledgertransaction t ON t.id = e.transaction_id ORDER BY e.member_id, e.seq""",
    "lots": """SELECT t.natural_key, l.member_id, l.amount, l.remaining, l.held, l.state, l.available_at, l.expires_at,
        l.origin, l.expiries FROM rewards_lot l JOIN rewards_ledgertransaction t ON t.id = l.transaction_id ORDER BY 1, l.origin, l.member_id""",
    "moves": """SELECT te.natural_key, te.kind, tl.natural_key, l.origin, m.d_remaining, m.d_held FROM rewards_lotmove m
        JOIN rewards_ledgerentry e ON e.id = m.entry_id JOIN rewards_ledgertransaction te ON te.id = e.transaction_id
        JOIN rewards_lot l ON l.id = m.lot_id JOIN rewards_ledgertransaction tl ON tl.id = l.transaction_id ORDER BY 1, 2, 3, 4""",
    "lot events": """SELECT tl.natural_key, v.kind, v.points, te.natural_key FROM rewards_lotevent v JOIN rewards_lot l ON l.id = v.lot_id
        JOIN rewards_ledgertransaction tl ON tl.id = l.transaction_id JOIN rewards_ledgertransaction te ON te.id = v.transaction_id
        ORDER BY 1, 2, 4""",
    "holds": "SELECT member_id, points, state, created_at, expires_at FROM rewards_hold ORDER BY 1, 4, 2",
    "redemptions": "SELECT member_id, request_id, reward_id, number, price_points, redeemed_at FROM rewards_redemption ORDER BY 1, 2",
    "stock": "SELECT id, stock FROM rewards_reward ORDER BY 1",
    "vouchers": """SELECT v.member_id, v.state, v.issued_at, v.expires_at, v.held_until, v.used_order_no, v.used_off_amount, e.from_state, e.to_state, e.store_id, e.external_order_no, e.happened_at
        FROM rewards_voucher v LEFT JOIN rewards_voucherevent e ON e.voucher_id = v.id ORDER BY v.id, e.id""",
    "purchases": """SELECT source, external_order_no, encode(fingerprint, 'hex'), member_id, store_id, ordered_at, total_amount,
        eligible_amount FROM rewards_purchase ORDER BY 1, 2""",
    "lines": """SELECT p.external_order_no, l.line_no, l.sku, l.product_id, l.quantity, l.unit_price, l.amount, l.earns
        FROM rewards_purchaseline l JOIN rewards_purchase p ON p.id = l.purchase_id ORDER BY 1, 2""",
    "returns": """SELECT r.external_return_no, encode(r.fingerprint, 'hex'), p.external_order_no, r.member_id, r.returned_at,
        r.total_amount, r.eligible_amount, r.points, r.credits FROM rewards_purchasereturn r
        LEFT JOIN rewards_purchase p ON p.id = r.purchase_id ORDER BY 1""",
    "return lines": """SELECT r.external_return_no, l.line_no, l.sku, l.quantity, l.amount, l.earns FROM rewards_returnline l
        JOIN rewards_purchasereturn r ON r.id = l.purchase_return_id ORDER BY 1, 2""",
    "qualification": """SELECT member_id, kind, source_ref, credits, spend_amount, orders, happened_at
        FROM loyalty_qualificationentry ORDER BY 1, 2, 3""",
    "standings": "SELECT member_id, tier_id, since_at, valid_until FROM loyalty_tierstanding ORDER BY 1",
    "tier changes": """SELECT member_id, number, reason, from_tier_id, to_tier_id, window_from, credits, needed_credits, returned_credits,
        valid_until, cause, happened_at FROM loyalty_tierchange ORDER BY 1, 2""",
    "caps": "SELECT member_id, rule_id, currency_id, period, period_start, used, times FROM rewards_capcounter WHERE used > 0 ORDER BY 1, 2, 3, 4, 5",
    "budgets": "SELECT budget_id, sum(used) FROM rewards_budgetslice GROUP BY 1 ORDER BY 1",
    "promotion uses": "SELECT promotion_id, member_id, source, source_ref, points, happened_at FROM campaigns_promotionuse ORDER BY 1, 3, 4",
    "timeline": """SELECT kind, member_id, happened_at, actor_kind,
        (payload - 'purchase' - 'return' - 'quiet')::text FROM members_timelineentry ORDER BY 1, 2, 3, 5""",
}


def dump() -> dict[str, list[Any]]:
    """Return every value table as plain rows."""
    result = {}
    with connection.cursor() as cursor:
        for name, sql in DUMPS.items():
            cursor.execute(sql)
            result[name] = cursor.fetchall()
    return result
