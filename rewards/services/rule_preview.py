"""What a version of an earn rule would have given for real past orders (or behaviour), beside the rules in force.

The rules in force at the moment the version begins are put to the newest occasions of the last days twice: with the
version in place of what its rule says then, and without. Both are worked out anew by the same engine; nothing is
written. Caps and budgets are counted in memory, member by member, in the order of the occasions.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import F, Sum

from loyalty.ladder import TierNow
from loyalty.queries import ladder_book
from members.facts import FactValue, values_for_many
from members.models import Activity
from members.queries import programme
from rewards import earning
from rewards.benefit_points import more_points_of
from rewards.earning import (
    ActivityFacts,
    CapKey,
    CapUsage,
    LineFacts,
    Needs,
    PurchaseFacts,
    Quote,
    RulesInForce,
)
from rewards.models import BudgetSlice, EarnRule, EarnRuleVersion, PointsRate
from rewards.queries import rule_book, rule_value
from rewards.services.quoting import offers_between

MOST: Final = 2_000
SAMPLES: Final = 5
_ASKED_AT_ONCE: Final = 500
_TIER: Final = "loyalty.tier"
_NEW_BUDGET: Final = -1

Facts = PurchaseFacts | ActivityFacts


@dataclass(frozen=True, slots=True)
class Occasion:
    """A past order or activity: what it is called, and what rules may look at."""

    pk: int
    name: str
    facts: Facts

    @property
    def moment(self) -> datetime:
        """When it happened."""
        return self.facts.ordered_at if isinstance(self.facts, PurchaseFacts) else self.facts.happened_at


@dataclass(frozen=True, slots=True)
class Sample:
    """One occasion before and after, with the stored form of both explanations."""

    occasion: Occasion
    before: int
    after: int
    trace_before: dict[str, Any]
    trace_after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer. Points are those of the version's currency; `value` is what one is worth, None when nobody has set it.

    `begins` is the moment whose rules were asked; `is_whole` whether all occasions since `since` were taken.
    """

    since: datetime
    begins: datetime
    occasions: int
    is_whole: bool
    changed: int
    members: int
    members_affected: int
    before: int
    after: int
    value: Decimal | None
    samples: list[Sample] = field(default_factory=list)
    top_member: tuple[int, int] | None = None

    @property
    def difference(self) -> int:
        """How many points more (or fewer)."""
        return self.after - self.before

    @property
    def cost(self) -> Decimal | None:
        """What the difference is worth in money."""
        return None if self.value is None else self.difference * self.value


def preview_version(*, version: EarnRuleVersion, days: int, at: datetime) -> Preview:
    """Return what a version would have given for the newest occasions of the last days, at most 2,000 of them.

    Left out: what members had earned towards limits before the span, rises of tiers that more points might bring, and
    that members behave otherwise. A bounded number of queries, whatever the number of occasions.
    """
    since, begins = at - timedelta(days=days), max(version.valid_from or at, at)
    currency_id = version.rule.currency_id
    is_spend = version.rule.kind == EarnRule.Kind.SPEND
    occasions = (_orders if is_spend else _activities)(version, since, at)
    before, after = _both(version, begins)
    known = _known(occasions, [before, after])
    budgets = _budgets_left(version, [before, after])
    olds = _run(occasions, before, known, dict(budgets))
    news = _run(occasions, after, known, dict(budgets))
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    pairs = []
    for occasion, old, new in zip(occasions, olds, news, strict=True):
        was, becomes = old.points_in(currency_id), new.points_in(currency_id)
        totals[occasion.facts.member_id][0] += was
        totals[occasion.facts.member_id][1] += becomes
        pairs.append((occasion, was, becomes, old, new))
    changed = [pair for pair in pairs if pair[1] != pair[2]]
    most = max(totals.items(), key=lambda one: (abs(one[1][1] - one[1][0]), -one[0]), default=None)
    return Preview(
        since=occasions[0].moment if len(occasions) == MOST else since,
        begins=begins,
        occasions=len(occasions),
        is_whole=len(occasions) < MOST,
        changed=len(changed),
        members=len(totals),
        members_affected=sum(1 for was, becomes in totals.values() if was != becomes),
        before=sum(was for was, _becomes in totals.values()),
        after=sum(becomes for _was, becomes in totals.values()),
        value=_value_of_a_point(currency_id, at),
        samples=[
            Sample(occasion, was, becomes, old.trace(currency_id), new.trace(currency_id))
            for occasion, was, becomes, old, new in _spread(changed or pairs)
        ],
        top_member=(most[0], most[1][1] - most[1][0]) if most and most[1][0] != most[1][1] else None,
    )


def _spread[T](rows: Sequence[T]) -> list[T]:
    """Return a few rows, evenly spaced from the first to the last."""
    if len(rows) <= SAMPLES:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (SAMPLES - 1))] for place in range(SAMPLES)]


# --- Rules -------------------------------------------------------------------------------------------------------------
def _both(version: EarnRuleVersion, begins: datetime) -> tuple[RulesInForce, RulesInForce]:
    """Return the rules of a moment without the version, and with it in place of what its rule says then."""
    book = rule_book()
    in_force = [rule for rule in book.rules if rule.is_in_force(begins) and rule.version_id != version.pk]
    mine = replace(
        rule_value(version), valid_from=begins, valid_to=None, budget_is_empty=False,
        budget_id=(version.rule.budget_id or _NEW_BUDGET) if version.budget_points is not None else None,
    )  # fmt: skip
    others = [rule for rule in in_force if rule.rule_id != version.rule_id]
    caps = [cap for cap in book.caps if cap.is_in_force(begins)]
    return RulesInForce.of(book.currency_id, in_force, caps), RulesInForce.of(book.currency_id, [*others, mine], caps)


def _budgets_left(version: EarnRuleVersion, sides: Iterable[RulesInForce]) -> dict[int, int]:
    """Return what the budgets of the rules have left; that of the version is as large as the version says."""
    ids = {
        rule.budget_id
        for side in sides
        for rule in (*side.base, *side.extra, *side.behaviour)
        if rule.budget_id is not None
    }
    if not ids:
        return {}
    rows = (
        BudgetSlice.objects.filter(budget__in=ids)
        .values_list("budget")
        .annotate(Sum("used"), left=Sum(F("capacity") - F("used")))
    )
    left = {budget: (used, rest) for budget, used, rest in rows}
    found = {budget: rest for budget, (_used, rest) in left.items()}
    if version.budget_points is not None:
        own = version.rule.budget_id or _NEW_BUDGET
        found[own] = max(version.budget_points - left.get(own, (0, 0))[0], 0)
    return found


# --- Occasions ---------------------------------------------------------------------------------------------------------
def _orders(version: EarnRuleVersion, since: datetime, at: datetime) -> list[Occasion]:
    """Return the newest orders of members in the span, oldest first, with what the catalogue knows of their lines: one query."""
    tz = programme().tz
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.id, p.external_order_no, p.member_id, p.total_amount, p.eligible_amount, p.store_id, p.channel_id,
                   p.ordered_at, l.lines
            FROM (
                SELECT * FROM rewards_purchase
                WHERE ordered_at >= %s AND ordered_at < %s AND member_id IS NOT NULL
                ORDER BY ordered_at DESC, id DESC LIMIT %s
            ) p
            CROSS JOIN LATERAL (
                SELECT array_agg(ARRAY[l.line_no::text, l.sku, l.amount::text, l.quantity::text, l.earns::text,
                                       coalesce(g.category_id::text, ''), coalesce(g.brand, '')] ORDER BY l.line_no) AS lines
                FROM rewards_purchaseline l LEFT JOIN rewards_product g ON g.id = l.product_id WHERE l.purchase_id = p.id
            ) l
            ORDER BY p.ordered_at, p.id
            """,
            [since, at, MOST],
        )
        rows = cursor.fetchall()
    return [
        Occasion(
            pk, number,
            PurchaseFacts(
                member_id, total, eligible, store_id, channel_id, moment, moment.astimezone(tz), 0,
                lines=tuple(_line(line) for line in lines or ()),
            ),
        )
        for pk, number, member_id, total, eligible, store_id, channel_id, moment, lines in rows
    ]  # fmt: skip


def _line(row: Sequence[str]) -> LineFacts:
    number, sku, amount, quantity, earns, category, brand = row
    return LineFacts(
        int(number),
        sku,
        Decimal(amount),
        Decimal(quantity),
        earns == "true",
        (int(category),) if category else (),
        brand,
    )


def _activities(version: EarnRuleVersion, since: datetime, at: datetime) -> list[Occasion]:
    """Return the newest activities of the rule's kind in the span, oldest first: one query. Birthdays are not recorded."""
    tz = programme().tz
    newest = Activity.objects.filter(
        kind=version.rule.activity_kind, happened_at__gte=since, happened_at__lt=at
    ).order_by("-happened_at", "-pk")[:MOST]  # fmt: skip
    return [
        Occasion(
            row.pk, row.external_ref,
            ActivityFacts(
                row.member_id, row.kind, row.value, row.store_id, row.channel_id, row.happened_at,
                row.happened_at.astimezone(tz),
            ),
        )
        for row in reversed(newest)
    ]  # fmt: skip


# --- What else rules ask -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an occasion besides itself."""

    tier: TierNow
    is_first_order: bool
    orders_in: Mapping[int, int]
    values: Mapping[str, FactValue]


def _needs(side: RulesInForce, facts: Facts) -> Needs:
    return side.needs(facts) if isinstance(facts, PurchaseFacts) else side.activity_needs(facts)


def _known(occasions: Sequence[Occasion], sides: Sequence[RulesInForce]) -> list[_Known]:
    """Return what either side asks about each occasion: a few queries for all of them."""
    rules = [rule for side in sides for rule in (*side.base, *side.extra, *side.behaviour)]
    wants_first = any(rule.first_order_only for rule in rules)
    days = sorted({rule.within_days for rule in rules if rule.min_orders and rule.within_days})
    keys = {key for occasion in occasions for side in sides for key in _needs(side, occasion.facts).fact_keys}
    orders = _other_orders(occasions, wants_first, days) if wants_first or days else {}
    book = ladder_book()
    tier_ids = {code: tier_id for tier_id, code in book.codes.items()}
    found = []
    for start in range(0, len(occasions), _ASKED_AT_ONCE):
        chunk = occasions[start : start + _ASKED_AT_ONCE]
        asked = [(occasion.facts.member_id, occasion.moment) for occasion in chunk]
        for occasion, values in zip(chunk, values_for_many(sorted(keys | {_TIER}), asked), strict=True):
            known = values or {}
            code = str(known.get(_TIER) or "")
            tier = (
                book.tier_now(tier_ids[code], occasion.moment) if code in tier_ids else book.lowest_at(occasion.moment)
            )
            is_first, counts = orders.get(occasion.pk, (False, []))
            found.append(_Known(tier, is_first, dict(zip(days, counts, strict=False)), known))
    return found


def _other_orders(
    occasions: Sequence[Occasion], wants_first: bool, days: Sequence[int]
) -> dict[int, tuple[bool, list[int]]]:
    """Return for each order whether the member had none before it, and how many were made within spans up to it: one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id, %s AND NOT EXISTS (
                       SELECT FROM rewards_purchase p
                       WHERE p.member_id = o.member_id AND (p.ordered_at, p.id) < (o.ordered_at, o.id) AND NOT EXISTS (
                           SELECT FROM rewards_purchasereturn r WHERE r.purchase_id = p.id
                           HAVING sum(r.total_amount) >= p.total_amount)),
                   ARRAY (
                       SELECT 1 + (SELECT count(*) FROM rewards_purchase p
                           WHERE p.member_id = o.member_id AND p.id <> o.id AND p.ordered_at <= o.ordered_at
                               AND p.ordered_at > o.ordered_at - make_interval(hours => 24 * span))
                       FROM unnest(%s::int[]) WITH ORDINALITY AS s (span, n) ORDER BY n)
            FROM rewards_purchase o WHERE o.id = ANY (%s)
            """,
            [wants_first, list(days), [occasion.pk for occasion in occasions]],
        )
        return {pk: (is_first, counts) for pk, is_first, counts in cursor.fetchall()}


# --- Working out -------------------------------------------------------------------------------------------------------
def _run(
    occasions: Sequence[Occasion], side: RulesInForce, known: Sequence[_Known], budgets: dict[int, int]
) -> list[Quote]:
    """Return what each occasion earns, with caps and budgets counted from the first to the last."""
    counters: dict[int, dict[CapKey, CapUsage]] = defaultdict(dict)
    moments = [occasion.moment for occasion in occasions]
    offers = (
        offers_between(moments[0], moments[-1]) if moments and isinstance(occasions[0].facts, PurchaseFacts) else []
    )
    quotes = []
    for occasion, more in zip(occasions, known, strict=True):
        mine = counters[occasion.facts.member_id]
        quote = _granted(_quote(occasion.facts, side, more, offers, mine), budgets)
        for use in quote.cap_uses:
            so_far = mine.get(use.key, CapUsage())
            mine[use.key] = CapUsage(so_far.points + use.points, so_far.times + use.times)
        quotes.append(quote)
    return quotes


def _quote(
    facts: Facts, side: RulesInForce, known: _Known, offers: Sequence[earning.Offer], used: Mapping[CapKey, CapUsage]
) -> Quote:
    shared: dict[str, Any] = {
        "rules": side, "tier_code": known.tier.code, "multiplier": known.tier.points_multiplier, "cap_used": used,
        "values": known.values,
    }  # fmt: skip
    if isinstance(facts, ActivityFacts):
        return earning.quote_activity(facts, **shared)
    asked = replace(facts, tier_rank=known.tier.rank, is_first_order=known.is_first_order, orders_in=known.orders_in)
    more_points = more_points_of(known.tier.tier_id, facts.ordered_at)
    return earning.quote(asked, offers=offers, more_points=more_points, **shared)


def _granted(quote: Quote, budgets: dict[int, int]) -> Quote:
    """Return the quote with what the budgets still give, and take it from them."""
    if not quote.budget_wishes:
        return quote
    granted = {}
    for wish in quote.budget_wishes:
        granted[wish.ref] = min(wish.points, budgets.get(wish.budget_id, 0))
        budgets[wish.budget_id] = budgets.get(wish.budget_id, 0) - granted[wish.ref]
    return earning.apply_budget(quote, granted)


def _value_of_a_point(currency_id: int, at: datetime) -> Decimal | None:
    rate = PointsRate.objects.filter(currency_id=currency_id, valid_from__lte=at).order_by("-valid_from").first()
    return rate.money_per_point if rate else None
