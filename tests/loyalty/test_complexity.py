"""How hard a programme is to understand, worked out by hand, and what speaks against it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from loyalty.complexity import ATTENTION, HARD, complexity_of, words_in
from loyalty.criteria import Criteria, Metric
from loyalty.ladder import Ladder, Step
from loyalty.rules_lint import complexity_sentence, rules_lints

NAMES = {0: "Member", 1: "Silver", 2: "Gold", 3: "Diamond", 4: "Black", 5: "Founder"}
CODES = ["member", "silver", "gold", "diamond", "black", "founder"]


def asks(least: int = 0, **thresholds: int) -> Criteria:
    """Return criteria by metric."""
    metrics: dict[Metric, Decimal] = {metric: Decimal(needed) for metric, needed in thresholds.items()}  # type: ignore[misc]
    return Criteria(tuple(metrics.items()), least)


def step(rank: int, rise: Criteria, keep: Criteria | None = None, multiplier: str = "1") -> Step:
    return Step(rank, CODES[rank], rank, rise, rise if keep is None else keep, Decimal(multiplier))


def ladder(*above: Step, **terms: Any) -> Ladder:
    """Return a ladder of the lowest tier and these, with the terms of the starter ladder unless others are given."""
    usual = {"qualifying_months": 12, "validity_months": 12, "soft_landing": True, "credits_per_unit": 1}
    steps = (step(0, asks(credits=0)), *above)
    return Ladder(
        id=1, number=1, valid_from=datetime(2020, 1, 1, tzinfo=UTC), valid_to=None, steps=steps, **usual | terms
    )


STARTER = (
    step(1, asks(credits=500), asks(credits=400), "1.10"),
    step(2, asks(credits=1500), asks(credits=1200), "1.25"),
    step(3, asks(credits=5000), asks(credits=4000), "1.50"),
)


class TestLoad:
    """The load of a ladder …"""

    def test_of_the_starter_ladder_is_nothing(self) -> None:
        measured = complexity_of(ladder(*STARTER))
        assert measured.load == 0
        assert measured.grade == "easy"
        assert [(part.part, part.count) for part in measured.parts] == [
            ("tiers", 4), ("metrics", 1), ("conditions", 6), ("choices", 0), ("exceptions", 0), ("periods", 2), ("words", 0),
        ]  # fmt: skip

    def test_counts_each_part_beyond_what_is_expected(self) -> None:
        # By hand: 6 tiers are 2 more than four: 8. Credits, spend and orders: 2 more than one: 12. Thresholds: silver 2+1,
        # gold 2+2, diamond 1+1, black 1+1, founder none: 11, one more than 10: 2. One list (silver, any of two): 3.
        # Exceptions: silver is kept otherwise, founder is by hand, grace: 12. Periods: two and the grace: 3. 620 words: 1.
        tiers = (
            step(1, asks(1, credits=500, spend=400), asks(credits=400)),
            step(2, asks(credits=1500, orders=10)),
            step(3, asks(credits=5000)),
            step(4, asks(credits=9000)),
            step(5, Criteria(), Criteria()),
        )
        measured = complexity_of(ladder(*tiers, grace_days=30, grace_percent=10), {"en": 620, "zh-hans": 300})
        assert {part.part: part.load for part in measured.parts} == {
            "tiers": 8, "metrics": 12, "conditions": 2, "choices": 3, "exceptions": 12, "periods": 3, "words": 1,
        }  # fmt: skip
        assert measured.exceptions == ("kept_otherwise", "by_hand", "grace")
        assert (measured.load, measured.grade) == (41, "hard")
        assert [part.part for part in measured.heaviest][:2] == ["metrics", "exceptions"]

    @pytest.mark.parametrize(
        ("terms", "load"),
        [
            ({"rises_at_once": False}, 4 + 3),
            ({"window": "tier"}, 3),
            ({"window": "year", "carries_over": True}, 4),
            ({"grace_days": 30, "grace_percent": 0}, 0),  # nobody can be given it
            ({"activity_scores": {"review": 1, "visit": 2}}, 0),  # no tier asks for activities
        ],
    )
    def test_weighs_terms(self, terms: dict[str, object], load: int) -> None:
        assert complexity_of(ladder(*STARTER, **terms)).load == load

    def test_has_limits_at_which_the_grade_changes(self) -> None:
        for load, grade in ((ATTENTION - 1, "easy"), (ATTENTION, "attention"), (HARD - 1, "attention"), (HARD, "hard")):
            measured = complexity_of(ladder(*STARTER), {"en": 600 + load * 50})
            assert (measured.load, measured.grade) == (load, grade)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("To rise: tier credits 1,500.", 5),
            ("升级：成长值 1,500。", 4 + 1),
            ("don't count twice", 3),
            ("", 0),
        ],
    )
    def test_counts_words(self, text: str, words: int) -> None:
        # Of the Chinese: 升级成长值 are five characters, four words (rounded up), and the figure is one.
        assert words_in([text]) == words


class TestLints:
    """What speaks against a ladder …"""

    def told(self, *above: Step, **more: object) -> tuple[str, ...]:
        with override("en"):
            return rules_lints(ladder(*above), NAMES, **more)  # type: ignore[arg-type]

    def test_is_nothing_for_the_starter_ladder(self) -> None:
        assert self.told(*STARTER) == ()

    def test_is_a_tier_that_asks_for_less_than_the_one_below(self) -> None:
        silver = step(1, asks(credits=500, orders=20), asks(credits=400), "1.10")
        gold = step(2, asks(credits=1500, orders=5), asks(credits=300), "1.25")
        assert self.told(silver, gold) == (
            "Gold asks for less than Silver to rise: orders 5 against 20.",
            "Gold asks for less than Silver to be kept: tier credits 300 against 400.",
        )

    def test_is_a_tier_that_passes_over_what_the_one_below_asks(self) -> None:
        silver, gold = (
            step(1, asks(credits=500, orders=9), multiplier="1.10"),
            step(2, asks(credits=1500), multiplier="1.25"),
        )
        assert self.told(silver, gold) == ("Gold does not ask for what Silver asks for: orders.",)
        any_one = step(1, asks(1, credits=500, orders=9), multiplier="1.10")
        assert self.told(any_one, gold) == ()  # orders were never needed

    @pytest.mark.parametrize(
        ("credits", "words"),
        [
            (
                740,
                "Gold lies close to Silver: tier credits 740 against 500, 1.48 times as much; at least 1.5 is usual.",
            ),
            (750, None),
            (2500, None),
            (
                2501,
                "Gold lies far from Silver: tier credits 2,501 against 500, 5.00 times as much; at most 5 is usual.",
            ),
        ],
    )
    def test_is_a_gap_out_of_bounds(self, credits: int, words: str | None) -> None:
        silver, gold = step(1, asks(credits=500), multiplier="1.10"), step(2, asks(credits=credits), multiplier="1.25")
        assert self.told(silver, gold) == ((words,) if words else ())

    @pytest.mark.parametrize(
        ("multiplier", "words"),
        [
            ("1.10", "Gold earns fewer points than Silver: 1.1 times against 1.2 times."),
            ("1.20", "Gold gives hardly more than Silver: points 1.2 times against 1.2 times, and nothing else."),
            ("1.26", None),
            ("3.60", None),
            (
                "3.70",
                "Gold gives far more than Silver: points 3.7 times against 1.2 times; at most 3 times as much is usual.",
            ),
        ],
    )
    def test_is_what_it_gives(self, multiplier: str, words: str | None) -> None:
        silver, gold = step(1, asks(credits=500), multiplier="1.20"), step(2, asks(credits=1500), multiplier=multiplier)
        assert self.told(silver, gold) == ((words,) if words else ())

    def test_looks_at_everything_that_tiers_give(self) -> None:
        silver, gold = step(1, asks(credits=500), multiplier="1.20"), step(2, asks(credits=1500), multiplier="1.20")
        more = {"lounge visits": {"silver": Decimal(2), "gold": Decimal(4)}}
        assert self.told(silver, gold, gives=more) == ()
        less = {"lounge visits": {"silver": Decimal(4), "gold": Decimal(2)}}
        assert self.told(silver, gold, gives=less) == ("Gold gives less than Silver: lounge visits 2 against 4.",)
        assert self.told(silver, gold, gives={"visits": {"silver": Decimal(1)}}) == (
            "Gold gives less than Silver: visits 0 against 1.",
        )

    def test_is_that_nobody_understands_it(self) -> None:
        told = self.told(*STARTER, words={"en": 600 + 50 * HARD})
        assert told == (
            "The programme is hard to understand: load 40 of 40. 2600 words in the longest language (+40).",
        )
        assert "takes attention" in self.told(*STARTER, words={"en": 600 + 50 * ATTENTION})[0]

    def test_does_not_compare_with_a_tier_by_hand(self) -> None:
        silver = step(1, asks(credits=500), multiplier="1.10")
        founder = replace(step(5, Criteria(), Criteria(), "1.50"), tier_id=5)
        assert self.told(silver, founder) == ("Founder is kept without a condition, Silver is not.",)

    def test_has_a_sentence_for_the_load(self) -> None:
        with override("en"):
            told = complexity_sentence(complexity_of(ladder(*STARTER)))
        assert told == "Load 0: easy to understand. From 20 on it takes attention, from 40 on it is hard."
