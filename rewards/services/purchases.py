"""Record a purchase: the busiest path. One transaction; locks in the order purchase, account, lots, tier."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty.ladder import TierNow
from loyalty.models import TierChange
from loyalty.periods import end_of_month_after
from loyalty.queries import ladder_book, tier_at
from loyalty.services.standing import Counted, CountedFact, count_fact, tier_for_fact
from members import timeline
from members.actors import Actor
from members.models import Member
from members.queries import programme
from rewards import earning, events, ledger
from rewards.models import Purchase
from rewards.queries import balance_of, earned_by, points_in_trace, rule_book
from rewards.refusals import RewardsRefusal

CLOCK_TOLERANCE = timedelta(minutes=10)


class OrderConflict(RewardsRefusal):
    """The order number is known with another content."""

    code = "order_conflict"
    text = _("Order %(order_no)s was recorded before with another content.")


class OrderInFuture(RewardsRefusal):
    """The order claims to be from later than now."""

    code = "order_in_future"
    status = 422
    text = _("Order %(order_no)s is dated later than now.")


class MemberFrozen(RewardsRefusal):
    """The member is frozen."""

    code = "member_frozen"
    text = _("Member %(member_no)s is frozen and can neither earn nor spend points.")


class MemberClosed(RewardsRefusal):
    """The member has left the programme."""

    code = "member_closed"
    text = _("Member %(member_no)s has left the programme.")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order. Amount in the programme's currency after discounts; `earns` is off for postage, fees and the like."""

    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    earns: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its source tells it. `member_id` is None for people who are not members."""

    source: str
    external_order_no: str
    member_id: int | None
    channel_id: int
    store_id: int | None
    ordered_at: datetime
    lines: tuple[OrderLine, ...]
    original_currency: str = ""
    original_amount: Decimal | None = None
    exchange_rate: Decimal | None = None

    @property
    def total_amount(self) -> Decimal:
        """Sum of the lines."""
        return sum((line.amount for line in self.lines), Decimal(0))

    def fingerprint(self) -> bytes:
        """SHA-256 of what the order says; the same order has the same one however it arrives."""
        parts = [str(self.member_id), str(self.store_id), self.ordered_at.astimezone(UTC).isoformat()]
        for line in self.lines:
            parts += [
                line.sku,
                format(line.quantity.normalize(), "f"),
                format(line.amount.normalize(), "f"),
                str(line.earns),
            ]
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class PurchaseReceipt:
    """What a purchase did. Points as credited; `pending` says they can not be spent yet. Balances are after it."""

    purchase_id: int
    public_id: UUID
    already_recorded: bool
    points: int
    pending: bool
    credits: int
    trace: dict[str, Any]
    tier_code: str
    tier_changed_to: str
    available: int
    pending_points: int


@dataclass(frozen=True, slots=True)
class _Inserted:
    id: int
    public_id: UUID
    eligible_amount: Decimal


@transaction.atomic
def record_purchase(*, order: Order, by: Actor, at: datetime) -> PurchaseReceipt:
    """Record an order, credit what it earns and what it counts towards the tier; tell the timeline.

    A repeat of a recorded order changes nothing and returns what the first one did. Raises OrderConflict,
    OrderInFuture, MemberFrozen, MemberClosed.
    """
    if order.ordered_at > at + CLOCK_TOLERANCE:
        raise OrderInFuture(order_no=order.external_order_no)
    inserted = _insert(order)
    if inserted is None:
        return _receipt_of_known(order, at)
    if order.member_id is None:
        timeline.record([_news(order, inserted, 0, 0, pending=False, by=by)])
        return PurchaseReceipt(inserted.id, inserted.public_id, False, 0, False, 0, {}, "", "", 0, 0)
    _lock_active_member(order.member_id)
    tier, tier_news = tier_for_fact(member_id=order.member_id, moment=order.ordered_at, by=by, at=at)
    quote = quote_order(
        order, order.member_id, inserted.eligible_amount, tier, _offers(order.ordered_at, order.ordered_at)
    )
    posting = _post(order, order.member_id, quote, by)
    counted = _count(order, order.member_id, inserted.eligible_amount, by, at)
    uses = uses_of(quote, order, order.member_id)
    for contributor in earning.contributors():
        contributor.commit(uses)
    news = _news(order, inserted, quote.points, counted[0], pending=posting.d_pending > 0, by=by)
    timeline.record([*tier_news, news, *counted[1].news])
    return PurchaseReceipt(
        purchase_id=inserted.id,
        public_id=inserted.public_id,
        already_recorded=False,
        points=quote.points,
        pending=posting.d_pending > 0,
        credits=counted[0],
        trace=quote.trace(),
        tier_code=tier.code,
        tier_changed_to=counted[1].changed_to,
        available=posting.available,
        pending_points=posting.pending,
    )


def credits_of(eligible_amount: Decimal, moment: datetime) -> int:
    """Return the tier credits of an amount: whole units of money times the ladder's rate on that day."""
    return ladder_book().at(moment).credits_for(eligible_amount)


def quote_order(
    order: Order, member_id: int, eligible_amount: Decimal, tier: TierNow, offers: Sequence[earning.Offer]
) -> earning.Quote:
    """Return what an order earns for a member of a tier: pure, given the rules and offers."""
    rule = rule_book().at(order.ordered_at)
    facts = earning.PurchaseFacts(
        member_id=member_id,
        amount=order.total_amount,
        eligible_amount=eligible_amount,
        base_points=rule.points_for(eligible_amount) if rule else 0,
        store_id=order.store_id,
        channel_id=order.channel_id,
        ordered_at=order.ordered_at,
        local=order.ordered_at.astimezone(programme().tz),
        tier_rank=tier.rank,
    )
    return earning.quote(facts, rule=rule, tier_code=tier.code, multiplier=tier.points_multiplier, offers=offers)


def uses_of(quote: earning.Quote, order: Order, member_id: int) -> list[earning.OfferUse]:
    """Return the uses of promotions that a quote made."""
    return [
        earning.OfferUse(line.ref, member_id, order.source, order.external_order_no, line.points, order.ordered_at)
        for line in quote.lines
        if line.kind == "promotion" and line.points
    ]


def lot_times(quote: earning.Quote, ordered_at: datetime) -> tuple[datetime, datetime | None]:
    """Return from when the points of a quote can be spent, and when they expire."""
    if quote.rule is None:
        return ordered_at, None
    available_at = ordered_at + timedelta(days=quote.rule.pending_days)
    return available_at, end_of_month_after(ordered_at, quote.rule.expiry_months, programme().tz)


def _offers(start: datetime, end: datetime) -> list[earning.Offer]:
    return [offer for contributor in earning.contributors() for offer in contributor.offers(start, end)]


def _lock_active_member(member_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_no, status, (ledger_lock_account(id, %s::smallint)).id FROM members_member WHERE id = %s FOR SHARE",
            [ledger.currency_id(), member_id],
        )
        member_no, status, _account = cursor.fetchone()
    check_active(member_no, status)


def hold_active(member_id: int) -> None:
    """Refuse unless the member is active, and keep it so until the end of the transaction: a freeze waits for us, or we see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_no, status FROM members_member WHERE id = %s FOR SHARE", [member_id])
        check_active(*cursor.fetchone())


def check_active(member_no: str, status: str) -> None:
    """Raise MemberFrozen or MemberClosed unless the status is active."""
    if status == Member.Status.FROZEN:
        raise MemberFrozen(member_no=member_no)
    if status == Member.Status.CLOSED:
        raise MemberClosed(member_no=member_no)


def _post(order: Order, member_id: int, quote: earning.Quote, by: Actor) -> ledger.Posting:
    available_at, expires_at = lot_times(quote, order.ordered_at)
    return ledger.accrue(
        member_id=member_id,
        points=quote.points,
        source=order.source,
        natural_key=order.external_order_no,
        at=order.ordered_at,
        available_at=available_at,
        expires_at=expires_at,
        by=by,
        trace=quote.trace(),
    )


def _count(order: Order, member_id: int, eligible_amount: Decimal, by: Actor, at: datetime) -> tuple[int, Counted]:
    credits = credits_of(eligible_amount, order.ordered_at)
    fact = CountedFact(
        member_id=member_id, kind="purchase", source=order.source, source_ref=order.external_order_no,
        credits=credits, spend_amount=order.total_amount, orders=1, happened_at=order.ordered_at,
    )  # fmt: skip
    return credits, count_fact(fact=fact, by=by, at=at)


def _news(
    order: Order, inserted: _Inserted, points: int, credits: int, *, pending: bool, by: Actor
) -> timeline.NewEntry:
    return events.purchase_recorded(
        purchase_id=inserted.id, member_id=order.member_id, store_id=order.store_id, channel_id=order.channel_id,
        amount=order.total_amount, points=points, pending=pending, credits=credits, order_no=order.external_order_no,
        happened_at=order.ordered_at, by=by,
    )  # fmt: skip


def _insert(order: Order) -> _Inserted | None:
    """Insert the purchase and its lines in one statement; None when its number is known (waiting for one in flight)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH line AS (
                SELECT l.n, l.sku, l.name, l.quantity, l.unit_price, l.amount, p.id AS product_id, l.earns AND coalesce(p.earns, true) AS earns
                FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::boolean[])
                    WITH ORDINALITY AS l (sku, name, quantity, unit_price, amount, earns, n)
                LEFT JOIN rewards_product p ON p.sku = l.sku
            ), purchase AS (
                INSERT INTO rewards_purchase
                    (source, external_order_no, fingerprint, member_id, channel_id, store_id, ordered_at, total_amount,
                     eligible_amount, original_currency, original_amount, exchange_rate)
                SELECT %s, %s, %s, %s, %s, %s, %s, coalesce(sum(amount), 0), coalesce(sum(amount) FILTER (WHERE earns), 0), %s, %s, %s
                FROM line
                ON CONFLICT (source, external_order_no) DO NOTHING
                RETURNING id, public_id, eligible_amount
            ), lines AS (
                INSERT INTO rewards_purchaseline
                    (purchase_id, line_no, sku, name, product_id, quantity, unit_price, amount, earns)
                SELECT purchase.id, n, sku, name, product_id, quantity, unit_price, amount, earns FROM purchase, line
            )
            SELECT id, public_id, eligible_amount FROM purchase
            """,
            [
                [line.sku for line in order.lines], [line.name for line in order.lines],
                [line.quantity for line in order.lines], [line.unit_price for line in order.lines],
                [line.amount for line in order.lines], [line.earns for line in order.lines],
                order.source, order.external_order_no, order.fingerprint(), order.member_id, order.channel_id, order.store_id,
                order.ordered_at, order.original_currency, order.original_amount, order.exchange_rate,
            ],
        )  # fmt: skip
        row = cursor.fetchone()
    return _Inserted(*row) if row else None


def _receipt_of_known(order: Order, at: datetime) -> PurchaseReceipt:
    """Return the receipt of an order that was recorded before, from the facts; they are kept for ever."""
    purchase = Purchase.objects.get(source=order.source, external_order_no=order.external_order_no)
    if bytes(purchase.fingerprint) != order.fingerprint():
        raise OrderConflict(order_no=order.external_order_no)
    return receipt_of(purchase, at)


def receipt_of(purchase: Purchase, at: datetime) -> PurchaseReceipt:
    """Return what a recorded purchase did, from the facts; balances are those of `at`."""
    if purchase.member_id is None:
        return PurchaseReceipt(purchase.pk, purchase.public_id, True, 0, False, 0, {}, "", "", 0, 0)
    earned = earned_by([purchase]).get(purchase.pk)
    trace = (earned.trace if earned else None) or {}
    cause = f"{purchase.source}:{purchase.external_order_no}"
    risen = TierChange.objects.filter(
        member_id=purchase.member_id, cause=cause, reason=TierChange.Reason.RISEN
    ).select_related("to_tier")
    change = risen.order_by("-number").first()
    balance = balance_of(purchase.member_id, at)
    return PurchaseReceipt(
        purchase_id=purchase.pk,
        public_id=purchase.public_id,
        already_recorded=True,
        points=points_in_trace(earned),
        pending=bool(earned and earned.lots.filter(state=1).exists()),
        credits=credits_of(purchase.eligible_amount, purchase.ordered_at),
        trace=trace,
        tier_code=trace["tier"][0] if trace.get("tier") else tier_at(purchase.member_id, purchase.ordered_at).code,
        tier_changed_to=change.to_tier.code if change else "",
        available=balance.available,
        pending_points=balance.pending,
    )
