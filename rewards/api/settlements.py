"""How orders were settled, as the API tells it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from rewards.deductions import Deduction
from rewards.models import OrderDeduction, OrderSettlement
from rewards.till_words import deduction_words


def told_deductions(taken: Iterable[Deduction | OrderDeduction]) -> list[dict[str, Any]]:
    """Return deductions with their names in the active language, and what they take off each line."""
    return [
        {
            "kind": one.kind,
            "label": deduction_words(one.kind, one.names, one.figure),
            "voucher_id": UUID(one.ref) if one.voucher_id is not None else None,
            "amount": one.amount,
            "lines": [{"line_no": number, "amount": share} for number, share in enumerate(one.shares, 1) if share],
        }
        for one in taken
    ]


def told_settlement(settlement: OrderSettlement | None) -> dict[str, Any] | None:
    """Return how an order was settled; None for one that was not quoted. One query."""
    if settlement is None:
        return None
    return {
        "quote_id": settlement.quote_ref,
        "total": settlement.gross_amount,
        "discount": settlement.benefits_amount + settlement.vouchers_amount,
        "points_paid": settlement.points,
        "points_worth": settlement.points_amount,
        "deductions": told_deductions(settlement.deductions.order_by("position")),
    }
