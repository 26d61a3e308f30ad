"""Post many purchases and returns at once, with the same results as one by one (tests/rewards/test_bulk.py).

Decisions (tier, points, reasons) are made by the same pure functions as live traffic, in memory and in order of time;
rows are written by COPY and set-based statements. One call is one transaction; callers choose chunks by member.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction

from loyalty.periods import business_date
from loyalty.replay import MemberReplay, load_replays, save_replays
from loyalty.services.standing import CountedFact
from members import timeline
from members.actors import Actor
from members.queries import programme
from rewards import earning, events, ledger
from rewards.ledger_batch import BatchFact, post_batch
from rewards.models import Purchase, PurchaseReturn
from rewards.policies import ledger_policy
from rewards.queries import earnings_of, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services import bulk_one_by_one, bulk_rows
from rewards.services.bulk_outcome import BulkOutcome, in_order, without_refused_members
from rewards.services.orders import Order, OrderConflict, hold_bearers
from rewards.services.quoting import (
    LineGoods,
    credits_of,
    deadline_of_purchase,
    facts_before,
    lots_of,
    offers_between,
    uses_of,
    with_goods,
    work_out,
)
from rewards.services.return_shares import (
    NOTHING,
    BoughtLine,
    CurrencyShare,
    Earned,
    Return,
    ReturnedLine,
    Share,
    allocate,
    articles_that_do_not_earn,
    as_returned,
    earned_in,
    purchase_lines,
    return_trace,
    share_of_purchase,
    share_of_unknown_sale,
)
from rewards.services.returns import PurchaseNotFound, ReturnConflict

__all__ = ["BulkOutcome", "post_history"]


@dataclass(slots=True)
class _Bought:
    """A purchase that returns refer to, as far as it came back so far."""

    purchase: Purchase
    lines: dict[int, BoughtLine]
    total_back: Decimal
    returned: Decimal
    earned: Sequence[Earned]


@dataclass(slots=True)
class _Run:
    """What a run collects before it is written.

    `bearers` says to whom what is told of a member is posted. `facts_of` names the facts of a return, by currency, in `facts`.
    """

    by: Actor
    quiet: bool
    outcome: BulkOutcome
    replays: dict[int, MemberReplay]
    goods: Mapping[str, LineGoods]
    not_earning: set[str]
    bearers: Mapping[int, int]
    facts: list[BatchFact] = field(default_factory=list)
    uses: list[earning.OfferUse] = field(default_factory=list)
    reversed_uses: list[earning.OfferUse] = field(default_factory=list)
    news: list[timeline.NewEntry] = field(default_factory=list)
    returns: list[bulk_rows.ReturnRow] = field(default_factory=list)
    return_facts: list[int | None] = field(default_factory=list)


@transaction.atomic
def post_history(
    *, orders: Sequence[Order], returns: Sequence[Return], by: Actor, at: datetime, quiet: bool
) -> BulkOutcome:
    """Record orders and returns that are not recorded yet, in order of time, with all that follows from them.

    `quiet` marks the news as history, so that nobody is written to. Orders and returns of one member must be in one call.
    Rules that look at a member's history make the call post fact by fact, with the same results.
    """
    bulk_rows.serialise({order.source for order in orders} | {ret.source for ret in returns})
    if bulk_one_by_one.is_needed(orders, returns):
        return bulk_one_by_one.post(orders=orders, returns=returns, by=by, at=at, quiet=quiet)
    outcome = BulkOutcome()
    orders = without_refused_members(orders, outcome)
    inserted = _insert_orders(orders, outcome)
    new_returns = _new_returns(returns, outcome)
    told = {o.member_id for o, _ in inserted.values() if o.member_id}
    told |= {r.member_id for r in new_returns if r.member_id}
    bought = _referred(new_returns)
    new_returns = _new_returns(new_returns, outcome)  # some may have been recorded until their purchases were locked
    told |= {b.purchase.member_id for b in bought.values() if b.purchase.member_id}
    bearers = hold_bearers(told)
    inserted = {key: (_posted_to(order, bearers), row) for key, (order, row) in inserted.items()}
    member_ids = sorted(set(bearers.values()))
    ledger.lock_accounts(member_ids=member_ids)
    facts = in_order([order for order, _ in inserted.values()], new_returns)
    if not facts:
        return outcome
    earliest_at = min(_moment(fact) for fact in facts)
    run = _Run(
        by, quiet, outcome, load_replays(member_ids, earliest_at=earliest_at),
        bulk_rows.goods_of({line.sku for order, _ in inserted.values() for line in order.lines}),
        articles_that_do_not_earn(new_returns), bearers,
    )  # fmt: skip
    moments = [order.ordered_at for order, _ in inserted.values()]
    offers = offers_between(min(moments), max(moments)) if moments else []
    for fact in facts:
        if isinstance(fact, Return):
            _replay_return(run, fact, bought)
        else:
            _replay_order(run, fact, inserted[fact.source, fact.external_order_no][1], offers, bought)
    _write(run, at)
    return outcome


def _posted_to(order: Order, bearers: Mapping[int, int]) -> Order:
    return order if order.member_id is None else replace(order, member_id=bearers[order.member_id])


def _moment(fact: Order | Return) -> datetime:
    return fact.returned_at if isinstance(fact, Return) else fact.ordered_at


def _insert_orders(
    orders: Sequence[Order], outcome: BulkOutcome
) -> dict[tuple[str, str], tuple[Order, bulk_rows.InsertedPurchase]]:
    """Insert the orders that are new; count those known, refuse those known with another content."""
    by_key = {(order.source, order.external_order_no): order for order in orders}
    inserted = bulk_rows.insert_purchases(list(by_key.values()))
    for key, fingerprint in bulk_rows.fingerprints(
        Purchase, "external_order_no", [key for key in by_key if key not in inserted]
    ).items():
        if fingerprint == by_key[key].fingerprint():
            outcome.orders_known += 1
        else:
            outcome.refused.append((key[1], OrderConflict(order_no=key[1])))
    outcome.orders_new = len(inserted)
    return {key: (by_key[key], row) for key, row in inserted.items()}


def _new_returns(returns: Sequence[Return], outcome: BulkOutcome) -> list[Return]:
    by_key = {(ret.source, ret.external_return_no): ret for ret in returns}
    known = bulk_rows.fingerprints(PurchaseReturn, "external_return_no", list(by_key))
    for key, fingerprint in known.items():
        if fingerprint == by_key[key].fingerprint():
            outcome.returns_known += 1
        else:
            outcome.refused.append((key[1], ReturnConflict(return_no=key[1])))
    return [ret for key, ret in by_key.items() if key not in known]


def _referred(returns: Sequence[Return]) -> dict[tuple[str, str], _Bought]:
    """Return the purchases that linked returns refer to, locked; those of this call included (they are inserted already)."""
    purchases = bulk_rows.lock_referred(returns)
    if not purchases:
        return {}
    lines = purchase_lines([purchase.pk for purchase in purchases])
    earned = earnings_of(purchases)
    before = bulk_rows.returned_amounts([purchase.pk for purchase in purchases])
    return {
        (purchase.source, purchase.external_order_no): _Bought(
            purchase,
            lines[purchase.pk],
            *before.get(purchase.pk, (Decimal(0), Decimal(0))),
            [earned_in(posted) for posted in earned.get(purchase.pk, [])],
        )
        for purchase in purchases
    }


def _replay_order(
    run: _Run, order: Order, row: bulk_rows.InsertedPurchase, offers: Sequence[earning.Offer], bought: dict[tuple[str, str], _Bought]
) -> None:  # fmt: skip
    points = credits = 0
    pending = False
    if order.member_id is not None:
        quote = _quote(run, order, order.member_id, offers)
        points = quote.points
        credits = credits_of(row.eligible_amount, order.ordered_at)
        facts = [_earn_fact(order, order.member_id, quote, currency_id) for currency_id in quote.currency_ids]
        pending = any(lot.available_at > order.ordered_at for lot in facts[0].lots)
        run.facts += facts
        run.replays[order.member_id].count(
            CountedFact(
                member_id=order.member_id, kind="purchase", source=order.source, source_ref=order.external_order_no,
                credits=credits, spend_amount=order.total_amount, orders=1, happened_at=order.ordered_at,
            )
        )  # fmt: skip
        run.uses += uses_of(quote, order, order.member_id)
        run.outcome.points += points
        referred = bought.get((order.source, order.external_order_no))
        if referred:
            referred.earned = [
                Earned(None, currency_id, quote.points_in(currency_id), quote.trace(currency_id))
                for currency_id in quote.currency_ids
            ]
    run.news.append(
        events.purchase_recorded(
            purchase_id=row.id, member_id=order.member_id, store_id=order.store_id, channel_id=order.channel_id,
            amount=order.total_amount, points=points, pending=pending, credits=credits, order_no=order.external_order_no,
            happened_at=order.ordered_at, by=run.by, quiet=run.quiet,
        )
    )  # fmt: skip


def _quote(run: _Run, order: Order, member_id: int, offers: Sequence[earning.Offer]) -> earning.Quote:
    goods = [
        LineGoods(line.earns and known.earns, known.category_id, known.brand)
        if (known := run.goods.get(line.sku))
        else LineGoods(line.earns, None, "")
        for line in order.lines
    ]
    return work_out(
        with_goods(facts_before(order, member_id), order, goods),
        rules=rule_book().at(order.ordered_at),
        tier=run.replays[member_id].tier_for_fact(order.ordered_at),
        offers=offers,
        cap_used={},
        values={},
    )


def _earn_fact(order: Order, member_id: int, quote: earning.Quote, currency_id: int) -> BatchFact:
    return BatchFact(
        "earn", member_id, order.source, order.external_order_no, order.ordered_at, quote.trace(currency_id),
        lots=tuple(lots_of(quote, currency_id, order.ordered_at)), currency_id=currency_id, store_id=order.store_id,
        tier_code=quote.tier_code, deadline_at=deadline_of_purchase(currency_id, order.ordered_at),
    )  # fmt: skip


def _replay_return(run: _Run, ret: Return, bought: dict[tuple[str, str], _Bought]) -> None:
    sale = bought.get((ret.source, ret.external_order_no)) if ret.external_order_no is not None else None
    try:
        if ret.external_order_no is not None and sale is None:
            raise PurchaseNotFound(order_no=ret.external_order_no)
        lines = (
            allocate(sale.lines, ret, sale.purchase.external_order_no)
            if sale
            else as_returned(ret.lines, run.not_earning)
        )
    except RewardsRefusal as refusal:
        run.outcome.refused.append((ret.external_return_no, refusal))
        return
    eligible = sum((line.amount for line in lines if line.earns), Decimal(0))
    total = sum((line.amount for line in lines), Decimal(0))
    member_id = sale.purchase.member_id if sale else ret.member_id
    if member_id is None:
        share = NOTHING
    elif sale:
        share = share_of_purchase(sale.purchase, eligible, sale.returned, sale.earned)
    else:
        share = share_of_unknown_sale(eligible, ret.returned_at)
    if sale:
        _came_back(sale, lines, total, eligible)
    run.returns.append(
        bulk_rows.ReturnRow(ret, sale.purchase.pk if sale else None, member_id, tuple(lines), total, eligible, share)
    )
    run.return_facts.append(len(run.facts) if member_id is not None else None)
    if member_id is not None:
        is_whole = total > 0 and _is_whole(sale)
        _take_back(run, ret, run.bearers[member_id], total, share, sale.purchase if sale else None, is_whole)


def _came_back(sale: _Bought, lines: Sequence[ReturnedLine], total: Decimal, eligible: Decimal) -> None:
    sale.total_back += total
    sale.returned += eligible
    by_id = {line.id: line for line in sale.lines.values()}
    for line in lines:
        if line.purchase_line_id is not None:
            by_id[line.purchase_line_id].give_back(line)


def _is_whole(sale: _Bought | None) -> bool:
    return sale is not None and sale.total_back == sale.purchase.total_amount > 0


def _take_back(
    run: _Run, ret: Return, member_id: int, total: Decimal, share: Share, purchase: Purchase | None, is_whole: bool
) -> None:
    origin = (purchase.source, purchase.external_order_no) if purchase else None
    for one in (CurrencyShare(ledger.currency_id(), share.points, None), *share.others):
        policy = ledger_policy(one.currency_id)
        tier_code = run.replays[member_id].tier_for_fact(ret.returned_at).code if policy.looks_at_tier else ""
        run.facts.append(
            BatchFact(
                "return", member_id, ret.source, ret.external_return_no, ret.returned_at,
                return_trace(total, one.points, unlinked=origin is None), points=one.points, origin=origin,
                from_others=policy.takes_other_lots, debt_limit=policy.debt_limit(tier_code), currency_id=one.currency_id,
                store_id=ret.store_id, tier_code=tier_code,
            )
        )  # fmt: skip
    run.replays[member_id].count(
        CountedFact(
            member_id=member_id, kind="return", source=ret.source, source_ref=ret.external_return_no, credits=-share.credits,
            spend_amount=-total, orders=-1 if is_whole else 0, happened_at=ret.returned_at,
            cause=":".join(origin) if origin else "",
            active_on=business_date(purchase.ordered_at, programme().tz) if purchase and is_whole else None,
        )
    )  # fmt: skip
    run.reversed_uses += [
        earning.OfferUse(ref, member_id, ret.source, ret.external_return_no, points, ret.returned_at)
        for ref, points in share.uses
    ]


def _write(run: _Run, at: datetime) -> None:
    return_ids = bulk_rows.insert_returns(run.returns)
    results = post_batch(run.facts, by=run.by)
    for row, fact_index, return_id in zip(run.returns, run.return_facts, return_ids, strict=True):
        result = results[fact_index] if fact_index is not None else None
        taken = -(result.d_available + result.d_pending) + result.d_debt if result else 0
        run.news.append(
            events.return_recorded(
                return_id=return_id, purchase_id=row.purchase_id, store_id=row.ret.store_id,
                member_id=run.bearers[row.member_id] if row.member_id is not None else None,
                amount=row.total_amount, points=taken, arrears=result.d_debt if result else 0, credits=row.share.credits,
                return_no=row.ret.external_return_no, happened_at=row.ret.returned_at, by=run.by, quiet=run.quiet,
            )
        )  # fmt: skip
    run.news += [
        events.points_expired(
            member_id=fact.member_id,
            points=result.expired,
            currency_id=fact.currency_id or ledger.currency_id(),
            lots=0,
            happened_at=fact.happened_at,
            by=run.by,
        )
        for fact, result in zip(run.facts, results, strict=True)
        if result.expired
    ]
    run.outcome.returns_new = len(run.returns)
    tier_news = save_replays(run.replays, by=run.by, at=at, quiet=run.quiet)
    for contributor in earning.contributors():
        contributor.commit(run.uses)
        contributor.reverse(run.reversed_uses)
    timeline.record_many(sorted([*run.news, *tier_news], key=lambda entry: entry.happened_at))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
