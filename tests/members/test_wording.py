"""Words and figures put together as each language does it."""

from decimal import Decimal

import pytest
from django.utils import translation

from members.figures import unit_value
from members.wording import enumerated, listed, together


class TestWords:
    """Words put together …"""

    @pytest.mark.parametrize(
        ("language", "in_a_list", "with_its_end"),
        [("en", "A, B, C", "A, B and C"), ("zh-hans", "A、B、C", "A、B和C"), ("zh-hant", "A、B、C", "A、B和C")],
    )
    def test_have_between_them_what_the_language_has(self, language: str, in_a_list: str, with_its_end: str) -> None:
        with translation.override(language):
            assert enumerated(iter("ABC")) == in_a_list
            assert listed(list("ABC")) == with_its_end
            assert listed(["A"]) == enumerated("A") == "A"
            assert enumerated([]) == ""

    def test_of_sentences_follow_each_other_with_a_space_or_none(self) -> None:
        with translation.override("en"):
            assert together(["One.", "Two.", "Three."]) == "One. Two. Three."
            assert together([]) == ""
        with translation.override("zh-hans"):
            assert together(["一。", "二。"]) == "一。二。"


class TestUnitValue:
    """What one of something is worth …"""

    @pytest.mark.parametrize(
        ("amount", "currency", "said"),
        [("0.01", "CNY", "¥0.01"), ("0.012500", "CNY", "¥0.0125"), ("1.5", "USD", "US$1.50"), ("20", "SGD", "SGD 20.00")],
    )  # fmt: skip
    def test_keeps_its_places_and_names_the_currency(self, amount: str, currency: str, said: str) -> None:
        assert unit_value(Decimal(amount), currency) == said
