"""How checks are written: a sweep reads one table in ranges of ids, and its cases say which rows break which check."""

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant. `table` is the one whose rows it names; `words` say to staff what is wrong where it breaks."""

    name: str
    table: str
    words: str | Promise


@dataclass(frozen=True, slots=True)
class Case:
    """A check with the SQL, over rows x of its sweep, that says whether it is broken, how, and in which row."""

    check: Check
    when: str
    detail: str
    row: str = "x.id"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One statement, run for each range of ids of the table `walk` (or once, without one).

    `rows` selects rows with id, member_id and what the cases look at. Parameters: `first` and `last` of the range, `at`.
    Each range is one short statement, whose answer is of one moment, so that postings meanwhile are no findings.
    Neither work nor memory of a range may grow with the ledger: rows of the same range are joined within the range,
    others are looked up one by one (LATERAL … OFFSET 0). Left to itself the planner reads all of the other table's index
    for each range, which is cheapest for one and makes the whole quadratic.
    """

    name: str
    rows: str
    cases: tuple[Case, ...]
    walk: str = ""
    key: str = "id"
    step: int = 50_000

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that this sweep answers."""
        return tuple(case.check for case in self.cases)

    @property
    def sql(self) -> str:
        """The statement: (check, row id, member id, detail) of every row that breaks a check. Details are made for those only."""
        values = ", ".join(f"('{case.check.name}', {case.row}, {case.when}, {case.detail})" for case in self.cases)
        filters = " OR ".join(f"({case.when})" for case in self.cases)
        return (
            f"SELECT v.name, v.row_id, x.member_id, v.detail FROM ({self.rows}) AS x "  # noqa: S608 - SQL of this package
            f"CROSS JOIN LATERAL (VALUES {values}) AS v (name, row_id, is_broken, detail) WHERE v.is_broken AND ({filters})"
        )
