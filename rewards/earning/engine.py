"""What a purchase or an activity earns, and why: pure figures, no database, no clock.

Order: base rules (each line of goods earns by the base rule of highest priority that counts it), extra rules, each rule
cut by its own caps; the tier multiplier; benefits of the tier that give more points; promotions; the programme's caps
last, which cut the last line first. Budgets that members share are granted by the database afterwards (`apply_budget`).
Points of lines are what is left after cuts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from members.conditions import fact_keys
from members.facts import FactValues
from rewards.earning import matching
from rewards.earning.book import RulesInForce, cap_key
from rewards.earning.more_points import MorePoints
from rewards.earning.offers import Offer
from rewards.earning.quotes import Quote
from rewards.earning.values import (
    UNUSED,
    ActivityFacts,
    BudgetGrant,
    BudgetWish,
    CapHit,
    CapKey,
    CapUsage,
    CapUse,
    EarnLine,
    LineFacts,
    NotApplied,
    Period,
    PurchaseFacts,
    Rule,
    Working,
)

NOTHING_USED: Mapping[CapKey, CapUsage] = {}
NOTHING_KNOWN: FactValues = {}
_LINE_ORDER = {"base": 0, "activity": 0, "tier": 1, "benefit": 2, "extra": 3, "promotion": 4}


class _Working:
    """What a quote collects."""

    def __init__(
        self,
        facts: PurchaseFacts | ActivityFacts,
        rules: RulesInForce,
        cap_used: Mapping[CapKey, CapUsage],
        values: FactValues,
    ) -> None:
        self.facts = facts
        self.rules = rules
        self.cap_used = cap_used
        self.values = values
        self.day = facts.local.date()
        self.lines: list[EarnLine] = []
        self.not_applied: list[NotApplied] = []
        self.hits: list[CapHit] = []
        self.asked: dict[int, Rule] = {}
        self.counted: dict[int, Sequence[LineFacts]] = {}

    def refuse(self, rule: Rule, code: str, params: dict[str, object] | None = None) -> None:
        """Note that a rule gave nothing, and why."""
        self.not_applied.append(NotApplied(rule.ref, rule.names, code, params or {}, rule.currency_id))

    def add(self, rule: Rule, kind: str, amount: Decimal, wanted: int) -> None:
        """Add the line of a rule, cut by the rule's own caps; or note that nothing was left of it."""
        left, what, limit, used = self._left(rule)
        if left is None or wanted <= left:
            points = wanted
        elif left == 0:
            params = {"what": what, "limit": limit, "used": used, "currency": rule.currency_id}
            return self.refuse(rule, matching.CAP_REACHED, params)
        else:
            points = left
            self.hits.append(CapHit(what, rule.ref, rule.names, limit, used, wanted - points, rule.currency_id))
        self.asked[rule.rule_id] = rule
        self.lines.append(EarnLine(points, kind, rule.ref, rule.names, rule.currency_id, Working(rule, amount, wanted)))
        return None

    def _left(self, rule: Rule) -> tuple[int | None, str, int, int]:
        """Return what the caps of a rule leave (None: no cap), with the tightest one's name, limit and use so far."""
        tightest: tuple[int | None, str, int, int] = (None, "", 0, 0)
        if rule.caps.order_points is not None:
            tightest = (rule.caps.order_points, "order", rule.caps.order_points, 0)
        for period, limit, times_limit in rule.caps.counted():
            used = self.used(rule.rule_id, rule.currency_id, period)
            if times_limit is not None and used.times >= times_limit:
                return 0, f"{period.name.lower()}_times", times_limit, used.times
            if limit is not None and (tightest[0] is None or limit - used.points < tightest[0]):
                tightest = (max(limit - used.points, 0), period.name.lower(), limit, used.points)
        return tightest

    def used(self, rule_id: int, currency_id: int, period: Period) -> CapUsage:
        """Return what a counter has counted."""
        return self.cap_used.get(cap_key(rule_id, currency_id, period, self.day), UNUSED)


def quote(
    facts: PurchaseFacts,
    *,
    rules: RulesInForce,
    tier_code: str,
    multiplier: Decimal,
    offers: Sequence[Offer],
    more_points: Sequence[MorePoints] = (),
    cap_used: Mapping[CapKey, CapUsage] = NOTHING_USED,
    values: FactValues = NOTHING_KNOWN,
) -> Quote:
    """Work out the points of a purchase. What `rules.needs(facts)` asked for must be there; else KeyError, or less points."""
    work = _Working(facts, rules, cap_used, values)
    for currency_id in sorted({base.currency_id for base in rules.base}):
        _ask_base_rules(work, facts, [base for base in rules.base if base.currency_id == currency_id])
    for extra in rules.extra:
        _ask_extra_rule(work, facts, extra)
    _multiply_by_tier(work, tier_code, multiplier)
    if work.counted:
        _ask_benefits(work, facts, more_points)
    if any(base.currency_id == rules.currency_id for base in rules.base):
        _ask_offers(work, facts, offers)
    return _finish(work, "earn", facts.eligible_amount, tier_code, multiplier)


def quote_activity(
    facts: ActivityFacts,
    *,
    rules: RulesInForce,
    tier_code: str,
    multiplier: Decimal,
    cap_used: Mapping[CapKey, CapUsage] = NOTHING_USED,
    values: FactValues = NOTHING_KNOWN,
) -> Quote:
    """Work out the points of an activity. What `rules.activity_needs(facts)` asked for must be there."""
    work = _Working(facts, rules, cap_used, values)
    value = Decimal(facts.value or 0)
    for rule in rules.behaviour:
        if rule.activity_kind != facts.kind:
            continue
        obstacle = matching.elsewhere(rule, facts) or matching.unmet(rule, values)
        points = rule.points_fixed if rule.points_fixed is not None else rule.points_for(value)
        if obstacle is not None:
            work.refuse(rule, *obstacle)
        elif points == 0:
            work.refuse(rule, matching.BELOW_ONE_STEP, {"step": str(rule.step_amount), "amount": str(value)})
        elif rule.budget_is_empty:
            work.refuse(rule, matching.BUDGET_EMPTY)
        else:
            work.add(rule, "activity", value, points)
    _multiply_by_tier(work, tier_code, multiplier)
    return _finish(work, "activity", value, tier_code, multiplier)


def apply_budget(quoted: Quote, granted: Mapping[str, int]) -> Quote:
    """Return the quote with what shared budgets gave: `granted` by the ref of the line that wished."""
    wishes = {wish.ref: wish for wish in quoted.budget_wishes}
    lines = []
    grants = []
    for line in quoted.lines:
        wish = wishes.get(line.ref) if line.working is not None else None
        if wish is None:
            lines.append(line)
        else:
            grants.append(BudgetGrant(wish.budget_id, wish.ref, line.label, wish.points, granted[wish.ref]))
            lines.append(replace(line, points=granted[wish.ref]))
    if all(grant.wished == grant.granted for grant in grants):
        return replace(quoted, budget_grants=tuple(grants))
    uses = _cap_uses(quoted.rules, lines, quoted.day)
    return replace(quoted, lines=tuple(lines), budget_grants=tuple(grants), cap_uses=uses)


def _ask_base_rules(work: _Working, facts: PurchaseFacts, rules: Sequence[Rule]) -> None:
    """Let each line of goods earn by the first base rule that counts it."""
    everything = facts.earning_lines
    left = list(everything)
    for rule in rules:
        obstacle = matching.obstacle(rule, facts, work.values)
        mine = [line for line in left if rule.counts(line)]
        if obstacle is None and not mine:
            is_taken = any(rule.counts(line) for line in everything)
            obstacle = (matching.GOODS_EARN_ELSEWHERE if is_taken else matching.NO_SUCH_GOODS), {}
        if obstacle is None:
            obstacle = _money_obstacle(rule, mine)
        if obstacle is not None:
            work.refuse(rule, *obstacle)
            continue
        left = [line for line in left if not rule.counts(line)]
        work.counted[rule.rule_id] = mine
        work.add(rule, "base", _amount(mine), _points(rule, mine))


def _ask_extra_rule(work: _Working, facts: PurchaseFacts, rule: Rule) -> None:
    """Let an extra rule add its points for all goods that it counts."""
    obstacle = matching.obstacle(rule, facts, work.values)
    mine = [line for line in facts.earning_lines if rule.counts(line)]
    if obstacle is None and not mine:
        obstacle = matching.NO_SUCH_GOODS, {}
    if obstacle is None:
        obstacle = _money_obstacle(rule, mine)
    points = _points(rule, mine)
    if obstacle is None and points == 0:
        obstacle = matching.BELOW_ONE_STEP, {"step": str(rule.step_amount), "amount": str(_amount(mine))}
    if obstacle is not None:
        work.refuse(rule, *obstacle)
    else:
        work.counted[rule.rule_id] = mine
        work.add(rule, "extra", _amount(mine), points)


def _money_obstacle(rule: Rule, lines: Sequence[LineFacts]) -> matching.Obstacle | None:
    amount = _amount(lines)
    if amount < rule.min_spend_amount:
        return matching.TOO_LITTLE_SPENT, {"needed": str(rule.min_spend_amount), "amount": str(amount)}
    if rule.budget_is_empty:
        return matching.BUDGET_EMPTY, {}
    return None


def _amount(lines: Iterable[LineFacts]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def _points(rule: Rule, lines: Sequence[LineFacts]) -> int:
    if rule.points_fixed is not None:
        return rule.points_fixed if _amount(lines) > 0 else 0
    if rule.per_line:
        return sum(rule.points_for(line.amount) for line in lines)
    return rule.points_for(_amount(lines))


def _multiply_by_tier(work: _Working, tier_code: str, multiplier: Decimal) -> None:
    for currency_id in sorted({line.currency_id for line in work.lines}):
        multiplied = sum(
            line.points
            for line in work.lines
            if line.currency_id == currency_id and line.working and line.working.rule.gets_tier_multiplier
        )
        bonus = int((multiplied * multiplier).to_integral_value(ROUND_FLOOR)) - multiplied
        if bonus > 0:
            work.lines.append(EarnLine(bonus, "tier", tier_code, {}, currency_id))


def _ask_benefits(work: _Working, facts: PurchaseFacts, more_points: Sequence[MorePoints]) -> None:
    """Let benefits of the tier add to what their goods earned by rules that the tier multiplies: each for itself."""
    for benefit in more_points:
        obstacle = benefit.obstacle(facts)
        added = [] if obstacle else _lines_of_benefit(work, benefit)
        work.lines += added
        if not added:
            code, params = obstacle or (matching.TOO_FEW_POINTS, {})
            work.not_applied.append(NotApplied(benefit.ref, benefit.names, code, params, work.rules.currency_id))


def _lines_of_benefit(work: _Working, benefit: MorePoints) -> list[EarnLine]:
    """Return a line for each currency: (factor - 1) times what its goods earn alone, rounded down.

    A number of points that a rule gives whatever was bought counts whole with the first of them.
    """
    base: Counter[int] = Counter()
    for line in work.lines:
        rule = line.working.rule if line.working else None
        if rule is not None and rule.gets_tier_multiplier:
            alone = _points(rule, [goods for goods in work.counted[rule.rule_id] if benefit.counts(goods)])
            base[line.currency_id] += min(line.points, alone)
    return [
        EarnLine(extra, "benefit", benefit.ref, benefit.names, currency_id, multiplied=(benefit.factor, points))
        for currency_id, points in sorted(base.items())
        if (extra := int((points * (benefit.factor - 1)).to_integral_value(ROUND_FLOOR))) > 0
    ]


def _ask_offers(work: _Working, facts: PurchaseFacts, offers: Sequence[Offer]) -> None:
    """Let promotions add to the points of the rules that let them, in the default currency."""
    currency_id = work.rules.currency_id
    base_points = sum(
        line.points
        for line in work.lines
        if line.currency_id == currency_id and line.working and line.working.rule.gets_promotions
    )
    facts = replace(facts, base_points=base_points)
    for offer in offers:
        answer = offer.quote(facts)
        if isinstance(answer, EarnLine):
            work.lines.append(replace(answer, currency_id=currency_id))
        elif answer is not None:
            work.not_applied.append(replace(answer, currency_id=currency_id))


def _finish(work: _Working, kind: str, amount: Decimal, tier_code: str, multiplier: Decimal) -> Quote:
    lines = sorted(work.lines, key=lambda line: _LINE_ORDER[line.kind])
    for cap in work.rules.caps:
        lines = _cut_by_programme(work, cap.currency_id, lines)
    asked = {key for rule in work.asked.values() if rule.condition for key in fact_keys(rule.condition)}
    return Quote(
        kind=kind,
        rules=work.rules,
        day=work.day,
        tier_code=tier_code,
        multiplier=multiplier,
        amount=amount,
        lines=tuple(lines),
        not_applied=tuple(work.not_applied),
        cap_hits=tuple(work.hits),
        cap_uses=_cap_uses(work.rules, lines, work.day),
        budget_wishes=_wishes(lines),
        facts_used={key: work.values[key] for key in sorted(asked)},
    )


def _cut_by_programme(work: _Working, currency_id: int, lines: list[EarnLine]) -> list[EarnLine]:
    """Return the lines within what the programme's cap on a currency leaves; the last line is cut first."""
    cap = work.rules.cap_of(currency_id)
    total = sum(line.points for line in lines if line.currency_id == currency_id)
    counted = cap.counted() if cap else []
    for period, limit in counted:
        used = work.used(0, currency_id, period).points
        cut = total - max(limit - used, 0)
        if cut <= 0:
            continue
        work.hits.append(CapHit(f"programme_{period.name.lower()}", "", {}, limit, used, cut, currency_id))
        total -= cut
        lines = _without(lines, currency_id, cut)
    return lines


def _without(lines: Sequence[EarnLine], currency_id: int, cut: int) -> list[EarnLine]:
    kept = []
    for line in reversed(lines):
        taken = min(cut, line.points) if line.currency_id == currency_id else 0
        cut -= taken
        kept.append(replace(line, points=line.points - taken) if taken else line)
    return kept[::-1]


def _cap_uses(rules: RulesInForce, lines: Sequence[EarnLine], day: date) -> tuple[CapUse, ...]:
    """Return what the lines add to the counters of capped rules and of the programme; nothing where nothing is capped."""
    uses = [
        CapUse(cap_key(rule.rule_id, rule.currency_id, period, day), line.points, 1, limit, times_limit)
        for line in lines
        if line.working is not None and line.points
        for rule in [line.working.rule]
        for period, limit, times_limit in rule.caps.counted()
    ]
    for cap in rules.caps:
        total = sum(line.points for line in lines if line.currency_id == cap.currency_id)
        if total:
            uses += [
                CapUse(cap_key(0, cap.currency_id, period, day), total, 0, limit, None)
                for period, limit in cap.counted()
            ]
    return tuple(uses)


def _wishes(lines: Iterable[EarnLine]) -> tuple[BudgetWish, ...]:
    return tuple(
        BudgetWish(line.working.rule.budget_id, line.ref, line.points)
        for line in lines
        if line.working is not None and line.working.rule.budget_id is not None and line.points
    )
