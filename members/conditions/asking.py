"""Whether a condition is met: by the values of one member, or, as SQL, by each member of a set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from members.conditions.tree import Group, Node, Plain, Test, plain, tests_of
from members.facts import TODAY, FactValue, FactValues
from members.queries import programme

_MOST_KEPT_CHOICES: Final = 12


@dataclass(frozen=True, slots=True)
class FailedTest:
    """A test that was not met, in plain values that can be stored: what was expected and what was found.

    What was found is None when nothing is known, and when it is personal. Of a long list of choices the first are kept.

    Tests with `group` 0 are each needed. Those of a group above 0 are ways out: one `branch` of it would have been
    enough, with all the tests of that branch.
    """

    key: str
    op: str
    expected: Plain
    actual: Plain
    group: int = 0
    branch: int = 0

    def stored(self) -> list[Any]:
        """Return the test as it is kept in a trace."""
        return [self.key, self.op, self.expected, self.actual, self.group, self.branch]

    @classmethod
    def from_stored(cls, row: Sequence[Any]) -> "FailedTest":
        """Return the test that was kept."""
        return cls(*row)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a condition was met, and if not, the tests that stood in the way."""

    met: bool
    failed: tuple[FailedTest, ...] = ()


def evaluate(node: Node, values: FactValues) -> Outcome:
    """Return whether the values of one member (as `facts.values_for` gives them, with TODAY) meet a condition.

    Raises KeyError when the value of a fact is missing from `values`; unknown facts of a member are None.
    """
    if node.mode == "any":
        failed = _failed_any(node, values, 1)
    else:
        failed = []
        for position, part in enumerate(node.parts, start=1):
            if isinstance(part, Group):
                failed += _failed_any(part, values, position)
            elif not _is_met(part, values):
                failed.append(_failure(part, values, 0, 0))
    return Outcome(not failed, tuple(failed))


def _failed_any(node: Group, values: FactValues, group: int) -> list[FailedTest]:
    """Return the tests that failed in each branch of an "any"; nothing when one branch is met."""
    found = []
    for branch, part in enumerate(node.parts, start=1):
        tests = tests_of(part) if isinstance(part, Group) else [part]
        failed = [_failure(test, values, group, branch) for test in tests if not _is_met(test, values)]
        if not failed:
            return []
        found += failed
    return found


def _failure(test: Test, values: FactValues, group: int, branch: int) -> FailedTest:
    actual = None if test.use.fact.is_personal else plain(values[test.key])
    expected = plain(test.expected)
    if isinstance(expected, list) and len(expected) > _MOST_KEPT_CHOICES:
        expected = cast(Plain, [*expected[:_MOST_KEPT_CHOICES], "…"])
    return FailedTest(test.key, test.op, expected, actual, group, branch)


def _is_met(test: Test, values: FactValues) -> bool:
    value: FactValue = values[test.key]
    if value is None:
        return False
    expected: Any = test.expected
    actual: Any = value
    match test.op:
        case "gte":
            return actual >= expected
        case "lte":
            return actual <= expected
        case "eq" | "is":
            return actual == expected
        case "between":
            return expected[0] <= actual <= expected[1]
        case "in":
            return actual in expected
        case "not_in":
            return actual not in expected
        case "before":
            return actual < expected
        case "after":
            return actual > expected
        case "month_in":
            return actual.month in expected
        case "within_last_days":
            today = cast(date, values[TODAY])
            return today - timedelta(days=expected) <= actual <= today
        case "within_next_days":
            today = cast(date, values[TODAY])
            return today <= actual <= today + timedelta(days=expected)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition as SQL over the alias `m` (members_member), with the values of its placeholders."""

    sql: str
    params: dict[str, Any]


#: The business date of the moment `c_at`, as SQL.
TODAY_SQL: Final = "(%(c_at)s::timestamptz AT TIME ZONE %(c_zone)s::text)::date"


def compile(node: Node, *, at: datetime) -> Compiled:
    """Return a condition as a boolean SQL expression over the alias `m`, never NULL, for facts at a moment.

    The placeholders are named `c…`, so that a statement may hold others beside them.
    """
    params: dict[str, Any] = {"c_at": at, "c_zone": programme().zone}
    texts = []
    for number, test in enumerate(tests_of(node)):
        prefix = f"c{number}"
        fact_sql, more = test.use.sql(prefix, at="%(c_at)s", zone="%(c_zone)s")
        text, expected = comparison(test, fact_sql, prefix)
        params |= more | expected
        texts.append(f"coalesce({text}, FALSE)")
    left = iter(texts)

    def words(part: Test | Group) -> str:
        if isinstance(part, Test):
            return next(left)
        glue = " AND " if part.mode == "all" else " OR "
        return f"({glue.join([words(inner) for inner in part.parts])})" if part.parts else "TRUE"

    return Compiled(words(node), params)


def comparison(test: Test, fact_sql: str, prefix: str) -> tuple[str, dict[str, Any]]:
    """Return the test as SQL, NULL where the fact is, and the values it needs."""
    value = f"{prefix}_expected"
    expected: Any = test.expected
    match test.op:
        case "gte" | "lte" | "eq":
            sign = {"gte": ">=", "lte": "<=", "eq": "="}[test.op]
            return f"{fact_sql} {sign} %({value})s::numeric", {value: expected}
        case "between":
            low, high = f"{prefix}_low", f"{prefix}_high"
            text = f"{fact_sql} BETWEEN %({low})s::numeric AND %({high})s::numeric"
            return text, {low: expected[0], high: expected[1]}
        case "in":
            return f"{fact_sql}::text = ANY (%({value})s::text[])", {value: list(expected)}
        case "not_in":
            return f"{fact_sql}::text <> ALL (%({value})s::text[])", {value: list(expected)}
        case "is":
            return f"{fact_sql} = %({value})s::boolean", {value: expected}
        case "before":
            return f"{fact_sql} < %({value})s::date", {value: expected}
        case "after":
            return f"{fact_sql} > %({value})s::date", {value: expected}
        case "month_in":
            return f"extract(month FROM {fact_sql})::int = ANY (%({value})s::int[])", {value: list(expected)}
        case "within_last_days":
            return f"{fact_sql} BETWEEN {TODAY_SQL} - %({value})s::int AND {TODAY_SQL}", {value: expected}
        case "within_next_days":
            return f"{fact_sql} BETWEEN {TODAY_SQL} AND {TODAY_SQL} + %({value})s::int", {value: expected}
