"""Facts for the books of a month: told with days and short names, posted through the ledger's door."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from django.db import transaction

from members.actors import Actor
from members.models import Member, Store
from rewards import ledger
from rewards.ledger import NewLot, Posting
from rewards.models import CloseLine, LedgerEntry, Lot, MonthClose, Movement, PointsAccount, PointsCurrency, PointsRate
from rewards.services.close import lock_close
from tests.factories.people import a_member
from tests.factories.times import at

CLERK = Actor("system")
_numbers = count(1)
K = LedgerEntry.Contra


def a_currency(exponent: int = 0) -> PointsCurrency:
    """Return a points currency of its own, whose value nobody has set."""
    code = f"close-{next(_numbers)}"
    return PointsCurrency.objects.create(code=code, name=code, exponent=exponent)


def set_value(currency: PointsCurrency, money: str, since: str = "2020-01-01") -> None:
    """Say what a point is worth from a day on."""
    PointsRate.objects.create(currency=currency, valid_from=at(since), money_per_point=Decimal(money))


def month(text: str) -> date:
    """Return the first day of a month: `month("2026-09")`."""
    return date.fromisoformat(f"{text}-01")


class Books:
    """The points of one currency, moved fact by fact. Days as `at` takes them: "2026-09-03", or with a time."""

    def __init__(
        self, *, value: str | None = "0.01", exponent: int = 0, currency: PointsCurrency | None = None
    ) -> None:
        self.currency = currency or a_currency(exponent)
        if value is not None:
            set_value(self.currency, value)
        self.transactions: dict[str, int] = {}

    def earn(
        self, who: Member, day: str, points: int, *, key: str = "", origin: int = Lot.Origin.PURCHASE, until: str | None = None,
        store: Store | None = None, tier: str = "", pending: bool = False,
    ) -> Posting:  # fmt: skip
        moment = at(day)
        available = moment + timedelta(days=30) if pending else moment
        lot = NewLot(points, origin, available, at(until) if until else None)
        return self._post(
            key,
            lambda fact: ledger.accrue(
                member_id=who.pk, lots=[lot], at=moment, store_id=store.pk if store else None, tier_code=tier, **fact
            ),
        )

    def redeem(self, who: Member, day: str, points: int, *, key: str = "", store: Store | None = None) -> Posting:
        return self._post(
            key,
            lambda fact: ledger.burn(
                member_id=who.pk, points=points, at=at(day), store_id=store.pk if store else None, **fact
            ),
        )

    def adjust(self, who: Member, day: str, points: int) -> Posting:
        def act(fact: dict) -> Posting:
            if points > 0:
                lot = NewLot(points, Lot.Origin.ADJUSTMENT, at(day), None)
                return ledger.credit(kind=10, contra=K.ADJUSTMENT, member_id=who.pk, lots=[lot], at=at(day), **fact)
            return ledger.debit(kind=10, contra=K.ADJUSTMENT, member_id=who.pk, points=-points, at=at(day), **fact)

        return self._post("", act)

    def donate(self, who: Member, day: str, points: int) -> Posting:
        return self._post(
            "",
            lambda fact: ledger.debit(kind=12, contra=K.CHARITY, member_id=who.pk, points=points, at=at(day), **fact),
        )

    def convert_in(self, who: Member, day: str, points: int) -> Posting:
        lot = NewLot(points, Lot.Origin.PARTNER, at(day), None)
        return self._post(
            "", lambda fact: ledger.credit(kind=14, contra=K.PARTNER, member_id=who.pk, lots=[lot], at=at(day), **fact)
        )

    def take_back(self, who: Member, day: str, points: int, *, of: str, kind: int = 4) -> Posting:
        return self._post(
            "",
            lambda fact: ledger.claw_back(
                kind=kind, contra=K.ISSUANCE, member_id=who.pk, points=points, origin_transaction_id=self.transactions[of],
                from_others=True, debt_limit=None, at=at(day), **fact,
            ),
        )  # fmt: skip

    def give_back(self, day: str, *, of: str, points: int | None = None) -> Posting:
        return self._post(
            "",
            lambda fact: ledger.restore(
                origin_transaction_id=self.transactions[of], points=points, days_min=0, at=at(day),
                **{name: value for name, value in fact.items() if name != "currency_id"},
            ),
        )  # fmt: skip

    def transfer(self, sender: Member, receiver: Member, day: str, points: int) -> Posting:
        return self._post(
            "",
            lambda fact: ledger.transfer(
                from_member_id=sender.pk, to_member_id=receiver.pk, points=points, at=at(day), **fact
            ),
        )

    def hold(self, who: Member, day: str, points: int, *, store: Store | None = None) -> Posting:
        return self._post(
            "",
            lambda fact: ledger.hold(
                member_id=who.pk, points=points, expires_at=at(day) + timedelta(days=900), at=at(day),
                store_id=store.pk if store else None, **fact,
            ),
        )  # fmt: skip

    def capture(self, hold: Posting, day: str, points: int | None = None, *, store: Store | None = None) -> Posting:
        assert hold.hold_id is not None
        hold_id = hold.hold_id
        return self._post(
            "",
            lambda fact: ledger.capture(
                hold_id=hold_id, points=points, at=at(day), store_id=store.pk if store else None,
                **{name: value for name, value in fact.items() if name != "currency_id"},
            ),
        )  # fmt: skip

    def forgive(self, who: Member, day: str, points: int) -> Posting:
        return self._post(
            "", lambda fact: ledger.write_off(member_id=who.pk, points=points, reason="goodwill", at=at(day), **fact)
        )

    def expire(self, day: str) -> int:
        """Book what is over at the beginning of a day; return how many points."""
        accounts = list(PointsAccount.objects.filter(currency=self.currency).values_list("pk", flat=True))
        with transaction.atomic():
            return sum(row[2] for row in ledger.expire_accounts(account_ids=accounts, at=at(day)))

    def lock(self, text: str, on: str = "2030-01-01", *, begin: bool = False) -> MonthClose:
        """Lock a month on a day."""
        return lock_close(
            currency_id=self.currency.pk, month=month(text), by=CLERK, at=at(on), reason="month end", begins_books=begin
        )

    def _post(self, key: str, act: Callable[[dict], Posting]) -> Posting:
        natural_key = key or f"f{next(_numbers)}"
        fact = {
            "currency_id": self.currency.pk, "source": "close-test", "natural_key": natural_key, "by": CLERK, "trace": {},
        }  # fmt: skip
        with transaction.atomic():
            posting = act(fact)
        if posting.transaction_id:
            self.transactions[natural_key] = posting.transaction_id
        return posting


def column(close: MonthClose, part: int = CloseLine.Part.TOTAL, **which: object) -> dict[str, int]:
    """Return the points of a close by the name of their movement, without zeros."""
    lines = CloseLine.objects.filter(close=close, part=part, **which)
    return {Movement(line.movement).name: line.points for line in lines if line.points}


def amounts(close: MonthClose, part: int = CloseLine.Part.TOTAL, **which: object) -> dict[str, Decimal]:
    """Return the money of a close by the name of its movement, without zeros."""
    lines = CloseLine.objects.filter(close=close, part=part, **which)
    return {Movement(line.movement).name: line.amount for line in lines if line.amount}


def ledger_balance(currency: PointsCurrency) -> int:
    """Return what the accounts of a currency say now, in points."""
    return sum(
        account.available + account.pending + account.held - account.debt
        for account in PointsAccount.objects.filter(currency=currency)
    )


def two_members() -> tuple[Member, Member]:
    """Return two members without points."""
    return a_member(), a_member()
