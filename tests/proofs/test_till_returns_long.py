"""Quoted orders that come back wholly in any pieces, thousands of them, other ones at each run (DECISIONS 10)."""

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings

from tests.harness.results import Figures
from tests.rewards.till_life import LIVES, Life, Shopper

ORDERS, AT_ONCE, AT_LEAST = 5_000, 250, 250
MOST_SECONDS = int(os.environ.get("PROOF_SECONDS", "900"))  # then the round that runs is the last one


@pytest.mark.django_db
def test_nothing_is_left_of_orders_that_came_back(record_result: Callable[[str, Figures], None]) -> None:
    with connection.cursor() as cursor:  # all of it is one transaction, which may stand still together with the machine
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    shopper, ends = Shopper(), Counter[str]()
    began = time.monotonic()

    @settings(
        max_examples=AT_ONCE, deadline=None, derandomize=False, database=None, print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(life=LIVES)
    def live(life: Life) -> None:
        # Not an atomic block: a quote is kept in a transaction of its own.
        before = transaction.savepoint()
        try:
            shopper.lives(life)
        finally:
            transaction.savepoint_rollback(before)
        ends[life.ends + (", with another order beside it" if life.beside else "")] += 1

    while ends.total() < ORDERS and time.monotonic() - began < MOST_SECONDS:
        live()
    record_result(
        "Quoted orders that came back",
        {
            "orders": f"{ends.total():,}", **{f"of these: {end}": f"{number:,}" for end, number in sorted(ends.items())},
            "differences": 0, "seconds": f"{time.monotonic() - began:.0f}",
        },
    )  # fmt: skip
    assert ends.total() >= AT_LEAST
