"""What a condition is: tests in groups, two levels deep at most."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, cast

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.facts import FactKind, FactUse

MOST_TESTS: Final = 30
MOST_CHOICES: Final = 200
MOST_DAYS: Final = 3_660

Operator = Literal[
    "gte", "lte", "eq", "between", "in", "not_in", "is", "within_last_days", "within_next_days", "before", "after", "month_in",
]  # fmt: skip
Expected = Decimal | tuple[Decimal, ...] | tuple[str, ...] | tuple[int, ...] | bool | int | date
#: A value as JSON keeps it.
Plain = str | int | bool | list[str] | list[int] | None

_NUMBER_OPS: Final[tuple[Operator, ...]] = ("gte", "lte", "eq", "between")
#: Which tests a kind of fact allows, in the order in which forms offer them.
OPERATORS: Final[dict[FactKind, tuple[Operator, ...]]] = {
    "number": _NUMBER_OPS,
    "money": _NUMBER_OPS,
    "count": _NUMBER_OPS,
    "choice": ("in", "not_in"),
    "bool": ("is",),
    "date": ("within_last_days", "within_next_days", "before", "after", "month_in"),
}
#: What forms call them.
OPERATOR_WORDS: Final[dict[Operator, Promise]] = {
    "gte": _("at least"),
    "lte": _("at most"),
    "eq": _("exactly"),
    "between": _("between"),
    "in": _("is one of"),
    "not_in": _("is none of"),
    "is": _("is"),
    "within_last_days": _("within the last days"),
    "within_next_days": _("within the next days"),
    "before": _("before"),
    "after": _("after"),
    "month_in": _("in the months"),
}


@dataclass(frozen=True, slots=True)
class Test:
    """One fact compared with what is expected of it."""

    __test__ = False

    use: FactUse
    op: Operator
    expected: Expected

    @property
    def key(self) -> str:
        """The key of the fact's value."""
        return self.use.key


@dataclass(frozen=True, slots=True)
class Group:
    """Tests of which all, or any, must be met; at the top it may hold groups of the other sort."""

    mode: Literal["all", "any"]
    parts: tuple["Test | Group", ...]


Node = Group


def tests_of(node: Node) -> list[Test]:
    """Return all tests of a condition in their order."""
    found: list[Test] = []
    for part in node.parts:
        found.extend(tests_of(part) if isinstance(part, Group) else [part])
    return found


def fact_keys(node: Node) -> tuple[str, ...]:
    """Return the keys of the facts that a condition asks about, each once."""
    return tuple(dict.fromkeys(test.key for test in tests_of(node)))


def plain(value: object) -> Plain:
    """Return a value as JSON keeps it: whole numbers as such, other numbers and dates as text."""
    if isinstance(value, tuple):
        return cast(Plain, [plain(one) for one in value])
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, date):
        return value.isoformat()
    return cast(Plain, value)
