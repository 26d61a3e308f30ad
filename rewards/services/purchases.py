"""Record a purchase: the busiest path. One transaction; locks in the order purchase, account, lots, tier, caps, budgets.

Two round trips besides BEGIN and COMMIT: the purchase with the account's lock and all that is to be known; then the
posting, the tier's count and the timeline together. Caps and budgets where a rule has some, what promotions gave, and
rules that ask for more (the first order, facts of a condition) cost a round trip each, and only then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from loyalty.ladder import TierNow
from loyalty.models import Tier, TierChange
from loyalty.queries import tier_at
from loyalty.services.standing import CountedFact, counted, insertion_of, tier_for_standing
from members import timeline
from members.actors import Actor
from members.facts import values_for
from members.models import Member
from members.queries import survivor_id
from members.statements import Statement, run_together
from rewards import earning, events, ledger
from rewards.models import Purchase
from rewards.queries import balance_of, earnings_of, points_in_trace, rule_book
from rewards.services.caps import book_caps
from rewards.services.earn_facts import missing_facts
from rewards.services.orders import (
    CLOCK_TOLERANCE,
    MemberClosed,
    MemberFrozen,
    Order,
    OrderConflict,
    OrderInFuture,
    OrderLine,
    check_active,
    hold_active,
)
from rewards.services.payers import payer_statement
from rewards.services.purchase_rows import OpenedPurchase, open_purchase
from rewards.services.quoting import (
    credits_of,
    deadline_of_purchase,
    facts_before,
    lots_of,
    offers_between,
    uses_of,
    with_goods,
    work_out,
)

__all__ = [
    "CLOCK_TOLERANCE",
    "MemberClosed",
    "MemberFrozen",
    "Order",
    "OrderConflict",
    "OrderInFuture",
    "OrderLine",
    "PurchaseReceipt",
    "check_active",
    "hold_active",
    "receipt_of",
    "record_purchase",
    "record_purchase_within",
]


Settle = Callable[[int], Sequence[earning.MorePoints]]


@dataclass(frozen=True, slots=True)
class PurchaseReceipt:
    """What a purchase did. Points as credited; `pending` says they can not be spent yet. Balances are after it.

    `points`, `trace` and the balances are those of the default currency; `others` are points in other currencies, by id.
    """

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
    others: dict[int, int] = field(default_factory=dict)

    @property
    def points_in_all(self) -> int:
        """The points of all currencies: what a key's ceiling of the day counts."""
        return self.points + sum(self.others.values())


@transaction.atomic
def record_purchase(*, order: Order, by: Actor, at: datetime, quiet: bool = False) -> PurchaseReceipt:
    """Record an order, credit what it earns and what it counts towards the tier; tell the timeline.

    A repeat of a recorded order changes nothing and returns what the first one did. `quiet` marks the news as history, so
    that nobody is written to. Raises OrderConflict, OrderInFuture, MemberFrozen, MemberClosed.
    """
    return record_purchase_within(order=order, by=by, at=at, quiet=quiet)


def record_purchase_within(
    *, order: Order, by: Actor, at: datetime, quiet: bool = False, settle: Settle | None = None
) -> PurchaseReceipt:
    """Do what `record_purchase` does within the caller's transaction, which any refusal must roll back.

    `settle(purchase id)` is called once for a purchase that is new, when it is opened and its member's account locked: it
    pays what was set aside for it, and returns what vouchers add to the points.
    """
    if order.ordered_at > at + CLOCK_TOLERANCE:
        raise OrderInFuture(order_no=order.external_order_no)
    rules = rule_book().at(order.ordered_at)
    facts = facts_before(order, order.member_id) if order.member_id is not None else None
    needs = rules.needs(facts) if facts else earning.Needs()
    opened = open_purchase(order, cap_keys=needs.cap_keys)
    if opened is None:
        return _receipt_of_known(order, at)
    more = settle(opened.id) if settle else ()
    if order.member_id is None or facts is None:
        timeline.record([_news(order, opened.id, 0, 0, pending=False, by=by, quiet=quiet)])
        return PurchaseReceipt(opened.id, opened.public_id, False, 0, False, 0, {}, "", "", 0, 0)
    told_id = order.member_id
    member_id = opened.bearer_id or told_id
    if member_id != order.member_id:
        # Told in the name of a member who was merged: the row keeps that name, all that follows is the survivor's.
        order, facts = replace(order, member_id=member_id), replace(facts, member_id=member_id)
    if opened.status != Member.Status.ACTIVE:
        hold_active(member_id, Member.Act.EARN)  # a freeze may leave earning open
    tier, tier_news, floor = tier_for_standing(
        member_id=member_id,
        seen=opened.standing,
        floor=opened.floor,
        moment=order.ordered_at,
        by=by,
        at=at,
        quiet=quiet,
    )
    quote = _quote(order, facts, opened, rules, needs, tier, more)
    trace = quote.trace()
    credits = credits_of(quote.amount, order.ordered_at)
    postings, pending = _postings(order, member_id, quote, trace, by, at)
    fact = _fact(order, member_id, credits)
    news = _news(order, opened.id, quote.points, credits, pending=pending, by=by, quiet=quiet)
    # Who paid is noted under the name that was told.
    paid = (
        [payer_statement(purchase_id=opened.id, member_id=told_id, payer=order.payer, paid_at=order.ordered_at)]
        if order.payer
        else []
    )
    posting, *_rest, inserted, _ids = run_together(
        [*postings, *paid, insertion_of(fact=fact, at=at), timeline.record_statement([*tier_news, news])]
    )
    counted_fact = counted(fact=fact, inserted=inserted, by=by, quiet=quiet)
    uses = uses_of(quote, order, member_id)
    for contributor in earning.contributors() if uses else ():
        contributor.commit(uses)
    timeline.record(counted_fact.news)
    return PurchaseReceipt(
        purchase_id=opened.id,
        public_id=opened.public_id,
        already_recorded=False,
        points=quote.points,
        pending=pending,
        credits=credits,
        trace=trace,
        tier_code=tier.code,
        tier_changed_to=counted_fact.changed_over(floor),
        available=posting.available,
        pending_points=posting.pending,
        others=_others(quote),
    )


def _quote(
    order: Order,
    facts: earning.PurchaseFacts,
    opened: OpenedPurchase,
    rules: earning.RulesInForce,
    needs: earning.Needs,
    tier: TierNow,
    more: Sequence[earning.MorePoints],
) -> earning.Quote:
    """Return what the order earns, with its caps counted and its budgets taken."""
    member_id = facts.member_id
    facts = with_goods(facts, order, opened.goods)
    known = missing_facts(needs=needs, member_id=member_id, purchase_id=opened.id, ordered_at=order.ordered_at)
    quote = work_out(
        replace(facts, is_first_order=known.is_first_order, orders_in=known.orders_in),
        rules=rules,
        tier=tier,
        offers=offers_between(order.ordered_at, order.ordered_at),
        cap_used=opened.cap_used,
        values=values_for(member_id, needs.fact_keys, order.ordered_at) if needs.fact_keys else {},
        more=more,
    )
    return book_caps(member_id=member_id, quote=quote)


def _postings(
    order: Order, member_id: int, quote: earning.Quote, trace: dict[str, Any], by: Actor, at: datetime
) -> tuple[list[Statement[ledger.Posting]], bool]:
    """Return what posts every currency, the default one first with this trace; and whether points of it are pending."""
    lots = {currency_id: lots_of(quote, currency_id, order.ordered_at) for currency_id in quote.currency_ids}
    postings = [
        ledger.credit_statement(
            kind=ledger.Kind.EARN,
            contra=ledger.Contra.ISSUANCE,
            member_id=member_id,
            lots=lots[currency_id],
            source=order.source,
            natural_key=order.external_order_no,
            at=order.ordered_at,
            now=max(at, order.ordered_at),
            by=by,
            trace=trace if place == 0 else quote.trace(currency_id),
            currency_id=currency_id,
            store_id=order.store_id,
            tier_code=quote.tier_code,
            deadline_at=deadline_of_purchase(currency_id, order.ordered_at),
        )
        for place, currency_id in enumerate(quote.currency_ids)
    ]
    return postings, any(lot.available_at > order.ordered_at for lot in lots[quote.currency_ids[0]])


def _others(quote: earning.Quote) -> dict[int, int]:
    return {currency_id: quote.points_in(currency_id) for currency_id in quote.currency_ids[1:]}


def _fact(order: Order, member_id: int, credits: int) -> CountedFact:
    return CountedFact(
        member_id=member_id, kind="purchase", source=order.source, source_ref=order.external_order_no,
        credits=credits, spend_amount=order.total_amount, orders=1, happened_at=order.ordered_at,
    )  # fmt: skip


def _news(
    order: Order, purchase_id: int, points: int, credits: int, *, pending: bool, by: Actor, quiet: bool
) -> timeline.NewEntry:
    return events.purchase_recorded(
        purchase_id=purchase_id, member_id=order.member_id, store_id=order.store_id, channel_id=order.channel_id,
        amount=order.total_amount, points=points, pending=pending, credits=credits, order_no=order.external_order_no,
        happened_at=order.ordered_at, by=by, quiet=quiet,
    )  # fmt: skip


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
    postings = earnings_of([purchase]).get(purchase.pk, [])
    earned = postings[0] if postings else None  # that of the default currency: it is always there
    trace = (earned.trace if earned else None) or {}
    cause = f"{purchase.source}:{purchase.external_order_no}"
    bearer_id = survivor_id(purchase.member_id)
    risen = TierChange.objects.filter(
        member_id__in={purchase.member_id, bearer_id}, cause=cause, reason=TierChange.Reason.RISEN
    ).select_related("to_tier")
    change = risen.order_by("-number").first()
    met = trace["tier"][0] if trace.get("tier") else tier_at(purchase.member_id, purchase.ordered_at).code
    # A rise beneath a floor changed nothing that the member holds.
    is_seen = change is not None and change.to_tier.rank > Tier.objects.values_list("rank", flat=True).get(code=met)
    balance = balance_of(bearer_id, at)
    return PurchaseReceipt(
        purchase_id=purchase.pk,
        public_id=purchase.public_id,
        already_recorded=True,
        points=points_in_trace(earned),
        pending=bool(earned and earned.lots.filter(available_at__gt=purchase.ordered_at).exists()),
        credits=credits_of(purchase.eligible_amount, purchase.ordered_at),
        trace=trace,
        tier_code=met,
        tier_changed_to=change.to_tier.code if change and is_seen else "",
        available=balance.available,
        pending_points=balance.pending,
        others={posted.currency_id: points_in_trace(posted) for posted in postings[1:]},
    )
