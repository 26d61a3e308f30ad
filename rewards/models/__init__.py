"""The rows of points, purchases, rewards and vouchers. Import from here, not from the modules."""

from rewards.models.catalog import Redemption, Reward
from rewards.models.goods import Category, Product
from rewards.models.imports import OrderImport
from rewards.models.ledger import (
    Hold,
    HoldLot,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    LotEvent,
    LotMove,
    PointsAccount,
    PointsCurrency,
)
from rewards.models.purchases import Purchase, PurchaseLine, PurchaseReturn, ReturnLine
from rewards.models.rules import EarnRule
from rewards.models.vouchers import Voucher, VoucherEvent, VoucherTemplate

__all__ = [
    "Category",
    "EarnRule",
    "Hold",
    "HoldLot",
    "LedgerEntry",
    "LedgerTransaction",
    "Lot",
    "LotEvent",
    "LotMove",
    "OrderImport",
    "PointsAccount",
    "PointsCurrency",
    "Product",
    "Purchase",
    "PurchaseLine",
    "PurchaseReturn",
    "Redemption",
    "ReturnLine",
    "Reward",
    "Voucher",
    "VoucherEvent",
    "VoucherTemplate",
]
