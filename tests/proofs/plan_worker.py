"""A process that carries out a plan of facts through the services, and writes down each one that was answered.

Run as `python -m tests.proofs.plan_worker PLAN ACKS SHARD SHARDS`; killed at any moment, started again, it goes on with
what has no answer yet, under the same keys. A connection that breaks is an unknown outcome: asked again, same key.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

BEGIN = datetime(2026, 11, 1, 4, tzinfo=UTC)
KINDS = ("buy", "buy", "buy", "redeem", "return", "hold", "import", "expire", "transfer")
IMPORTED = 40  # orders in one import
PAID = 60  # points of one purchase
ON_ITS_WAY_SECONDS = 0.005  # an answer that a kill may still lose: done, and nobody knows


def make_plan(path: Path, *, facts: int, members: list[int], channel: int) -> None:
    """Write a plan: what to do, in a fixed order, the same for every run with it."""
    path.write_text(json.dumps({"facts": facts, "members": members, "channel": channel}), encoding="utf-8")


def kind_of(number: int) -> str:
    """Return what the fact of a number is."""
    return KINDS[number % len(KINDS)]


class Worker:
    """Carries out the facts of one shard."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.members: list[int] = plan["members"]
        self.channel: int = plan["channel"]

    def do(self, number: int) -> str:
        """Carry out one fact; return `done`, `known` (it had been done, the answer was lost) or the code of the refusal."""
        from rewards.refusals import RewardsRefusal

        act: Callable[[int], bool] = getattr(self, f"_{kind_of(number)}")
        try:
            return "known" if act(number) else "done"
        except RewardsRefusal as refusal:
            return refusal.code

    def _member(self, number: int) -> int:
        return self.members[random.Random(number).randrange(len(self.members))]

    def _at(self, number: int) -> datetime:
        return BEGIN + timedelta(seconds=number)

    def _order(self, key: str, member: int, at: datetime) -> Any:
        from rewards.services.orders import Order, OrderLine

        line = OrderLine("C-LAT", "拿铁", Decimal(1), Decimal("60.00"), Decimal("60.00"))
        return Order("plan", key, member, self.channel, None, at, (line,))

    def _buy(self, number: int) -> bool:
        from members.actors import SYSTEM
        from rewards.services.purchases import record_purchase

        at = self._at(number)
        receipt = record_purchase(order=self._order(f"B{number}", self._member(number), at), by=SYSTEM, at=at)
        return receipt.already_recorded

    def _redeem(self, number: int) -> bool:
        from members.actors import SYSTEM
        from rewards.services.holds import spend_on_order

        receipt = spend_on_order(
            member_id=self._member(number), points=7, source="plan", external_order_no=f"R{number}", by=SYSTEM, at=self._at(number)
        )  # fmt: skip
        return receipt.already_recorded

    def _return(self, number: int) -> bool:
        """Return the purchase that lies a round before in the plan, if it has been made."""
        from members.actors import SYSTEM
        from rewards.services.returns import Return, record_return

        at = self._at(number)
        sold = number - number % len(KINDS)
        ret = Return("plan", f"T{number}", f"B{sold}", self.channel, None, at)
        return record_return(ret=ret, by=SYSTEM, at=at).already_recorded

    def _hold(self, number: int) -> bool:
        from members.actors import SYSTEM
        from rewards.services.holds import hold_points, spend_hold

        at = self._at(number)
        hold = hold_points(
            member_id=self._member(number), points=9, source="plan", external_ref=f"H{number}", by=SYSTEM, at=at
        )
        receipt = spend_hold(
            hold_id=hold.hold_id, source="plan", external_order_no=f"H{number}", by=SYSTEM, at=at, points=5
        )
        return receipt.already_recorded

    def _import(self, number: int) -> bool:
        from members.actors import SYSTEM
        from rewards.services.bulk import post_history

        at = self._at(number)
        orders = [
            self._order(f"I{number}-{n}", self.members[(number + n) % len(self.members)], at) for n in range(IMPORTED)
        ]
        outcome = post_history(orders=orders, returns=[], by=SYSTEM, at=at, quiet=True)
        assert not outcome.refused, outcome.refused
        assert outcome.orders_known in (0, IMPORTED), outcome
        return outcome.orders_known > 0

    def _expire(self, number: int) -> bool:
        from members.actors import SYSTEM
        from rewards.services.expiry import expire_due_lots
        from rewards.services.holds import release_due_holds

        expire_due_lots(at=self._at(number), by=SYSTEM, chunk=3)
        release_due_holds(at=self._at(number))
        return False

    def _transfer(self, number: int) -> bool:
        from django.db import transaction

        from members.actors import SYSTEM
        from rewards import ledger

        sender = self._member(number)
        receiver = self.members[(self.members.index(sender) + 1) % len(self.members)]
        with transaction.atomic():
            posting = ledger.transfer(
                from_member_id=sender, to_member_id=receiver, points=3, source="plan", natural_key=f"X{number}",
                at=self._at(number), by=SYSTEM, trace={"v": 2, "kind": "transfer"},
            )  # fmt: skip
        return posting.repeated


def main(plan_path: Path, acks_path: Path, shard: int, shards: int) -> None:
    """Carry out what has no answer yet."""
    django.setup()
    plan = json.loads(plan_path.read_text(encoding="utf-8"))
    acked = (
        {int(line.split()[0]) for line in acks_path.read_text().splitlines() if line.endswith(".")}
        if acks_path.exists()
        else set()
    )
    worker = Worker(plan)
    with acks_path.open("a", encoding="ascii") as acks:
        for number in range(shard, plan["facts"], shards):
            if number in acked:
                continue
            answer = _until_answered(worker, number)
            time.sleep(ON_ITS_WAY_SECONDS)
            acks.write(f"{number} {answer}.\n")
            acks.flush()
            os.fsync(acks.fileno())


def _until_answered(worker: Worker, number: int) -> str:
    for _ in range(600):
        try:
            return worker.do(number)
        except (OperationalError, InterfaceError):
            connection.close()
            close_old_connections()
            time.sleep(0.1)
        except DatabaseError as error:
            if "terminating connection" not in str(error):
                raise
            connection.close()
    raise SystemExit(f"fact {number} was never answered")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
