"""What an order earns, from the rules, policies and offers in force at its moment: the same for live traffic and imports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from loyalty.ladder import TierNow
from loyalty.periods import end_of_month_after
from loyalty.queries import ladder_book
from members.facts import FactValue
from members.queries import programme
from rewards import earning
from rewards.benefit_points import more_points_of
from rewards.expiring import PURCHASE, deadline_after, lot_expiry, policy_for
from rewards.expiry_book import expiry_book
from rewards.ledger import NewLot
from rewards.services.orders import Order


@dataclass(frozen=True, slots=True)
class LineGoods:
    """What the catalogue knows of a line: whether it earns, its category and its brand."""

    earns: bool
    category_id: int | None
    brand: str


def facts_before(order: Order, member_id: int) -> earning.PurchaseFacts:
    """Return what is known of an order before it is recorded: enough to tell what its rules must know besides."""
    return earning.PurchaseFacts(
        member_id=member_id,
        amount=order.total_amount,
        eligible_amount=order.total_amount,
        store_id=order.store_id,
        channel_id=order.channel_id,
        ordered_at=order.ordered_at,
        local=order.ordered_at.astimezone(programme().tz),
        tier_rank=0,
    )


def with_goods(facts: earning.PurchaseFacts, order: Order, goods: Sequence[LineGoods]) -> earning.PurchaseFacts:
    """Return the facts with what the catalogue knows of each line of the order."""
    lines = tuple(
        earning.LineFacts(
            number, line.sku, line.amount, line.quantity, known.earns,
            (known.category_id,) if known.category_id is not None else (), known.brand,
        )
        for number, (line, known) in enumerate(zip(order.lines, goods, strict=True), 1)
    )  # fmt: skip
    eligible = sum((line.amount for line in lines if line.earns), Decimal(0))
    return replace(facts, lines=lines, eligible_amount=eligible)


def work_out(
    facts: earning.PurchaseFacts, *, rules: earning.RulesInForce, tier: TierNow, offers: Sequence[earning.Offer],
    cap_used: Mapping[earning.CapKey, earning.CapUsage], values: Mapping[str, FactValue],
    more: Sequence[earning.MorePoints] = (),
) -> earning.Quote:  # fmt: skip
    """Return what a purchase earns for a member of a tier, with the benefits of that tier at its moment.

    `more` is what vouchers add that were used for it.
    """
    return earning.quote(
        replace(facts, tier_rank=tier.rank), rules=rules, tier_code=tier.code, multiplier=tier.points_multiplier,
        offers=offers, more_points=(*more_points_of(tier.tier_id, facts.ordered_at), *more), cap_used=cap_used, values=values,
    )  # fmt: skip


def lots_of(quote: earning.Quote, currency_id: int, moment: datetime) -> list[NewLot]:
    """Return the lots of a quote in one currency: from when they can be spent, and when the policies end them."""
    return [
        NewLot(
            lot.points, lot.origin, lot.available_at(moment), expiry_of(currency_id, lot.origin, moment, lot.expiry_months)
        )
        for lot in quote.earned
        if lot.currency_id == currency_id
    ]  # fmt: skip


def expiry_of(currency_id: int, origin: int, moment: datetime, months_without_policy: int) -> datetime | None:
    """Return when points earned at a moment expire (None: never): by their policy, else by the months of their rule."""
    policies, zone = expiry_book().of(currency_id), programme().tz
    if policy_for(policies, origin, moment) is None:
        return end_of_month_after(moment, months_without_policy, zone)
    return lot_expiry(policies, origin, moment, zone)


def deadline_of_purchase(currency_id: int, moment: datetime) -> datetime | None:
    """Return until when a purchase keeps the points of its member alive, where points need activity; else None."""
    return deadline_after(expiry_book().of(currency_id), PURCHASE, moment, programme().tz)


def uses_of(quote: earning.Quote, order: Order, member_id: int) -> list[earning.OfferUse]:
    """Return the uses of promotions that a quote made."""
    return [
        earning.OfferUse(line.ref, member_id, order.source, order.external_order_no, line.points, order.ordered_at)
        for line in quote.lines
        if line.kind == "promotion" and line.points
    ]


def credits_of(eligible_amount: Decimal, moment: datetime) -> int:
    """Return the tier credits of an amount: whole units of money times the ladder's rate on that day."""
    return ladder_book().at(moment).credits_for(eligible_amount)


def offers_between(start: datetime, end: datetime) -> list[earning.Offer]:
    """Return the offers of all contributors that may apply to purchases in [start, end]."""
    return [offer for contributor in earning.contributors() for offer in contributor.offers(start, end)]
