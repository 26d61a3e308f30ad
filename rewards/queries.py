"""What is read of points, rules and vouchers."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum

from members.conditions import ConditionInvalid, parse
from members.queries import family_ids
from rewards import earning
from rewards.earning import Caps, Goods, Label, Rule, RuleBook
from rewards.ledger import currency_id
from rewards.models import (
    BudgetSlice,
    EarnRuleVersion,
    Hold,
    HoldLot,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    PointsAccount,
    ProgrammeCap,
    Purchase,
    PurchaseReturn,
    Voucher,
)

logger = logging.getLogger(__name__)

_RULES_SECONDS = 3.0
# The lots are asked for through the account and not by its id: so the planner reckons with an account like any other and
# takes the index of open lots. Told the id of one that has a hundred thousand spent lots, it read a large part of the table.
_ACCOUNT_AND_LOTS = """
SELECT a.id, a.available, a.pending, a.held, a.debt, a.deadline_at, lot.expires_at, lot.remaining
FROM rewards_pointsaccount a
LEFT JOIN rewards_lot lot ON lot.account_id = a.id AND lot.remaining > 0 AND lot.state = %s
WHERE a.member_id = %s AND a.currency_id = %s
"""
# What `usable` says.
_USABLE_VOUCHERS = """
SELECT count(*) FROM rewards_voucher
WHERE member_id = ANY (%(family)s) AND state IN ('issued', 'held', 'offered') AND expires_at > %(at)s
    AND valid_from <= %(at)s AND (held_until IS NULL OR held_until <= %(at)s)
"""
_rules: tuple[float, RuleBook] | None = None


def labels_of(row: object, field: str) -> Label:
    """Return the texts of a translated field by language tag, without empty ones."""
    texts = {tag: getattr(row, f"{field}_{tag.replace('-', '_')}") for tag in ("zh-hans", "zh-hant", "en")}
    return {tag: text for tag, text in texts.items() if text}


def rule_book() -> RuleBook:
    """Return all published rules and caps, read again at most every three seconds per process: two queries."""
    global _rules
    if _rules is None or time.monotonic() - _rules[0] > _RULES_SECONDS:
        left = BudgetSlice.objects.filter(budget=OuterRef("rule__budget")).values("budget")
        rows = (
            EarnRuleVersion.objects.filter(state=EarnRuleVersion.State.PUBLISHED)
            .annotate(budget_left=Subquery(left.annotate(left=Sum(F("capacity") - F("used"))).values("left")))
            .select_related("rule")
            .order_by("pk")
        )
        caps = tuple(_cap_value(row) for row in ProgrammeCap.objects.order_by("pk"))
        book = RuleBook(currency_id(), tuple(_readable(rows)), caps)
        _rules = (time.monotonic(), book)
    return _rules[1]


def _readable(rows: Iterable[EarnRuleVersion]) -> Iterator[Rule]:
    """Yield the rules as values; one whose condition asks for a fact that is no more gives nothing, and is reported."""
    for row in rows:
        try:
            yield rule_value(row, row.budget_left)  # type: ignore[attr-defined]
        except ConditionInvalid:
            logger.exception("Earn rule %s version %s can not be read and gives nothing", row.rule_id, row.number)


def forget_rules() -> None:
    """Read the rules again at the next purchase: called when a rule was changed."""
    global _rules
    _rules = None


def rule_value(row: EarnRuleVersion, budget_left: int | None = None) -> Rule:
    """Return a version as a plain value. A draft without a beginning counts from the first day."""
    hours = (row.hour_from, row.hour_to) if row.hour_from is not None and row.hour_to is not None else None
    has_budget = row.budget_points is not None
    return Rule(
        rule_id=row.rule_id,
        version_id=row.pk,
        number=row.number,
        names=labels_of(row.rule, "name"),
        currency_id=row.rule.currency_id,
        valid_from=row.valid_from or datetime.min.replace(tzinfo=UTC),
        valid_to=row.valid_to,
        activity_kind=row.rule.activity_kind,
        is_extra=row.mode == EarnRuleVersion.Mode.EXTRA,
        priority=row.priority,
        points_fixed=row.points_fixed,
        points_per_step=row.points_per_step,
        step_amount=row.step_amount,
        per_line=row.basis == EarnRuleVersion.Basis.PER_LINE,
        rounding=row.rounding,
        min_spend_amount=row.min_spend_amount,
        goods=_goods(row.category_ids, row.skus, row.brands),
        excluded=_goods(row.excluded_category_ids, row.excluded_skus, row.excluded_brands),
        channel_ids=frozenset(row.channel_ids),
        store_ids=frozenset(row.store_ids),
        weekdays=frozenset(row.weekdays),
        hours=hours,
        first_order_only=row.first_order_only,
        min_orders=row.min_orders,
        within_days=row.within_days,
        condition=parse(row.condition) if row.condition else None,
        gets_tier_multiplier=row.gets_tier_multiplier,
        gets_promotions=row.gets_promotions,
        pending_days=row.pending_days,
        expiry_months=row.expiry_months,
        caps=Caps(
            row.cap_order_points, row.cap_day_points, row.cap_month_points, row.cap_member_points, row.cap_day_count,
            row.cap_month_count,
        ),
        budget_id=row.rule.budget_id if has_budget else None,
        budget_is_empty=has_budget and budget_left == 0,
    )  # fmt: skip


def _goods(category_ids: Sequence[int], skus: Sequence[str], brands: Sequence[str]) -> Goods:
    return Goods(frozenset(category_ids), frozenset(skus), frozenset(brand.casefold() for brand in brands))


def _cap_value(row: ProgrammeCap) -> earning.ProgrammeCap:
    return earning.ProgrammeCap(row.currency_id, row.day_points, row.month_points, row.valid_from, row.valid_to)


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


def balance_of(member_id: int, at: datetime, *, currency: int | None = None) -> Balance:
    """Return the balance of a member at a moment (default currency): one query, whatever the length of the history.

    What a hold past its end gives back counts as available; one query more while something is set aside.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNT_AND_LOTS, [Lot.State.LIVE, member_id, currency or currency_id()])
        rows = cursor.fetchall()
    if not rows:
        return Balance(0, 0, 0, 0, [])
    account_id, available, pending, held, debt, deadline_at = rows[0][:6]
    by_end: dict[datetime, int] = {}
    for *_account, expires_at, points in rows:
        ends = [moment for moment in (expires_at, deadline_at) if moment is not None]
        if ends and points is not None:
            by_end[min(ends)] = by_end.get(min(ends), 0) + points
    over = _over(account_id, at) if held else []
    # Arrears are repaid before a hold gives back, from what ends first.
    repaid = min(sum(points for _end, points in over), debt)
    freed, unpaid = -repaid, repaid
    for end, points in over:
        freed += points
        kept, unpaid = max(points - unpaid, 0), max(unpaid - points, 0)
        ends = [moment for moment in (end, deadline_at) if moment is not None]
        if ends and kept:
            by_end[min(ends)] = by_end.get(min(ends), 0) + kept
    expiring = [Expiring(moment, points) for moment, points in sorted(by_end.items())]
    overdue = sum(part.points for part in expiring if part.expires_at <= at)
    return Balance(
        available=available + freed - overdue,
        pending=pending,
        held=held - freed - repaid,
        debt=debt - repaid,
        expiring=[part for part in expiring if part.expires_at > at],
    )


def _over(account_id: int, at: datetime) -> list[tuple[datetime | None, int]]:
    """Return what holds past their end give back with the account's next posting: when it expires, and how many points."""
    parts = HoldLot.objects.filter(hold__account=account_id, hold__state=Hold.State.OPEN, hold__expires_at__lte=at)
    return list(parts.order_by("lot__expires_at", "lot_id").values_list("lot__expires_at", "points"))


def accounts_of(member_id: int) -> QuerySet[PointsAccount]:
    """Return a member's accounts with their currencies."""
    return PointsAccount.objects.filter(member_id=member_id).select_related("currency").order_by("currency_id")


def open_holds_of(member_id: int) -> QuerySet[Hold]:
    """Return what is set aside of a member's points, the soonest end first."""
    return Hold.objects.filter(member_id=member_id, state=Hold.State.OPEN, account__member_id=member_id).order_by(
        "expires_at", "id"
    )


def entries_of(member_id: int, *, currency: int | None = None) -> QuerySet[LedgerEntry]:
    """Return a member's points entries (default currency) with their transactions, newest first."""
    return (
        LedgerEntry.objects.filter(account__member_id=member_id, account__currency_id=currency or currency_id())
        .select_related("transaction")
        .order_by("-seq")
    )


def entries_of_family(member_id: int) -> tuple[QuerySet[LedgerEntry], tuple[str, ...]]:
    """Return the points entries (default currency) of a member and of those merged into it, and by which fields they
    stand in order: by their number where nobody was merged.
    """
    family = family_ids(member_id)
    if len(family) == 1:
        return entries_of(member_id), ("seq",)
    entries = LedgerEntry.objects.filter(account__member_id__in=family, account__currency_id=currency_id())
    return entries.select_related("transaction"), ("happened_at", "id")


def open_lots_of(member_id: int) -> QuerySet[Lot]:
    """Return the lots of a member that still hold points, in the order in which they are spent."""
    return (
        Lot.objects.filter(account__member_id=member_id, account__currency_id=currency_id(), remaining__gt=0)
        .select_related("transaction")
        .order_by("expires_at", "id")
    )


def purchases_of(member_id: int) -> QuerySet[Purchase]:
    """Return the purchases of a member and of those merged into it, newest first."""
    return (
        Purchase.objects.filter(member_id__in=family_ids(member_id))
        .select_related("store", "channel")
        .order_by("-ordered_at", "-id")
    )


@dataclass(frozen=True, slots=True)
class CameBack:
    """What came back of an order: money, points taken back, in so many returns."""

    amount: Decimal
    points: int
    times: int


def came_back_of(purchases: Sequence[Purchase]) -> dict[int, CameBack]:
    """Return for each purchase id what came back of it, where something did: one query for all."""
    rows = PurchaseReturn.objects.filter(purchase__in=[purchase.pk for purchase in purchases]).values_list(
        "purchase_id"
    )
    summed = rows.annotate(Sum("total_amount"), Sum("points"), Count("pk")).order_by()
    return {purchase_id: CameBack(amount, int(points), times) for purchase_id, amount, points, times in summed}


def outstanding(at: datetime) -> Q:
    """Return the condition that a voucher can be used at a moment, now or once what holds it is over."""
    return Q(state__in=(Voucher.State.ISSUED, Voucher.State.HELD, Voucher.State.OFFERED), expires_at__gt=at)


def usable(at: datetime) -> Q:
    """Return the condition that a voucher is ready to use at a moment: neither held nor over, its first moment come."""
    return outstanding(at) & Q(valid_from__lte=at) & (Q(held_until__isnull=True) | Q(held_until__lte=at))


def vouchers_usable(member_id: int, at: datetime) -> int:
    """Return how many vouchers of a member, and of those merged into it, are ready to use at a moment."""
    with connection.cursor() as cursor:
        cursor.execute(_USABLE_VOUCHERS, {"family": family_ids(member_id), "at": at})
        return int(cursor.fetchone()[0])


def vouchers_of(member_id: int) -> QuerySet[Voucher]:
    """Return the vouchers of a member and of those merged into it with their templates, newest first."""
    return (
        Voucher.objects.filter(member_id__in=family_ids(member_id))
        .select_related("template")
        .order_by("-issued_at", "-id")
    )


def earned_by(purchases: Sequence[Purchase]) -> dict[int, LedgerTransaction]:
    """Return for each purchase id the transaction that credited its points in the default currency: one query for all."""
    default = currency_id()
    return {
        pk: posted for pk, found in earnings_of(purchases).items() for posted in found if posted.currency_id == default
    }


def earnings_of(purchases: Sequence[Purchase]) -> dict[int, list[LedgerTransaction]]:
    """Return for each purchase id the transactions that credited its points, the default currency first: one query for all."""
    keys = {(purchase.source, purchase.external_order_no): purchase.pk for purchase in purchases}
    rows = LedgerTransaction.objects.filter(
        kind=LedgerTransaction.Kind.EARN,
        source__in={source for source, _ in keys},
        natural_key__in=[number for _, number in keys],
    )
    default = currency_id()
    found: dict[int, list[LedgerTransaction]] = {}
    for row in sorted(rows, key=lambda row: (row.currency_id != default, row.currency_id)):
        if (row.source, row.natural_key) in keys:
            found.setdefault(keys[row.source, row.natural_key], []).append(row)
    return found


def points_in_trace(transaction: LedgerTransaction | None) -> int:
    """Return the points that a purchase earned, as its stored explanation says."""
    if transaction is None or not transaction.trace:
        return 0
    return sum(line[2] for line in transaction.trace.get("lines", []))
