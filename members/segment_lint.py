"""What is odd about a condition: parts that nobody can meet, that everybody meets, or that are looked up the slow way."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from django.utils.translation import gettext as _

from members.conditions import Group, Node, Test, is_foreseeable, sentence, tests_of
from members.segment_estimates import Estimate

_LEAST: Final = Decimal("-Infinity")
_MOST: Final = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to look at: `wrong` is hardly meant, `odd` may be."""

    weight: Literal["wrong", "odd"]
    text: str


def lint(node: Node, matched: Estimate | None) -> list[Remark]:
    """Return what is odd about a condition by what it says, and, where it was looked up, by how many meet it."""
    found = [Remark("wrong", text) for text in _contradictions(node)]
    found += [Remark("odd", text) for text in _doubles(node)]
    if matched is not None and matched.members and not any(one.weight == "wrong" for one in found):
        if matched.high == 0:
            found.append(Remark("wrong", _("Nobody meets this now.")))
        elif not matched.likely:
            found.append(Remark("odd", _("Hardly anybody meets this now, perhaps nobody.")))
        elif matched.low >= matched.members:
            found.append(Remark("odd", _("Everybody meets this now.")))
    if node.parts and not is_foreseeable(node):
        found.append(
            Remark("odd", _("It asks for something that changes unseen with time: it is compared once each night."))
        )
    return found


def _contradictions(node: Node) -> Iterator[str]:
    """Yield what can not be met: tests of one fact that all are needed and leave nothing."""
    for group in _alls(node):
        by_fact: defaultdict[str, list[Test]] = defaultdict(list)
        for test in group:
            by_fact[test.key].append(test)
        for tests in by_fact.values():
            if len(tests) > 1 and not _is_possible(tests):
                both = sentence(Group("all", tuple(tests)))
                yield _("Nobody can meet both: %(tests)s.") % {"tests": both}


def _alls(node: Node) -> list[list[Test]]:
    """Return the tests that are needed together, for each way to meet the condition as a whole."""
    if node.mode == "all":
        return [[part for part in node.parts if isinstance(part, Test)]]
    return [tests_of(part) for part in node.parts if isinstance(part, Group)]


def _is_possible(tests: Sequence[Test]) -> bool:
    low, high = _LEAST, _MOST
    choices: set[Any] | None = None
    without: set[Any] = set()
    for test in tests:
        expected: Any = test.expected
        match test.op:
            case "gte":
                low = max(low, expected)
            case "lte":
                high = min(high, expected)
            case "eq":
                low, high = max(low, expected), min(high, expected)
            case "between":
                low, high = max(low, expected[0]), min(high, expected[1])
            case "in" | "month_in":
                choices = set(expected) if choices is None else choices & set(expected)
            case "is":
                choices = {expected} if choices is None else choices & {expected}
            case "not_in":
                without |= set(expected)
            case "before":
                high = min(high, Decimal(expected.toordinal() - 1))
            case "after":
                low = max(low, Decimal(expected.toordinal() + 1))
    return low <= high and (choices is None or bool(choices - without))


def _doubles(node: Node) -> Iterator[str]:
    seen = set()
    for test in tests_of(node):
        name = (test.key, test.op, test.expected)
        if name in seen:
            yield _("Said twice: %(test)s.") % {"test": sentence(Group("all", (test,)))}
        seen.add(name)
