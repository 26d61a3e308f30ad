"""What benefits of a tier add to an order: more points on some goods, on some days, in some stores."""

from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from rewards.earning import matching
from rewards.earning.values import Label, LineFacts, PurchaseFacts


@dataclass(frozen=True, slots=True)
class MorePoints:
    """A benefit of a tier: its goods earn `factor` times the points. What is empty does not limit.

    `category_ids` None is the whole order; an empty set, categories that the catalogue does not know. `lines` None is every
    line, else those of these numbers: of a voucher that was quoted. `ref` is the benefit's name in traces.
    """

    ref: str
    names: Label
    factor: Decimal
    category_ids: frozenset[int] | None = None
    weekdays: frozenset[int] = frozenset()
    hours: tuple[time, time] | None = None
    store_ids: frozenset[int] = frozenset()
    lines: frozenset[int] | None = None

    def counts(self, line: LineFacts) -> bool:
        """Whether a line is among the goods of the benefit."""
        if self.lines is not None and line.line_no not in self.lines:
            return False
        return self.category_ids is None or not self.category_ids.isdisjoint(line.category_ids)

    def obstacle(self, facts: PurchaseFacts) -> matching.Obstacle | None:
        """Return the first thing in the way in where, when and what was bought, or None."""
        if self.store_ids and facts.store_id not in self.store_ids:
            return matching.OTHER_STORE, {}
        if self.weekdays and facts.local.weekday() not in self.weekdays:
            return matching.OTHER_WEEKDAY, {"weekdays": sorted(self.weekdays)}
        if self.hours is not None and not self.hours[0] <= facts.local.time() < self.hours[1]:
            return matching.OTHER_TIME, {"from": f"{self.hours[0]:%H:%M}", "to": f"{self.hours[1]:%H:%M}"}
        if not any(self.counts(line) for line in facts.earning_lines):
            return matching.NO_SUCH_GOODS, {}
        return None
