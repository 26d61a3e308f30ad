"""How points pay for orders, as values, read from the database and kept for some seconds."""

import time
from dataclasses import dataclass
from datetime import datetime

from rewards import deductions
from rewards.deductions import PaymentRule
from rewards.earning import Label
from rewards.models import PointsPayment
from rewards.queries import labels_of

_BOOK_SECONDS = 3.0
_Rules = tuple["_Rule", ...]
_book: tuple[float, _Rules] | None = None


@dataclass(frozen=True, slots=True)
class PaymentRuleInForce:
    """The rule by which points of the default currency pay in a store at a moment, with the currency's code and name."""

    value: PaymentRule
    currency: str
    names: Label
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule as it is kept, with what it asks of the place."""

    valid_from: datetime
    is_on: bool
    store_ids: frozenset[int]
    value: PaymentRule
    currency: str
    names: Label


def payment_rule(store_id: int | None, moment: datetime) -> PaymentRuleInForce | None:
    """Return how points pay in a store at a moment; None where there is no rule. No query while the book is fresh."""
    rule = next((one for one in _rules() if one.valid_from <= moment), None)
    if rule is None:
        return None
    reason = "" if rule.is_on else deductions.SWITCHED_OFF
    if not reason and rule.store_ids and store_id not in rule.store_ids:
        reason = deductions.NOT_HERE
    return PaymentRuleInForce(rule.value, rule.currency, rule.names, reason)


def forget_payment_book() -> None:
    """Read the rules again at the next quote: called when one was added."""
    global _book
    _book = None


def _rules() -> _Rules:
    """Return all rules, the newest first."""
    global _book
    if _book is None or time.monotonic() - _book[0] > _BOOK_SECONDS:
        rows = PointsPayment.objects.filter(currency__code="points").select_related("currency").order_by("-valid_from")
        _book = (time.monotonic(), tuple(_as_value(row) for row in rows))
    return _book[1]


def _as_value(row: PointsPayment) -> _Rule:
    rule = PaymentRule(row.money_per_point, row.step_points, row.min_points, row.max_share_percent, row.pays_postage)
    names = labels_of(row.currency, "name")
    return _Rule(row.valid_from, row.is_on, frozenset(row.store_ids), rule, row.currency.code, names)
