"""Statements that share a round trip."""

import pghistory
import pytest

from members.statements import Row, Statement, run, run_together


def rows(found: list[Row]) -> list[Row]:
    return found


def numbered(*numbers: int) -> list[Statement[list[Row]]]:
    return [Statement("WITH one AS (SELECT %s::int AS number) SELECT number FROM one", [one], rows) for one in numbers]


@pytest.mark.django_db
class TestStatementsTogether:
    def test_are_answered_in_their_order(self) -> None:
        assert run_together(numbered(1, 2, 3)) == [[(1,)], [(2,)], [(3,)]]

    def test_are_answered_alike_where_the_history_names_an_operator(self) -> None:
        """As in every page of the admin: what names the operator puts a statement of its own before each."""
        with pghistory.context(user=1):
            assert run_together(numbered(1, 2, 3)) == [[(1,)], [(2,)], [(3,)]]
            assert run(numbered(4)[0]) == [(4,)]
