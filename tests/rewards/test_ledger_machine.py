"""The ledger beside its model in memory, over random histories of every kind of fact, with a clock that jumps."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.harness.generated import examples
from tests.rewards.ledger_machine import LedgerMachine


@pytest.mark.django_db
def test_the_ledger_does_what_the_model_does() -> None:
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=examples(70), stateful_step_count=40))
