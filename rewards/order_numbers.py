"""Numbers of orders of rewards, for people: on slips, labels and in files. The last digit tells most slips of the pen.

They are for staff: an address or an answer of the API names an order by its public id, which can not be counted through.
"""

import re
from typing import Final

_LETTER: Final = "R"
_LEAST_DIGITS: Final = 6
_MOST: Final = 2**63 - 1
_READ: Final = re.compile(r"R([0-9]{2,19})")
_BETWEEN: Final = re.compile(r"[\s._\-–—－]+")


def order_no(redemption_id: int) -> str:
    """Return the number of an order, as in `R-000123-0`."""
    digits = f"{redemption_id:0{_LEAST_DIGITS}d}"
    return f"{_LETTER}-{digits}-{_check_digit(digits)}"


def redemption_id_of(text: str) -> int | None:
    """Return which order a number means, however it was typed; None where it is none, or was typed wrongly."""
    found = _READ.fullmatch(_BETWEEN.sub("", text).upper())
    if found is None:
        return None
    digits, check = found[1][:-1], found[1][-1]
    number = int(digits)
    return number if 0 < number <= _MOST and _check_digit(digits) == check else None


def _check_digit(digits: str) -> str:
    """Return the digit of Luhn: any one digit that is wrong, and nearly any two that are swapped, are noticed."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
