"""A machine that makes random histories of the ledger's facts and tells them to the database and to the model.

After each fact every lot and balance is the same on both sides, and the liability has changed by what the fact says; at the
end the ledger verifies. Points are few and days are round, so that equal expiries and exact sums come up often.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rewards.services.verification import verify
from tests.rewards.books import START
from tests.rewards.ledger_books import Twins
from tests.rewards.ledger_lots import Name, NewLot, Refused, total
from tests.rewards.ledger_model import Result

LI, WANG, STARS = ("Li", "points"), ("Wang", "points"), ("Li", "stars")
WHO = [LI, LI, WANG, STARS]
DAYS_MIN = [0, 0, 10]
DEBT_LIMITS = [None, None, 0, 15]

people = st.sampled_from(WHO)
points = st.integers(1, 40)
lives = st.sampled_from([5, 10, 10, 20, 30, None])
waits = st.sampled_from([0, 0, 0, 3, 12])
new_lots = st.lists(st.tuples(points, lives, waits), min_size=1, max_size=3)
places = st.integers(0, 50)
parts = st.sampled_from([0, 20, 50, 80, 100, 100, 101])  # per cent of what there is; 101 is one point more than that


def part_of(there_is: int, percent: int) -> int:
    """Return a part of what there is, one point at least; 101 per cent are one point too many."""
    return there_is + 1 if percent > 100 else max(there_is * percent // 100, 1)


class LedgerMachine(RuleBasedStateMachine):
    """One history. Facts are numbered: the natural key of each is a letter for its kind and its number."""

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.twins = Twins()
        self.now = START
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.number = 0
        self.seldom: Counter[str] = Counter()

    def teardown(self) -> None:
        try:
            assert [str(finding) for finding in verify(at=START)] == []
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)

    @initialize(lots=new_lots)
    def begins_with_points(self, lots: list[tuple[int, int | None, int]]) -> None:
        self.credits(LI, lots, "earn", None)

    @rule(who=people, points=points, life=lives, wait=waits)
    def earns(self, who: Name, points: int, life: int | None, wait: int) -> None:
        self.credits(who, [(points, life, wait)], "earn", None)

    @rule(
        who=people,
        lots=new_lots,
        kind=st.sampled_from(["earn", "adjust", "convert"]),
        active=st.sampled_from([None, None, 15]),
    )
    def gets_several_lots(
        self, who: Name, lots: list[tuple[int, int | None, int]], kind: str, active: int | None
    ) -> None:
        self.credits(who, lots, kind, active)

    @precondition(lambda self: self.spenders())
    @rule(place=places, percent=parts, kind=st.sampled_from(["redeem", "redeem", "adjust", "donate", "convert"]))
    def spends(self, place: int, percent: int, kind: str) -> None:
        who, there_are = self.spender(place)
        points = part_of(there_are, percent)
        self.tell("debit", -points, kind=kind, who=who, key=self.key("R"), points=points)

    @precondition(lambda self: self.spenders())
    @rule(place=places, percent=parts, days=st.sampled_from([1, 4, 4, 11]))
    def holds(self, place: int, percent: int, days: int) -> None:
        who, there_are = self.spender(place)
        self.tell(
            "hold", 0, who=who, key=self.key("H"), points=part_of(there_are, percent), expires_at=self.later(days)
        )

    @precondition(lambda self: self.open_holds())
    @rule(place=places, percent=parts)
    def ends_a_hold(self, place: int, percent: int) -> None:
        """A hold is let go (0 per cent), or spent in part or in whole."""
        hold = self.chosen(self.open_holds(), place)
        held = total(self.twins.model.holds[hold].parts)
        if percent:
            points = part_of(held, percent)
            self.tell("capture", -points, hold=hold, key=self.key("P"), points=None if points == held else points)
        else:
            self.tell("release_hold", 0, hold=hold)

    @precondition(lambda self: self.twins.model.holds)
    @rule(place=places, spend=st.booleans())
    def touches_any_hold(self, place: int, spend: bool) -> None:
        """Most are over, and say so."""
        hold = self.chosen(self.twins.model.holds, place)
        if spend:
            self.tell("capture", -total(self.twins.model.holds[hold].parts), hold=hold, key=self.key("P"), points=None)
        else:
            self.tell("release_hold", 0, hold=hold)

    @precondition(lambda self: self.debits_left())
    @rule(place=places, percent=parts, days_min=st.sampled_from(DAYS_MIN))
    def takes_a_debit_back(self, place: int, percent: int, days_min: int) -> None:
        of = self.chosen(self.debits_left(), place)
        left = self.debits_left()[of]
        points = part_of(left, percent)
        told = None if points == left else points
        self.tell("restore", points, key=self.key("X"), of=of, points=told, days_min=days_min)

    @precondition(lambda self: self.credits_left())
    @rule(
        place=places,
        percent=parts.filter(lambda percent: percent <= 100),
        others=st.booleans(),
        limit=st.sampled_from(DEBT_LIMITS),
    )
    def returns(self, place: int, percent: int, others: bool, limit: int | None) -> None:
        """A return, or a correction, of a credit: never of more than was credited, as the services see to."""
        origin = self.chosen(self.credits_left(), place)
        lot = self.twins.model.credits[origin][0]
        who = next(who for who, account in self.twins.model.accounts.items() if lot in account.lots)
        self.claws_back(who, part_of(self.credits_left()[origin], percent), origin, others, limit)

    @precondition(lambda self: self.seldom["unknown sales"] < 2)
    @rule(who=people, points=points, others=st.booleans(), limit=st.sampled_from(DEBT_LIMITS))
    def returns_an_unknown_sale(self, who: Name, points: int, others: bool, limit: int | None) -> None:
        self.seldom["unknown sales"] += 1
        self.claws_back(who, points, None, others, limit)

    @precondition(lambda self: LI in self.spenders() or WANG in self.spenders())
    @rule(place=places, percent=st.none() | parts)
    def sends(self, place: int, percent: int | None) -> None:
        """A gift to another member; without a number everything moves, as in a merge."""
        there_is = {who: points for who, points in self.spenders().items() if who != STARS}
        sender = list(there_is)[place % len(there_is)]
        points = None if percent is None else part_of(there_is[sender], percent)
        receiver = WANG if sender == LI else LI
        self.tell("transfer", 0, sender=sender, receiver=receiver, key=self.key("T"), points=points)

    @precondition(lambda self: self.debtors())
    @rule(place=places, percent=parts)
    def is_forgiven(self, place: int, percent: int) -> None:
        who = list(self.debtors())[place % len(self.debtors())]
        points = part_of(self.debtors()[who], percent)
        self.tell("write_off", points, who=who, key=self.key("W"), points=points)

    @precondition(lambda self: self.seldom["extensions"] < 2 and self.lots_that_end())
    @rule(chosen=st.lists(st.tuples(places, st.integers(-3, 15)), min_size=1, max_size=3))
    def extends(self, chosen: list[tuple[int, int]]) -> None:
        self.seldom["extensions"] += 1
        lots = self.lots_that_end()
        before = dict(lots)
        changes = {}
        for place, days in chosen:
            name = self.chosen(lots, place)
            changes[name] = lots[name] + timedelta(days=days)
        key = self.key("E")
        self.tell("extend", 0, key=key, changes=changes)
        moved = {name: end for name, end in changes.items() if self.twins.model.lots[name].expires_at != before[name]}
        if moved:  # a lot that was passed over may be moved by the same words on another day
            self.told.append(("extend", {"key": key, "changes": moved}))

    @precondition(lambda self: self.seldom["acts"] < 2)
    @rule(who=people, days=st.integers(5, 30))
    def acts(self, who: Name, days: int) -> None:
        self.seldom["acts"] += 1
        self.tell("push_deadline", 0, who=who, deadline_at=self.later(days))

    @rule(days=st.sampled_from([0, 1, 2, 3, 5, 8]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(days=st.sampled_from([1, 3, 5, 8, 12]), releases_first=st.booleans())
    def nights_pass(self, days: int, releases_first: bool) -> None:
        self.now += timedelta(days=days)
        for verb in ["release", "expire"] if releases_first else ["expire", "release"]:
            self.tell(verb, 0)

    @precondition(lambda self: self.told)
    @rule(place=places, days=st.sampled_from([0, 1, 30]))
    def is_told_again(self, place: int, days: int) -> None:
        """What was told once may be told again at any time; the answer says so, and nothing changes."""
        verb, told = self.told[place % len(self.told)]
        before = self.twins.seen
        again = self.twins.tell(verb, **told | {"at": self.now + timedelta(days=days)})
        assert again.repeated if isinstance(again, Result) else again == 0, f"{verb} {told}"
        assert self.twins.seen == before, f"{verb} {told}"

    def credits(self, who: Name, lots: list[tuple[int, int | None, int]], kind: str, active: int | None) -> None:
        new = [
            NewLot(amount, self.later(wait), self.later(life) if life is not None else None)
            for amount, life, wait in lots
        ]
        deadline = self.later(active) if active else None
        self.tell(
            "credit",
            sum(lot.points for lot in new),
            kind=kind,
            who=who,
            key=self.key("A"),
            lots=new,
            deadline_at=deadline,
        )

    def claws_back(self, who: Name, points: int, origin: str | None, others: bool, limit: int | None) -> None:
        kind = "correct" if origin and points % 3 == 0 else "return"
        self.tell(
            "claw_back", -points, kind=kind, who=who, key=self.key("Y"), points=points, origin=origin, from_others=others,
            debt_limit=limit,
        )  # fmt: skip

    def tell(self, verb: str, issued: int, **told: Any) -> None:
        """Tell both a fact. Unless it is refused, what the programme owes all members together changes by `issued`.

        Points that are forgiven, given up or expired on the way count as well.
        """
        before = self.liability()
        told["at"] = self.now
        try:
            answer = self.twins.tell(verb, **told)
        except Refused:
            return
        if isinstance(answer, Result):
            if answer.repeated:
                return
            self.told.append((verb, told))
            issued += answer.forgiven + answer.given_up - answer.expired
        elif verb == "expire":
            issued = -(answer or 0)
        assert self.liability() - before == issued, f"{verb} {told}"

    def spenders(self) -> dict[Name, int]:
        """Return who can spend how much; what a hold past its end will give back is not counted."""
        accounts = self.twins.model.accounts.items()
        sums = {who: sum(lot.remaining for lot in account.spendable(self.now)) for who, account in accounts}
        return {who: there_are for who, there_are in sums.items() if there_are}

    def spender(self, place: int) -> tuple[Name, int]:
        there_are = list(self.spenders().items())
        return there_are[place % len(there_are)]

    def open_holds(self) -> dict[str, Any]:
        return {name: hold for name, hold in self.twins.model.holds.items() if not hold.end}

    def debits_left(self) -> dict[str, int]:
        return {name: debit.left for name, debit in self.twins.model.debits.items() if debit.left}

    def credits_left(self) -> dict[str, int]:
        """Return the credits of which something has not been taken back yet, and how much."""
        left = {
            key: sum(lot.amount for lot in lots)
            for key, lots in self.twins.model.credits.items()
            if key.startswith("A")
        }
        for verb, told in self.told:
            if verb == "claw_back" and told["origin"]:
                left[told["origin"]] -= told["points"]
        return {key: points for key, points in left.items() if points}

    def lots_that_end(self) -> dict[str, datetime]:
        """Return the ends of the last lots, used up or not."""
        lots = list(self.twins.model.lots.values())[-6:]
        return {lot.name: lot.expires_at for lot in lots if lot.expires_at}

    def debtors(self) -> dict[Name, int]:
        return {who: account.debt for who, account in self.twins.model.accounts.items() if account.debt}

    def liability(self) -> int:
        return sum(balances.liability for balances in self.twins.seen.accounts.values())

    def key(self, letter: str) -> str:
        self.number += 1
        return f"{letter}{self.number}"

    def later(self, days: int) -> datetime:
        return self.now + timedelta(days=days)

    def chosen(self, names: dict[str, Any], place: int) -> str:
        return list(names)[place % len(names)]
