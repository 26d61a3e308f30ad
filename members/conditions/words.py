"""A condition in words: what is asked, and what stood in the way, in the active language."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.utils.dates import MONTHS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.conditions.asking import FailedTest
from members.conditions.tree import Group, Node, Test, plain
from members.facts import FactUnknown, FactUse, labels, use_of
from members.figures import grouped, money
from members.queries import programme


def sentence(node: Node) -> str:
    """Return the condition as one sentence."""
    if not node.parts:
        return _("everybody")
    return _joined([_part(part) for part in node.parts], node.mode)


def failed_words(failed: Iterable[FailedTest]) -> list[str]:
    """Return a sentence for each thing that stood in the way: what is needed, and what was found.

    Tests of which one would have been enough make one sentence. Facts that exist no longer are named by their key.
    """
    sentences = []
    for group, tests in groupby(failed, key=lambda test: test.group):
        if group == 0:
            sentences += [_failed(test) for test in tests]
        else:
            branches = [
                _joined([_failed(test) for test in branch], "all")
                for _branch, branch in groupby(tests, key=lambda test: test.branch)
            ]
            sentences.append(_joined(branches, "any"))
    return sentences


def value_words(use: FactUse, value: Any) -> str:
    """Return a fact's value with its unit: ¥200.00, 3 orders, gold, yes."""
    if value is None:
        return _("not known")
    fact = use.fact
    match fact.kind:
        case "bool":
            return _("yes") if value else _("no")
        case "choice":
            return _labels(use, [str(value)])[0]
        case "date":
            day = value if isinstance(value, date) else date.fromisoformat(value)
            return date_format(day, "DATE_FORMAT")
        case "money":
            return money(Decimal(value), programme().currency)
    number = Decimal(value)
    if number != number.to_integral_value():
        return f"{number.normalize():,f}"
    return fact.figure(int(number)) if fact.figure else grouped(int(number))


def _part(part: Test | Group) -> str:
    if isinstance(part, Test):
        return _test(part.use, part.op, plain(part.expected))
    words = _joined([_part(inner) for inner in part.parts], part.mode)
    return _("(%(words)s)") % {"words": words} if len(part.parts) > 1 else words


def _joined(words: Sequence[str], mode: str) -> str:
    said = words[0]
    for other in words[1:]:
        parts = {"one": said, "other": other}
        said = _("%(one)s, and %(other)s") % parts if mode == "all" else _("%(one)s, or %(other)s") % parts
    return said


def _test(use: FactUse, op: str, expected: Any) -> str:
    return _("%(fact)s: %(what)s") % {"fact": use.words(), "what": _what(use, op, expected)}


def _what(use: FactUse, op: str, expected: Any) -> str:
    """Return what is expected of a fact, from its plain form."""
    match op:
        case "gte":
            return _("at least %(value)s") % {"value": value_words(use, expected)}
        case "lte":
            return _("at most %(value)s") % {"value": value_words(use, expected)}
        case "eq":
            return _("exactly %(value)s") % {"value": value_words(use, expected)}
        case "between":
            low, high = (value_words(use, one) for one in expected)
            return _("from %(low)s to %(high)s") % {"low": low, "high": high}
        case "in":
            return _joined(_labels(use, expected), "any")
        case "not_in":
            return _("not %(values)s") % {"values": _joined(_labels(use, expected), "any")}
        case "before":
            return _("before %(day)s") % {"day": value_words(use, expected)}
        case "after":
            return _("after %(day)s") % {"day": value_words(use, expected)}
        case "month_in":
            return _joined([str(MONTHS[month]) for month in expected], "any")
        case "within_last_days":
            return ngettext("in the last %(days)s day", "in the last %(days)s days", expected) % {"days": expected}
        case "within_next_days":
            return ngettext("in the next %(days)s day", "in the next %(days)s days", expected) % {"days": expected}
    return value_words(use, expected)


def _labels(use: FactUse, codes: Sequence[str]) -> list[str]:
    known = labels(use.fact.choices, codes) if use.fact.choices else {}
    return [str(known.get(code, code)) for code in codes]


def _failed(test: FailedTest) -> str:
    try:
        use = use_of(test.key)
    except FactUnknown:
        words = {"test": test.key, "found": _("not known") if test.actual is None else str(test.actual)}
    else:
        if use.fact.is_personal:
            return _("needed: %(test)s") % {"test": _test(use, test.op, test.expected)}
        words = {"test": _test(use, test.op, test.expected), "found": value_words(use, test.actual)}
    return _("needed: %(test)s; found: %(found)s") % words
