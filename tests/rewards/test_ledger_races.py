"""The ledger under races: real threads, real connections, real commits. Who comes first is open; the sums are not."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from members.refusals import Refusal
from rewards import ledger
from rewards.ledger import HoldNotOpen, InsufficientPoints, NothingLeftToRestore, Posting
from rewards.models import Hold, LedgerEntry, LedgerTransaction, Lot, PointsAccount, PointsCurrency, Purchase
from rewards.services.expiry import expire_due_lots
from rewards.services.holds import HoldReceipt, hold_points, release_due_holds, spend_hold
from rewards.services.purchases import OrderConflict, record_purchase
from rewards.services.redemptions import RequestConflict, redeem_reward
from rewards.services.returns import ReturnConflict, record_return
from rewards.services.verification import verify
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points, with_points
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.harness.threads import spread, together

THREADS = 8
SOURCE = "race"
LATER = NOON + timedelta(days=1)


def outcome_of(job: Callable[[], object]) -> str:
    """Do a job; return "done", or the code of the refusal. Anything else that goes wrong is raised."""
    try:
        job()
    except Refusal as refusal:
        return refusal.code
    return "done"


def post(function: Callable[..., Posting], **fact: object) -> Posting:
    """Post one fact in a transaction of its own."""
    with transaction.atomic():
        return function(**{"source": SOURCE, "at": NOON, "by": SYSTEM, "trace": {}} | fact)


def burn(member: Member, points: int, key: object) -> Posting:
    return post(ledger.burn, member_id=member.pk, points=points, natural_key=f"burn {key}")


def hold(member: Member, points: int, key: object) -> int:
    until = NOON + timedelta(minutes=30)
    hold_id = post(ledger.hold, member_id=member.pk, points=points, expires_at=until, natural_key=f"hold {key}").hold_id
    assert hold_id is not None
    return hold_id


def capture(hold_id: int, points: int | None, key: object) -> Posting:
    return post(ledger.capture, hold_id=hold_id, points=points, natural_key=f"capture {key}")


def send(giver: Member, taker: Member, points: int | None, key: object) -> Posting:
    return post(
        ledger.transfer, from_member_id=giver.pk, to_member_id=taker.pk, points=points, natural_key=f"gift {key}"
    )


def balances(member: Member) -> tuple[int, int, int]:
    """Return what is available, held and owed."""
    account = PointsAccount.objects.get(member=member)
    return account.available, account.held, account.debt


@pytest.fixture(autouse=True)
def sound_in_the_end(committed_db: str) -> Iterator[None]:
    """After every race the ledger verifies, and nobody has met a deadlock, be it one that was retried."""
    yield
    assert [str(finding) for finding in verify(at=NOON)] == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        assert cursor.fetchone()[1] == Decimal(0)


class TestSpending:
    """Points spent at once …"""

    def test_twenty_times_one_of_ten_succeed_ten_times(self) -> None:
        member = with_points(6, moment=NOON)
        give_points(member, 4, moment=NOON, expires_at=LATER)
        outcomes = Counter(
            spread(lambda number: outcome_of(lambda: burn(member, 1, number)), times=20, threads=THREADS)
        )
        assert outcomes == {"done": 10, InsufficientPoints.code: 10}
        assert balances(member) == (0, 0, 0)
        assert LedgerTransaction.objects.filter(kind=ledger.Kind.REDEEM).count() == 10

    def test_and_held_at_once_are_not_promised_twice(self) -> None:
        member = with_points(10, moment=NOON)

        def act(number: int) -> str:
            return outcome_of(lambda: burn(member, 1, number) if number % 2 else hold(member, 1, number))

        outcomes = Counter(spread(act, times=24, threads=THREADS))
        assert outcomes == {"done": 10, InsufficientPoints.code: 14}
        available, held, _ = balances(member)
        assert (available, held) == (0, Hold.objects.count())

    def test_and_sent_away_at_once_are_not_given_twice(self) -> None:
        giver, taker = with_points(10, moment=NOON), a_member()
        spread(
            lambda number: outcome_of(lambda: burn(giver, 1, number) if number % 3 else send(giver, taker, None, number)),
            times=18, threads=THREADS,
        )  # fmt: skip
        spent = LedgerTransaction.objects.filter(kind=ledger.Kind.REDEEM).count()
        assert balances(giver)[0] + balances(taker)[0] + spent == 10

    def test_at_the_moment_of_their_expiry_are_either_spent_or_expired(self) -> None:
        members = [with_points(5, moment=NOON, expires_at=LATER) for _ in range(6)]
        before = LATER - timedelta(microseconds=1)

        def spend() -> int:
            return sum(
                outcome_of(
                    lambda member=member: post(  # type: ignore[misc]
                        ledger.burn, member_id=member.pk, points=5, natural_key=f"burn {member.pk}", at=before
                    )
                )
                == "done"
                for member in members
            )

        def expire() -> int:
            return expire_due_lots(at=LATER, by=SYSTEM, chunk=2).members

        spent, expired, expired_beside = together([spend, expire, expire])
        assert spent + expired + expired_beside == len(members)
        assert all(balances(member) == (0, 0, 0) for member in members)


class TestRepeats:
    """A fact told a hundred times at once …"""

    def test_is_one_entry_and_a_hundred_equal_answers(self) -> None:
        member = a_member()
        order = an_order(member, "50.00")
        receipts = spread(lambda _: record_purchase(order=order, by=TILL, at=NOON), times=100, threads=16)
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        answer = replace(receipts[0], already_recorded=False)
        assert all(replace(receipt, already_recorded=False) == answer for receipt in receipts)
        assert (answer.points, answer.available) == (50, 50)
        assert (Purchase.objects.count(), LedgerEntry.objects.count(), Lot.objects.count()) == (1, 1, 1)
        assert TimelineEntry.objects.filter(kind="rewards.purchase_recorded.v1").count() == 1

    def test_is_held_once(self) -> None:
        member = with_points(50, moment=NOON)

        def act(_number: int) -> HoldReceipt:
            return hold_points(member_id=member.pk, points=30, source=SOURCE, external_ref="wish", by=TILL, at=NOON)

        receipts = spread(act, times=100, threads=16)
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        assert len({repr(replace(receipt, already_recorded=False)) for receipt in receipts}) == 1
        assert (Hold.objects.count(), balances(member)) == (1, (20, 30, 0))

    def test_is_posted_once_by_the_ledger_itself(self) -> None:
        member = with_points(50, moment=NOON)
        postings = spread(lambda _: burn(member, 30, "the one"), times=100, threads=16)
        assert sum(not posting.repeated for posting in postings) == 1
        assert {(posting.available, posting.pending, posting.debt) for posting in postings} == {(20, 0, 0)}
        assert LedgerEntry.objects.filter(d_available=-30).count() == 1

    def test_in_two_currencies_is_two_facts(self) -> None:
        member = a_member()
        stars = PointsCurrency.objects.create(code="stars", name="Stars").pk
        lots = [ledger.NewLot(5, ledger.Origin.PURCHASE, NOON, None)]

        def act(number: int) -> Posting:
            currency_id = stars if number % 2 else None
            return post(ledger.accrue, member_id=member.pk, lots=lots, natural_key="the one", currency_id=currency_id)

        postings = spread(act, times=40, threads=THREADS)
        assert sum(not posting.repeated for posting in postings) == 2
        assert list(PointsAccount.objects.values_list("available", flat=True)) == [5, 5]


class TestAnotherBody:
    """A key that comes with two bodies at once is given to one of them …"""

    def test_of_two_orders(self) -> None:
        member = a_member()
        orders = [an_order(member, amount, number="S-1") for amount in ("50.00", "70.00")]
        outcomes = Counter(
            spread(
                lambda number: outcome_of(lambda: record_purchase(order=orders[number % 2], by=TILL, at=NOON)),
                times=20, threads=THREADS,
            )
        )  # fmt: skip
        assert outcomes == {"done": 10, OrderConflict.code: 10}
        assert balances(member)[0] in (50, 70)

    def test_of_two_returns(self) -> None:
        member = a_member()
        order = an_order(member, "50.00")
        record_purchase(order=order, by=TILL, at=NOON)
        rets = [a_return(order, (1, quantity), number="R-1") for quantity in ("0.4", "0.6")]
        outcomes = Counter(
            spread(
                lambda number: outcome_of(lambda: record_return(ret=rets[number % 2], by=TILL, at=rets[0].returned_at)),
                times=20, threads=THREADS,
            )
        )  # fmt: skip
        assert outcomes == {"done": 10, ReturnConflict.code: 10}
        assert balances(member)[0] in (30, 20)

    def test_of_two_redemptions(self) -> None:
        member = with_points(100, moment=NOON)
        rewards = [a_reward(30), a_reward(40)]

        def act(number: int) -> str:
            reward_id = rewards[number % 2].pk
            return outcome_of(
                lambda: redeem_reward(member_id=member.pk, reward_id=reward_id, request_id="wish", by=TILL, at=NOON)
            )

        outcomes = Counter(spread(act, times=20, threads=THREADS))
        assert outcomes == {"done": 10, RequestConflict.code: 10}
        assert balances(member)[0] in (70, 60)


class TestHolds:
    """A hold …"""

    def test_is_spent_by_one_of_many(self) -> None:
        member = with_points(10, moment=NOON)
        hold_id = hold(member, 8, 1)
        outcomes = Counter(
            spread(lambda number: outcome_of(lambda: capture(hold_id, 5, number)), times=16, threads=THREADS)
        )
        assert outcomes == {"done": 1, HoldNotOpen.code: 15}
        assert balances(member) == (5, 0, 0)

    def test_is_spent_once_under_one_key(self) -> None:
        member = with_points(10, moment=NOON)
        hold_id = hold(member, 8, 1)
        postings = spread(lambda _: capture(hold_id, 5, "the one"), times=16, threads=THREADS)
        assert sum(not posting.repeated for posting in postings) == 1
        assert balances(member) == (5, 0, 0)

    def test_is_either_spent_or_let_go(self) -> None:
        member = with_points(100, moment=NOON)
        holds = [hold(member, 10, number) for number in range(8)]

        def spend() -> list[str]:
            return [outcome_of(lambda one=one: capture(one, None, one)) for one in holds]  # type: ignore[misc]

        def let_go() -> list[str]:
            return [
                outcome_of(
                    lambda one=one: self._release(one)  # type: ignore[misc]
                )
                for one in reversed(holds)
            ]

        spent, let_go_now = together([spend, let_go])
        assert Counter(spent)["done"] + Counter(let_go_now)["done"] == len(holds)
        assert set(spent) | set(let_go_now) <= {"done", HoldNotOpen.code}
        assert balances(member) == (100 - 10 * Counter(spent)["done"], 0, 0)

    def test_past_its_end_is_given_back_once_by_whoever_comes_first(self) -> None:
        member = with_points(100, moment=NOON)
        for number in range(20):
            hold(member, 5, number)

        def spend() -> int:
            return sum(
                outcome_of(
                    lambda number=number: post(  # type: ignore[misc]
                        ledger.burn, member_id=member.pk, points=5, natural_key=f"burn {number}", at=LATER
                    )
                )
                == "done"
                for number in range(20)
            )

        spent, *_ = together([spend, lambda: release_due_holds(at=LATER), lambda: release_due_holds(at=LATER)])
        assert (spent, balances(member)) == (20, (0, 0, 0))
        assert set(Hold.objects.values_list("state", flat=True)) == {Hold.State.EXPIRED}
        assert LedgerTransaction.objects.filter(kind=ledger.Kind.HOLD_RELEASE).count() == 20

    def test_whose_lots_expire_meanwhile_keeps_its_points(self) -> None:
        members = [with_points(10, moment=NOON, expires_at=LATER) for _ in range(6)]
        receipts = [
            hold_points(
                member_id=member.pk, points=7, source=SOURCE, external_ref=f"{member.pk}", by=TILL,
                at=LATER - timedelta(minutes=5), minutes=30,
            )
            for member in members
        ]  # fmt: skip

        def spend() -> int:
            return sum(
                spend_hold(
                    hold_id=receipt.hold_id,
                    source=SOURCE,
                    external_order_no=f"{receipt.hold_id}",
                    by=TILL,
                    at=LATER,
                    points=4,
                ).points
                for receipt in receipts
            )

        def expire() -> int:
            return expire_due_lots(at=LATER, by=SYSTEM, chunk=1).points

        spent, expired, expired_beside = together([spend, expire, expire])
        assert spent == 24
        expired += expired_beside + expire_due_lots(at=LATER, by=SYSTEM).points
        assert (spent + expired, {balances(member) for member in members}) == (60, {(0, 0, 0)})

    def _release(self, hold_id: int) -> None:
        with transaction.atomic():
            ledger.release_hold(hold_id=hold_id, expired=False, at=NOON, by=SYSTEM)


class TestTakingBack:
    """What was spent or earned …"""

    def test_comes_back_once_however_many_ask(self) -> None:
        member = with_points(100, moment=NOON)
        spent = burn(member, 60, 1).transaction_id

        def act(number: int) -> str:
            return outcome_of(
                lambda: post(
                    ledger.restore, origin_transaction_id=spent, points=7, days_min=0, natural_key=f"back {number}"
                )
            )

        outcomes = Counter(spread(act, times=16, threads=THREADS))
        assert outcomes == {"done": 8, NothingLeftToRestore.code: 8}
        assert balances(member) == (96, 0, 0)

    def test_is_owed_up_to_the_limit_and_no_further(self) -> None:
        member = with_points(100, moment=NOON)
        burn(member, 100, 1)

        def act(number: int) -> Posting:
            return post(
                ledger.claw_back, kind=ledger.Kind.RETURN, contra=ledger.Contra.ISSUANCE, member_id=member.pk, points=7,
                origin_transaction_id=None, from_others=True, debt_limit=40, natural_key=f"return {number}",
            )  # fmt: skip

        postings = spread(act, times=16, threads=THREADS)
        assert sum(posting.d_debt for posting in postings) == 40
        assert sum(posting.given_up for posting in postings) == 16 * 7 - 40
        assert balances(member) == (0, 0, 40)


class TestGifts:
    """Gifts to and fro between the same members …"""

    def test_meet_no_deadlock_and_lose_nothing(self) -> None:
        members = [with_points(100, moment=NOON, expires_at=LATER) for _ in range(3)]

        def act(number: int) -> str:
            giver = members[number % 3]
            taker = members[(number + 1 + number // 3 % 2) % 3]
            return outcome_of(lambda: send(giver, taker, 1 + number % 7, number))

        outcomes = Counter(spread(act, times=240, threads=THREADS))
        assert set(outcomes) <= {"done", InsufficientPoints.code}
        assert outcomes["done"] > 200
        assert sum(balances(member)[0] for member in members) == 300
        assert set(Lot.objects.values_list("expires_at", flat=True)) == {LATER}
