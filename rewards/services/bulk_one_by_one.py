"""Bulk posting fact by fact, for what sets can not decide: rules that look at a member's history, orders paid with points.

The facts go through the very services of live traffic, in order of time, in one transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from django.db import transaction
from django.db.models import Q

from members.actors import Actor
from rewards import ledger
from rewards.earning import budget_uses_in
from rewards.models import LedgerTransaction
from rewards.queries import earnings_of, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services import bulk_rows
from rewards.services.bulk_outcome import BulkOutcome, in_order, without_refused_members
from rewards.services.caps import lock_budgets
from rewards.services.orders import Order, hold_bearers
from rewards.services.purchases import record_purchase
from rewards.services.quoting import facts_before
from rewards.services.return_shares import Return
from rewards.services.returns import record_return


def is_needed(orders: Sequence[Order], returns: Sequence[Return]) -> bool:
    """Tell whether a rule that concerns one of the orders looks at history, or a returned order was paid with points or
    had counted towards caps or budgets.
    """
    book = rule_book()
    for order in orders:
        member_id = order.member_id
        if member_id is not None and book.at(order.ordered_at).needs(facts_before(order, member_id)).looks_back:
            return True
    numbers = {(ret.source, ret.external_order_no) for ret in returns if ret.external_order_no}
    paid = Q(kind__in=(LedgerTransaction.Kind.REDEEM, LedgerTransaction.Kind.CAPTURE))
    capped = Q(kind=LedgerTransaction.Kind.EARN, trace__has_any_keys=["uses", "budgets"])
    known = LedgerTransaction.objects.filter(
        paid | capped, source__in={source for source, _ in numbers}, natural_key__in=[number for _, number in numbers]
    )
    return bool(numbers) and known.exists()


def post(
    *, orders: Sequence[Order], returns: Sequence[Return], by: Actor, at: datetime, quiet: bool
) -> BulkOutcome:  # fmt: skip
    """Record orders and returns one by one, in the caller's transaction; what is refused changes nothing."""
    outcome = BulkOutcome()
    orders = without_refused_members(orders, outcome)
    facts = in_order(
        {(order.source, order.external_order_no): order for order in orders}.values(),
        {(ret.source, ret.external_return_no): ret for ret in returns}.values(),
    )
    _lock(orders, returns)
    for fact in facts:
        try:
            with transaction.atomic():
                _record(fact, outcome, by, at, quiet)
        except RewardsRefusal as refusal:
            number = fact.external_return_no if isinstance(fact, Return) else fact.external_order_no
            outcome.refused.append((number, refusal))
    return outcome


def _record(fact: Order | Return, outcome: BulkOutcome, by: Actor, at: datetime, quiet: bool) -> None:
    if isinstance(fact, Return):
        if record_return(ret=fact, by=by, at=at, quiet=quiet).already_recorded:
            outcome.returns_known += 1
        else:
            outcome.returns_new += 1
        return
    receipt = record_purchase(order=fact, by=by, at=at, quiet=quiet)
    if receipt.already_recorded:
        outcome.orders_known += 1
    else:
        outcome.orders_new += 1
        outcome.points += receipt.points


def _lock(orders: Sequence[Order], returns: Sequence[Return]) -> None:
    """Lock what many facts will take, in the order of live traffic: purchases that come back, accounts, budgets; each ascending."""
    known = bulk_rows.lock_referred(returns)
    members = {order.member_id for order in orders} | {ret.member_id for ret in returns}
    members |= {purchase.member_id for purchase in known}
    told = hold_bearers(member_id for member_id in members if member_id)
    ledger.lock_accounts(member_ids=sorted({*told, *told.values()}))
    moments = [order.ordered_at for order in orders]
    budgets = set(rule_book().budgets_between(min(moments), max(moments)) if moments else ())
    for posted in chain.from_iterable(earnings_of(known).values()):
        budgets.update(budget_id for budget_id, _points in budget_uses_in(posted.trace))
    lock_budgets(budget_ids=budgets)
