"""One member's points, moved through the ledger's door."""

from datetime import UTC, datetime, timedelta

from django.db import transaction

from members.actors import SYSTEM
from members.models import Member
from rewards import ledger
from rewards.ledger import Posting
from rewards.models import PointsAccount

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
                member_id=self.member.pk, points=points, source="shop", natural_key=key, at=day(on),
                available_at=day(on + pending), expires_at=day(until) if until is not None else None, by=SYSTEM, trace={},
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
            return ledger.take_back(
                member_id=self.member.pk, points=points, source="shop", natural_key=key, at=day(on),
                origin=("shop", of) if of else None, by=SYSTEM, trace={},
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
