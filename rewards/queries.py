"""What is read of points, rules and vouchers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, Sum

from rewards.earning import BaseRule, Label, RuleBook
from rewards.ledger import currency_id
from rewards.models import EarnRule, LedgerEntry, LedgerTransaction, Lot, PointsAccount, Purchase, Voucher

_RULES_SECONDS = 5.0
_rules: tuple[float, RuleBook] | None = None


def labels_of(row: object, field: str) -> Label:
    """Return the texts of a translated field by language tag, without empty ones."""
    texts = {tag: getattr(row, f"{field}_{tag.replace('-', '_')}") for tag in ("zh-hans", "zh-hant", "en")}
    return {tag: text for tag, text in texts.items() if text}


def rule_book() -> RuleBook:
    """Return the base earn rules, read again at most every five seconds per process."""
    global _rules
    if _rules is None or time.monotonic() - _rules[0] > _RULES_SECONDS:
        _rules = (time.monotonic(), RuleBook(tuple(_as_value(row) for row in EarnRule.objects.order_by("-version"))))
    return _rules[1]


def forget_rules() -> None:
    """Read the rules again at the next purchase: called when a rule was saved."""
    global _rules
    _rules = None


def _as_value(row: EarnRule) -> BaseRule:
    return BaseRule(
        version=row.version,
        names=labels_of(row, "name"),
        points_per_step=row.points_per_step,
        step_amount=row.step_amount,
        pending_days=row.pending_days,
        expiry_months=row.expiry_months,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


@dataclass(frozen=True, slots=True)
class Expiring:
    """So many points expire at this moment."""

    expires_at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class Balance:
    """A member's points: available (spendable now), pending, held, owed, and the available ones that expire, soonest first.

    Points that are past their expiry but not yet booked as expired are not counted as available.
    """

    available: int
    pending: int
    held: int
    debt: int
    expiring: list[Expiring]

    def expiring_before(self, moment: datetime) -> int:
        """Return the available points that expire before a moment."""
        return sum(part.points for part in self.expiring if part.expires_at < moment)


def balance_of(member_id: int, at: datetime) -> Balance:
    """Return the balance of a member at a moment: two queries, whatever the length of the history."""
    account = PointsAccount.objects.filter(member_id=member_id, currency_id=currency_id()).first()
    if account is None:
        return Balance(0, 0, 0, 0, [])
    rows = (
        Lot.objects.filter(account_id=account.pk, remaining__gt=0, state=Lot.State.LIVE, expires_at__isnull=False)
        .values("expires_at")
        .annotate(points=Sum("remaining"))
        .order_by("expires_at")
    )
    expiring = [Expiring(row["expires_at"], row["points"]) for row in rows if row["expires_at"]]
    overdue = sum(part.points for part in expiring if part.expires_at <= at)
    return Balance(
        available=account.available - overdue,
        pending=account.pending,
        held=account.held,
        debt=account.debt,
        expiring=[part for part in expiring if part.expires_at > at],
    )


def entries_of(member_id: int) -> QuerySet[LedgerEntry]:
    """Return a member's points entries with their transactions, newest first."""
    return (
        LedgerEntry.objects.filter(account__member_id=member_id, account__currency_id=currency_id())
        .select_related("transaction")
        .order_by("-seq")
    )


def open_lots_of(member_id: int) -> QuerySet[Lot]:
    """Return the lots of a member that still hold points, in the order in which they are spent."""
    return (
        Lot.objects.filter(account__member_id=member_id, remaining__gt=0)
        .select_related("transaction")
        .order_by("expires_at", "id")
    )


def purchases_of(member_id: int) -> QuerySet[Purchase]:
    """Return a member's purchases, newest first."""
    return (
        Purchase.objects.filter(member_id=member_id).select_related("store", "channel").order_by("-ordered_at", "-id")
    )


def vouchers_of(member_id: int) -> QuerySet[Voucher]:
    """Return a member's vouchers with their templates, newest first."""
    return Voucher.objects.filter(member_id=member_id).select_related("template").order_by("-issued_at", "-id")


def earned_by(purchases: Sequence[Purchase]) -> dict[int, LedgerTransaction]:
    """Return for each purchase id the transaction that credited its points: one query for all."""
    keys = {(purchase.source, purchase.external_order_no): purchase.pk for purchase in purchases}
    rows = LedgerTransaction.objects.filter(
        kind=LedgerTransaction.Kind.EARN,
        source__in={source for source, _ in keys},
        natural_key__in=[number for _, number in keys],
    )
    return {keys[row.source, row.natural_key]: row for row in rows if (row.source, row.natural_key) in keys}


def points_in_trace(transaction: LedgerTransaction | None) -> int:
    """Return the points that a purchase earned, as its stored explanation says."""
    if transaction is None or not transaction.trace:
        return 0
    return sum(line[2] for line in transaction.trace.get("lines", []))
