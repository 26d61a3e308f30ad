"""Races: real threads, real connections, real commits."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from loyalty.services.standing import review_due_tiers
from members.actors import SYSTEM, Actor
from members.models import Member, TimelineEntry
from members.refusals import Refusal
from rewards.ledger import InsufficientPoints
from rewards.models import LedgerEntry, PointsAccount, PurchaseReturn, Redemption, Reward, VoucherEvent
from rewards.queries import balance_of
from rewards.services.bulk import post_history
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.purchases import Order, record_purchase
from rewards.services.redemptions import OutOfStock, redeem_reward
from rewards.services.returns import ReturnExceedsOrder, record_return
from rewards.services.verification import verify
from rewards.services.vouchers import VoucherUsed, use_voucher
from tests.factories.catalogue import a_reward
from tests.factories.histories import with_points
from tests.factories.orders import NOON, a_line, a_return, a_return_of_an_unknown_sale, an_order
from tests.factories.people import TILL, a_member
from tests.harness.threads import spread, together

STORM_SECONDS = 5.0
THREADS = 8


def outcome_of(job: Callable[[], object]) -> str:
    """Do a job; return "done", or the code of the refusal."""
    try:
        job()
    except Refusal as refusal:
        return refusal.code
    return "done"


def is_sound(at: datetime = NOON) -> bool:
    """Show that the ledger is sound."""
    assert [str(finding) for finding in verify(at=at)] == []
    return True


class TestOnePurchase:
    """One purchase …"""

    def test_told_fifty_times_over_eight_connections_is_posted_once_with_equal_answers(self, committed_db: str) -> None:
        member = a_member()
        order = an_order(member, "500.00")
        receipts = spread(lambda _: record_purchase(order=order, by=TILL, at=NOON), times=50, threads=THREADS)
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        answer = replace(receipts[0], already_recorded=False)
        assert all(replace(receipt, already_recorded=False) == answer for receipt in receipts)
        assert (answer.points, answer.available, answer.tier_changed_to) == (500, 500, "silver")
        assert (
            LedgerEntry.objects.count()
            == TimelineEntry.objects.filter(kind="rewards.purchase_recorded.v1").count()
            == 1
        )
        assert balance_of(member.pk, NOON).available == 500
        assert is_sound()

    def test_live_and_in_a_bulk_import_at_once_is_posted_once(self, committed_db: str) -> None:
        members = [a_member() for _ in range(5)]
        orders = [
            an_order(member, "20.00", ordered_at=NOON + timedelta(minutes=n)) for n, member in enumerate(members * 8)
        ]
        at = NOON + timedelta(days=1)

        def live() -> int:
            return sum(not record_purchase(order=order, by=TILL, at=at).already_recorded for order in reversed(orders))

        def bulk() -> int:
            new = 0
            for start in range(0, len(orders), 10):
                outcome = post_history(
                    orders=orders[start : start + 10], returns=[], by=Actor("import", 1), at=at, quiet=True
                )
                assert outcome.refused == []
                new += outcome.orders_new
            return new

        assert sum(together([live, bulk, live])) == len(orders)
        assert LedgerEntry.objects.count() == len(orders)
        assert {balance_of(member.pk, at).available for member in members} == {160}
        assert is_sound()


class TestRedemptions:
    """Redemptions at once …"""

    def test_of_ten_points_succeed_ten_times(self, committed_db: str) -> None:
        member = with_points(10, moment=NOON)
        reward = a_reward(1)

        def redeem(number: int) -> str:
            return outcome_of(
                lambda: redeem_reward(
                    member_id=member.pk, reward_id=reward.pk, request_id=str(number), by=TILL, at=NOON
                )
            )

        outcomes = Counter(spread(redeem, times=20, threads=THREADS))
        assert outcomes == {"done": 10, InsufficientPoints.code: 10}
        assert (Redemption.objects.count(), balance_of(member.pk, NOON).available) == (10, 0)
        assert is_sound()

    def test_of_the_last_five_pieces_have_five_winners_and_losers_keep_their_points(self, committed_db: str) -> None:
        members = [with_points(30, moment=NOON) for _ in range(20)]
        reward = a_reward(30, stock=5)

        def redeem(number: int) -> str:
            member = members[number]
            return outcome_of(
                lambda: redeem_reward(
                    member_id=member.pk, reward_id=reward.pk, request_id=str(number), by=TILL, at=NOON
                )
            )

        outcomes = spread(redeem, times=20, threads=THREADS)
        assert Counter(outcomes) == {"done": 5, OutOfStock.code: 15}
        points = [balance_of(member.pk, NOON).available for member in members]
        assert points == [0 if outcome == "done" else 30 for outcome in outcomes]
        assert (Reward.objects.get().stock, Redemption.objects.count()) == (0, 5)
        assert is_sound()

    def test_of_one_wish_are_paid_once(self, committed_db: str) -> None:
        member = with_points(100, moment=NOON)
        reward = a_reward(30, stock=9)
        receipts = spread(
            lambda _: redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="one wish", by=TILL, at=NOON),
            times=16, threads=THREADS,
        )  # fmt: skip
        assert len({(receipt.redemption.pk, receipt.code, receipt.available) for receipt in receipts}) == 1
        assert (receipts[0].available, Reward.objects.get().stock) == (70, 8)
        assert is_sound()


class TestReturns:
    """Returns at once …"""

    def test_of_the_last_piece_succeed_once(self, committed_db: str) -> None:
        member = a_member()
        order = an_order(member, lines=(a_line("30.00", quantity="3"),))
        record_purchase(order=order, by=TILL, at=NOON)
        record_return(ret=a_return(order, (1, "2")), by=TILL, at=NOON + timedelta(days=1))
        rets = [a_return(order, (1, "1")) for _ in range(4)]
        jobs = [lambda ret=ret: outcome_of(lambda: record_return(ret=ret, by=TILL, at=ret.returned_at)) for ret in rets]
        assert Counter(together(jobs)) == {"done": 1, ReturnExceedsOrder.code: 3}
        assert (PurchaseReturn.objects.count(), balance_of(member.pk, NOON).available) == (2, 0)
        assert is_sound()

    def test_under_one_number_get_one_answer(self, committed_db: str) -> None:
        member = a_member()
        order = an_order(member, "500.00")
        record_purchase(order=order, by=TILL, at=NOON)
        ret = a_return(order)
        receipts = spread(lambda _: record_return(ret=ret, by=TILL, at=ret.returned_at), times=16, threads=THREADS)
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        assert len({repr(replace(receipt, already_recorded=False)) for receipt in receipts}) == 1
        assert balance_of(member.pk, NOON).available == 0
        assert is_sound()

    def test_live_and_in_a_bulk_import_never_take_back_more_than_was_bought(self, committed_db: str) -> None:
        members = [a_member() for _ in range(8)]
        orders = [an_order(member, lines=(a_line("10.00", quantity="2"),)) for member in members]
        for order in orders:
            record_purchase(order=order, by=TILL, at=NOON)
        at = NOON + timedelta(days=1)
        mine = [a_return(order) for order in orders]
        theirs = [a_return(order) for order in orders]

        def live() -> int:
            return sum(outcome_of(lambda ret=ret: record_return(ret=ret, by=TILL, at=at)) == "done" for ret in mine)  # type: ignore[misc]

        def bulk() -> int:
            return sum(
                post_history(orders=[], returns=[ret], by=Actor("import", 1), at=at, quiet=True).returns_new
                for ret in theirs
            )

        assert sum(together([live, bulk])) == len(orders)
        assert PurchaseReturn.objects.count() == len(orders)
        assert {balance_of(member.pk, at).debt for member in members} == {0}
        assert is_sound()


class TestVoucher:
    """A voucher …"""

    def test_used_by_two_tills_at_once_is_used_by_one(self, committed_db: str) -> None:
        member = with_points(30, moment=NOON)
        receipt = redeem_reward(member_id=member.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=NOON)

        def use(number: int) -> str:
            return outcome_of(
                lambda: use_voucher(
                    code=receipt.code,
                    store_id=None,
                    external_order_no=f"A{number}",
                    spend_amount=None,
                    by=TILL,
                    at=NOON,
                )
            )

        assert Counter(spread(use, times=16, threads=16)) == {"done": 1, VoucherUsed.code: 15}
        assert VoucherEvent.objects.filter(to_state="used").count() == 1


class Storm:
    """Everything at once on a few members, in an order that only the seed and the scheduler know."""

    def __init__(self, members: list[Member], reward: Reward, seconds: float) -> None:
        self.members = members
        self.reward_id = reward.pk
        self.ends = time.monotonic() + seconds

    def run(self, seed: int) -> Counter[str]:
        """Do one thing after another until the storm is over; return what came of it. An error of the database is raised."""
        dice = random.Random(seed)
        outcomes: Counter[str] = Counter()
        told = 0
        while time.monotonic() < self.ends:
            told += 1
            name = dice.choice(
                [
                    "buy",
                    "buy",
                    "buy",
                    "give_back",
                    "give_back_unknown",
                    "redeem",
                    "redeem",
                    "expire",
                    "review",
                    "post_history",
                ]
            )
            number = f"{seed}-{told}"
            outcome = outcome_of(lambda name=name, number=number: getattr(self, name)(dice, number))  # type: ignore[misc]
            outcomes[f"{name} {outcome}"] += 1
        return outcomes

    def shared_order(self, dice: random.Random) -> Order:
        """Return an order that other threads tell, too, and maybe at this moment."""
        which = dice.randrange(40)
        line = a_line("20.00", quantity="2")
        return an_order(self.members[which % len(self.members)], number=f"shared-{which}", lines=(line,))

    def buy(self, dice: random.Random, number: str) -> None:
        if dice.random() < 0.3:
            order = self.shared_order(dice)
        else:
            moment = NOON + timedelta(minutes=dice.randrange(600_000))
            order = an_order(
                dice.choice(self.members), f"{dice.randrange(1, 90_000) / 100:.2f}", number=number, ordered_at=moment
            )
        record_purchase(order=order, by=TILL, at=order.ordered_at)

    def give_back(self, dice: random.Random, number: str) -> None:
        order = self.shared_order(dice)
        items = ((1, "1"),) if dice.random() < 0.7 else ()
        ret = a_return(order, *items, number=number)
        record_return(ret=ret, by=TILL, at=ret.returned_at)

    def give_back_unknown(self, dice: random.Random, number: str) -> None:
        ret = a_return_of_an_unknown_sale(dice.choice(self.members), "15.00", number=number)
        record_return(ret=ret, by=TILL, at=ret.returned_at)

    def redeem(self, dice: random.Random, number: str) -> None:
        member = dice.choice(self.members)
        redeem_reward(
            member_id=member.pk, reward_id=self.reward_id, request_id=number, by=TILL, at=NOON + timedelta(days=1)
        )

    def expire(self, dice: random.Random, _number: str) -> None:
        at = NOON + timedelta(days=dice.randrange(900))
        expire_due_lots(at=at, by=SYSTEM, chunk=2)
        release_pending_lots(at=at, by=SYSTEM)

    def post_history(self, dice: random.Random, number: str) -> None:
        orders = [self.shared_order(dice) for _ in range(4)]
        returns = [a_return(self.shared_order(dice), (1, "1"), number=f"{number}-{part}") for part in range(2)]
        at = NOON + timedelta(days=2)
        outcome = post_history(orders=orders, returns=returns, by=Actor("import", 1), at=at, quiet=True)
        assert all(refusal.code in {"not_found", "return_exceeds_order"} for _number, refusal in outcome.refused)

    def review(self, dice: random.Random, _number: str) -> None:
        review_due_tiers(at=NOON + timedelta(days=dice.randrange(900)), by=SYSTEM)


class TestStorm:
    """A storm of everything over three hot members …"""

    def test_brings_no_deadlock_to_anyone_and_leaves_the_ledger_sound(self, committed_db: str) -> None:
        members = [a_member() for _ in range(3)]
        storm = Storm(members, a_reward(25, stock=500), STORM_SECONDS)
        outcomes = sum(spread(storm.run, times=6, threads=6), Counter())
        for name in ("buy", "give_back", "give_back_unknown", "redeem", "expire", "review", "post_history"):
            assert outcomes[f"{name} done"] > 0, outcomes
        allowed = {"done", "insufficient_points", "return_exceeds_order", "not_found", "out_of_stock"}
        assert {outcome.split()[1] for outcome in outcomes} <= allowed, outcomes
        assert is_sound()
        bought = PointsAccount.objects.count()
        assert bought == len(members)
        self._no_deadlock_was_even_met()

    def _no_deadlock_was_even_met(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
            assert cursor.fetchone()[1] == Decimal(0)
