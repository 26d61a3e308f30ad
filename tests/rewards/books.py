"""One member's points, moved through the ledger's door."""

from datetime import UTC, datetime, timedelta

from django.db import transaction

from members.actors import SYSTEM
from members.models import Member
from rewards import ledger
from rewards.ledger import Posting
from rewards.models import LedgerTransaction, PointsAccount

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """Return the moment so many days after the start."""
    return START + timedelta(days=number)


class Books:
    """One member's points, moved through the ledger's door. Purchases are known by a letter or a number."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def earn(self, key: str, points: int, on: float, until: float | None = None, pending: float = 0) -> Posting:
        with transaction.atomic():
            return ledger.accrue(
                member_id=self.member.pk, source="shop", natural_key=key, at=day(on), by=SYSTEM, trace={},
                lots=[ledger.NewLot(points, 1, day(on + pending), day(until) if until is not None else None)] if points else [],
            )  # fmt: skip

    def burn(self, key: str, points: int, on: float) -> Posting:
        with transaction.atomic():
            return ledger.burn(
                member_id=self.member.pk,
                points=points,
                source="redemption",
                natural_key=key,
                at=day(on),
                by=SYSTEM,
                trace={},
            )

    def take_back(self, key: str, points: int, on: float, of: str | None) -> Posting:
        with transaction.atomic():
            origin = LedgerTransaction.objects.filter(kind=1, source="shop", natural_key=of).first() if of else None
            return ledger.claw_back(
                kind=ledger.Kind.RETURN, contra=ledger.Contra.ISSUANCE, member_id=self.member.pk, points=points, source="shop",
                natural_key=key, at=day(on), origin_transaction_id=origin.pk if origin else None, from_others=True,
                debt_limit=None, by=SYSTEM, trace={},
            )  # fmt: skip

    def expire(self, on: float) -> None:
        accounts = list(PointsAccount.objects.filter(member=self.member).values_list("pk", flat=True))
        ledger.expire_accounts(account_ids=accounts, at=day(on))

    def release(self, on: float) -> int:
        account = PointsAccount.objects.filter(member=self.member).first()
        return ledger.release_account(account_id=account.pk, at=day(on)) if account else 0

    def balances(self) -> tuple[int, int, int]:
        """Return what is available, pending and owed, as the account says."""
        account = PointsAccount.objects.filter(member=self.member).first()
        return (account.available, account.pending, account.debt) if account else (0, 0, 0)
