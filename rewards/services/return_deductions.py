"""What returns give back of what had made an order cheaper: points that paid, by line; vouchers and uses when all is back.

Any sequence of returns closes exactly: the share of points is a difference of one rounded figure over what has come back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from django.db.models import QuerySet, Sum

from loyalty.services.entitlements import undo_use
from members.actors import Actor
from rewards import ledger
from rewards.models import (
    DeductionsGivenBack,
    LedgerEntry,
    LedgerTransaction,
    OrderDeduction,
    OrderSettlement,
    Purchase,
    PurchaseReturn,
    Voucher,
)
from rewards.services.return_shares import BoughtLine, ReturnedLine
from rewards.services.voucher_holds import give_back_order_vouchers

#: The name under which points that had paid an order come back.
PAYMENT_BACK: Final = "return"
_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Vouchers and uses of benefits that came back with a return, and vouchers that stay used."""

    vouchers: int = 0
    uses: int = 0
    vouchers_kept: int = 0


def completes(
    settlement: OrderSettlement | None, bought: Mapping[int, BoughtLine], returned: Sequence[ReturnedLine]
) -> bool:
    """Whether with a return all goods of an order are back that were not before. Postage is no goods."""
    goods = [line for line_no, line in bought.items() if settlement is None or line_no <= settlement.goods_lines]
    of = {one.purchase_line_id: one for one in returned}
    before = all(_is_back(line, *_back_of(line, None)) for line in goods)
    return not before and all(_is_back(line, *_back_of(line, of.get(line.id))) for line in goods)


def share_of_points(
    points: int, settlement: OrderSettlement, bought: Mapping[int, BoughtLine], returned: Sequence[ReturnedLine]
) -> int:
    """Return how many of the points that paid a quoted order come back: by what they had paid of each line that does."""
    paid = OrderDeduction.objects.filter(settlement=settlement, kind=OrderDeduction.Kind.POINTS)
    shares = next(iter(paid.values_list("shares", flat=True)), [])
    whole = Fraction(sum(shares, Decimal(0)))
    if not whole:
        return 0
    of = {one.purchase_line_id: one for one in returned}
    before = after = Fraction(0)
    for line_no, line in bought.items():
        worth = Fraction(shares[line_no - 1])
        before += worth * _part(line, *_back_of(line, None))
        after += worth * _part(line, *_back_of(line, of.get(line.id)))
    return _rounded(points * after / whole) - _rounded(points * before / whole)


def give_back_deductions(
    *,
    purchase: Purchase,
    settlement: OrderSettlement | None,
    return_id: int,
    is_complete: bool,
    by: Actor,
    at: datetime,
) -> GivenBack:
    """Give back vouchers (each by its template) and counted uses of benefits when all goods are back, in the caller's
    transaction; else say how many vouchers stay used."""
    used = Voucher.objects.filter(
        state=Voucher.State.USED, used_source=purchase.source, used_order_no=purchase.external_order_no
    )
    if not is_complete:
        return GivenBack(vouchers_kept=used.count())
    vouchers = give_back_order_vouchers(
        source=purchase.source,
        external_order_no=purchase.external_order_no,
        store_id=purchase.store_id,
        by=by,
        at=at,
        reason="return",
    )
    uses = list(_uses(settlement)) if settlement is not None else []
    for use_id in uses:
        undo_use(use_id=use_id, reason="return", by=by, at=at)
    if vouchers or uses:
        DeductionsGivenBack.objects.create(purchase_return_id=return_id, vouchers=len(vouchers), uses=len(uses))
    return GivenBack(len(vouchers), len(uses), used.count())


def given_back_with(return_id: int) -> GivenBack:
    """Return what a recorded return gave back of vouchers and uses."""
    row = DeductionsGivenBack.objects.filter(pk=return_id).first()
    return GivenBack(row.vouchers, row.uses) if row else GivenBack()


def payments_of(purchase: Purchase) -> QuerySet[LedgerTransaction]:
    """Return the postings of points that were paid on a purchase."""
    return LedgerTransaction.objects.filter(
        kind__in=(LedgerTransaction.Kind.REDEEM, LedgerTransaction.Kind.CAPTURE),
        source=purchase.source,
        natural_key=purchase.external_order_no,
    )


def points_given_back(known: PurchaseReturn) -> int:
    """Return how many points that had paid the order came back with a recorded return."""
    if known.purchase is None:
        return 0
    paid = payments_of(known.purchase).filter(currency=ledger.currency_id()).values_list("pk", flat=True)
    sums = LedgerEntry.objects.filter(
        transaction__kind=LedgerTransaction.Kind.RESTORE,
        transaction__source=PAYMENT_BACK,
        transaction__natural_key__in=[f"{known.pk}:{pk}" for pk in paid],
    ).aggregate(available=Sum("d_available"), debt=Sum("d_debt"))
    return (sums["available"] or 0) - (sums["debt"] or 0)


def _uses(settlement: OrderSettlement) -> Sequence[int]:
    taken = OrderDeduction.objects.filter(settlement=settlement, use__isnull=False).order_by("use__entitlement")
    return list(taken.values_list("use", flat=True))


def _back_of(line: BoughtLine, one: ReturnedLine | None) -> tuple[Decimal, Decimal, Decimal]:
    """Return what has come back of a line with a return: pieces, money, and of the money what came without pieces."""
    if one is None:
        return line.quantity_before, line.amount_before, line.paid_before
    paid = Decimal(0) if one.quantity else one.amount
    return line.quantity_before + one.quantity, line.amount_before + one.amount, line.paid_before + paid


def _is_back(line: BoughtLine, quantity: Decimal, amount: Decimal, paid: Decimal) -> bool:
    """Whether all pieces of a line are back, or all its money with some that came without pieces.

    Money that came with pieces alone says nothing: that of the first ones may be all there is, by rounding.
    """
    return quantity >= line.quantity or (paid > 0 and amount >= line.amount)


def _part(line: BoughtLine, quantity: Decimal, amount: Decimal, paid: Decimal) -> Fraction:
    """Return which part of a line has come back: money paid back without goods first, then pieces of the rest; all where
    none of its money is left."""
    if _is_back(line, quantity, amount, paid):
        return Fraction(1)
    money = min(Fraction(paid) / Fraction(line.amount), Fraction(1)) if line.amount else Fraction(0)
    return money + (1 - money) * min(Fraction(quantity) / Fraction(line.quantity), Fraction(1))


def _rounded(number: Fraction) -> int:
    return int(number + _HALF)
