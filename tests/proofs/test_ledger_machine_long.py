"""The ledger beside its model in memory over thousands of random histories, other ones at each run."""

import time
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.harness.results import Figures
from tests.rewards.ledger_machine import LedgerMachine

SEQUENCES = 5_000
STEPS = 50


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
    began = time.monotonic()
    run_state_machine_as_test(
        CountedMachine,
        settings=settings(max_examples=SEQUENCES, stateful_step_count=STEPS, derandomize=False, print_blob=True),
    )
    record_result(
        "The ledger beside its model",
        {
            "histories": f"{CountedMachine.sequences:,}",
            "facts posted in them": f"{CountedMachine.facts:,}",
            "differences": 0,
            "seconds": f"{time.monotonic() - began:.0f}",
        },
    )
    assert CountedMachine.sequences >= SEQUENCES
