"""People of one household at the same moment: nobody waits for ever, nobody overdraws, and a no that came first counts."""

from collections import Counter
from collections.abc import Callable

import pytest
from django.db import transaction

from members.actors import SYSTEM
from members.models import Member
from members.services.households import leave_household
from members.services.status import freeze_member
from rewards import ledger
from rewards.models import LedgerTransaction, PointsAccount, Redemption, Voucher
from rewards.services.purchases import record_purchase
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON, an_order
from tests.factories.people import TILL
from tests.harness.threads import spread, together
from tests.rewards.household_given import BEFORE, DAY, a_household, agrees, all_points, findings, has, pays, redeem
from tests.rewards.test_ledger_races import outcome_of
from tests.rewards.test_lock_order import meet

THREADS = 12
TRANSFER = LedgerTransaction.Kind.TRANSFER


@pytest.fixture(autouse=True)
def policy(committed_db: str) -> None:
    pays()


class TestTwoOfOneHousehold:
    @pytest.mark.parametrize("turn", range(4))
    def test_who_have_enough_for_one_reward_get_one(self, turn: int) -> None:
        one, other = a_household(20, 20)
        reward = a_reward(30)
        outcomes = together([
            lambda: outcome_of(lambda: redeem(one, reward, f"one {turn}")),
            lambda: outcome_of(lambda: redeem(other, reward, f"other {turn}")),
        ])  # fmt: skip
        assert Counter(outcomes) == {"done": 1, "insufficient_points": 1}
        assert (sum(has(one, other)), Redemption.objects.count()) == (10, 1)
        assert findings() == []

    def test_of_four_get_as_many_as_the_points_allow(self) -> None:
        people = a_household(100, 40, 0, 60)
        reward = a_reward(7)
        outcomes = Counter(
            spread(
                lambda number: outcome_of(lambda: redeem(people[number % 4], reward, f"wish {number}")),
                times=40, threads=THREADS,
            )
        )  # fmt: skip
        assert outcomes == {"done": 200 // 7, "insufficient_points": 40 - 200 // 7}
        assert sum(has(*people)) == all_points() == 200 % 7
        assert Voucher.objects.count() == 200 // 7
        assert findings() == []

    def test_who_tell_one_wish_many_times_redeem_once(self) -> None:
        one, _other = a_household(10, 100)
        reward = a_reward(30)
        receipts = spread(lambda _: redeem(one, reward), times=24, threads=THREADS)
        assert len({receipt.redemption.pk for receipt in receipts}) == 1
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        assert (all_points(), LedgerTransaction.objects.filter(kind=TRANSFER).count()) == (80, 1)

    def test_who_use_one_request_for_two_wishes_get_one(self) -> None:
        one, other = a_household(10, 25)
        reward = a_reward(30)
        outcomes = Counter(
            spread(
                lambda number: outcome_of(lambda: redeem((one, other)[number % 2], reward)), times=24, threads=THREADS
            )
        )
        assert outcomes["done"] == 12
        assert set(outcomes) <= {"done", "idempotency_key_reused", "insufficient_points"}
        assert (all_points(), Redemption.objects.count()) == (5, 1)

    def test_meet_purchases_of_both_without_a_deadlock(self) -> None:
        one, other = a_household(0, 0)
        reward = a_reward(30)
        orders = [an_order((one, other)[number % 2], "10.00", number=f"S-{number}") for number in range(24)]

        def act(number: int) -> str:
            if number % 2:
                return outcome_of(lambda: redeem((one, other)[number // 2 % 2], reward, f"wish {number}"))
            return outcome_of(lambda: record_purchase(order=orders[number // 2], by=TILL, at=NOON))

        outcomes = Counter(spread(act, times=48, threads=THREADS))
        assert set(outcomes) <= {"done", "insufficient_points"}
        assert all_points() == 240 - 30 * Redemption.objects.count()
        assert findings() == []


def _withdraw(member: Member) -> None:
    agrees(member, says_yes=False, at=NOON)


def _freeze(member: Member) -> None:
    freeze_member(member_id=member.pk, reason="checked", release_at=NOON + DAY, by=SYSTEM, at=BEFORE)


def _leave(member: Member) -> None:
    leave_household(member_id=member.pk, reason="moved", by=SYSTEM, at=NOON)


NOES = [
    pytest.param(_withdraw, id="takes its word back"),
    pytest.param(_freeze, id="is frozen"),
    pytest.param(_leave, id="leaves"),
]


class TestAMemberWho:
    @pytest.mark.parametrize("says_no", NOES)
    def test_first_pays_nothing(self, says_no: Callable[[Member], None]) -> None:
        asking, mother, _father = a_household(10, 100, 0)
        reward = a_reward(30)
        outcomes: list[str] = []
        meet(
            lambda: says_no(mother),
            lambda: None,
            lambda: outcomes.append(outcome_of(lambda: redeem(asking, reward))),
        )
        assert outcomes == ["insufficient_points"]
        assert has(asking, mother)[0] == 10
        assert not LedgerTransaction.objects.filter(kind=TRANSFER).exists()

    @pytest.mark.parametrize("says_no", NOES)
    def test_while_the_others_redeem_pays_once(self, says_no: Callable[[Member], None]) -> None:
        asking, mother, _father = a_household(10, 100, 0)
        reward = a_reward(30)
        meet(lambda: redeem(asking, reward), lambda: None, lambda: says_no(mother))
        assert outcome_of(lambda: redeem(asking, reward, "again")) == "insufficient_points"
        assert PointsAccount.objects.get(member=mother).available == 80
        assert findings() == []


class TestAnAccountOfTheHousehold:
    def test_that_is_locked_by_a_posting_is_waited_for(self) -> None:
        """Whoever holds a later account never waits for an earlier one."""
        mother, asking = a_household(100, 10)
        reward = a_reward(30)
        meet(
            lambda: ledger.lock_account(member_id=mother.pk),
            lambda: ledger.lock_account(member_id=asking.pk),
            lambda: redeem(asking, reward),
        )
        assert has(mother, asking) == [80, 0]

    def test_that_gets_points_meanwhile_is_asked_for_less(self) -> None:
        asking, mother = a_household(10, 100)
        reward = a_reward(30)

        def lock() -> None:
            ledger.lock_account(member_id=asking.pk)

        def gain() -> None:
            with transaction.atomic():
                give_points(asking, 15, moment=NOON)

        meet(lock, gain, lambda: redeem(asking, reward))
        assert has(asking, mother) == [0, 95]
