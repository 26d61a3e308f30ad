"""What holds for every purchase under any rules: sums, caps, order, neighbours."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from rewards.earning import (
    CapKey,
    Caps,
    CapUsage,
    Goods,
    PurchaseFacts,
    Quote,
    Rule,
    RulesInForce,
    apply_budget,
    share_of,
)
from tests.rewards.earning_given import (
    CAKE,
    COFFEE,
    COINS,
    NOON,
    POINTS,
    TEA,
    Double,
    a_cap,
    a_rule,
    earn,
    in_force,
    line,
    purchase,
)

CATEGORIES = [COFFEE, TEA, CAKE, None]
amounts = st.decimals("-20", "2000", places=2)
limits = st.none() | st.integers(1, 300)
caps = st.builds(Caps, limits, limits, limits, limits)


@st.composite
def any_rule(draw: st.DrawFn, rule_id: int) -> Rule:
    """A rule of any kind, as the constraints of the table allow it."""
    has_budget = draw(st.booleans())
    fixed = draw(st.none() | st.integers(1, 500))
    return a_rule(
        rule_id,
        is_extra=draw(st.booleans()),
        currency_id=draw(st.sampled_from([POINTS, POINTS, COINS])),
        priority=draw(st.integers(-1, 2)),
        points_fixed=fixed,
        points_per_step=draw(st.integers(1, 5)),
        step_amount=draw(st.sampled_from([Decimal("0.50"), Decimal(1), Decimal(10)])),
        per_line=fixed is None and draw(st.booleans()),
        rounding=draw(st.sampled_from(["floor", "nearest", "up"])),
        min_spend_amount=draw(st.sampled_from([Decimal(0), Decimal(30)])),
        goods=Goods(frozenset(draw(st.sets(st.sampled_from([COFFEE, TEA, CAKE]), max_size=2)))),
        weekdays=frozenset(draw(st.sets(st.integers(0, 6), max_size=3))),
        first_order_only=draw(st.booleans()),
        gets_tier_multiplier=not has_budget and draw(st.booleans()),
        gets_promotions=not has_budget and draw(st.booleans()),
        pending_days=draw(st.sampled_from([0, 7])),
        caps=draw(caps),
        budget_id=rule_id if has_budget else None,
    )


@st.composite
def any_rules(draw: st.DrawFn) -> RulesInForce:
    """Up to six rules, with or without a cap of the programme."""
    rules = [draw(any_rule(rule_id)) for rule_id in range(1, draw(st.integers(1, 6)) + 1)]
    cap = draw(st.none() | st.builds(a_cap, day=st.integers(1, 300), month=limits))
    return in_force(*rules, caps=(cap,) if cap else ())


@st.composite
def any_purchase(draw: st.DrawFn) -> PurchaseFacts:
    """A purchase of up to five lines."""
    lines = draw(
        st.lists(
            st.builds(
                lambda amount, category, earns: line(str(amount), category=category, earns=earns),
                amounts, st.sampled_from(CATEGORIES), st.booleans(),
            ),
            min_size=1, max_size=5,
        )
    )  # fmt: skip
    moment = NOON + timedelta(hours=draw(st.integers(0, 200)))
    return purchase(*lines, moment=moment, is_first_order=draw(st.booleans()))


@st.composite
def any_case(draw: st.DrawFn) -> tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]]:
    """A purchase, rules, and what the member's counters counted before."""
    facts, rules = draw(any_purchase()), draw(any_rules())
    usage = {key: CapUsage(draw(st.integers(0, 400))) for key in rules.needs(facts).cap_keys if draw(st.booleans())}
    return facts, rules, usage


def answer(facts: PurchaseFacts, rules: RulesInForce, usage: Mapping[CapKey, CapUsage]) -> Quote:
    return earn(facts, rules, multiplier="1.25", offers=(Double(),), cap_used=usage)


class TestEveryQuote:
    @given(any_case())
    def test_never_takes_points(self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]]) -> None:
        quoted = answer(*case)
        assert all(one.points >= 0 for one in quoted.lines)
        assert all(hit.cut > 0 for hit in quoted.cap_hits)
        assert all(lot.points > 0 for lot in quoted.earned)

    @given(any_case())
    def test_adds_up(self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]]) -> None:
        quoted = answer(*case)
        for currency_id in (POINTS, COINS):
            lines = sum(one.points for one in quoted.lines if one.currency_id == currency_id)
            lots = sum(lot.points for lot in quoted.earned if lot.currency_id == currency_id)
            stored = sum(one[2] for one in quoted.trace(currency_id)["lines"])
            assert quoted.points_in(currency_id) == lines == lots == stored

    @given(any_case())
    def test_stays_within_every_cap(self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]]) -> None:
        facts, rules, usage = case
        quoted = answer(facts, rules, usage)
        asked = set(rules.needs(facts).cap_keys)
        for use in quoted.cap_uses:
            before = usage.get(use.key, CapUsage()).points
            assert use.key in asked
            assert use.points > 0
            assert use.limit is not None
            assert before + use.points <= use.limit
        for one in quoted.lines:
            if one.working is not None and one.working.rule.caps.order_points is not None:
                assert one.points <= one.working.rule.caps.order_points

    @given(any_case(), st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_the_rules(
        self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]], random: object
    ) -> None:
        facts, rules, usage = case
        everyone = [*rules.base, *rules.extra]
        random.shuffle(everyone)  # type: ignore[attr-defined]
        assert answer(facts, in_force(*everyone, caps=rules.caps), usage) == answer(facts, rules, usage)

    @given(any_case(), any_rule(99))
    def test_is_not_changed_by_a_rule_that_does_not_apply(
        self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]], other: Rule
    ) -> None:
        facts, rules, usage = case
        elsewhere = replace(other, store_ids=frozenset({77}))
        more = in_force(*rules.base, *rules.extra, elsewhere, caps=rules.caps)
        # Promotions are asked as soon as a base rule is in force in the default currency, whether it applies or not.
        if any(rule.currency_id == POINTS for rule in rules.base) or not any(
            rule.currency_id == POINTS for rule in more.base
        ):
            assert answer(facts, more, usage).lines == answer(facts, rules, usage).lines
        assert rules.needs(facts).goods == more.needs(facts).goods

    @given(any_case(), st.integers(0, 100))
    def test_stays_true_whatever_the_budgets_give(
        self, case: tuple[PurchaseFacts, RulesInForce, dict[CapKey, CapUsage]], percent: int
    ) -> None:
        quoted = answer(*case)
        granted = {wish.ref: wish.points * percent // 100 for wish in quoted.budget_wishes}
        given_ = apply_budget(quoted, granted)
        for currency_id in (POINTS, COINS):
            fewer = sum(
                wish.points - granted[wish.ref]
                for wish in quoted.budget_wishes
                if _currency(quoted, wish.ref) == currency_id
            )
            assert given_.points_in(currency_id) == quoted.points_in(currency_id) - fewer
            counted = [use for use in given_.cap_uses if use.key.rule_id == 0 and use.key.currency_id == currency_id]
            assert all(use.points == given_.points_in(currency_id) for use in counted)


def _currency(quoted: Quote, ref: str) -> int:
    return next(one.currency_id for one in quoted.lines if one.working and one.ref == ref)


class TestShares:
    @given(st.integers(0, 10**6), st.lists(st.decimals("0.01", "500", places=2), min_size=1, max_size=8))
    def test_of_any_sequence_of_parts_close_exactly(self, whole: int, parts: list[Decimal]) -> None:
        total, before, taken = sum(parts, Decimal(0)), Decimal(0), 0
        for part in parts:
            share = share_of(whole, before + part, total) - share_of(whole, before, total)
            assert share >= 0
            taken, before = taken + share, before + part
        assert taken == whole
