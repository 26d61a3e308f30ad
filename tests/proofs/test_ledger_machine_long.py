"""The ledger beside its model in memory over thousands of random histories, other ones at each run."""

import time
from collections.abc import Callable

import pytest
from django.db import connection
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.harness.results import Figures
from tests.rewards.ledger_machine import LedgerMachine

SEQUENCES, AT_ONCE, AT_LEAST = 5_000, 250, 500
STEPS = 50
MOST_SECONDS = 1_200  # then the round that runs is the last one


class CountedMachine(LedgerMachine):
    """The same, and counts what it does."""

    sequences = facts = 0

    def __init__(self) -> None:
        super().__init__()
        CountedMachine.sequences += 1

    def teardown(self) -> None:
        CountedMachine.facts += len(self.told)
        super().teardown()


@pytest.mark.django_db
def test_the_ledger_does_what_the_model_does_for_long(record_result: Callable[[str, Figures], None]) -> None:
    with connection.cursor() as cursor:  # all of it is one transaction, which may stand still together with the machine
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    began = time.monotonic()
    while CountedMachine.sequences < SEQUENCES and time.monotonic() - began < MOST_SECONDS:
        run_state_machine_as_test(
            CountedMachine,
            settings=settings(max_examples=AT_ONCE, stateful_step_count=STEPS, derandomize=False, print_blob=True, database=None),
        )  # fmt: skip
    record_result(
        "The ledger beside its model",
        {
            "histories": f"{CountedMachine.sequences:,}",
            "facts posted in them": f"{CountedMachine.facts:,}",
            "differences": 0,
            "seconds": f"{time.monotonic() - began:.0f}",
        },
    )
    assert CountedMachine.sequences >= AT_LEAST
