"""Whatever happens to a member: the service and the replay come to the same rows, and those make sense."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.criteria import METRICS
from loyalty.ladder import TierNow
from loyalty.models import LadderVersion, TierChange, TierRule, TierStanding
from loyalty.queries import change_in_force, forget_ladder_book
from loyalty.replay import load_replays, save_replays
from loyalty.services.standing import CountedFact, count_fact, review_due_tiers, tier_for_fact
from members.actors import SYSTEM
from tests.harness.generated import examples
from tests.loyalty.stories import SHANGHAI, State, activity, goods_back, local, make_member, purchase, state_of

BEGIN = local("2024-01-10")
_THRESHOLDS = {"spend": 450, "orders": 3, "active_days": 3, "activity": 5, "tenure_months": 6, "score": 800}
_WEIGHTS = {"spend": Decimal("0.5"), "orders": Decimal(100), "activity": Decimal("12.5")}
END = local("2040-01-01")


@dataclass(frozen=True)
class Event:
    """Something that happens `gap_hours` after the event before: a fact (maybe dated `late_days` ago), or a review."""

    verb: Literal["buy", "back", "review", "act"]
    gap_hours: int
    late_days: int
    credits: int
    which: int  # of the purchases so far comes back; negative: the last one, and -1 all of it


@dataclass(frozen=True)
class Terms:
    """The ladder of an example: the starter ladder with other terms, followed by a second version if one is drawn.

    `asks` are thresholds of silver and gold beside tier credits (None: credits alone), of which `least` have to be reached.
    """

    window: str
    rises: str
    grace: tuple[int, int]  # per cent, days
    carries_over: bool
    asks: tuple[str, ...]
    least: int
    qualifying_months: int
    validity_months: int
    soft_landing: bool
    second_after_days: int | None


events = st.builds(
    Event,
    verb=st.sampled_from(["buy", "buy", "back", "review", "act"]),
    gap_hours=st.one_of(st.just(0), st.integers(1, 24 * 40), st.integers(1, 24 * 400)),
    late_days=st.one_of(st.just(0), st.just(0), st.integers(1, 400)),
    credits=st.one_of(st.sampled_from([0, 1, 100, 400, 499, 500, 1200, 1500, 5000]), st.integers(1, 3000)),
    which=st.integers(-3, 2),
)
terms = st.builds(
    Terms,
    window=st.sampled_from(["rolling", "rolling", "year", "quarter", "joined", "tier"]),
    rises=st.sampled_from(["at_once", "at_once", "waiting"]),
    grace=st.sampled_from([(0, 0), (20, 30), (50, 90)]),
    carries_over=st.booleans(),
    asks=st.lists(st.sampled_from(list(METRICS[1:])), max_size=3, unique=True).map(tuple),
    least=st.integers(0, 2),
    qualifying_months=st.sampled_from([12, 12, 3, 1]),
    validity_months=st.sampled_from([12, 6, 1]),
    soft_landing=st.booleans(),
    second_after_days=st.one_of(st.none(), st.integers(30, 900)),
)
Moment = tuple[datetime, CountedFact | None]


def _moments(member_id: int, story: list[Event]) -> list[Moment]:
    """Return what is told and when: facts, and None for a review. Returns take back of a purchase what is left of it."""
    clock = BEGIN
    told: list[Moment] = []
    bought: list[tuple[str, int, datetime]] = []
    for n, event in enumerate(story):
        clock += timedelta(hours=event.gap_hours)
        happened_at = clock - timedelta(days=event.late_days)
        if event.verb == "buy":
            bought.append((f"p{n}", event.credits, happened_at))
            told.append((clock, purchase(member_id, f"p{n}", event.credits, happened_at)))
        elif event.verb == "back" and bought:
            index = event.which % len(bought) if event.which >= 0 else -1
            ref, left, sold_at = bought[index]
            taken = min(left, event.credits) if event.which != -1 else left
            bought[index] = (ref, left - taken, sold_at)
            whole_on = sold_at.astimezone(SHANGHAI).date() if taken and taken == left else None
            told.append((clock, goods_back(member_id, f"r{n}", taken, happened_at, ref, whole_on=whole_on)))
        elif event.verb == "act":
            told.append((clock, activity(member_id, f"a{n}", event.credits % 7, happened_at)))
        else:
            told.append((clock, None))
    return told


def _tell_one_by_one(member_id: int, told: list[Moment]) -> list[TierNow]:
    tiers = []
    for clock, fact in told:
        if fact is None:
            review_due_tiers(at=clock, by=SYSTEM)
            continue
        tiers.append(tier_for_fact(member_id=member_id, moment=fact.happened_at, by=SYSTEM, at=clock).tier)
        count_fact(fact=fact, by=SYSTEM, at=clock)
    return tiers


def _replay_in_batches(member_id: int, told: list[Moment], size: int) -> list[TierNow]:
    """Replay so many events at a time; within a batch, a review is what bringing the tier up to date does."""
    tiers = []
    for start in range(0, len(told), size):
        batch = told[start : start + size]
        earliest_at = min(fact.happened_at if fact else clock for clock, fact in batch)
        replays = load_replays([member_id], earliest_at=earliest_at)
        for clock, fact in batch:
            if fact is None:
                replays[member_id].tier_for_fact(clock)
                continue
            tiers.append(replays[member_id].tier_for_fact(fact.happened_at))
            replays[member_id].count(fact)
        save_replays(replays, by=SYSTEM, at=END, quiet=True)
    return tiers


@contextmanager
def _undone_afterwards() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_ladder_book()


def _publish(ladder: Terms) -> None:
    first = LadderVersion.objects.get(number=1)
    first.qualifying_months, first.validity_months = ladder.qualifying_months, ladder.validity_months
    first.soft_landing = ladder.soft_landing
    first.window, first.rises = ladder.window, ladder.rises
    first.grace_percent, first.grace_days = ladder.grace
    first.carries_over = ladder.carries_over and ladder.window != "rolling"
    for metric, weight in _WEIGHTS.items():
        setattr(first, f"weight_{metric}", weight)
    for rule in TierRule.objects.filter(ladder=first, tier__rank__gt=0):
        for metric in ladder.asks:
            threshold = _THRESHOLDS[metric] * rule.tier.rank
            setattr(rule, f"rise_{metric}", threshold)
            setattr(rule, f"keep_{metric}", threshold - 1)
        rule.rise_least = rule.keep_least = ladder.least
        rule.save()
    if ladder.second_after_days is not None:
        first.valid_to = BEGIN + timedelta(days=ladder.second_after_days)
    first.save()
    if first.valid_to is not None:
        second = LadderVersion.objects.create(number=2, valid_from=first.valid_to, soft_landing=not ladder.soft_landing)
        for rule in TierRule.objects.filter(ladder=first).exclude(tier__code="gold"):
            TierRule.objects.create(
                ladder=second, tier=rule.tier, rise_credits=(rule.rise_credits or 0) * 2, keep_credits=rule.keep_credits
            )
    forget_ladder_book()


def _assert_makes_sense(member_id: int) -> None:
    changes = list(TierChange.objects.filter(member_id=member_id).order_by("number"))
    assert [change.number for change in changes] == list(range(1, len(changes) + 1))
    assert [change.happened_at for change in changes] == sorted(change.happened_at for change in changes)
    for before, change in pairwise(changes):
        assert before.to_tier_id == change.from_tier_id
    for change in changes:
        if change.reason in ("risen", "kept") and not change.figures and change.to_tier.rank:
            assert change.credits >= change.needed_credits
        if change.reason in ("fallen", "grace", "undone") and not change.figures:
            assert change.credits < change.needed_credits or change.from_tier.code == "gold"  # dropped by the second
        if change.figures:
            reached = sum(Decimal(have) >= Decimal(needed) for _metric, have, needed, _back in change.figures)
            assert (reached >= change.must) == (change.reason in ("risen", "kept")) or change.from_tier.code == "gold"
        if change.reason == "undone":
            assert changes[change.number - 2].reason == "risen"
        if change.reason == "grace":
            assert changes[change.number - 2].reason != "grace"
    standing = TierStanding.objects.filter(member_id=member_id).first()
    in_force = change_in_force(member_id, END)
    held = standing if standing and standing.tier.rank else None
    lasting = in_force if in_force and in_force.to_tier.rank else None
    assert (held and held.tier_id) == (lasting and lasting.to_tier_id)
    assert (held and held.valid_until) == (lasting and lasting.valid_until)


@pytest.mark.django_db
class TestServiceAndReplay:
    @settings(max_examples=examples(120))
    @given(story=st.lists(events, min_size=6, max_size=20), ladder=terms, size=st.integers(1, 6))
    def test_come_to_the_same_rows(self, story: list[Event], ladder: Terms, size: int) -> None:
        outcomes: list[tuple[State, list[TierNow]]] = []
        with _undone_afterwards():
            _publish(ladder)
            member_id = make_member().pk
            told = _moments(member_id, story)
            for batch in (None, len(told), size):
                with transaction.atomic():
                    tiers = _replay_in_batches(member_id, told, batch) if batch else _tell_one_by_one(member_id, told)
                    outcomes.append((state_of(member_id), tiers))
                    _assert_makes_sense(member_id)
                    transaction.set_rollback(True)
        one_by_one, at_once, in_batches = outcomes
        assert at_once == one_by_one
        assert in_batches == one_by_one
