"""Members reviewed together, alone, and replayed, over hundreds of random histories, other ones at each run."""

import time
from collections.abc import Callable

import pytest
from django.db import connection
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from loyalty.models import TierChange
from tests.harness.results import Figures
from tests.loyalty.tier_machine import TierMachine

HISTORIES, AT_ONCE, AT_LEAST = 1_000, 25, 50
STEPS = 60
MOST_SECONDS = 300  # then the round that runs is the last one


class CountedMachine(TierMachine):
    """The same, and counts what it does."""

    histories = all_facts = decisions = 0

    def __init__(self) -> None:
        super().__init__()
        CountedMachine.histories += 1

    def teardown(self) -> None:
        CountedMachine.all_facts += self.facts
        CountedMachine.decisions += TierChange.objects.filter(
            member_id__in=[trio.in_set for trio in self.trios]
        ).count()
        super().teardown()


@pytest.mark.django_db
def test_nobody_differs_and_every_tier_has_its_reason_for_long(record_result: Callable[[str, Figures], None]) -> None:
    with connection.cursor() as cursor:  # all of it is one transaction, which may stand still together with the machine
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    began = time.monotonic()
    while CountedMachine.histories < HISTORIES and time.monotonic() - began < MOST_SECONDS:
        run_state_machine_as_test(
            CountedMachine,
            settings=settings(max_examples=AT_ONCE, stateful_step_count=STEPS, derandomize=False, print_blob=True, database=None),
        )  # fmt: skip
    record_result(
        "Tiers decided together, alone, and in memory",
        {
            "histories": f"{CountedMachine.histories:,}",
            "facts told in them, to each of three": f"{CountedMachine.all_facts:,}",
            "decisions about tiers": f"{CountedMachine.decisions:,}",
            "differences": 0,
            "tiers without a reason": 0,
            "seconds": f"{time.monotonic() - began:.0f}",
        },
    )
    assert CountedMachine.histories >= AT_LEAST
