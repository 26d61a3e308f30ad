"""Vouchers in a cart: which may be used, which set is best, and why the others are not. Pure. Import from here."""

from rewards.cart.engine import are_lawful_together, best_set, split, used_alone
from rewards.cart.matching import below, counts, elsewhere, obstacle, too_little, untimely
from rewards.cart.values import (
    Cart,
    CartLine,
    Label,
    VoucherNotUsed,
    VoucherSet,
    VoucherTerms,
    VoucherUse,
)

__all__ = [
    "Cart",
    "CartLine",
    "Label",
    "VoucherNotUsed",
    "VoucherSet",
    "VoucherTerms",
    "VoucherUse",
    "are_lawful_together",
    "below",
    "best_set",
    "counts",
    "elsewhere",
    "obstacle",
    "split",
    "too_little",
    "untimely",
    "used_alone",
]
