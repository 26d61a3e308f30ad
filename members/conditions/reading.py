"""A condition from its stored form and back. What can not be read is refused, naming the part."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, cast

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.conditions.tree import (
    MOST_CHOICES,
    MOST_DAYS,
    MOST_TESTS,
    OPERATORS,
    Expected,
    Group,
    Node,
    Test,
    plain,
    tests_of,
)
from members.facts import FactKind, FactUnknown, use_of
from members.refusals import MembersRefusal

LARGEST: Final = Decimal(10) ** 12


class ConditionInvalid(MembersRefusal):
    """A condition can not be read; `part` says where, like `all.2.value`."""

    code = "condition_invalid"
    text = gettext_lazy("The condition can not be read at “%(part)s”: %(why)s")
    status = 422


def parse(data: object) -> Node:
    """Return the condition that a stored form says. `None` and `{}` mean no condition. Raises `ConditionInvalid`."""
    if data is None or data == {}:
        return Group("all", ())
    node = _group(data, "", None)
    if len(tests_of(node)) > MOST_TESTS:
        raise ConditionInvalid(part=node.mode, why=_too_many())
    return node


def stored(node: Node) -> dict[str, Any]:
    """Return the form in which a condition is kept; `parse` reads it back."""
    return {
        node.mode: [
            stored(part)
            if isinstance(part, Group)
            else {"fact": part.key, "op": part.op, "value": plain(part.expected)}
            for part in node.parts
        ]
    }


def _too_many() -> str:
    return _("There are more than %(most)s tests.") % {"most": MOST_TESTS}


def _group(data: object, place: str, outer: str | None) -> Group:
    if not isinstance(data, dict) or len(data) != 1 or next(iter(data)) not in ("all", "any"):
        raise ConditionInvalid(part=place or "·", why=_("A group is “all” or “any” with a list."))
    mode, items = next(iter(data.items()))
    here = f"{place}.{mode}" if place else mode
    if not isinstance(items, list) or (not items and (outer is not None or mode == "any")):
        raise ConditionInvalid(part=here, why=_("The group is empty."))
    if len(items) > MOST_TESTS:
        raise ConditionInvalid(part=here, why=_too_many())
    if outer == mode:
        raise ConditionInvalid(part=here, why=_("A group inside a group is of the other sort."))
    parts: list[Test | Group] = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, dict) and "fact" in item:
            parts.append(_test(item, f"{here}.{number}"))
        elif outer is None:
            parts.append(_group(item, f"{here}.{number}", mode))
        else:
            raise ConditionInvalid(part=f"{here}.{number}", why=_("Groups are at most two deep."))
    return Group(cast(Literal["all", "any"], mode), tuple(parts))


def _test(item: dict[str, Any], place: str) -> Test:
    if item.keys() != {"fact", "op", "value"} or not isinstance(item["fact"], str):
        raise ConditionInvalid(part=place, why=_("A test has a fact, a comparison and a value."))
    try:
        use = use_of(item["fact"])
    except FactUnknown as refusal:
        raise ConditionInvalid(part=f"{place}.fact", why=refusal.sentence()) from refusal
    op = item["op"]
    if op not in OPERATORS[use.fact.kind]:
        raise ConditionInvalid(part=f"{place}.op", why=_("This fact can not be compared like that."))
    expected = _READERS[op](item["value"])
    if expected is None or not _fits(use.fact.kind, expected):
        raise ConditionInvalid(part=f"{place}.value", why=_("This value does not fit the comparison."))
    return Test(use, op, expected)


def _fits(kind: FactKind, expected: Expected) -> bool:
    """Whether numbers have no more decimal places than the fact: none for counts, two for money, six for others."""
    if kind not in ("count", "money", "number"):
        return True
    smallest = {"count": Decimal(1), "money": Decimal("0.01"), "number": Decimal("0.000001")}[kind]
    numbers = expected if isinstance(expected, tuple) else (expected,)
    return all(isinstance(number, Decimal) and number == number.quantize(smallest) for number in numbers)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,13}(\.[0-9]{1,6})?", value):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > LARGEST:
        return None
    return number


def _between(value: object) -> tuple[Decimal, ...] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = _number(value[0]), _number(value[1])
    return None if low is None or high is None or low > high else (low, high)


def _codes(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_CHOICES:
        return None
    if not all(isinstance(code, str) and 0 < len(code) <= 60 and code.isprintable() for code in value):
        return None
    return tuple(dict.fromkeys(value))


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _days(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DAYS else None


def _date(value: object) -> date | None:
    if isinstance(value, date):
        return None if isinstance(value, datetime) else value
    if not isinstance(value, str) or not re.fullmatch(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _months(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= 12:
        return None
    if not all(isinstance(month, int) and not isinstance(month, bool) and 1 <= month <= 12 for month in value):
        return None
    return tuple(sorted(set(value)))


_READERS: Final[dict[str, Callable[[object], Expected | None]]] = {
    "gte": _number,
    "lte": _number,
    "eq": _number,
    "between": _between,
    "in": _codes,
    "not_in": _codes,
    "is": _truth,
    "within_last_days": _days,
    "within_next_days": _days,
    "before": _date,
    "after": _date,
    "month_in": _months,
}
