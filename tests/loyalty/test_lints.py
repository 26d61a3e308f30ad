"""What is said about rules that contradict themselves, or look odd."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from django.utils import translation

from loyalty.criteria import Criteria
from loyalty.ladder import Ladder, Step
from loyalty.lints import TierWords, lints_of
from tests.loyalty.stories import local

TIERS = {1: TierWords("Member"), 2: TierWords("Silver"), 3: TierWords("Gold")}


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def asks(**values: int) -> Criteria:
    return Criteria(tuple((metric, Decimal(value)) for metric, value in values.items()))  # type: ignore[misc]


def ladder(*steps: tuple[Criteria, Criteria]) -> Ladder:
    """Return a ladder whose tiers above the lowest ask for this."""
    made = [Step(1, "member", 0, Criteria(), Criteria(), Decimal(1))]
    made += [Step(n, f"t{n}", n - 1, rise, keep, Decimal(n)) for n, (rise, keep) in enumerate(steps, start=2)]
    return Ladder(1, 1, local("2026-01-01"), None, 12, 12, True, 1, tuple(made))


def said(rules: Ladder, tiers: dict[int, TierWords] = TIERS) -> list[tuple[bool, str]]:
    return [(lint.is_error, lint.text) for lint in lints_of(rules, tiers, lowest_tier_id=1)]


GOOD = ladder((asks(credits=500), asks(credits=400)), (asks(credits=1500), asks(credits=1200)))


@pytest.mark.django_db
class TestLints:
    def test_say_nothing_of_a_good_ladder(self) -> None:
        assert said(GOOD) == []

    @pytest.mark.parametrize(
        ("rules", "is_error", "words"),
        [
            (ladder((asks(credits=500), asks(credits=400)), (asks(credits=450), asks(credits=400))), True, "Rising to Gold takes less than rising to Silver: tier credits 450 against 500."),
            (ladder((asks(credits=500), asks(credits=400)), (asks(credits=900), asks(credits=300))), True, "Keeping Gold takes less than keeping Silver: tier credits 300 against 400."),
            (ladder((asks(credits=500), asks(credits=501))), True, "Keeping Silver takes more than rising to it: tier credits 501 against 500."),
            (ladder((Criteria(), Criteria())), True, "Nothing is asked to rise to Silver. If it is only given by hand, say so there."),
            (ladder((asks(credits=0), Criteria())), True, "0 is asked to rise to Silver: everybody reaches it."),
            (ladder((asks(credits=500), Criteria())), False, "Nothing is asked to keep Silver: whoever reached it keeps it for ever."),
            (ladder((asks(credits=500), asks(orders=3))), False, "Keeping Silver asks for orders, rising to it does not."),
            (ladder((asks(score=500), asks(score=400))), True, "A score is asked for, but nothing is weighed in it."),
            (ladder((asks(activity=500), asks(activity=400))), True, "Activity points are asked for, but no activity counts any."),
            (ladder((asks(credits=500), asks(credits=400)), (asks(credits=500), asks(credits=400))), False, "Rising to Gold takes the same as to Silver, so nobody stays in Silver."),
        ],
    )  # fmt: skip
    def test_name_what_is_wrong(self, rules: Ladder, is_error: bool, words: str) -> None:
        assert (is_error, words) in said(rules)

    def test_ask_for_the_names_in_all_languages(self) -> None:
        tiers = {**TIERS, 3: TierWords("Gold", ("English",))}
        assert said(GOOD, tiers) == [(True, "Gold has no name in: English.")]

    def test_let_a_tier_be_given_by_hand_only(self) -> None:
        tiers = {**TIERS, 3: TierWords("Gold", is_by_hand=True)}
        assert said(ladder((asks(credits=500), asks(credits=400)), (Criteria(), Criteria())), tiers) == []

    def test_miss_the_tier_in_which_everybody_starts(self) -> None:
        without = replace(GOOD, steps=GOOD.steps[1:])
        assert (True, "The tier in which everybody starts is missing.") in said(without)

    def test_tell_of_a_tier_that_is_left_out_and_held(self) -> None:
        tiers = {**TIERS, 3: TierWords("Gold", has_holders=True)}
        rules = ladder((asks(credits=500), asks(credits=400)))
        assert (False, "Gold is not in this version; whoever holds it falls at the next review.") in said(rules, tiers)

    def test_tell_of_fewer_points_in_a_higher_tier(self) -> None:
        steps = (*GOOD.steps[:2], replace(GOOD.steps[2], points_multiplier=Decimal("1.5")))
        assert said(replace(GOOD, steps=steps)) == [
            (False, "Gold gets fewer points for the same purchase than Silver.")
        ]
