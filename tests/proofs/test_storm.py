"""A minute of everything at once on five hot members: no deadlock reaches anybody, and the ledger verifies after it."""

import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Sum

from loyalty.services.standing import review_due_tiers
from members.actors import SYSTEM, Actor
from members.models import Member, OperatorLimit
from members.refusals import Refusal
from members.roles import SERVICE_SUPERVISOR
from rewards import ledger
from rewards.models import LedgerEntry, LedgerTransaction, Lot, PointsAccount, TransferPolicy
from rewards.services.adjustments import propose_adjustment
from rewards.services.bulk import post_history
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.holds import give_hold_back, hold_points, release_due_holds, spend_hold, spend_on_order
from rewards.services.purchases import Order, record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from rewards.services.transfers import propose_transfer
from rewards.services.verification import verify
from tests.factories.catalogue import a_reward
from tests.factories.orders import NOON, a_line, a_return, a_return_of_an_unknown_sale, an_order
from tests.factories.people import TILL, a_member
from tests.factories.portal import an_operator
from tests.harness.results import Figures
from tests.harness.threads import spread

SECONDS = 60.0
THREADS = 8
HOT_MEMBERS = 5
DAYS = 900
PLENTY = 1_000_000_000

WEIGHTS = {
    "buy": 6, "give_back": 3, "give_back_unknown": 2, "redeem": 4, "pay_with_points": 2, "hold": 4, "end_hold": 4,
    "cancel": 2, "adjust": 2, "send": 3, "write_off": 1, "expire": 1, "release": 1, "let_due_holds_go": 1, "review": 1,
    "post_history": 1,
}  # fmt: skip

ALLOWED = {
    "done", "insufficient_points", "return_exceeds_order", "not_found", "out_of_stock", "hold_not_open", "hold_too_small",
    "nothing_left_to_restore", "arrears_too_small", "nothing to do",
}  # fmt: skip


class NothingToDo(Exception):
    """There is nothing yet to which this could be done."""


class Storm:
    """Everything at once on a few members, in an order that only the seeds and the scheduler know."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.reward_id = a_reward(25, stock=200_000).pk
        operator = an_operator(SERVICE_SUPERVISOR, superuser=True)
        OperatorLimit.objects.update(per_entry_points=PLENTY, per_day_points=PLENTY)
        TransferPolicy.objects.update(
            is_enabled=True, min_points=1, max_points=PLENTY, day_points=PLENTY, day_times=30_000, month_points=PLENTY,
            month_times=30_000, cooldown_hours=0,
        )  # fmt: skip
        self.staff = Actor("operator", operator.pk)
        self.ends = 0.0

    def run(self, seed: int) -> tuple[Counter[str], list[float]]:
        """Do one thing after another until the storm is over; return what came of it and how long each took, in seconds.

        A refusal is an outcome; an error of the database is raised, deadlocks above all.
        """
        dice = random.Random(seed)
        outcomes: Counter[str] = Counter()
        waits = []
        number = 0
        while time.monotonic() < self.ends:
            number += 1
            (verb,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
            began = time.monotonic()
            outcomes[f"{verb}: {self._outcome(verb, dice, f'{seed}-{number}')}"] += 1
            waits.append(time.monotonic() - began)
        return outcomes, waits

    def _outcome(self, verb: str, dice: random.Random, number: str) -> str:
        try:
            getattr(self, verb)(dice, number)
        except NothingToDo:
            return "nothing to do"
        except Refusal as refusal:
            return refusal.code
        return "done"

    def member(self, dice: random.Random) -> Member:
        return dice.choice(self.members)

    def moment(self, dice: random.Random) -> datetime:
        return NOON + timedelta(minutes=dice.randrange(DAYS * 24 * 60))

    def shared_order(self, dice: random.Random) -> Order:
        """Return an order that other threads tell, too, and maybe at this moment."""
        which = dice.randrange(200)
        line = a_line("20.00", quantity="4")
        return an_order(self.members[which % len(self.members)], number=f"shared-{which}", lines=(line,))

    def buy(self, dice: random.Random, number: str) -> None:
        order = self.shared_order(dice)
        if dice.random() < 0.7:
            amount = f"{dice.randrange(1, 90_000) / 100:.2f}"
            order = an_order(self.member(dice), amount, number=number, ordered_at=self.moment(dice))
        record_purchase(order=order, by=TILL, at=order.ordered_at)

    def give_back(self, dice: random.Random, number: str) -> None:
        items = ((1, "1"),) if dice.random() < 0.8 else ()
        ret = a_return(self.shared_order(dice), *items, number=number)
        record_return(ret=ret, by=TILL, at=ret.returned_at)

    def give_back_unknown(self, dice: random.Random, number: str) -> None:
        ret = a_return_of_an_unknown_sale(
            self.member(dice), "250.00", number=number, returned_at=NOON + timedelta(days=1)
        )
        record_return(ret=ret, by=TILL, at=ret.returned_at)

    def redeem(self, dice: random.Random, number: str) -> None:
        redeem_reward(
            member_id=self.member(dice).pk, reward_id=self.reward_id, request_id=number, by=TILL, at=self.moment(dice)
        )

    def pay_with_points(self, dice: random.Random, number: str) -> None:
        spend_on_order(
            member_id=self.member(dice).pk, points=dice.randrange(1, 40), source="shop", external_order_no=f"paid-{number}",
            by=TILL, at=self.moment(dice),
        )  # fmt: skip

    def hold(self, dice: random.Random, number: str) -> None:
        hold_points(
            member_id=self.member(dice).pk, points=dice.randrange(1, 60), source="shop", external_ref=number, by=TILL,
            at=self.moment(dice), minutes=600,
        )  # fmt: skip

    def end_hold(self, dice: random.Random, number: str) -> None:
        """Spend one of the last holds, in part or in whole, or let it go: others may be at the same one."""
        from_account = PointsAccount.objects.filter(member=self.member(dice)).values_list("pk", flat=True)
        holds = ledger_holds(list(from_account))
        if not holds:
            raise NothingToDo
        hold_id, created_at = dice.choice(holds)
        if dice.random() < 0.3:
            give_hold_back(hold_id=hold_id, by=TILL, at=created_at)
        else:
            points = None if dice.random() < 0.5 else dice.randrange(1, 30)
            spend_hold(
                hold_id=hold_id,
                source="shop",
                external_order_no=f"held-{number}",
                by=TILL,
                at=created_at,
                points=points,
            )

    def cancel(self, dice: random.Random, number: str) -> None:
        """Give one of the last redemptions of a member back, in part or in whole."""
        spent = LedgerTransaction.objects.filter(member=self.member(dice), kind=ledger.Kind.REDEEM).order_by("-pk")
        ids = list(spent.values_list("pk", flat=True)[:20])
        if not ids:
            raise NothingToDo
        with transaction.atomic():
            ledger.restore(
                origin_transaction_id=dice.choice(ids), points=dice.choice([None, 5]), days_min=dice.choice([0, 30]), source="storm",
                natural_key=number, at=self.moment(dice), by=SYSTEM, trace={},
            )  # fmt: skip

    def adjust(self, dice: random.Random, number: str) -> None:
        propose_adjustment(
            member_id=self.member(dice).pk, points=dice.choice([-20, -5, 10, 30]), reason_code="other", note="storm", by=self.staff,
            at=NOON + timedelta(days=1), request_id=number,
        )  # fmt: skip

    def send(self, dice: random.Random, number: str) -> None:
        sender, receiver = dice.sample(self.members, 2)
        propose_transfer(
            sender_id=sender.pk, receiver_id=receiver.pk, points=dice.randrange(1, 50), reason="storm", by=self.staff,
            at=NOON + timedelta(days=1), request_id=number,
        )  # fmt: skip

    def write_off(self, dice: random.Random, number: str) -> None:
        """Forgive some points to somebody who owes; by then others may have repaid them."""
        debtors = list(PointsAccount.objects.filter(debt__gt=0).values_list("member_id", flat=True))
        if not debtors:
            raise NothingToDo
        with transaction.atomic():
            ledger.write_off(
                member_id=dice.choice(debtors), points=3, source="storm", natural_key=number, at=NOON, by=SYSTEM, reason="storm",
                trace={},
            )  # fmt: skip

    def expire(self, dice: random.Random, _number: str) -> None:
        expire_due_lots(at=self.moment(dice), by=SYSTEM, chunk=2)

    def release(self, dice: random.Random, _number: str) -> None:
        release_pending_lots(at=self.moment(dice), by=SYSTEM)

    def let_due_holds_go(self, dice: random.Random, _number: str) -> None:
        release_due_holds(at=NOON + timedelta(days=dice.randrange(DAYS // 3)), limit=20)

    def review(self, dice: random.Random, _number: str) -> None:
        review_due_tiers(at=self.moment(dice), by=SYSTEM)

    def post_history(self, dice: random.Random, number: str) -> None:
        orders = [self.shared_order(dice) for _ in range(4)]
        returns = [a_return(self.shared_order(dice), (1, "1"), number=f"{number}-{part}") for part in range(2)]
        outcome = post_history(
            orders=orders, returns=returns, by=Actor("import", 1), at=NOON + timedelta(days=2), quiet=True
        )
        assert all(refusal.code in {"not_found", "return_exceeds_order"} for _number, refusal in outcome.refused)


def ledger_holds(account_ids: list[int]) -> list[tuple[int, datetime]]:
    """Return (id, made at) of the last holds of accounts, most of them still open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, created_at FROM rewards_hold WHERE account_id = ANY (%s) ORDER BY state, id DESC LIMIT 6",
            [account_ids],
        )
        return cursor.fetchall()


def deadlocks() -> Decimal:
    """Return how many deadlocks the server has broken in this database, even those that somebody's retry has hidden."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return Decimal(cursor.fetchone()[1])


def test_a_minute_of_everything_on_five_members(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    storm = Storm([a_member() for _ in range(HOT_MEMBERS)])
    storm.ends = time.monotonic() + SECONDS
    runs = spread(storm.run, times=THREADS, threads=THREADS, patience=2 * SECONDS)
    outcomes = sum((outcomes for outcomes, _ in runs), Counter())
    waits = sorted(wait for _, waits in runs for wait in waits)

    assert {outcome.split(": ")[1] for outcome in outcomes} <= ALLOWED, outcomes
    assert {verb for verb in WEIGHTS if not outcomes[f"{verb}: done"]} == set(), outcomes
    assert deadlocks() == 0
    began = time.monotonic()
    findings = [str(finding) for finding in verify(at=NOON)]
    seconds = time.monotonic() - began
    assert findings == []
    assert PointsAccount.objects.filter(seq__gt=0).count() == HOT_MEMBERS
    totals = PointsAccount.objects.aggregate(
        available=Sum("available"), pending=Sum("pending"), held=Sum("held"), owed=Sum("debt")
    )
    record_result(
        "A minute of everything on five members",
        {
            "threads": THREADS,
            "things done": f"{outcomes.total():,}",
            **{
                verb: ", ".join(
                    f"{outcome.split(': ')[1]} {times:,}" for outcome, times in sorted(outcomes.items()) if outcome.startswith(f"{verb}: ")
                )
                for verb in WEIGHTS
            },
            "median, 99th percentile and longest of one thing": f"{statistics.median(waits) * 1000:.0f} ms, "
            f"{waits[len(waits) * 99 // 100] * 1000:.0f} ms, {waits[-1] * 1000:.0f} ms",
            "entries and lots": f"{LedgerEntry.objects.count():,}, {Lot.objects.count():,}",
            "points at the end": ", ".join(f"{name} {points:,}" for name, points in totals.items()),
            "deadlocks met": 0,
            "findings of the verification": f"0, in {seconds:.1f} s",
            "load average of the machine": f"{os.getloadavg()[0]:.1f}",
        },
    )  # fmt: skip
