"""Many conditions asked at once of some members: every fact is worked out once, every test once, in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from members.conditions.asking import comparison
from members.conditions.passing import next_change_of_test
from members.conditions.tree import Group, Node, Test, tests_of

_AT: Final = "%(c_at)s"
_ZONE: Final = "%(c_zone)s"


@dataclass(frozen=True, slots=True)
class Together:
    """Conditions by the key of whoever asks, as SQL.

    `answers_sql` begins with `WITH` and ends with the common tables `answer (member_id, cause, asker, met, tests)`, with
    a row for each member and asker, and `due (member_id, due_at)`: until when time alone changes none of these answers
    (NULL: never). It reads the members from a table `asked (member_id, cause)`, which is put in as `asked`. Bit n
    of `tests` says whether test n of the condition was met. Members who were merged into others meet nothing.

    Besides `params` it needs `c_at` and `c_zone`.
    """

    answers_sql: str
    params: Mapping[str, Any]


def together(nodes: Sequence[tuple[int, Node]], *, asked: str, with_due: bool = True) -> Together:
    """Return conditions, each with the number of whoever asks, to be asked at once. `asked` is SQL of the members.

    Without `with_due` the moments are not worked out: `due_at` is NULL.
    """
    tests: dict[tuple[str, str, Any], Test] = {}
    for _asker, node in nodes:
        for test in tests_of(node):
            tests.setdefault(_name(test), test)
    facts = _facts_of(tests.values(), with_due=with_due)
    params, moments = dict(facts.params), list(facts.moments)
    columns, names = [], {}
    for number, (name, test) in enumerate(tests.items()):
        names[name] = f"t{number}"
        value = f"v.{facts.names[test.key]}"
        text, more = comparison(test, value, f"q{number}")
        columns.append(f"coalesce({text}, FALSE) AS t{number}")
        params |= more
        due = next_change_of_test(test, value, f"d{number}") if with_due else None
        if due is not None:
            moments.append(due[0])
            params |= due[1]
    askers = []
    for number, (asker, node) in enumerate(nodes):
        params[f"s{number}"] = asker
        askers.append(f"(%(s{number})s::bigint, {_met(node, names)}, {_mask(node, names)})")
    due_at = f"least({', '.join(moments)})" if moments else "NULL::timestamptz"
    sql = f"""
        WITH asked AS ({asked}),
        v AS MATERIALIZED (
            SELECT m.id AS member_id, asked.cause, m.merged_into_id IS NULL AS is_there{"".join(f", {column}" for column in facts.columns)}
            FROM asked JOIN members_member m ON m.id = asked.member_id
        ),
        t AS MATERIALIZED (
            SELECT v.member_id, v.cause, v.is_there{"".join(f", {column}" for column in columns)}, {due_at} AS due_at
            FROM v
        ),
        due AS (SELECT t.member_id, t.due_at FROM t),
        answer AS (
            SELECT t.member_id, t.cause, s.asker, t.is_there AND s.met AS met, s.tests
            FROM t CROSS JOIN LATERAL (VALUES {", ".join(askers)}) AS s (asker, met, tests)
        )
    """  # noqa: S608 - the expressions are those of registered facts
    return Together(sql, params)


@dataclass(frozen=True, slots=True)
class _Facts:
    """The columns of the facts: their SQL, the name of each by its key, their parameters, and the moments they foresee."""

    columns: list[str]
    names: dict[str, str]
    params: dict[str, Any]
    moments: list[str]


def _facts_of(tests: Iterable[Test], *, with_due: bool) -> _Facts:
    found = _Facts([], {}, {}, [])
    known: set[tuple[str, tuple[tuple[str, int | str], ...]]] = set()
    for test in tests:
        if test.key in found.names:
            continue
        number = len(found.names)
        name = found.names[test.key] = f"f{number}"
        text, more = test.use.sql(name, at=_AT, zone=_ZONE)
        found.columns.append(f"{text} AS {name}")
        found.params.update(more)
        foreseen = test.use.next_change_sql(name, at=_AT, zone=_ZONE) if with_due else None
        # Facts of one window fall out of it together.
        if foreseen is not None and (same := (test.use.fact.next_change, test.use.args)) not in known:
            known.add(same)
            found.columns.append(f"{foreseen[0]} AS n{number}")
            found.moments.append(f"v.n{number}")
    return found


def _name(test: Test) -> tuple[str, str, Any]:
    return test.key, test.op, test.expected


def _met(node: Node, names: Mapping[tuple[str, str, Any], str]) -> str:
    def words(part: Test | Group) -> str:
        if isinstance(part, Test):
            return f"t.{names[_name(part)]}"
        glue = " AND " if part.mode == "all" else " OR "
        return f"({glue.join([words(inner) for inner in part.parts])})" if part.parts else "TRUE"

    return words(node)


def _mask(node: Node, names: Mapping[tuple[str, str, Any], str]) -> str:
    bits = [f"(t.{names[_name(test)]}::int << {number})" for number, test in enumerate(tests_of(node))]
    return f"({' + '.join(bits)})" if bits else "0"
