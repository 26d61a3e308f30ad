"""What a quote promises, in a form that can be kept: deductions with their shares, the rule for points, what the cart was."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from members.decisions import decision_by_public_id
from members.identifiers import NotFound
from rewards import deductions, earning
from rewards.deductions import CENT, NOTHING, Deduction, PaymentRule
from rewards.earning import Label
from rewards.refusals import RewardsRefusal
from rewards.services.orders import OrderLine

#: The code under which quotes of the till are kept as decisions.
QUOTE_CODE = "till_quote"
#: The article number of the line that is the postage of an order.
POSTAGE = "POSTAGE"


class QuoteExpired(RewardsRefusal):
    """The quote is too old, or was one for a moment to come."""

    code = "quote_expired"
    text = _("This quote is no longer valid. Please ask for a new one.")


class QuoteDiffers(RewardsRefusal):
    """Something else is asked for than what was quoted."""

    code = "quote_differs"
    text = _("This is not what was quoted. Please ask for a new quote.")


@dataclass(frozen=True, slots=True)
class Settled:
    """An order as it is paid: its lines after deductions, postage last where there is any, and what was taken off."""

    lines: tuple[OrderLine, ...]
    goods_lines: int
    gross_amount: Decimal
    deductions: tuple[Deduction, ...]
    points: int

    def taken_by(self, *kinds: str) -> Decimal:
        """Return what deductions of these kinds take off in all."""
        return sum((one.amount for one in self.deductions if one.kind in kinds), NOTHING)

    @property
    def payable(self) -> Decimal:
        """What is left to be paid in money."""
        return sum((line.amount for line in self.lines), NOTHING)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was quoted. `cart` is a hash of the goods and the postage; `rule` None: points do not pay."""

    cart: str
    gross_amount: Decimal
    deductions: tuple[Deduction, ...]
    rule: PaymentRule | None
    most_points: int
    currency: str
    currency_names: Label

    @property
    def voucher_ids(self) -> list[int]:
        """The vouchers that the quote uses."""
        return [one.voucher_id for one in self.deductions if one.voucher_id is not None]

    @property
    def counted(self) -> list[Deduction]:
        """The deductions by benefits whose uses are counted."""
        return [one for one in self.deductions if one.entitlement_id is not None]

    @property
    def needs_hold(self) -> bool:
        """Whether the order can only be recorded with what is set aside for it."""
        return bool(self.voucher_ids or self.counted)

    def worth(self, points: int) -> Decimal:
        """Return what so many points pay. Raises QuoteDiffers unless the quote allowed so many."""
        if points and (self.rule is None or not deductions.fits(self.rule, points, self.most_points)):
            raise QuoteDiffers
        return self.rule.worth(points) if self.rule and points else NOTHING

    def settle(self, lines: Sequence[OrderLine], postage: Decimal, points: int) -> Settled:
        """Return the order as it is paid. Raises QuoteDiffers for another cart, or more points than were allowed."""
        if cart_hash(lines, postage) != self.cart:
            raise QuoteDiffers
        amounts = [line.amount for line in lines] + ([postage] if postage else [])
        taken = self.deductions
        if points and self.worth(points) and self.rule:
            left = deductions.left_of(amounts, taken)
            by_points = deductions.with_points(
                self.rule, points, left, has_postage=bool(postage), currency=self.currency, names=self.currency_names
            )
            taken = (*taken, by_points)
        left = deductions.left_of(amounts, taken)
        goods = [
            OrderLine(line.sku, line.name, line.quantity, line.unit_price, amount, line.earns)
            for line, amount in zip(lines, left, strict=False)
        ]
        sent = [OrderLine(POSTAGE, _now("Postage"), Decimal(1), postage, left[-1], False)] if postage else []
        return Settled((*goods, *sent), len(goods), self.gross_amount, taken, points)

    def stored(self) -> dict[str, Any]:
        """Return it as plain JSON values: ids and figures, money of shares in cents."""
        rule = self.rule
        return {
            "cart": self.cart,
            "gross": str(self.gross_amount),
            "ded": [_stored(one) for one in self.deductions],
            "pay": [str(rule.money_per_point), rule.step_points, rule.min_points, rule.max_share_percent, rule.pays_postage]
            if rule
            else None,
            "most": self.most_points,
            "in": [self.currency, self.currency_names],
        }  # fmt: skip

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Terms":
        """Return what `stored` gave."""
        pay = kept["pay"]
        return cls(
            kept["cart"],
            Decimal(kept["gross"]),
            tuple(_read(one) for one in kept["ded"]),
            PaymentRule(Decimal(pay[0]), *pay[1:]) if pay else None,
            kept["most"],
            *kept["in"],
        )


@dataclass(frozen=True, slots=True)
class KeptQuote:
    """A quote that was kept: of which till, for whom, until when, and what it applied."""

    ref: UUID
    member_id: int | None
    source: str
    store_id: int | None
    expires_at: datetime
    points: int
    terms: Terms


def kept_quote(ref: UUID, *, source: str, store_id: int | None, at: datetime) -> KeptQuote:
    """Return a quote of this till's store. Raises NotFound, QuoteExpired (past its end, or for a moment to come)."""
    decision = decision_by_public_id(ref, at=at)
    trace = decision.trace
    if decision.code != QUOTE_CODE or trace.get("till") != [source, store_id]:
        raise NotFound
    expires_at = datetime.fromisoformat(trace["until"])
    if trace.get("trial") or at >= expires_at:
        raise QuoteExpired
    return KeptQuote(ref, decision.member_id, source, store_id, expires_at, trace["points"], Terms.read(trace["terms"]))


def cart_hash(lines: Sequence[OrderLine], postage: Decimal) -> str:
    """Return a hash of what a cart holds: articles, pieces and money, in their order."""
    parts = [_plain(postage)]
    for line in lines:
        parts += [line.sku, _plain(line.quantity), _plain(line.amount), str(line.earns)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def more_points_of_vouchers(taken: Sequence[Deduction]) -> tuple[earning.MorePoints, ...]:
    """Return what vouchers for more points add to an order."""
    return tuple(
        earning.MorePoints(
            ref=f"voucher:{one.voucher_id}", names=one.names, factor=one.figure,
            lines=frozenset(place + 1 for place in one.lines) if one.lines else None,
        )
        for one in taken
        if one.kind == deductions.VOUCHER and one.multiplies and one.figure is not None
    )  # fmt: skip


def _stored(one: Deduction) -> list[Any]:
    figure = None if one.figure is None else str(one.figure)
    cents = [int(share * 100) for share in one.shares]
    return [
        one.kind, one.ref, one.names, figure, one.voucher_id, one.entitlement_id, cents, list(one.lines), int(one.multiplies),
    ]  # fmt: skip


def _read(kept: Sequence[Any]) -> Deduction:
    kind, ref, names, figure, voucher_id, entitlement_id, cents, lines, multiplies = kept
    return Deduction(
        kind, ref, names, tuple(CENT * share for share in cents), None if figure is None else Decimal(figure), voucher_id,
        entitlement_id, tuple(lines), bool(multiplies),
    )  # fmt: skip


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
