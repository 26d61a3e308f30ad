"""The rows of points, purchases, rewards and vouchers. Import from here, not from the modules."""

from rewards.models.adjustments import (
    Adjustment,
    AdjustmentBatch,
    AdjustmentBatchError,
    AdjustmentBatchRow,
    ReasonCode,
)
from rewards.models.caps import Budget, BudgetSlice, CapCounter, ProgrammeCap
from rewards.models.catalog import Redemption, Reward
from rewards.models.close import CloseLine, ClosingAccount, MonthClose, Movement, VintageFigure
from rewards.models.close_parts import SettlementLine, VoucherLine, VoucherVintage
from rewards.models.expiry import ExpiryPolicy, ExpiryWarning, WarningReceipt
from rewards.models.goods import Category, Product
from rewards.models.imports import OrderImport
from rewards.models.ledger import (
    ArrearsLimit,
    Hold,
    HoldLot,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    LotEvent,
    LotMove,
    PointsAccount,
    PointsCurrency,
    PointsRate,
)
from rewards.models.partners import Direction, Partner, PartnerConversion, PartnerFile, PartnerRate
from rewards.models.payers import PurchasePayer
from rewards.models.purchases import Purchase, PurchaseLine, PurchaseReturn, ReturnLine
from rewards.models.rules import EarnRule, EarnRuleVersion
from rewards.models.seals import (
    AnchorExport,
    LedgerAnchor,
    LedgerEpoch,
    LedgerSeal,
    LedgerVerification,
    VerificationFinding,
)
from rewards.models.transfers import CharityProject, Donation, PointsTransfer, TransferPolicy
from rewards.models.vouchers import Voucher, VoucherEvent, VoucherTemplate

__all__ = [
    "Adjustment",
    "AdjustmentBatch",
    "AdjustmentBatchError",
    "AdjustmentBatchRow",
    "AnchorExport",
    "ArrearsLimit",
    "Budget",
    "BudgetSlice",
    "CapCounter",
    "Category",
    "CharityProject",
    "CloseLine",
    "ClosingAccount",
    "Direction",
    "Donation",
    "EarnRule",
    "EarnRuleVersion",
    "ExpiryPolicy",
    "ExpiryWarning",
    "Hold",
    "HoldLot",
    "LedgerAnchor",
    "LedgerEntry",
    "LedgerEpoch",
    "LedgerSeal",
    "LedgerTransaction",
    "LedgerVerification",
    "Lot",
    "LotEvent",
    "LotMove",
    "MonthClose",
    "Movement",
    "OrderImport",
    "Partner",
    "PartnerConversion",
    "PartnerFile",
    "PartnerRate",
    "PointsAccount",
    "PointsCurrency",
    "PointsRate",
    "PointsTransfer",
    "Product",
    "ProgrammeCap",
    "Purchase",
    "PurchaseLine",
    "PurchasePayer",
    "PurchaseReturn",
    "ReasonCode",
    "Redemption",
    "ReturnLine",
    "Reward",
    "SettlementLine",
    "TransferPolicy",
    "VerificationFinding",
    "VintageFigure",
    "Voucher",
    "VoucherEvent",
    "VoucherLine",
    "VoucherTemplate",
    "VoucherVintage",
    "WarningReceipt",
]
