"""Numbers as people write them in files."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.services.imports.values import LIMIT, at_most_decimals, parse_number, product_to_cents

numbers = st.decimals(min_value=-LIMIT + 1, max_value=LIMIT - 1, places=4, allow_nan=False, allow_infinity=False)
FULL_WIDTH = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


class TestParseNumber:
    @given(numbers)
    def test_gives_back_what_was_written(self, number: Decimal) -> None:
        assert parse_number(f"{number:f}") == number

    @given(numbers, st.sampled_from([",", "'", " ", "\u202f"]), st.sampled_from(["", "¥", "$ ", "NT$", "￥"]))
    def test_reads_marks_between_thousands_and_currency_signs(self, number: Decimal, mark: str, sign: str) -> None:
        text = f"{abs(number):,.4f}".replace(",", mark)
        minus = "-" if number < 0 else ""
        assert parse_number(f"{minus}{sign}{text}") == parse_number(f"{sign}{minus}{text}") == number

    @given(numbers)
    def test_reads_full_width_digits_and_decimal_commas(self, number: Decimal) -> None:
        text = f"{number:,.4f}"
        assert parse_number(text.translate(FULL_WIDTH)) == number
        assert parse_number(text.translate(str.maketrans(",.", ".,")), decimal_mark=",") == number

    @given(st.text(max_size=70))
    def test_gives_a_finite_number_or_refuses(self, text: str) -> None:
        try:
            number = parse_number(text)
        except (ValueError, OverflowError):
            return
        assert number.is_finite()
        assert abs(number) < LIMIT

    @pytest.mark.parametrize(
        "text",
        [
            "", " ", "-", "+", ".", ",", "NaN", "nan", "Infinity", "-inf", "1e3", "1E-3", "0x10", "1_000", "12,50", "1,23",
            "1234,567", "1,234 567", "1.2.3", "--5", "-¥-5", "5-", "(5)", "5²", "½", "٣", "12 13", "1,000,00", "=5", "5%",
            "1" * 61, "USD 5", "五",
        ],
    )  # fmt: skip
    def test_refuses_what_is_not_surely_a_number(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"^"):
            parse_number(text)

    @pytest.mark.parametrize("text", ["10000000000", "-10,000,000,000.00", "9" * 50])
    def test_refuses_numbers_beyond_the_limit(self, text: str) -> None:
        with pytest.raises(OverflowError):
            parse_number(text)

    @pytest.mark.parametrize("text", ["-0", "-0.00", "+0"])
    def test_gives_zero_no_sign(self, text: str) -> None:
        assert str(parse_number(text)).lstrip("0.") == ""

    @pytest.mark.parametrize(
        ("text", "number"),
        [(".5", "0.5"), ("5.", "5"), ("+3", "3"), ("−5", "-5"), ("12元", "12"), (" 7 €", "7"), ("007", "7")],
    )
    def test_is_lenient_where_nothing_else_can_be_meant(self, text: str, number: str) -> None:
        assert parse_number(text) == Decimal(number)


class TestProductToCents:
    @pytest.mark.parametrize(
        ("one", "other", "product"),
        [
            ("3", "0.335", "1.01"),
            ("3", "-0.335", "-1.01"),
            ("1", "0.005", "0.01"),
            ("1", "0.0049999", "0.00"),
            ("-1", "0.001", "0.00"),
        ],
    )
    def test_rounds_halves_away_from_zero(self, one: str, other: str, product: str) -> None:
        assert str(product_to_cents(Decimal(one), Decimal(other))) == product

    def test_rounds_once_however_long_the_factors_are(self) -> None:
        # Rounded to 28 digits in between, this would end in 5 and be rounded up.
        assert product_to_cents(Decimal(1), Decimal("0.0049999999999999999999999999999999999")) == 0

    def test_refuses_products_beyond_the_limit(self) -> None:
        with pytest.raises(OverflowError):
            product_to_cents(Decimal(100_000), Decimal(100_000))


class TestAtMostDecimals:
    @pytest.mark.parametrize(("text", "rounded"), [("1.2345", "1.235"), ("1.20", "1.20"), ("100", "100")])
    def test_rounds_only_what_is_longer(self, text: str, rounded: str) -> None:
        assert str(at_most_decimals(Decimal(text), 3)) == rounded
