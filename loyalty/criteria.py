"""What a tier asks for: thresholds over metrics, all of them, any, or so many. Pure; money in the programme's currency."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

Metric = Literal["credits", "spend", "orders", "active_days", "activity", "tenure_months", "score"]

#: All metrics, in the order in which they are shown.
METRICS: Final[tuple[Metric, ...]] = (
    "credits",
    "spend",
    "orders",
    "active_days",
    "activity",
    "tenure_months",
    "score",
)
#: What a score may be made of: everything but itself.
WEIGHED: Final[tuple[Metric, ...]] = METRICS[:-1]
ALL: Final = 0

_HUNDRED: Final = 100
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Sums:
    """What a member did within a span, returns taken off, and how much of it returns took back (positive numbers).

    `credits` include `carried`, what an earlier period handed on. `tenure_months` are whole months since joining, up to
    the end of the span. `active_days` are days with a purchase that was not wholly returned, or with a counted activity.
    """

    credits: int = 0
    returned: int = 0
    spend: Decimal = Decimal(0)
    returned_spend: Decimal = Decimal(0)
    orders: int = 0
    returned_orders: int = 0
    active_days: int = 0
    activity: int = 0
    tenure_months: int = 0
    carried: int = 0


def together(one: Sums, other: Sums) -> Sums:
    """Return what two members did, added up. Days on which both were active count twice; of tenure the longer one counts."""
    added = {
        name: getattr(one, name) + getattr(other, name) for name in one.__dataclass_fields__ if name != "tenure_months"
    }
    return Sums(**added, tenure_months=max(one.tenure_months, other.tenure_months))


Weights = Mapping[Metric, Decimal]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric beside what is asked of it. All in the metric's unit; `returned` is what returns took back."""

    metric: Metric
    have: Decimal
    needed: Decimal
    returned: Decimal = Decimal(0)

    @property
    def short(self) -> Decimal:
        """What is missing; 0 once reached."""
        return max(Decimal(0), self.needed - self.have)

    @property
    def is_met(self) -> bool:
        """Whether the threshold is reached."""
        return self.have >= self.needed


@dataclass(frozen=True, slots=True)
class Criteria:
    """Thresholds by metric, of which `least` have to be reached (`ALL`, 0: every one).

    Without a threshold nothing is reached by doing: such a tier is only given by hand. The lowest tier asks for nothing
    and is never asked.
    """

    thresholds: tuple[tuple[Metric, Decimal], ...] = ()
    least: int = ALL
    weights: Weights = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Metric, Decimal]]:
        return iter(self.thresholds)

    @property
    def must(self) -> int:
        """How many thresholds have to be reached."""
        return min(self.least, len(self.thresholds)) or len(self.thresholds)

    @property
    def credits(self) -> int:
        """The tier credits asked for; 0 when they are not asked for."""
        return next((int(threshold) for metric, threshold in self.thresholds if metric == "credits"), 0)

    @property
    def needs_credits_only(self) -> bool:
        """Whether the sum of tier credits decides alone."""
        return all(metric == "credits" for metric, _threshold in self.thresholds)

    def is_met(self, sums: Sums, *, percent: int = _HUNDRED) -> bool:
        """Tell whether enough thresholds are reached, or so many per cent of each of them."""
        if not self.thresholds:
            return False
        reached = 0
        for metric, threshold in self.thresholds:
            reached += self.value(metric, sums) * _HUNDRED >= threshold * percent
        return reached >= self.must

    def figures(self, sums: Sums) -> tuple[Figure, ...]:
        """Return each threshold beside what the member has."""
        return tuple(
            Figure(metric, self.value(metric, sums), threshold, returned_of(metric, sums))
            for metric, threshold in self.thresholds
        )

    def value(self, metric: Metric, sums: Sums) -> Decimal:
        """Return what a member has of a metric."""
        if metric == "score":
            return score(sums, self.weights)
        return value_of(metric, sums)


def value_of(metric: Metric, sums: Sums) -> Decimal:
    """Return a metric of its own; of the score, which is made of the others, nothing."""
    return Decimal(getattr(sums, metric)) if metric != "score" else Decimal(0)


def returned_of(metric: Metric, sums: Sums) -> Decimal:
    """Return what returns took back of a metric; of those that they do not touch by themselves, nothing."""
    match metric:
        case "credits":
            return Decimal(sums.returned)
        case "spend":
            return sums.returned_spend
        case "orders":
            return Decimal(sums.returned_orders)
    return Decimal(0)


def score(sums: Sums, weights: Weights) -> Decimal:
    """Return the weighted mix: each metric times its weight, to the cent, added up."""
    total = sum((value_of(metric, sums) * weight for metric, weight in weights.items()), Decimal(0))
    return total.quantize(_CENT)
