"""The best lawful set of vouchers for a cart: pure figures, no database, no clock.

Lawful is one voucher that stands alone, or any that combine: of each group at most one, and all free ones. The order in
which they take off is fixed: money off (and for each full amount) first, then percentages of what is left of the goods
they are for; within each, the higher priority, then the one that ends first. Whether enough was spent is judged on the
goods before any voucher, so no voucher makes another unlawful. What is taken off is split over the lines that the
voucher counts, by what is left of them, to the cent (largest remainder, the earlier line on a tie).

Best is the set that takes most off goods and shipping; of equal ones that with more gifts, then the higher points
multiplier, then fewer vouchers, then higher priority and the earlier end. Every lawful set is looked at, like vouchers
counted together, as long as sets x vouchers x lines stay within MOST_STEPS: at 20 lines that is 9 differing vouchers
that combine, or any number that do not. Beyond, those that give least by themselves are set aside until it fits, and
then added one by one where they still give something.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from math import prod
from typing import Final

from rewards.cart.matching import DAY_LIMIT, NOT_COMBINED, NOTHING_LEFT, WORTH_LESS, Obstacle, counts, obstacle
from rewards.cart.values import (
    ALONE,
    NOTHING,
    ONE_OF_CLASS,
    Cart,
    CartLine,
    VoucherNotUsed,
    VoucherSet,
    VoucherTerms,
    VoucherUse,
)

MOST_STEPS: Final = 100_000

_Vouchers = tuple[VoucherTerms, ...]
_Options = tuple[_Vouchers, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A set worked out. Money in cents."""

    vouchers: _Vouchers
    uses: tuple[VoucherUse, ...]
    off_cents: int
    shipping_cents: int

    @property
    def _merit(self) -> tuple[object, ...]:
        gifts = sum(use.gift is not None for use in self.uses)
        multiplier = max((use.multiplier for use in self.uses if use.multiplier), default=Decimal(1))
        return (self.off_cents + self.shipping_cents, gifts, multiplier, -len(self.vouchers))

    def is_better_than(self, other: "_Outcome") -> bool:
        """Whether this set is to be preferred; of two that give the same, that of the better ranks."""
        if self._merit != other._merit:
            return self._merit > other._merit
        return sorted(one.rank for one in self.vouchers) < sorted(one.rank for one in other.vouchers)


class _Table:
    """A cart in cents, with what each voucher counts of it."""

    def __init__(
        self, lines: Sequence[CartLine], vouchers: Iterable[VoucherTerms], shipping_amount: Decimal = NOTHING
    ) -> None:
        self.numbers = [line.line_no for line in lines]
        self.cents = [max(0, _in_cents(line.amount)) for line in lines]
        self.shipping_cents = _in_cents(shipping_amount)
        self.counted = {
            terms.voucher_id: [place for place, line in enumerate(lines) if counts(terms, line)] for terms in vouchers
        }

    def work_out(self, vouchers: Iterable[VoucherTerms]) -> _Outcome:
        """Return what vouchers give together, each at its turn."""
        in_turn = tuple(sorted(vouchers, key=lambda terms: (terms.kind == "percent", *terms.rank)))
        left = list(self.cents)
        uses, off_cents, frees = [], 0, False
        for terms in in_turn:
            shares = self._shares(terms, left)
            off = sum(shares.values())
            for place, share in shares.items():
                left[place] -= share
            off_cents += off
            is_shipping = terms.kind == "shipping"
            frees = frees or is_shipping
            by_line = {self.numbers[place]: _in_money(share) for place, share in shares.items() if share}
            gift = (terms.gift or terms.label) if terms.kind == "exchange" else None
            uses.append(VoucherUse(terms.voucher_id, _in_money(off), by_line, is_shipping, gift, terms.multiplier))
        return _Outcome(in_turn, tuple(uses), off_cents, self.shipping_cents if frees else 0)

    def _shares(self, terms: VoucherTerms, left: Sequence[int]) -> dict[int, int]:
        """Return what a voucher takes off each line of which so much is left."""
        if not terms.is_money:
            return {}
        places = self.counted[terms.voucher_id]
        there = sum(left[place] for place in places)
        if not there:
            return {}
        wished = self._wished(terms, there)
        return split({place: left[place] for place in places}, min(wished, there))

    def _wished(self, terms: VoucherTerms, there: int) -> int:
        if terms.off_percent is not None:
            wished = int((there * terms.off_percent / 100).quantize(Decimal(1), ROUND_HALF_UP))
            return wished if terms.cap_amount is None else min(wished, _in_cents(terms.cap_amount))
        once = _in_cents(terms.off_amount or Decimal(0))
        if terms.kind == "amount":
            return once
        spent = sum(self.cents[place] for place in self.counted[terms.voucher_id])
        return once * min(terms.most_times, spent // _in_cents(terms.min_spend_amount))


def split(weights: Mapping[int, int], cents: int) -> dict[int, int]:
    """Split cents by weights so that they add up: largest remainder, the earlier key on a tie. No share is above its
    weight where the cents are not above their sum."""
    total = sum(weights.values())
    shares = {key: cents * weight // total for key, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda key: (-(cents * weights[key] % total), key))
    for key in by_remainder[: cents - sum(shares.values())]:
        shares[key] += 1
    return shares


def best_set(
    cart: Cart, vouchers: Sequence[VoucherTerms], *, at: datetime, chosen: Collection[int] | None = None
) -> VoucherSet:
    """Return the best lawful set of vouchers for a cart at a moment, with the reason for each one that is not in it.

    With `chosen` (ids), only these are looked at and told of. The order of the vouchers given does not matter.
    """
    asked = sorted(
        (terms for terms in vouchers if chosen is None or terms.voucher_id in chosen), key=lambda terms: terms.rank
    )
    met: list[VoucherTerms] = []
    refused: list[tuple[VoucherTerms, Obstacle]] = []
    for terms in asked:
        reason = obstacle(terms, cart, at)
        if reason is None:
            met.append(terms)
        else:
            refused.append((terms, reason))
    table = _Table(cart.lines, met, cart.shipping_amount)
    best, is_exact = _search(table, met)
    used = {terms.voucher_id for terms in best.vouchers}
    refused += [(terms, _passed_over(terms, best.vouchers)) for terms in met if terms.voucher_id not in used]
    refused.sort(key=lambda row: row[0].rank)
    return VoucherSet(
        best.uses,
        tuple(VoucherNotUsed(terms.voucher_id, code, params) for terms, (code, params) in refused),
        _in_money(best.off_cents),
        _in_money(best.shipping_cents),
        is_exact,
    )


def used_alone(terms: VoucherTerms, lines: Sequence[CartLine]) -> VoucherUse:
    """Return what one voucher gives on lines by itself; whether it may be used there is for the caller to ask."""
    return _Table(lines, [terms]).work_out([terms]).uses[0]


def are_lawful_together(vouchers: Sequence[VoucherTerms]) -> bool:
    """Whether vouchers may be used in one order."""
    if len(vouchers) < 2:
        return True
    groups = [terms.stacking_class for terms in vouchers if terms.stacking == ONE_OF_CLASS]
    if any(terms.stacking == ALONE for terms in vouchers) or len(set(groups)) != len(groups):
        return False
    return not any(_is_over_day_limit(terms, vouchers) for terms in vouchers)


def _search(table: _Table, met: Sequence[VoucherTerms]) -> tuple[_Outcome, bool]:
    """Return the best set, and whether every lawful one was looked at."""
    best = table.work_out(())
    for terms in met:
        if terms.stacking == ALONE:
            best = _better(best, table.work_out((terms,)))
    combinable = [terms for terms in met if terms.stacking != ALONE]
    kept, set_aside = _affordable(table, combinable)
    together = table.work_out(())
    for choice in product(*_options(kept)):
        together = _better(together, table.work_out(terms for option in choice for terms in option))
    for terms in set_aside:
        if are_lawful_together((*together.vouchers, terms)):
            together = _better(together, table.work_out((*together.vouchers, terms)))
    return _better(best, together), not set_aside


def _better(best: _Outcome, other: _Outcome) -> _Outcome:
    return other if other.is_better_than(best) else best


def _options(vouchers: Sequence[VoucherTerms]) -> list[_Options]:
    """Return what can be chosen independently: of a group one of its kinds or none; of like free ones none, one, two …"""
    groups: defaultdict[str, dict[tuple[object, ...], VoucherTerms]] = defaultdict(dict)
    alike: defaultdict[tuple[object, ...], list[VoucherTerms]] = defaultdict(list)
    for terms in vouchers:  # in the order of their ranks, so the first of its like is the one to use
        if terms.stacking == ONE_OF_CLASS:
            groups[terms.stacking_class].setdefault(terms.likeness, terms)
        else:
            alike[terms.likeness].append(terms)
    return [
        *(((), *((terms,) for terms in kinds.values())) for kinds in groups.values()),
        *(tuple(tuple(rows[:number]) for number in range(_most(rows) + 1)) for rows in alike.values()),
    ]


def _most(alike: Sequence[VoucherTerms]) -> int:
    """Return how many of vouchers that are alike may be used today."""
    left = alike[0].left_today
    return len(alike) if left is None else min(len(alike), left)


def _is_over_day_limit(terms: VoucherTerms, vouchers: Sequence[VoucherTerms]) -> bool:
    left = terms.left_today
    return left is not None and Counter(one.template_id for one in vouchers)[terms.template_id] > left


def _affordable(table: _Table, combinable: list[VoucherTerms]) -> tuple[list[VoucherTerms], list[VoucherTerms]]:
    """Return the vouchers of which every set can be looked at, by rank, and those set aside, the most worth first."""
    kept, set_aside = list(combinable), []
    lines = max(1, len(table.cents))
    if _steps(kept, lines) > MOST_STEPS:
        alone = {terms.voucher_id: table.work_out((terms,)) for terms in kept}
        by_worth = sorted(kept, key=lambda terms: (_worth(alone[terms.voucher_id]), *terms.rank))
        while _steps(kept, lines) > MOST_STEPS:
            least = by_worth.pop()
            set_aside.append(least)
            kept.remove(least)
    return kept, set_aside[::-1]


def _worth(outcome: _Outcome) -> int:
    return -(outcome.off_cents + outcome.shipping_cents)


def _steps(vouchers: Sequence[VoucherTerms], lines: int) -> int:
    options = _options(vouchers)
    most_at_once = sum(max(map(len, one)) for one in options)
    return prod(len(one) for one in options) * lines * max(1, most_at_once)


def _passed_over(terms: VoucherTerms, used: _Vouchers) -> Obstacle:
    """Return why a voucher that could be used is not in the best set."""
    if are_lawful_together((*used, terms)):
        return NOTHING_LEFT, {}
    if terms.stacking not in (ALONE, ONE_OF_CLASS) and _is_over_day_limit(terms, (*used, terms)):
        return DAY_LIMIT, {"limit": terms.day_limit}
    rival = next((one for one in used if _is_rival(one, terms)), used[0])
    if _is_rival(rival, terms):
        return WORTH_LESS, {"than_id": rival.voucher_id, "than": rival.label}
    return NOT_COMBINED, {"with_id": rival.voucher_id, "with": rival.label}


def _is_rival(one: VoucherTerms, other: VoucherTerms) -> bool:
    return one.stacking == other.stacking == ONE_OF_CLASS and one.stacking_class == other.stacking_class


def _in_cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)


def _in_money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
