"""When time alone may change the answer of a test: what live segments need so as not to ask everybody every day."""

from decimal import Decimal
from typing import Any, Final, cast

from members.conditions.asking import TODAY_SQL
from members.conditions.tree import Node, Test, tests_of

_MIDNIGHT: Final = "({day}::timestamp AT TIME ZONE %(c_zone)s::text)"
#: Days that lie further ahead are nobody's concern now: the member is asked again long before.
_FURTHEST_DAYS: Final = 36_500


def changes_with_time(node: Node) -> bool:
    """Return whether time alone may change an answer to the condition."""
    return any(not test.use.fact.is_still or _is_relative(test) for test in tests_of(node))


def is_foreseeable(node: Node) -> bool:
    """Return whether the moment can be said until which no answer changes with time alone. If not, it is looked up nightly."""
    return all(
        test.use.fact.is_still or test.use.fact.next_change or test.use.fact.grows_daily for test in tests_of(node)
    )


def next_change_of_test(test: Test, value: str, prefix: str) -> tuple[str, dict[str, Any]] | None:
    """Return SQL for the next moment at which a test over the value `value` (SQL, taken at `c_at`) may be answered otherwise.

    Only what follows from the comparison: days that count from today, and figures that grow daily. That the value itself
    changes is the fact's to say (`FactUse.next_change_sql`). None where nothing follows.
    """
    days = f"{prefix}_days"
    if _is_relative(test):
        span = cast(int, test.expected)
        offsets = [0, span + 1] if test.op == "within_last_days" else [-span, 1]
        source = f"(SELECT {value} + o AS day FROM unnest(%({days})s::int[]) o)"  # noqa: S608 - registered facts only
    elif test.use.fact.grows_daily:
        offsets = [limit for limit in _limits(test) if limit <= _FURTHEST_DAYS]
        source = f"(SELECT {TODAY_SQL} + (o - {value})::int AS day FROM unnest(%({days})s::int[]) o)"  # noqa: S608
    else:
        return None
    text = f"(SELECT min({_MIDNIGHT.format(day='d.day')}) FROM {source} d WHERE d.day > {TODAY_SQL})"  # noqa: S608
    return text, {days: offsets}


def _is_relative(test: Test) -> bool:
    return test.op in ("within_last_days", "within_next_days")


def _limits(test: Test) -> list[int]:
    """Return the whole numbers at which a growing figure begins to be answered otherwise."""
    expected = cast(Decimal | tuple[Decimal, ...], test.expected)
    low, high = (expected[0], expected[1]) if isinstance(expected, tuple) else (expected, expected)
    match test.op:
        case "gte":
            return [int(low)]
        case "lte":
            return [int(high) + 1]
        case _:
            return [int(low), int(high) + 1]
