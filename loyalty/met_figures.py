"""The figures that a rule was met by, or no longer met by: kept with what they decided, and said in words.

A figure is (fact, comparison, what was expected, what was found). Of a personal fact only the fact is kept.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from django.utils.translation import gettext as _

from members.conditions import ConditionInvalid, Group, Node, Test, evaluate, parse, sentence, tests_of
from members.conditions.tree import plain
from members.conditions.words import value_words
from members.facts import FactUnknown, FactValues, use_of

Figure = Sequence[Any]
_MOST_CHOICES: Final = 12
#: Comparisons whose words already say what was found.
_SAYS_IT: Final = frozenset({"in", "is", "eq"})


def is_met(test: Test, values: FactValues) -> bool:
    """Return whether one test is met by the values of a member."""
    return evaluate(Group("all", (test,)), values).met


def figures_of(node: Node, values: FactValues, *, met: bool) -> list[list[Any]]:
    """Return the figures of the tests of a condition that are met by these values, or of those that are not."""
    return [_figure(test, values) for test in tests_of(node) if is_met(test, values) is met]


def _figure(test: Test, values: FactValues) -> list[Any]:
    if test.use.fact.is_personal:
        return [test.key]
    found = plain(values[test.key])
    expected = plain(test.expected)
    if isinstance(expected, list) and test.op in ("in", "not_in"):
        expected = [str(found)] if test.op == "in" and found in expected else cast(list[str], expected)[:_MOST_CHOICES]
    return [test.key, test.op, expected, found]


def figures_words(figures: Iterable[Figure]) -> str:
    """Return stored figures in the active language; "" for none."""
    said = ""
    for figure in figures:
        words = _words(figure)
        said = _("%(one)s, and %(other)s") % {"one": said, "other": words} if said else words
    return said


def _words(figure: Figure) -> str:
    key = str(figure[0])
    try:
        use = use_of(key)
    except FactUnknown:
        return _("a figure that is not known any more")
    if len(figure) < 4 or use.fact.is_personal:
        return use.words()
    _key, op, expected, found = figure
    try:
        said = sentence(parse({"all": [{"fact": key, "op": op, "value": expected}]}))
    except ConditionInvalid:
        return use.words()
    if op in _SAYS_IT and found is not None and found == (expected[0] if op == "in" else expected):
        return said
    return _("%(test)s (%(found)s)") % {"test": said, "found": value_words(use, found)}
