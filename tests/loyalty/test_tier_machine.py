"""Members reviewed together, alone, and replayed, over random histories of all that can happen to a tier."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from loyalty.models import LadderVersion
from tests.harness.generated import examples
from tests.loyalty.tier_machine import TierMachine


@pytest.mark.django_db
@pytest.mark.parametrize("window", LadderVersion.Window.values)
def test_nobody_differs_and_every_tier_has_its_reason(window: str) -> None:
    class Machine(TierMachine):
        first_window = window

    run_state_machine_as_test(Machine, settings=settings(max_examples=examples(6), stateful_step_count=40))
