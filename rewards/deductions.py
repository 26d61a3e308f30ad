"""What makes an order cheaper before vouchers and after them: member prices, discounts, paying with points. Pure figures.

Order: each line takes the one benefit (member price or discount) that gives it most; then free postage; then vouchers
(`rewards.cart`); points pay last. Whatever is taken off stands with its share of each line, to the cent; the share of the
postage comes after those of the goods, where there is any postage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final

from rewards.cart import Label, split

CENT: Final = Decimal("0.01")
NOTHING: Final = Decimal("0.00")
MEMBER_PRICE, DISCOUNT, SHIPPING, VOUCHER, POINTS = "member_price", "discount", "shipping", "voucher", "points"
#: Why points can not pay.
NOT_HERE, TOO_FEW, ORDER_TOO_SMALL, SWITCHED_OFF = "not_here", "too_few", "order_too_small", "switched_off"


@dataclass(frozen=True, slots=True)
class Goods:
    """One line of goods in a cart. `amount` is what it costs after the shop's own discounts."""

    sku: str
    quantity: Decimal
    amount: Decimal
    category_ids: tuple[int, ...] = ()
    is_discountable: bool = True


@dataclass(frozen=True, slots=True)
class PriceBenefit:
    """A benefit that may make a cart cheaper, usable here and now.

    `percent` of a discount, or `prices` of one piece by SKU; neither: it frees the postage. `category_ids` None: all
    goods. `entitlement_id`: what a use is taken from, where uses are counted.
    """

    code: str
    names: Label
    percent: Decimal | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    category_ids: frozenset[int] | None = None
    entitlement_id: int | None = None

    def saving(self, line: Goods) -> Decimal:
        """Return what it takes off a line; nothing of goods that nothing makes cheaper."""
        if not line.is_discountable:
            return NOTHING
        if line.sku in self.prices:
            return max(line.amount - (self.prices[line.sku] * line.quantity).quantize(CENT, ROUND_HALF_UP), NOTHING)
        counted = self.category_ids is None or not self.category_ids.isdisjoint(line.category_ids)
        if self.percent is None or not counted:
            return NOTHING
        return min((line.amount * self.percent / 100).quantize(CENT, ROUND_HALF_UP), line.amount)


@dataclass(frozen=True, slots=True)
class Deduction:
    """One thing that makes an order cheaper, or (a voucher for more points, or for a gift) worth more.

    `ref` is the code of a benefit, the public id of a voucher, the code of a points currency; `figure` the percentage or
    factor that belongs to it, or the points. `lines` are the places of the goods whose points a voucher multiplies; none:
    of all.
    """

    kind: str
    ref: str
    names: Label
    shares: tuple[Decimal, ...]
    figure: Decimal | None = None
    voucher_id: int | None = None
    entitlement_id: int | None = None
    lines: tuple[int, ...] = ()
    multiplies: bool = False

    @property
    def amount(self) -> Decimal:
        """What it takes off in all."""
        return sum(self.shares, NOTHING)


def by_benefits(lines: Sequence[Goods], postage: Decimal, benefits: Sequence[PriceBenefit]) -> list[Deduction]:
    """Return what benefits take off: of each line the one that gives most, of equal ones one that is not counted."""
    in_order = sorted(benefits, key=lambda one: (one.entitlement_id is not None, one.code))
    taken: dict[int, list[Decimal]] = {}
    for number, line in enumerate(lines):
        savings = [one.saving(line) for one in in_order]
        best = max(savings, default=NOTHING)
        if best > 0:
            shares = taken.setdefault(savings.index(best), [NOTHING] * len(lines))
            shares[number] = best
    tail = (NOTHING,) if postage else ()
    found = [_by(in_order[place], tuple(shares) + tail) for place, shares in sorted(taken.items())]
    freeing = next((one for one in in_order if one.percent is None and not one.prices), None)
    if postage and freeing is not None:
        free = (*([NOTHING] * len(lines)), postage)
        found.append(Deduction(SHIPPING, freeing.code, freeing.names, free, entitlement_id=freeing.entitlement_id))
    return found


def _by(benefit: PriceBenefit, shares: tuple[Decimal, ...]) -> Deduction:
    kind = MEMBER_PRICE if benefit.prices else DISCOUNT
    return Deduction(kind, benefit.code, benefit.names, shares, benefit.percent, entitlement_id=benefit.entitlement_id)


def left_of(amounts: Sequence[Decimal], deductions: Sequence[Deduction]) -> list[Decimal]:
    """Return what is left of each amount after deductions."""
    return [amount - sum((one.shares[place] for one in deductions), NOTHING) for place, amount in enumerate(amounts)]


# --- Paying with points -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class PaymentRule:
    """How points pay: what one is worth, in which steps, how many at least, and of how much of an order."""

    money_per_point: Decimal
    step_points: int
    min_points: int
    max_share_percent: int
    pays_postage: bool

    def worth(self, points: int) -> Decimal:
        """Return what points pay, to the cent, downward."""
        return (points * self.money_per_point).quantize(CENT, ROUND_DOWN)

    def base(self, left: Sequence[Decimal], *, has_postage: bool) -> list[Decimal]:
        """Return what of each line points may pay."""
        return [
            NOTHING if has_postage and not self.pays_postage and place == len(left) - 1 else amount
            for place, amount in enumerate(left)
        ]


@dataclass(frozen=True, slots=True)
class PointsPayable:
    """How many points can pay: at most, of them applied, what these pay, and (where none can) why not."""

    most: int
    applied: int
    worth: Decimal
    reason: str = ""
    least: int = 0
    step: int = 1


def payable(rule: PaymentRule, base: Decimal, available: int, asked: int | None) -> PointsPayable:
    """Return how many points pay an order of which they may pay a share of `base`. `asked` None: as many as can."""
    by_order = int((base * rule.max_share_percent / 100 / rule.money_per_point).to_integral_value(ROUND_DOWN))
    most = min(by_order, available) // rule.step_points * rule.step_points
    # Of a point that is worth less than a cent, so many pay nothing.
    if most < max(rule.min_points, 1) or rule.worth(most) <= 0:
        reason = ORDER_TOO_SMALL if by_order < max(rule.min_points, rule.step_points) else TOO_FEW
        return PointsPayable(0, 0, NOTHING, reason, rule.min_points, rule.step_points)
    applied = most if asked is None else min(asked, most) // rule.step_points * rule.step_points
    if applied < rule.min_points:
        applied = 0
    return PointsPayable(most, applied, rule.worth(applied), "", rule.min_points, rule.step_points)


def fits(rule: PaymentRule, points: int, most: int) -> bool:
    """Whether so many points may be set aside under a quote that allowed `most`."""
    return points == 0 or (rule.min_points <= points <= most and points % rule.step_points == 0)


def with_points(
    rule: PaymentRule, points: int, left: Sequence[Decimal], *, has_postage: bool, currency: str, names: Label
) -> Deduction:
    """Return what points take off each line, by what is left of it. Raises ValueError when they pay more than that."""
    weights = {place: int(amount * 100) for place, amount in enumerate(rule.base(left, has_postage=has_postage))}
    cents = int(rule.worth(points) * 100)
    if cents > sum(weights.values()):
        raise ValueError(f"{points} points pay more than there is to pay")
    shares = split(weights, cents)
    return Deduction(POINTS, currency, names, tuple(CENT * shares[place] for place in weights), Decimal(points))
