"""Numbers as staff read them. Grouping and currency come from the programme, not from the reader's language."""

from decimal import Decimal

_SYMBOLS = {"CNY": "¥", "HKD": "HK$", "TWD": "NT$", "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "JP¥", "MOP": "MOP$"}


def grouped(number: int | Decimal) -> str:
    """Return a whole number with its thousands set apart: 12,345."""
    return f"{number:,}"


def signed(number: int | Decimal) -> str:
    """Return a number with its sign, as changes are shown: +120, −35."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number < 0 else "0"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency: ¥1,234.50."""
    sign = "−" if amount < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{abs(amount):,.2f}"


def share(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """Return part of whole in per cent with one decimal; None when there is no whole."""
    return None if not whole else (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"))
