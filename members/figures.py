"""Numbers as staff read them. Grouping and currency come from the programme, not from the reader's language."""

from decimal import Decimal

from django.utils.translation import get_language

_SYMBOLS = {"CNY": "¥", "HKD": "HK$", "TWD": "NT$", "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "JP¥", "MOP": "MOP$"}
# From where a number is shortened, by what it is divided, and what is written after it.
_SHORT: dict[str, tuple[int, str]] = {"zh-hans": (10_000, "万"), "zh-hant": (10_000, "萬")}
_SHORT_ELSEWHERE = (1_000, "k")
_SHORTENED_FROM = 10_000


def grouped(number: int | Decimal) -> str:
    """Return a whole number with its thousands set apart: 12,345."""
    return f"{number:,}"


def compact(number: int | Decimal) -> str:
    """Return a number short enough for a card: 1.2万, 12.3k. Up to 9,999 it stays exact."""
    if -_SHORTENED_FROM < number < _SHORTENED_FROM:
        return grouped(number)
    by, word = _SHORT.get(get_language() or "", _SHORT_ELSEWHERE)
    return f"{number / by:,.1f}{word}"


def signed(number: int | Decimal) -> str:
    """Return a number with its sign, as changes are shown: +120, −35."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number < 0 else "0"


def unit_value(amount: Decimal, currency: str) -> str:
    """Return what one of something is worth, with as many places as that takes, two at least: ¥0.01, ¥0.0125."""
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{_SYMBOLS.get(currency, currency + ' ')}{amount:,.{places}f}"


def currency_sign(currency: str) -> str:
    """Return the sign of a currency, or its code where it has none of its own: ¥, USD."""
    return _SYMBOLS.get(currency, currency)


def money(amount: Decimal, currency: str, *, short: bool = False) -> str:
    """Return an amount with its currency: ¥1,234.50, or shortened like other numbers."""
    sign = "−" if amount < 0 else ""
    size = abs(amount)
    text = compact(round(size)) if short and size >= _SHORTENED_FROM else f"{size:,.2f}"
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{text}"
