"""What a budget that all members share costs: slices against one row that everybody waits for, and the caps beside it."""

import time
from collections.abc import Callable
from datetime import date

import psycopg

from rewards.models import BudgetSlice
from rewards.services.caps import set_budget
from tests.factories.people import a_member
from tests.factories.rules import a_budget, a_rule
from tests.harness.results import Figures
from tests.harness.threads import together

CLIENTS = 16
TIMES = 150  # each client, in each round
ROUNDS = 5

BOOK = """SELECT rewards_book_caps(%(member)s, %(rules)s::bigint[], %(currencies)s::smallint[], %(periods)s::smallint[],
    %(starts)s::date[], %(points)s::bigint[], %(times)s::int[], %(limits)s::bigint[], %(nothing)s::int[], %(budgets)s::bigint[],
    %(wishes)s::bigint[], %(spenders)s::bigint[])"""
ONE_ROW = (
    "UPDATE rewards_budgetslice SET used = used + 1 WHERE budget_id = %(one_row)s AND slice_no = 0 AND used < capacity"
)


def rate(url: str, statement: str, values: Callable[[int], dict[str, object]]) -> float:
    """Return how many transactions of one statement the clients make in a second."""

    def client(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as server:
            for _ in range(TIMES):
                server.execute(statement, values(number), prepare=True)

    started = time.perf_counter()
    together([lambda number=number: client(number) for number in range(CLIENTS)])  # type: ignore[misc]
    return CLIENTS * TIMES / (time.perf_counter() - started)


def test_shared_budgets_and_caps_under_many_clients(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    version = a_rule("Bonus", mode="extra", points_fixed=1, budget_points=10**6)
    one_row = a_budget(10**6)
    BudgetSlice.objects.filter(budget=one_row, slice_no__gt=0).delete()
    set_budget(budget_id=one_row.pk, total_points=10**6)
    members = [a_member().pk for _ in range(CLIENTS)]
    budget_id, rule_id = version.rule.budget_id, version.rule_id

    def nothing(number: int) -> dict[str, object]:
        return {
            "member": members[number], "rules": [], "currencies": [], "periods": [], "starts": [], "points": [], "times": [],
            "limits": [], "nothing": [], "budgets": [], "wishes": [], "spenders": [], "one_row": one_row.pk,
        }  # fmt: skip

    def budget(number: int) -> dict[str, object]:
        return nothing(number) | {"budgets": [budget_id], "wishes": [1], "spenders": [rule_id]}

    def cap(number: int) -> dict[str, object]:
        return nothing(number) | {
            "rules": [rule_id], "currencies": [1], "periods": [1], "starts": [date(2026, 11, 21)], "points": [1], "times": [1],
            "limits": [10**9], "nothing": [None],
        }  # fmt: skip

    kinds: dict[str, tuple[str, Callable[[int], dict[str, object]]]] = {
        "one row": (ONE_ROW, nothing), "slices": (BOOK, budget), "a cap of the member": (BOOK, cap),
    }  # fmt: skip
    best = dict.fromkeys(kinds, 0.0)
    for _ in range(ROUNDS):
        for name, (statement, values) in kinds.items():
            best[name] = max(best[name], rate(committed_db, statement, values))
    asked = CLIENTS * TIMES * ROUNDS
    for budget_pk in (budget_id, one_row.pk):
        assert sum(one.used for one in BudgetSlice.objects.filter(budget=budget_pk)) == asked
    record_result(
        f"A shared budget under {CLIENTS} clients, each taking 1 point a transaction",
        {
            "one row for all (a second)": round(best["one row"]),
            "16 slices through rewards_book_caps (a second)": round(best["slices"]),
            "slices to one row": round(best["slices"] / best["one row"], 2),
            "a cap of one's own through rewards_book_caps (a second)": round(best["a cap of the member"]),
        },
    )
    assert best["slices"] > best["one row"]
