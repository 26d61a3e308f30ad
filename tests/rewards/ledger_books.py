"""The same facts told to the database and to the model in memory, in the same words; and what both then say.

`Database` has the methods of `ledger_model.Model`, with names for members, facts and lots. `Twins` tells both, holds their
answers against each other, and after every fact each lot and each balance.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from members.actors import SYSTEM
from rewards import ledger
from rewards.ledger import Posting
from rewards.models import PointsAccount, PointsCurrency
from rewards.refusals import RewardsRefusal
from tests.factories.people import a_member
from tests.rewards.ledger_lots import Balances, Name, NewLot, Refused
from tests.rewards.ledger_model import Model, Result

SOURCE = "story"
CREDITS = {"earn": (1, 1), "adjust": (10, 5), "convert": (14, 8)}
DEBITS = {"redeem": (3, 2), "adjust": (10, 5), "donate": (12, 7), "convert": (13, 8)}
CLAW_BACKS = {"return": 4, "correct": 15}
STATES = {1: "pending", 2: "live", 3: "closed"}

SEE_LOTS = """
    SELECT t.natural_key, row_number() OVER (PARTITION BY l.transaction_id ORDER BY l.id), a.member_id, c.code, l.amount,
           l.remaining, l.held, l.state, l.available_at, l.expires_at, l.id
    FROM rewards_lot l JOIN rewards_ledgertransaction t ON t.id = l.transaction_id
    JOIN rewards_pointsaccount a ON a.id = l.account_id JOIN rewards_pointscurrency c ON c.id = a.currency_id ORDER BY l.id"""
SEE_ACCOUNTS = """
    SELECT a.member_id, c.code, a.available, a.pending, a.held, a.debt
    FROM rewards_pointsaccount a JOIN rewards_pointscurrency c ON c.id = a.currency_id"""
EXPIRIES_OF_LOT = """
    SELECT t.id FROM rewards_ledgertransaction t JOIN rewards_ledgerentry e ON e.transaction_id = t.id
    JOIN rewards_lotmove m ON m.entry_id = e.id WHERE m.lot_id = %s AND t.kind = 5 ORDER BY e.seq"""


class LotSeen(NamedTuple):
    """What a lot looks like, on either side."""

    name: str
    who: Name
    amount: int
    remaining: int
    held: int
    state: str
    available_at: datetime
    expires_at: datetime | None


class Seen(NamedTuple):
    """Everything there is to see: lots in the order of their birth, and the accounts that are not empty."""

    lots: list[LotSeen]
    accounts: dict[Name, Balances]


def rows_of(sql: str, *params: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


class Database:
    """The ledger's door, with names instead of ids. Each fact is a transaction of its own."""

    def __init__(self) -> None:
        self._members: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._currencies: dict[str, int] = {}
        self._transactions: dict[str, int] = {}
        self._holds: dict[str, int | None] = {}

    def member(self, name: str) -> int:
        """Return the id of a member, who is made when first named."""
        if name not in self._members:
            self._members[name] = a_member().pk
            self._names[self._members[name]] = name
        return self._members[name]

    def currency(self, code: str) -> int:
        """Return the id of a currency, which is made when first named."""
        if code not in self._currencies:
            self._currencies[code] = PointsCurrency.objects.get_or_create(code=code, defaults={"name": code})[0].pk
        return self._currencies[code]

    def seen(self) -> Seen:
        lots = [
            LotSeen(
                key if nth == 1 else f"{key}.{nth}", (self._names[member], code), amount, remaining, held, STATES[state],
                available_at, expires_at,
            )
            for key, nth, member, code, amount, remaining, held, state, available_at, expires_at, _id in rows_of(SEE_LOTS)
        ]  # fmt: skip
        accounts = {
            (self._names[member], code): Balances(*figures)
            for member, code, *figures in rows_of(SEE_ACCOUNTS)
            if any(figures)
        }
        return Seen(lots, accounts)

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
        kind_id, contra = CREDITS[kind]
        origins = [ledger.Origin.PURCHASE, ledger.Origin.PROMOTION, ledger.Origin.BEHAVIOUR]
        new = [
            ledger.NewLot(lot.points, origins[nth % 3], lot.available_at, lot.expires_at)
            for nth, lot in enumerate(lots)
        ]
        fact = self._fact(who, key, at)
        return self._post(
            key, lambda: ledger.credit(kind=kind_id, contra=contra, lots=new, deadline_at=deadline_at, **fact)
        )

    def debit(self, kind: str, who: Name, key: str, points: int, *, at: datetime) -> Result:
        kind_id, contra = DEBITS[kind]
        fact = self._fact(who, key, at)
        return self._post(key, lambda: ledger.debit(kind=kind_id, contra=contra, points=points, **fact))

    def hold(self, who: Name, key: str, points: int, *, expires_at: datetime, at: datetime) -> Result:
        fact = self._fact(who, key, at)

        def act() -> Posting:
            posting = ledger.hold(points=points, expires_at=expires_at, **fact)
            assert posting.hold_id == self._holds.setdefault(key, posting.hold_id)
            return posting

        return self._post(key, act)

    def capture(self, hold: str, key: str, points: int | None, *, at: datetime) -> Result:
        return self._post(
            key,
            lambda: ledger.capture(
                hold_id=self._hold(hold), points=points, source=SOURCE, natural_key=key, at=at, by=SYSTEM, trace={}
            ),
        )

    def release_hold(self, hold: str, *, at: datetime) -> Result:
        return self._post("", lambda: ledger.release_hold(hold_id=self._hold(hold), expired=False, at=at, by=SYSTEM))

    def restore(self, key: str, of: str, points: int | None, *, days_min: int, at: datetime) -> Result:
        return self._post(
            key,
            lambda: ledger.restore(
                origin_transaction_id=self._transaction(of), points=points, days_min=days_min, source=SOURCE, natural_key=key,
                at=at, by=SYSTEM, trace={},
            ),
        )  # fmt: skip

    def claw_back(
        self, kind: str, who: Name, key: str, points: int, *, origin: str | None, from_others: bool, debt_limit: int | None, at: datetime
    ) -> Result:  # fmt: skip
        fact = self._fact(who, key, at)
        return self._post(
            key,
            lambda: ledger.claw_back(
                kind=CLAW_BACKS[kind], contra=1, points=points, origin_transaction_id=self._transaction(origin) if origin else None,
                from_others=from_others, debt_limit=debt_limit, **fact,
            ),
        )  # fmt: skip

    def transfer(self, sender: Name, receiver: Name, key: str, points: int | None, *, at: datetime) -> Result:
        fact = self._fact(sender, key, at)
        fact |= {"from_member_id": fact.pop("member_id"), "to_member_id": self.member(receiver[0])}
        return self._post(key, lambda: ledger.transfer(points=points, **fact))

    def expire(self, *, at: datetime) -> int:
        """Book what is over in all accounts; return how many points."""
        with transaction.atomic():
            return sum(row[2] for row in ledger.expire_accounts(account_ids=self._account_ids(), at=at))

    def release(self, *, at: datetime) -> int:
        """Make pending points available whose time has come; return how many points."""
        with transaction.atomic():
            return sum(ledger.release_account(account_id=account, at=at) for account in self._account_ids())

    def write_off(self, who: Name, key: str, points: int, *, at: datetime) -> Result:
        fact = self._fact(who, key, at)
        return self._post(key, lambda: ledger.write_off(points=points, reason="goodwill", **fact))

    def extend(self, key: str, changes: dict[str, datetime], *, at: datetime) -> int:
        """Let lots live longer; return how many points now do."""
        ids = self._lot_ids()
        lots = [(ids[name], expires_at) for name, expires_at in changes.items()]
        with transaction.atomic():
            extended = ledger.extend_lots(
                lots=lots, source=SOURCE, natural_key=key, at=at, by=SYSTEM, reason="goodwill", trace={}
            )
        return sum(points for _member, _lot, points in extended)

    def push_deadline(self, who: Name, deadline_at: datetime, *, at: datetime) -> None:
        account = PointsAccount.objects.get_or_create(member_id=self.member(who[0]), currency_id=self.currency(who[1]))[
            0
        ]
        with transaction.atomic():
            ledger.push_deadlines(account_ids=[account.pk], deadline_at=deadline_at, happened_at=at)

    def _fact(self, who: Name, key: str, at: datetime) -> dict[str, Any]:
        return {
            "member_id": self.member(who[0]), "currency_id": self.currency(who[1]), "source": SOURCE, "natural_key": key, "at": at,
            "by": SYSTEM, "trace": {},
        }  # fmt: skip

    def _post(self, key: str, act: Callable[[], Posting]) -> Result:
        try:
            with transaction.atomic():
                posting = act()
        except RewardsRefusal as refusal:
            raise Refused(refusal.code) from refusal
        if posting.transaction_id is not None:
            self._transactions[key] = posting.transaction_id
        return Result(*(getattr(posting, name) for name in Result._fields))

    def _hold(self, name: str) -> int:
        hold_id = self._holds[name]
        assert hold_id is not None
        return hold_id

    def _transaction(self, of: str) -> int:
        """Return the id of a fact's transaction; "expiry of A #2" is the second time that lot A was booked as expired."""
        if not of.startswith("expiry of "):
            return self._transactions[of]
        lot, _, nth = of.removeprefix("expiry of ").partition(" #")
        return int(rows_of(EXPIRIES_OF_LOT, self._lot_ids()[lot])[int(nth) - 1][0])

    def _lot_ids(self) -> dict[str, int]:
        return {row[0] if row[1] == 1 else f"{row[0]}.{row[1]}": row[-1] for row in rows_of(SEE_LOTS)}

    def _account_ids(self) -> list[int]:
        return list(PointsAccount.objects.order_by("pk").values_list("pk", flat=True))


def seen_in(model: Model) -> Seen:
    """Return what there is to see in the model."""
    owners = {id(lot): who for who, account in model.accounts.items() for lot in account.lots}
    lots = [
        LotSeen(
            lot.name, owners[id(lot)], lot.amount, lot.remaining, lot.held,
            "closed" if not lot.remaining + lot.held else "pending" if lot.is_pending else "live",
            lot.available_at, lot.expires_at,
        )
        for lot in model.lots.values()
    ]  # fmt: skip
    accounts = {who: balances for who, account in model.accounts.items() if any(balances := account.balances())}
    return Seen(lots, accounts)


class Twins:
    """Both books. Every fact is told to both, with the same answer and the same look afterwards."""

    def __init__(self) -> None:
        self.model = Model()
        self.database = Database()
        self.seen = Seen([], {})

    def tell(self, verb: str, *args: Any, **kwargs: Any) -> Result | int | None:
        """Tell a fact; return what both answer. Raises Refused when both refuse, having shown that nothing changed."""
        answers: list[Any] = []
        for books in (self.model, self.database):
            try:
                answers.append(getattr(books, verb)(*args, **kwargs))
            except Refused as refusal:
                answers.append(refusal)
        told = f"{verb} {args} {kwargs}"
        self.look(told)
        if any(isinstance(answer, Refused) for answer in answers):
            assert all(isinstance(answer, Refused) for answer in answers), (
                f"{told}: model {answers[0]!r}, database {answers[1]!r}"
            )
            raise answers[1]
        assert answers[1] == answers[0], f"{told}: the model says {answers[0]}, the database {answers[1]}"
        return answers[0]

    def look(self, told: str) -> None:
        """Hold every lot and balance of the database against the model."""
        self.seen, there = seen_in(self.model), self.database.seen()
        if there != self.seen:
            here_only = [str(lot) for lot in self.seen.lots if lot not in there.lots]
            there_only = [str(lot) for lot in there.lots if lot not in self.seen.lots]
            raise AssertionError(
                f"{told}\nthe model:    {self.seen.accounts} {here_only}\nthe database: {there.accounts} {there_only}"
            )
