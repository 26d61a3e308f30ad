"""Whether a rule is met, and if not, the first thing in the way: a code with its figures."""

from typing import Any

from members.conditions import FailedTest, evaluate
from members.facts import FactValues
from rewards.earning.values import ActivityFacts, PurchaseFacts, Rule

OTHER_CHANNEL = "rule_wrong_channel"
OTHER_STORE = "rule_wrong_store"
OTHER_WEEKDAY = "rule_wrong_weekday"
OTHER_HOUR = "rule_wrong_hour"
NOT_FIRST_ORDER = "rule_not_first_order"
TOO_FEW_ORDERS = "rule_too_few_orders"
CONDITION_NOT_MET = "rule_condition"
NO_SUCH_GOODS = "rule_no_goods"
GOODS_EARN_ELSEWHERE = "rule_goods_taken"
TOO_LITTLE_SPENT = "rule_min_spend"
BELOW_ONE_STEP = "rule_below_step"
CAP_REACHED = "rule_cap_reached"
BUDGET_EMPTY = "rule_budget_empty"
OTHER_TIME = "benefit_wrong_time"
TOO_FEW_POINTS = "benefit_too_few_points"

_FAILED_TESTS_KEPT = 5

Obstacle = tuple[str, dict[str, Any]]


def elsewhere(rule: Rule, facts: PurchaseFacts | ActivityFacts) -> Obstacle | None:
    """Return what is in the way of a rule in where and when something happened, or None."""
    if rule.channel_ids and facts.channel_id not in rule.channel_ids:
        return OTHER_CHANNEL, {}
    if rule.store_ids and facts.store_id not in rule.store_ids:
        return OTHER_STORE, {}
    if rule.weekdays and facts.local.weekday() not in rule.weekdays:
        return OTHER_WEEKDAY, {"weekdays": sorted(rule.weekdays)}
    if rule.hours is not None and not holds_hour(rule.hours, facts.local.hour):
        return OTHER_HOUR, {"from": rule.hours[0], "to": rule.hours[1]}
    return None


def holds_hour(hours: tuple[int, int], hour: int) -> bool:
    """Whether the half-open span of hours holds an hour; 22 to 6 passes midnight."""
    start, end = hours
    return start <= hour < end if start < end else hour >= start or hour < end


def obstacle(rule: Rule, facts: PurchaseFacts, values: FactValues) -> Obstacle | None:
    """Return the first thing other than goods and money that is in the way of a rule for purchases, or None."""
    place = elsewhere(rule, facts)
    if place is not None:
        return place
    if rule.first_order_only and not facts.is_first_order:
        return NOT_FIRST_ORDER, {}
    if rule.min_orders is not None and rule.within_days is not None:
        made = facts.orders_in[rule.within_days]
        if made < rule.min_orders:
            return TOO_FEW_ORDERS, {"orders": made, "needed": rule.min_orders, "days": rule.within_days}
    return unmet(rule, values)


def unmet(rule: Rule, values: FactValues) -> Obstacle | None:
    """Return what the condition over the member misses, or None. Raises KeyError when a fact was not loaded."""
    if rule.condition is None:
        return None
    outcome = evaluate(rule.condition, values)
    if outcome.met:
        return None
    return CONDITION_NOT_MET, {"failed": [test.stored() for test in outcome.failed[:_FAILED_TESTS_KEPT]]}


def failed_tests(params: dict[str, Any]) -> tuple[FailedTest, ...]:
    """Return the tests that a stored obstacle kept."""
    return tuple(FailedTest.from_stored(row) for row in params.get("failed", []))
