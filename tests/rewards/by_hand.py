"""What tests of points moved by hand begin with."""

from datetime import datetime
from typing import Any

from members.actors import Actor
from members.models import Operator, Proposal, TimelineEntry
from rewards.models import (
    Adjustment,
    Donation,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    PartnerConversion,
    PointsAccount,
    PointsTransfer,
)
from rewards.services.verification import verify
from tests.factories.by_hand import may_move_points
from tests.factories.portal import an_operator


def staff(role: str = "service") -> Operator:
    """Return an operator with the limits of a role (service: 500 points each time, 5,000 a day) and every right to move points."""
    return may_move_points(an_operator(role))


def actor(operator: Operator) -> Actor:
    """Return the operator as one who acts."""
    return Actor("operator", operator.pk)


def books() -> dict[str, Any]:
    """Return what a refusal must leave as it is: everything of value."""
    models = (
        LedgerTransaction,
        LedgerEntry,
        Lot,
        PointsAccount,
        Adjustment,
        PointsTransfer,
        Donation,
        PartnerConversion,
        Proposal,
    )
    stand: dict[str, Any] = {model.__name__: list(model.objects.order_by("pk").values()) for model in models}
    stand["timeline"] = TimelineEntry.objects.count()
    return stand


def findings(at: datetime) -> list[str]:
    """Return what the proof of the ledger finds; nothing when it is sound."""
    return [str(finding) for finding in verify(at=at)]
