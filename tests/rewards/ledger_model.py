"""The ledger in memory, as one would explain it to an accountant. Written to be read.

The stories and the state machine hold the database against it; it knows no SQL and nothing of the project. Each method of
`Model` is one fact. A fact told twice is answered as repeated, one that can not be is `Refused`; neither changes anything.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.rewards.ledger_lots import NEVER, Account, ModelLot, Name, NewLot, Part, Refused, eat, in_order, total


class Result(NamedTuple):
    """What a fact changed in the account, and what is told of it afterwards: `available` is what can be spent.

    `expired` is what inactivity had ended before the fact and was booked with it.
    """

    repeated: bool
    d_available: int
    d_pending: int
    d_debt: int
    available: int
    pending: int
    debt: int
    forgiven: int = 0
    given_up: int = 0
    expired: int = 0


@dataclass(eq=False)
class Debit:
    """Points that left an account, and the lots they left. `restored` have come back, to lots or to pay arrears."""

    who: Name
    parts: list[Part]
    is_expiry: bool = False
    restored: int = 0

    @property
    def left(self) -> int:
        left = total(self.parts) - self.restored
        return min(left, self.parts[0].lot.expired) if self.is_expiry else left


@dataclass(eq=False)
class ModelHold:
    """Points set aside until a moment. `end` says how it ended: spent, or given back."""

    who: Name
    parts: list[Part]
    until: datetime
    end: str = ""


class Model:
    """All accounts. Lots are named after the fact that made them: A, then A.2, A.3 when it made several."""

    def __init__(self) -> None:
        self.accounts: dict[Name, Account] = {}
        self.lots: dict[str, ModelLot] = {}
        self.credits: dict[str, list[ModelLot]] = {}
        self.debits: dict[str, Debit] = {}
        self.holds: dict[str, ModelHold] = {}
        self._told: set[tuple[str, str, str]] = set()

    def account(self, who: Name) -> Account:
        return self.accounts.setdefault(who, Account())

    def credit(
        self,
        kind: str,
        who: Name,
        key: str,
        lots: Sequence[NewLot],
        *,
        at: datetime,
        deadline_at: datetime | None = None,
    ) -> Result:
        """Credit points. Those available at once first repay what is owed, lot by lot in the order given."""

        def post(account: Account) -> None:
            account.deadline = max(filter(None, (account.deadline, deadline_at)), default=None)
            for lot in lots:
                self._add_lot(account, key, *lot, at)

        return self._tell(kind, key, who, at, post, comes_in=True)

    def debit(self, kind: str, who: Name, key: str, points: int, *, at: datetime) -> Result:
        """Spend points, what expires first first."""

        def post(account: Account) -> None:
            self.debits[key] = Debit(who, account.spend(points, at))

        return self._tell(kind, key, who, at, post)

    def hold(self, who: Name, key: str, points: int, *, expires_at: datetime, at: datetime) -> Result:
        """Set points aside, what expires first first."""

        def post(account: Account) -> None:
            self.holds[key] = ModelHold(who, account.spend(points, at), expires_at)
            for part in self.holds[key].parts:
                part.lot.held += part.points

        return self._tell("hold", key, who, at, post)

    def capture(self, hold: str, key: str, points: int | None, *, at: datetime) -> Result:
        """Spend what a hold set aside, or the part of it that expires first; the rest goes back."""
        who = self.holds[hold].who

        def post(_account: Account) -> None:
            held = self.holds[hold]
            if held.end or held.until <= at or (points or 0) > total(held.parts):
                raise Refused
            self.debits[key] = Debit(who, self._end(held, total(held.parts) if points is None else points, "spent"))

        return self._tell("capture", key, who, at, post, settles=False)

    def release_hold(self, hold: str, *, at: datetime) -> Result:
        """Give a hold back: arrears are repaid from what expires first, the rest goes back to its lots."""

        def post(_account: Account) -> None:
            if self.holds[hold].end:
                raise Refused
            self._end(self.holds[hold], 0, "given back")

        return self._tell("release_hold", hold, self.holds[hold].who, at, post, settles=False)

    def restore(self, key: str, of: str, points: int | None, *, days_min: int, at: datetime) -> Result:
        """Take a debit or an expiry back: arrears are paid, then the very lots get their points, the last eaten first."""

        def post(account: Account) -> None:
            debit = self.debits[of]
            wanted = debit.left if points is None else points
            if wanted > debit.left or not wanted:
                raise Refused
            debit.restored += wanted
            if debit.is_expiry:
                debit.parts[0].lot.expired -= wanted
            wanted -= account.repay(wanted)
            parts = {part.lot: part for part in debit.parts}
            for lot in reversed(in_order(parts)):
                if back := min(parts[lot].points - parts[lot].back, wanted):
                    wanted -= back
                    parts[lot].back += back
                    lot.remaining += back
                    lot.is_pending = False
                    least = at + timedelta(days=days_min)
                    if days_min and lot.expires_at and lot.expires_at < least:
                        lot.expires_at = least

        return self._tell("restore", key, self.debits[of].who, at, post, comes_in=True)

    def claw_back(
        self, kind: str, who: Name, key: str, points: int, *, origin: str | None, from_others: bool, debt_limit: int | None, at: datetime
    ) -> Result:  # fmt: skip
        """Take points back: from the lots of their origin, then what of these had expired is forgiven, then from other
        lots, then as arrears up to a limit; the rest is given up."""

        def post(account: Account) -> dict[str, int]:
            own = self.credits[origin] if origin else []
            rest = points - total(eat(in_order(own), points))
            forgiven = 0
            for lot in own:
                pardoned = min(lot.expired, rest)
                lot.expired, rest, forgiven = lot.expired - pardoned, rest - pardoned, forgiven + pardoned
            if from_others:
                rest -= total(eat((lot for lot in account.spendable(at) if lot not in own), rest))
            owed = rest if debt_limit is None else min(rest, max(debt_limit - account.debt, 0))
            account.debt += owed
            return {"forgiven": forgiven, "given_up": rest - owed}

        return self._tell(kind, key, who, at, post)

    def transfer(self, sender: Name, receiver: Name, key: str, points: int | None, *, at: datetime) -> Result:
        """Move points (None: all that can be spent) into new lots of another member, which expire when the old ones did."""

        def post(account: Account) -> dict[str, int]:
            taker = self.account(receiver)
            self._give_back_overdue(receiver, at)
            expired = self._end_inactivity(receiver, at)
            for part in account.spend(points, at):
                self._add_lot(taker, key, part.points, at, part.lot.expires_at, at)
            return {"expired": expired}

        return self._tell("transfer", key, sender, at, post)

    def write_off(self, who: Name, key: str, points: int, *, at: datetime) -> Result:
        """Forgive arrears."""

        def post(account: Account) -> None:
            if points > account.debt:
                raise Refused
            account.debt -= points

        return self._tell("write_off", key, who, at, post, settles=False)

    def expire(self, *, at: datetime) -> int:
        """Book what is over in all accounts; return how many points. What is held stays."""
        return sum(self._expire(who, at) for who in self.accounts)

    def release(self, *, at: datetime) -> int:
        """Make pending points available whose time has come; what is owed is repaid first. Returns how many points."""
        released = 0
        for account in self.accounts.values():
            for lot in sorted(account.lots, key=lambda lot: (lot.available_at, lot.number)):
                if lot.is_pending and lot.remaining and lot.available_at <= at:
                    released += lot.remaining
                    lot.remaining -= account.repay(lot.remaining)
                    lot.is_pending = False
        return released

    def extend(self, key: str, changes: dict[str, datetime], *, at: datetime) -> int:
        """Let lots live longer; return how many points now do. Empty lots, and lots that would lose, stay as they are."""
        points = 0
        for name, expires_at in changes.items():
            lot, fact = self.lots[name], ("extend", f"{key}:{name}", "")
            would_gain = lot.remaining + lot.held > 0 and (lot.expires_at or NEVER) < expires_at
            if would_gain and fact not in self._told:
                self._told.add(fact)
                lot.expires_at = expires_at
                points += lot.remaining + lot.held
        return points

    def push_deadline(self, who: Name, deadline_at: datetime, *, at: datetime) -> None:
        """The member did something, in time: points live on until the new deadline at least."""
        account = self.account(who)
        if account.deadline is None or at < account.deadline < deadline_at:
            account.deadline = deadline_at

    def _tell(
        self, kind: str, key: str, who: Name, at: datetime, post: Callable[[Account], dict[str, int] | None], *,
        settles: bool = True, comes_in: bool = False,
    ) -> Result:  # fmt: skip
        """Post a fact once, as a whole or not at all; return what it changed.

        A fact that `settles` first gives back the holds past their end. Before points come in, what inactivity ended is
        booked, or they would fall under the old deadline.
        """
        before, fact = deepcopy(self.__dict__), (kind, key, who[1])
        told = before_it = self.account(who).balances()
        figures: dict[str, int] = {}
        repeated = fact in self._told
        if not repeated:
            self._told.add(fact)
            try:
                if settles:
                    self._give_back_overdue(who, at)
                if comes_in:
                    figures["expired"] = self._end_inactivity(who, at)
                before_it = self.account(who).balances()
                figures |= post(self.account(who)) or {}
            except Refused:
                self.__dict__ = before
                raise
            told = self.account(who).balances()
        changes = told.available - before_it.available, told.pending - before_it.pending, told.debt - before_it.debt
        spendable = sum(lot.remaining for lot in self.account(who).spendable(at))
        return Result(repeated, *changes, spendable, told.pending, told.debt, **figures)

    def _add_lot(
        self, account: Account, key: str, points: int, available_at: datetime, expires_at: datetime | None, at: datetime
    ) -> None:
        made = self.credits.setdefault(key, [])
        name = f"{key}.{len(made) + 1}" if made else key
        repaid = 0 if available_at > at else account.repay(points)
        lot = ModelLot(name, len(self.lots), points, points - repaid, available_at, expires_at, available_at > at)
        self.lots[name] = lot
        made.append(lot)
        account.lots.append(lot)

    def _give_back_overdue(self, who: Name, at: datetime) -> None:
        overdue = [
            hold for hold in self.holds.items() if hold[1].who == who and not hold[1].end and hold[1].until <= at
        ]
        for name, hold in sorted(overdue, key=lambda item: item[1].until):
            self._end(hold, 0, "given back")
            self._told.add(("release_hold", name, who[1]))

    def _end(self, hold: ModelHold, spent: int, end: str) -> list[Part]:
        """End a hold of which some points are spent; return the lots they left. The rest repays, then goes back."""
        hold.end = end
        repaid = self.account(hold.who).repay(total(hold.parts) - spent)
        parts = {part.lot: part.points for part in hold.parts}
        left = []
        for lot in in_order(parts):
            now_spent = min(parts[lot], spent)
            now_repaid = min(parts[lot] - now_spent, repaid)
            spent, repaid = spent - now_spent, repaid - now_repaid
            lot.held -= parts[lot]
            lot.remaining += parts[lot] - now_spent - now_repaid
            left += [Part(lot, now_spent)] if now_spent else []
        return left

    def _end_inactivity(self, who: Name, at: datetime) -> int:
        return self._expire(who, at) if (self.account(who).deadline or NEVER) <= at else 0

    def _expire(self, who: Name, at: datetime) -> int:
        """Book what is over in an account; return how many points. The deadline is over, too, until something comes in."""
        account = self.account(who)
        booked = 0
        for lot in account.lots:
            if lot.remaining and account.is_over(lot, at):
                lot.expiries += 1
                self.debits[f"expiry of {lot.name} #{lot.expiries}"] = Debit(
                    who, [Part(lot, lot.remaining)], is_expiry=True
                )
                booked += lot.remaining
                lot.expired, lot.remaining = lot.expired + lot.remaining, 0
        if (account.deadline or NEVER) <= at:
            account.deadline = None
        return booked
