"""What a promotion adds to a purchase, why it adds nothing, and how both are said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from campaigns.promotions import REASONS, Terms, money, reason, sentence, weekday_names
from rewards.earning import EarnLine, NotApplied
from tests.campaigns.given import NOON, SHANGHAI, an_offer, facts

MICROSECOND = timedelta(microseconds=1)
GOLD = {"min_tier_rank": 2, "min_tier_label": {"en": "Gold", "zh-hans": "金卡"}}


class TestQuote:
    @pytest.mark.parametrize(
        ("factor", "base_points", "points"),
        [
            ("2", 50, 50),
            ("3", 50, 100),
            ("1.5", 50, 25),
            ("1.5", 51, 25),  # 25.5, rounded down
            ("1.01", 99, None),  # 0.99: nothing whole is left
            ("1.01", 100, 1),
            ("99.99", 1, 98),
            ("2", 0, None),
        ],
    )
    def test_gives_the_base_points_times_the_factor_less_the_base(
        self, factor: str, base_points: int, points: int | None
    ) -> None:
        answer = an_offer(factor=Decimal(factor)).quote(facts(base_points=base_points))
        if points is None:
            assert isinstance(answer, NotApplied)
            assert answer.code == "no_base_points"
        else:
            assert answer == EarnLine(points, "promotion", "7", {"en": "Double points", "zh-hans": "双倍积分"})

    @given(factor=st.decimals("1.01", "99.99", places=2), base_points=st.integers(0, 10**9))
    def test_never_gives_more_than_the_factor_says_nor_a_whole_point_less(
        self, factor: Decimal, base_points: int
    ) -> None:
        answer = an_offer(factor=factor).quote(facts(base_points=base_points))
        points = answer.points if isinstance(answer, EarnLine) else 0
        assert 0 <= base_points * (factor - 1) - points < 1

    @pytest.mark.parametrize(
        ("moment", "is_running"),
        [
            (datetime(2026, 10, 31, 16, tzinfo=UTC) - MICROSECOND, False),
            (datetime(2026, 10, 31, 16, tzinfo=UTC), True),
            (datetime(2026, 11, 30, 16, tzinfo=UTC) - MICROSECOND, True),
            (datetime(2026, 11, 30, 16, tzinfo=UTC), False),
        ],
    )
    def test_concerns_only_purchases_within_its_half_open_span(self, moment: datetime, is_running: bool) -> None:
        answer = an_offer().quote(facts(moment))
        assert isinstance(answer, EarnLine) if is_running else answer is None

    @pytest.mark.parametrize(
        ("moment", "applies"),
        [
            (datetime(2026, 11, 20, 16, tzinfo=UTC) - MICROSECOND, False),  # Friday, last moment in Shanghai
            (datetime(2026, 11, 20, 16, tzinfo=UTC), True),  # Friday in UTC, Saturday 00:00 in Shanghai
            (datetime(2026, 11, 22, 16, tzinfo=UTC) - MICROSECOND, True),
            (datetime(2026, 11, 22, 16, tzinfo=UTC), False),  # Sunday in UTC, Monday 00:00 in Shanghai
        ],
    )
    def test_counts_weekdays_in_the_zone_of_the_programme(self, moment: datetime, applies: bool) -> None:
        answer = an_offer(weekdays=frozenset({5, 6})).quote(facts(moment))
        if applies:
            assert isinstance(answer, EarnLine)
        else:
            assert isinstance(answer, NotApplied)
            assert (answer.code, answer.params) == ("wrong_weekday", {"weekdays": [5, 6]})

    @pytest.mark.parametrize(
        ("offer", "purchase", "code"),
        [
            ({"store_ids": frozenset({3})}, {"store_id": 3}, None),
            ({"store_ids": frozenset({3})}, {"store_id": 4}, "wrong_store"),
            ({"store_ids": frozenset({3})}, {"store_id": None}, "wrong_store"),
            ({}, {"store_id": 4}, None),
            (GOLD, {"tier_rank": 1}, "tier_too_low"),
            (GOLD, {"tier_rank": 2}, None),
            (GOLD, {"tier_rank": 3}, None),
            ({"min_spend_amount": Decimal(30)}, {"amount": Decimal("29.99")}, "min_spend"),
            ({"min_spend_amount": Decimal(30)}, {"amount": Decimal("30.00")}, None),
        ],
    )
    def test_names_the_condition_that_is_not_met(
        self, offer: dict[str, Any], purchase: dict[str, Any], code: str | None
    ) -> None:
        answer = an_offer(**offer).quote(facts(**purchase))
        assert (answer.code if isinstance(answer, NotApplied) else None) == code


class TestReason:
    @pytest.mark.parametrize(
        ("offer", "purchase", "words"),
        [
            ({"min_spend_amount": Decimal("30.00")}, {"amount": Decimal(9)}, "only on orders of ¥30 or more"),
            ({"weekdays": frozenset({6, 0})}, {}, "only on Monday and Sunday"),
            ({"store_ids": frozenset({3})}, {}, "not in this store"),
            (GOLD, {}, "only from Gold"),
            ({}, {"base_points": 0}, "the order earned no base points to multiply"),
        ],
    )
    def test_is_said_from_the_figures_of_the_trace(
        self, offer: dict[str, Any], purchase: dict[str, Any], words: str
    ) -> None:
        answer = an_offer(**offer).quote(facts(**purchase))
        assert isinstance(answer, NotApplied)
        with override("en"):
            assert reason(answer.code, answer.params) == words

    def test_names_the_tier_in_the_active_language(self) -> None:
        with override("zh-hans"):
            assert "金卡" in reason("tier_too_low", {"tier": {"en": "Gold", "zh-hans": "金卡"}})

    def test_knows_no_other_code(self) -> None:
        with pytest.raises(ValueError, match="moon_phase"):
            reason("moon_phase", {})

    def test_has_words_for_every_code(self) -> None:
        params = {"amount": "1", "currency": "CNY", "weekdays": [1], "tier": {"en": "Gold"}}
        assert all(reason(code, params) for code in REASONS)


class TestSentence:
    def terms(self, **changes: Any) -> Terms:
        values: dict[str, Any] = {
            "factor": Decimal("2.00"),
            "starts_at": datetime(2026, 10, 31, 16, tzinfo=UTC),
            "ends_at": datetime(2026, 11, 30, 16, tzinfo=UTC),
            "zone": SHANGHAI,
            "currency": "CNY",
        }
        return Terms(**{**values, **changes})

    def test_says_all_conditions(self) -> None:
        terms = self.terms(min_spend_amount=Decimal("30.00"), weekdays=[6, 5], tier_name="Gold")
        with override("en"):
            assert sentence(terms) == (
                "Base points ×2 on orders of ¥30 or more, Saturday and Sunday, 2026-11-01 00:00 to 2026-12-01 00:00, all stores, from Gold."
            )

    def test_says_that_there_are_no_conditions(self) -> None:
        with override("en"):
            assert sentence(self.terms(factor=Decimal("1.50"))) == (
                "Base points ×1.5 on every order, every day, 2026-11-01 00:00 to 2026-12-01 00:00, all stores, every tier."
            )

    def test_names_up_to_three_stores_and_counts_more(self) -> None:
        with override("en"):
            assert ", in Bund, Hongqiao and Jing'an, " in sentence(
                self.terms(store_names=["Bund", "Hongqiao", "Jing'an"])
            )
            assert ", in 4 stores, " in sentence(self.terms(store_names=["A", "B", "C", "D"]))

    def test_says_weekdays_in_the_active_language(self) -> None:
        with override("zh-hans"):
            assert weekday_names([5]) == "星期六"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("30", "CNY", "¥30"),
        ("9.9", "CNY", "¥9.90"),
        ("1000.00", "USD", "US$1,000"),
        ("0.05", "SEK", "SEK 0.05"),
    ],
)
def test_money_is_written_as_people_write_it(amount: str, currency: str, words: str) -> None:
    assert money(Decimal(amount), currency) == words


def test_the_purchase_of_the_examples_is_on_a_saturday() -> None:
    assert NOON.astimezone(SHANGHAI).weekday() == 5
