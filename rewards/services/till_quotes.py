"""Quotes of the till: what a cart costs a member, what it would earn, and why. Nothing is written but the quote itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from loyalty.ladder import TierNow
from loyalty.progress import TierProgress, progress_of
from loyalty.queries import ladder_book
from members.actors import Actor
from members.decisions import MOST_BYTES, bounded, record_decision
from members.facts import values_for
from members.models import Member
from members.queries import programme
from rewards import deductions
from rewards.benefit_prices import price_benefits
from rewards.cart import Cart, CartLine, VoucherNotUsed, VoucherSet, VoucherTerms, best_set, counts
from rewards.deductions import NOTHING, Deduction, Goods, PointsPayable
from rewards.payment_book import PaymentRuleInForce, payment_rule
from rewards.queries import balance_of, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services.caps import cap_usage
from rewards.services.earn_facts import missing_facts
from rewards.services.orders import Order, OrderLine, check_active
from rewards.services.quoting import LineGoods, facts_before, offers_between, with_goods, work_out
from rewards.services.till_terms import QUOTE_CODE, Settled, Terms, cart_hash, more_points_of_vouchers
from rewards.services.voucher_refusals import VoucherNotUsable
from rewards.services.voucher_terms import voucher_terms_of

#: How long what was quoted can be ordered or set aside.
QUOTE_VALID: Final = timedelta(minutes=30)
#: How many days a quote is kept, so that 为什么？ can be answered.
_KEPT_DAYS: Final = 7
#: Of how many vouchers that are not used a quote keeps why.
_MOST_NOT_USED: Final = 10
_GOODS: Final = "SELECT sku, earns, category_id, brand FROM rewards_product WHERE sku = ANY (%s)"


class CartTooLarge(RewardsRefusal):
    """The cart has more lines with more deductions than a quote can hold."""

    code = "cart_too_large"
    text = _("This cart is too large for one quote. Please split it.")
    status = 422


@dataclass(frozen=True, slots=True)
class CartRequest:
    """A cart that is to be quoted. `voucher_refs` None: the best set; empty: none. `points`: more than can is cut.

    `no_discount` are the places of lines that neither benefits nor vouchers may make cheaper.
    """

    source: str
    store_id: int | None
    channel_id: int
    lines: tuple[OrderLine, ...]
    postage: Decimal = NOTHING
    voucher_refs: tuple[UUID, ...] | None = None
    points: int = 0
    no_discount: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TillQuote:
    """What a cart costs and earns. `earned` and `progress` are None for guests; `is_trial`: for a moment to come."""

    quote_ref: UUID
    expires_at: datetime
    settled: Settled
    points: PointsPayable
    not_used: tuple[tuple[VoucherTerms, VoucherNotUsed], ...]
    earned: int
    trace: dict[str, Any] | None
    progress: TierProgress | None
    tier: TierNow | None
    is_trial: bool


@dataclass(frozen=True, slots=True)
class _Member:
    """The member of a cart as the quote sees him. Who must not spend uses neither points nor vouchers nor counted benefits."""

    id: int
    spends: bool
    progress: TierProgress
    tier: TierNow


def quote_cart(
    *, cart: CartRequest, member: Member | None, by: Actor, at: datetime, moment: datetime | None = None
) -> TillQuote:
    """Quote a cart and keep the quote. `moment`: as if it were bought then, to look at; such a quote can not be ordered.

    Raises VoucherNotUsable, CartTooLarge, MemberFrozen, MemberClosed.
    """
    bought_at = moment or at
    known = _member(member, bought_at) if member else None
    goods = _goods(cart.lines)
    taken, found = _deductions(cart, goods, known, bought_at)
    rule = payment_rule(cart.store_id, bought_at)
    amounts = [line.amount for line in cart.lines] + ([cart.postage] if cart.postage else [])
    left = deductions.left_of(amounts, taken)
    points = _points(cart, rule, left, known, bought_at)
    terms = Terms(
        cart_hash(cart.lines, cart.postage), sum(amounts, NOTHING), taken, rule.value if rule else None, points.most,
        rule.currency if rule else "", rule.names if rule else {},
    )  # fmt: skip
    settled = terms.settle(cart.lines, cart.postage, points.applied)
    earned, trace = _earned(cart, settled, goods, known, bought_at) if known else (0, None)
    expires_at = at + QUOTE_VALID
    kept = {
        "v": 1, "till": [cart.source, cart.store_id], "until": expires_at.isoformat(), "trial": moment is not None,
        "points": points.applied, "payable": str(settled.payable), "earn": earned, "terms": terms.stored(),
    }  # fmt: skip
    not_used = [
        {"label": dict(one.label), "code": why.code, "params": dict(why.params)} for one, why in found[:_MOST_NOT_USED]
    ]
    return TillQuote(
        _keep(kept, not_used, known, by, at), expires_at, settled, points, found, earned, trace,
        known.progress if known else None, known.tier if known else None, moment is not None,
    )  # fmt: skip


def _keep(kept: Mapping[str, Any], not_used: Sequence[Any], known: _Member | None, by: Actor, at: datetime) -> UUID:
    """Keep a quote, with why vouchers are not in it where that finds room. What was cut could not be ordered as quoted."""
    traces = ({**kept, "not_used": not_used}, kept) if not_used else (kept,)
    trace = next((one for one in traces if not _is_cut(one)), None)
    if trace is None:
        raise CartTooLarge
    return record_decision(
        kind="quote", member_id=known.id if known else None, subject="POST /pos/quotes", code=QUOTE_CODE, trace=trace, by=by,
        at=at, keep_days=_KEPT_DAYS,
    )  # fmt: skip


def _is_cut(trace: Mapping[str, Any]) -> bool:
    text = bounded(trace)
    return '"cut":true' in text and len(text.encode()) <= MOST_BYTES


def _member(member: Member, moment: datetime) -> _Member:
    bearer = member.merged_into or member
    if bearer.status_to(Member.Act.EARN) != Member.Status.ACTIVE:
        check_active(bearer.member_no, bearer.status)
    progress = progress_of(bearer.pk, moment)
    tier = ladder_book().tier_now(progress.held.pk, moment)
    return _Member(bearer.pk, bearer.status_to(Member.Act.SPEND) == Member.Status.ACTIVE, progress, tier)


def _goods(lines: Sequence[OrderLine]) -> tuple[LineGoods, ...]:
    """Return what the catalogue knows of each line, as recording the order will find it."""
    with connection.cursor() as cursor:
        cursor.execute(_GOODS, [list({line.sku for line in lines})])
        known = {sku: (earns, category, brand) for sku, earns, category, brand in cursor.fetchall()}
    found = []
    for line in lines:
        earns, category_id, brand = known.get(line.sku, (True, None, ""))
        found.append(LineGoods(line.earns and earns, category_id, brand))
    return tuple(found)


# --- What is taken off -----------------------------------------------------------------------------------------------
def _deductions(
    cart: CartRequest, goods: Sequence[LineGoods], known: _Member | None, moment: datetime
) -> tuple[tuple[Deduction, ...], tuple[tuple[VoucherTerms, VoucherNotUsed], ...]]:
    """Return what benefits and then vouchers take off, and the vouchers that do not."""
    if known is None:
        if cart.voucher_refs:
            raise VoucherNotUsable
        return (), ()
    lines = [
        Goods(
            line.sku, line.quantity, line.amount, (of.category_id,) if of.category_id is not None else (),
            place not in cart.no_discount,
        )
        for place, (line, of) in enumerate(zip(cart.lines, goods, strict=True))
    ]  # fmt: skip
    benefits = price_benefits(
        tier_id=known.tier.tier_id, member_id=known.id, store_id=cart.store_id, moment=moment, counted=known.spends
    )
    taken = deductions.by_benefits(lines, cart.postage, benefits)
    if not known.spends or cart.voucher_refs == ():
        return tuple(taken), ()
    terms = {one.voucher_id: one for one in voucher_terms_of(known.id, moment)}
    chosen = _chosen(cart.voucher_refs, terms)
    asked = _asked(cart, lines, goods, taken, moment)
    used = best_set(asked, list(terms.values()), at=moment, chosen=chosen) if terms else VoucherSet((), (), NOTHING)
    by_vouchers = _by_vouchers(used, terms, asked, has_postage=bool(cart.postage))
    return (*taken, *by_vouchers), tuple((terms[one.voucher_id], one) for one in used.not_used)


def _chosen(refs: Sequence[UUID] | None, terms: Mapping[int, VoucherTerms]) -> frozenset[int] | None:
    if refs is None:
        return None
    ids = {one.public_id: one.voucher_id for one in terms.values()}
    if not ids.keys() >= set(refs):
        raise VoucherNotUsable
    return frozenset(ids[ref] for ref in refs)


def _asked(
    cart: CartRequest, lines: Sequence[Goods], goods: Sequence[LineGoods], taken: Sequence[Deduction], moment: datetime
) -> Cart:
    amounts = [line.amount for line in lines] + ([cart.postage] if cart.postage else [])
    left = deductions.left_of(amounts, taken)
    return Cart(
        tuple(
            CartLine(place, line.sku, line.quantity, left[place], line.category_ids, of.brand, line.is_discountable)
            for place, (line, of) in enumerate(zip(lines, goods, strict=True))
        ),
        cart.store_id,
        cart.channel_id,
        moment.astimezone(programme().tz),
        left[-1] if cart.postage else NOTHING,
    )


def _by_vouchers(
    found: VoucherSet, terms: Mapping[int, VoucherTerms], asked: Cart, *, has_postage: bool
) -> list[Deduction]:
    postage = asked.shipping_amount
    taken = []
    for use in found.used:
        of = terms[use.voucher_id]
        shares = [(use.shares or {}).get(line.line_no, NOTHING) for line in asked.lines]
        if has_postage:
            frees = use.frees_shipping and postage > 0
            shares.append(postage if frees else NOTHING)
            postage = NOTHING if frees else postage
        lines = tuple(line.line_no for line in asked.lines if counts(of, line)) if use.multiplier else ()
        taken.append(
            Deduction(
                deductions.VOUCHER, str(of.public_id), use.gift or of.label, tuple(shares), use.multiplier or of.off_percent,
                use.voucher_id, None, lines, use.multiplier is not None,
            )
        )  # fmt: skip
    return taken


# --- Points -----------------------------------------------------------------------------------------------------------
def _points(
    cart: CartRequest, rule: PaymentRuleInForce | None, left: Sequence[Decimal], known: _Member | None, moment: datetime
) -> PointsPayable:
    if rule is None or rule.reason or known is None or not known.spends:
        return PointsPayable(0, 0, NOTHING, rule.reason if rule else deductions.SWITCHED_OFF)
    base = sum(rule.value.base(left, has_postage=bool(cart.postage)), NOTHING)
    return deductions.payable(rule.value, base, balance_of(known.id, moment).available, cart.points)


# --- What it would earn -----------------------------------------------------------------------------------------------
def _earned(
    cart: CartRequest, settled: Settled, goods: Sequence[LineGoods], known: _Member, moment: datetime
) -> tuple[int, dict[str, Any]]:
    """Return the points that the order would earn now, and the explanation: by the same rules as recording it."""
    order = Order(cart.source, "", known.id, cart.channel_id, cart.store_id, moment, settled.lines)
    rules = rule_book().at(moment)
    facts = facts_before(order, known.id)
    needs = rules.needs(facts)
    postage = [LineGoods(False, None, "")] * (len(settled.lines) - len(goods))
    facts = with_goods(facts, order, [*goods, *postage])
    known_of_orders = missing_facts(needs=needs, member_id=known.id, purchase_id=0, ordered_at=moment)
    quote = work_out(
        replace(facts, is_first_order=known_of_orders.is_first_order, orders_in=known_of_orders.orders_in),
        rules=rules,
        tier=known.tier,
        offers=offers_between(moment, moment),
        cap_used=cap_usage(member_id=known.id, keys=needs.cap_keys),
        values=values_for(known.id, needs.fact_keys, moment) if needs.fact_keys else {},
        more=more_points_of_vouchers(settled.deductions),
    )
    return quote.points, quote.trace()
