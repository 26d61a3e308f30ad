"""The lines that go to partners and come from them, as values."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OutLine:
    """A conversion for the partner to book: our reference, the customer's number there, units, when it was asked for."""

    ref: str
    account: str
    units: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """What the partner says of one conversion, by our reference."""

    number: int
    ref: str
    is_accepted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class IncomingLine:
    """Units that a partner's customer wants as our points: the partner's reference, our member's number or phone."""

    number: int
    ref: str
    member: str
    units: int


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row that says nothing we understand, by its number in the file. `what` is the column at fault."""

    number: int
    what: str
