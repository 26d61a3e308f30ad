"""What points out there are worth: IFRS 15 allocation and revenue, and how many of them will be used. Pure arithmetic.

**Allocation and revenue** (IFRS 15 B39–B43, illustrative example 52). A sale that grants points is paid for goods and for
points. The price is divided by stand-alone selling prices, points counted only as far as they are expected to be used.
Of what falls to the points, the share used to date of all that is expected to be used is revenue to date; when the
expectation changes, the difference falls into the period in which it changed.

**Breakage**, the points that nobody will use, by development triangle on month of issue (vintage) × age in months, as
loyalty reserving does it (Gault, Llaguno, Ménard: Loyalty Rewards and Gift Card Programs, Basic Actuarial Estimation
Techniques, CAS E-Forum, Summer 2012). With C(v, k) the points of vintage v used up to age k, I(v) the points issued less
those taken back, R(v) those that are left:

    chain ladder      f(k) = Σ C(v, k+1) / Σ C(v, k)        over the vintages that have reached age k+1
    the oldest age K  whatever is left there counts as still to be used: f(K) = Σ (C + R) / Σ C
    developed share   p(k) = 1 / (f(k) · f(k+1) · … · f(K))  of all use of a vintage lies before the end of age k
    use in the end    q = Σ C(v) / Σ I(v) · p(age of v)      one share for all vintages (Cape Cod), at most 1
    still to be used  U(v) = I(v) · q · (1 − p(age of v)), at most R(v)
    breakage          1 − Σ U(v) / Σ R(v)

One q for all vintages keeps a young vintage, of which hardly a point is used yet, from being multiplied by a huge
factor. Prudence (IFRS 15 B46: breakage only as far as it is expected): what is left of the oldest age counts as still to be
used, and before three vintages have run to their end (at most 5 % left) no breakage is assumed at all, because a single
month of short-lived points proves nothing about the others.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ENDED_NEEDED = 3
"""So many vintages must have run to their end before any breakage is assumed."""
_ENDED_LEFT = Decimal("0.05")
_SHARE = Decimal("0.000001")
_ONE = Decimal(1)
_NONE = Decimal(0)


def rounded(amount: Decimal, unit: Decimal = CENT) -> Decimal:
    """Return an amount rounded half away from zero to a unit of money."""
    return amount.quantize(unit, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Allocation:
    """What of a price falls to the goods and what to the points, in money. Adds up to the price."""

    goods: Decimal
    points: Decimal


def allocate(
    *, price: Decimal, goods_price: Decimal, points: int, point_price: Decimal, expected_share: Decimal, unit: Decimal = CENT
) -> Allocation:  # fmt: skip
    """Divide a price between goods and points by their stand-alone selling prices.

    `point_price` is that of one point that is used, `expected_share` how much of the points will be used (0 to 1).
    """
    of_points = points * point_price * expected_share
    whole = goods_price + of_points
    for_points = rounded(price * of_points / whole, unit) if whole else _NONE
    return Allocation(price - for_points, for_points)


@dataclass(frozen=True, slots=True)
class Recognition:
    """Revenue of points at a date, in money: in all, in this period, and what is still owed (the contract liability)."""

    to_date: Decimal
    of_period: Decimal
    left: Decimal


def recognise(
    *, allocated: Decimal, redeemed: int, expected: int, before: Decimal = _NONE, unit: Decimal = CENT
) -> Recognition:  # fmt: skip
    """Return the revenue of points that were allocated an amount.

    `redeemed` are the points used to date, `expected` all that are expected to be used, as estimated now; `before` is the
    revenue of the periods before. A change of the estimate is thereby caught up in this period. Never more than allocated.
    """
    share = min(_ONE, Decimal(redeemed) / expected) if expected > 0 else _ONE
    to_date = rounded(allocated * share, unit)
    return Recognition(to_date, to_date - before, allocated - to_date)


@dataclass(frozen=True, slots=True)
class Cost:
    """Points left in one bucket (an expiry month, a vintage) and what they are expected to cost, in money."""

    points: int
    expected_amount: Decimal


def cost_view[Bucket: Hashable](
    outstanding: Mapping[Bucket, int], *, cost_per_point: Decimal, expected_share: Decimal, unit: Decimal = CENT
) -> dict[Bucket, Cost]:  # fmt: skip
    """Return for each bucket of points left what honouring them will cost: points × cost of a point × share that is used."""
    return {
        bucket: Cost(points, rounded(points * cost_per_point * expected_share, unit))
        for bucket, points in outstanding.items()
    }


@dataclass(frozen=True, slots=True)
class Cell:
    """What happened to the points of one vintage at one age (months after the month of issue), in points.

    `withdrawn` are those taken back after returns, corrected or passed on to another member: as if never issued here.
    """

    vintage: date
    age: int
    issued: int = 0
    withdrawn: int = 0
    used: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class VintageEstimate:
    """One vintage at the end of a month, in points. `developed` is the share of its use that lies behind it (0 to 1)."""

    vintage: date
    age: int
    issued: int
    used: int
    expired: int
    left: int
    developed: Decimal
    to_be_used: Decimal


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many of the points left will be used. `used_in_the_end` is q, `developed` is p by age, shares from 0 to 1.

    `ended` is how many vintages have run to their end. Too few of them: q is 1 and the breakage 0.
    """

    vintages: tuple[VintageEstimate, ...]
    developed: tuple[Decimal, ...]
    used_in_the_end: Decimal
    breakage: Decimal
    ended: int

    @property
    def left(self) -> int:
        """All points left, of all vintages."""
        return sum(vintage.left for vintage in self.vintages)


def months_between(earlier: date, later: date) -> int:
    """Return how many months lie between the months of two days."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def estimate_breakage(cells: Iterable[Cell], *, month: date, ended_needed: int = ENDED_NEEDED) -> Estimate:
    """Return the breakage expected at the end of a month, from what happened to each vintage until then.

    Before `ended_needed` vintages have run to their end, or without any use so far, the breakage is 0: there is no evidence.
    """
    rows: dict[date, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.vintage, []).append(cell)
    states = [_state(vintage, rows[vintage], month) for vintage in sorted(rows)]
    developed = _developed(states)
    exposed = sum((state.issued * developed[state.age] for state in states), _NONE)
    used = sum(state.used[-1] for state in states)
    ended = sum(state.issued > 0 and state.left <= state.issued * _ENDED_LEFT for state in states)
    is_known = ended >= ended_needed and exposed > 0
    in_the_end = min(_ONE, used / exposed) if is_known else _ONE
    estimates = tuple(_estimate(state, developed[state.age], in_the_end if is_known else None) for state in states)
    left = sum(estimate.left for estimate in estimates)
    to_be_used = sum((estimate.to_be_used for estimate in estimates), _NONE)
    breakage = _ONE - to_be_used / left if left > 0 else _NONE
    return Estimate(
        estimates, tuple(share.quantize(_SHARE) for share in developed), in_the_end.quantize(_SHARE), breakage.quantize(_SHARE), ended,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _State:
    """A vintage: `used` cumulated by age, up to its age now."""

    vintage: date
    age: int
    issued: int
    expired: int
    used: tuple[int, ...]

    @property
    def left(self) -> int:
        return self.issued - self.used[-1] - self.expired


def _state(vintage: date, cells: list[Cell], month: date) -> _State:
    age = max(0, months_between(vintage, month))
    by_age = [0] * (age + 1)
    for cell in cells:
        by_age[min(max(cell.age, 0), age)] += cell.used
    used, sum_so_far = [], 0
    for points in by_age:
        sum_so_far += points
        used.append(sum_so_far)
    return _State(
        vintage,
        age,
        sum(cell.issued - cell.withdrawn for cell in cells),
        sum(cell.expired for cell in cells),
        tuple(used),
    )


def _developed(states: list[_State]) -> list[Decimal]:
    """Return p by age. The link between two ages without any use is 1: it says nothing."""
    if not states:
        return [_ONE]
    oldest = max(state.age for state in states)
    last = [state for state in states if state.age == oldest]
    used, left = sum(state.used[-1] for state in last), sum(max(state.left, 0) for state in last)
    share = Decimal(used) / (used + left) if used + left > 0 else _ONE
    shares = [share]
    for age in range(oldest - 1, -1, -1):
        reached = [state for state in states if state.age > age]
        before, after = sum(state.used[age] for state in reached), sum(state.used[age + 1] for state in reached)
        share = min(_ONE, share * before / after) if after > 0 else share
        shares.append(share)
    return shares[::-1]


def _estimate(state: _State, developed: Decimal, in_the_end: Decimal | None) -> VintageEstimate:
    to_be_used = Decimal(max(state.left, 0))
    if in_the_end is not None:
        to_be_used = min(to_be_used, max(_NONE, state.issued * in_the_end * (_ONE - developed)))
    return VintageEstimate(
        state.vintage, state.age, state.issued, state.used[-1], state.expired, state.left,
        developed.quantize(_SHARE), to_be_used.quantize(CENT),
    )  # fmt: skip


def apportion[Key: Hashable](whole: Decimal, exact: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    """Return the parts rounded to cents so that they add up to `whole`, which is the rounded sum of the exact parts.

    Each part is rounded down; the cents left over go to the parts that lost most (ties: in the order given).
    """
    parts = {key: amount.quantize(CENT, ROUND_FLOOR) for key, amount in exact.items()}
    missing = int((whole - sum(parts.values(), _NONE)) / CENT)
    by_loss = sorted(exact, key=lambda key: parts[key] - exact[key])
    for key in by_loss[:missing]:
        parts[key] += CENT
    return parts
