"""What the benefits cost that a member used through a paid plan. Whoever keeps benefits registers how to find out."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

#: Member, public id of the plan of the member, begin, end → cost in the programme's currency.
BenefitCost = Callable[[int, UUID, datetime, datetime], Decimal]

_costs: dict[str, BenefitCost] = {}


def register_benefit_cost(name: str, cost: BenefitCost) -> None:
    """Register one source of such costs. Called once per process, from `AppConfig.ready()`."""
    _costs[name] = cost


def benefits_used(member_id: int, membership: UUID, from_at: datetime, until: datetime) -> Decimal:
    """Return what all benefits used through a plan over a span cost; nothing where nobody keeps benefits."""
    return sum((cost(member_id, membership, from_at, until) for cost in _costs.values()), Decimal("0.00"))
