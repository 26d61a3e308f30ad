"""Conditions over facts: a group of tests of which all, or any, must be met; a group may hold groups of the other sort.

Stored as JSON, `{"all": [{"fact": "members.status", "op": "in", "value": ["active"]}, {"any": [...]}]}`; staff see
sentences only. One reading serves both ways of asking: `evaluate` for the values of one member, `compile` for a set.
A fact of which nothing is known meets no test. An empty `all` is met by everybody.
"""

from members.conditions.asking import Compiled, FailedTest, Outcome, compile, evaluate
from members.conditions.passing import changes_with_time, is_foreseeable
from members.conditions.reading import ConditionInvalid, parse, stored
from members.conditions.together import Together, together
from members.conditions.tree import OPERATOR_WORDS, OPERATORS, Group, Node, Operator, Test, fact_keys, tests_of
from members.conditions.words import failed_words, sentence

__all__ = [
    "OPERATORS",
    "OPERATOR_WORDS",
    "Compiled",
    "ConditionInvalid",
    "FailedTest",
    "Group",
    "Node",
    "Operator",
    "Outcome",
    "Test",
    "Together",
    "changes_with_time",
    "compile",
    "evaluate",
    "fact_keys",
    "failed_words",
    "is_foreseeable",
    "parse",
    "sentence",
    "stored",
    "tests_of",
    "together",
]
