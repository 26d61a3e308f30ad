"""All earn rules with their versions, those in force at a moment, and what must be known before they can be asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from members.conditions import fact_keys
from rewards.earning.matching import elsewhere
from rewards.earning.values import ActivityFacts, CapKey, Period, ProgrammeCap, PurchaseFacts, Rule


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be read before rules can be asked; mostly nothing.

    `goods`: categories and brands of the lines. `order_days`: for these spans the orders of the member. `fact_keys`:
    facts of `members.facts`. `cap_keys`: counters of the member. `budgets`: shared budgets may be asked.
    """

    goods: bool = False
    first_order: bool = False
    order_days: frozenset[int] = frozenset()
    fact_keys: frozenset[str] = frozenset()
    cap_keys: tuple[CapKey, ...] = ()
    budgets: bool = False

    @property
    def looks_back(self) -> bool:
        """Whether the answer depends on what happened before: such purchases are worked out one after the other."""
        return bool(self.first_order or self.order_days or self.fact_keys or self.cap_keys or self.budgets)


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules of one moment. `currency_id` is the programme's default currency."""

    currency_id: int
    base: tuple[Rule, ...] = ()
    extra: tuple[Rule, ...] = ()
    behaviour: tuple[Rule, ...] = ()
    caps: tuple[ProgrammeCap, ...] = ()

    @classmethod
    def of(cls, currency_id: int, rules: Iterable[Rule], caps: Iterable[ProgrammeCap] = ()) -> "RulesInForce":
        """Return rules in the order in which they are asked, whatever the order in which they come."""
        in_order = sorted(rules, key=lambda rule: rule.place)
        return cls(
            currency_id,
            base=tuple(rule for rule in in_order if not rule.activity_kind and not rule.is_extra),
            extra=tuple(rule for rule in in_order if not rule.activity_kind and rule.is_extra),
            behaviour=tuple(rule for rule in in_order if rule.activity_kind),
            caps=tuple(sorted(caps, key=lambda cap: cap.currency_id)),
        )

    def needs(self, facts: PurchaseFacts) -> Needs:
        """Return what must be known of a purchase, given where and when it was made."""
        asked = [rule for rule in (*self.base, *self.extra) if elsewhere(rule, facts) is None]
        return self._needs_of(asked, facts.local.date())

    def activity_needs(self, facts: ActivityFacts) -> Needs:
        """Return what must be known of an activity, given its kind, where and when it happened."""
        asked = [rule for rule in self.behaviour if rule.activity_kind == facts.kind and elsewhere(rule, facts) is None]
        return self._needs_of(asked, facts.local.date())

    def cap_of(self, currency_id: int) -> ProgrammeCap | None:
        """Return the programme's cap on a currency."""
        return next((cap for cap in self.caps if cap.currency_id == currency_id), None)

    def points_for(self, amount: Decimal) -> int:
        """Return the base points of an amount of which nothing else is known, in the default currency.

        They are those of the lowest base rule that counts everything; nothing when there is none.
        """
        for rule in reversed(self.base):
            if rule.counts_everything and rule.currency_id == self.currency_id:
                return rule.points_fixed if rule.points_fixed is not None else rule.points_for(amount)
        return 0

    def _needs_of(self, rules: Sequence[Rule], day: date) -> Needs:
        keys = [
            cap_key(rule.rule_id, rule.currency_id, period, day) for rule in rules for period, *_ in rule.caps.counted()
        ]
        # A promotion may add points of the default currency where no rule gives any.
        currencies = {rule.currency_id for rule in rules} | ({self.currency_id} if self.base else set())
        keys += [
            cap_key(0, cap.currency_id, period, day)
            for cap in self.caps
            if cap.currency_id in currencies
            for period, _limit in cap.counted()
        ]
        conditions = [rule.condition for rule in rules if rule.condition is not None]
        return Needs(
            goods=any(rule.goods or rule.excluded for rule in rules),
            first_order=any(rule.first_order_only for rule in rules),
            order_days=frozenset(rule.within_days for rule in rules if rule.min_orders and rule.within_days),
            fact_keys=frozenset(key for condition in conditions for key in fact_keys(condition)),
            cap_keys=tuple(keys),
            budgets=any(rule.budget_id is not None for rule in rules),
        )


def cap_key(rule_id: int, currency_id: int, period: int, day: date) -> CapKey:
    """Return the counter that counts a day."""
    kind = Period(period)
    return CapKey(rule_id, currency_id, kind, kind.start(day))


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All published versions of all rules and of the programme's caps; `at` finds those in force."""

    currency_id: int
    rules: tuple[Rule, ...]
    caps: tuple[ProgrammeCap, ...] = ()

    def at(self, moment: datetime) -> RulesInForce:
        """Return the rules in force at a moment."""
        return RulesInForce.of(
            self.currency_id,
            (rule for rule in self.rules if rule.is_in_force(moment)),
            (cap for cap in self.caps if cap.is_in_force(moment)),
        )

    def budgets_between(self, start: datetime, end: datetime) -> tuple[int, ...]:
        """Return the shared budgets from which purchases in [start, end] may take, ascending."""
        return tuple(sorted({
            rule.budget_id
            for rule in self.rules
            if rule.budget_id is not None and rule.valid_from <= end and (rule.valid_to is None or start < rule.valid_to)
        }))  # fmt: skip
