"""Any quoted order that comes back wholly, in any pieces, leaves the member as if it had never been bought (DECISIONS 10)."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from tests.rewards.till_life import LIVES, Life, Shopper

pytestmark = pytest.mark.django_db


class TestAQuotedOrder:
    @pytest.fixture
    def shopper(self) -> Shopper:
        return Shopper()

    @given(life=LIVES)
    @settings(
        max_examples=15, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    def test_that_comes_back_wholly_leaves_everything_as_it_was(self, shopper: Shopper, life: Life) -> None:
        # Not an atomic block: a quote is kept in a transaction of its own.
        before = transaction.savepoint()
        try:
            shopper.lives(life)
        finally:
            transaction.savepoint_rollback(before)
