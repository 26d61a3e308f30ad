"""The short-lived code of a member: twenty digits that a square code and a bar code (Code 128) hold. Pure calculation.

    1 · k · rrrrrrrrr · p · tttttt · cc

The version (1); which secret it was made with; whose it is, obscured; which of the member's nine phones shows it; six
digits of the half minute (RFC 6238); and two check digits (ISO 7064, MOD 97-10), which catch a slip of the scanner.

Whose it is, is obscured by a Feistel network under a secret: a one-to-one map of nine digits on nine digits, so that codes
say neither how many members there are nor who came first, and lead to no member number.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyotp

LENGTH: Final = 20
VERSION: Final = "1"
KEY_NO: Final = "0"
STEP_SECONDS: Final = 30
DIGITS: Final = 6
SEED_BYTES: Final = 20
#: So many members can have a code.
MOST_MEMBERS: Final = 10**9
#: How many half minutes the clock of a phone, or the customer on the way to the scanner, may be off.
TOLERANCE_STEPS: Final = 1
#: So long a code is told apart from one that never was: ten minutes.
REMEMBERED_STEPS: Final = 20
_DAY_STEPS: Final = 86_400 // STEP_SECONDS
_LOW: Final = 10**5
_HIGH: Final = MOST_MEMBERS // _LOW
_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """What stands in a code whose form is right. `owner` is still obscured."""

    owner: int
    place: int
    digits: str


def obscured(number: int, secret: bytes) -> int:
    """Return the number that stands for another; both are at least 0 and less than `MOST_MEMBERS`."""
    high, low = divmod(number, _LOW)
    for turn in range(_ROUNDS):
        if turn % 2:
            low = (low + _mixed(turn, high, secret)) % _LOW
        else:
            high = (high + _mixed(turn, low, secret)) % _HIGH
    return high * _LOW + low


def revealed(number: int, secret: bytes) -> int:
    """Return the number that `obscured` made this one of."""
    high, low = divmod(number, _LOW)
    for turn in reversed(range(_ROUNDS)):
        if turn % 2:
            low = (low - _mixed(turn, high, secret)) % _LOW
        else:
            high = (high - _mixed(turn, low, secret)) % _HIGH
    return high * _LOW + low


def prefix_of(owner: int, place: int) -> str:
    """Return the twelve digits with which every code of a phone begins. `owner` is obscured."""
    if not (0 <= owner < MOST_MEMBERS and 0 <= place <= 9):
        raise ValueError(f"no code can hold {owner} and {place}")
    return f"{VERSION}{KEY_NO}{owner:09}{place}"


def code_at(prefix: str, seed: bytes, step: int) -> str:
    """Return the whole code of a half minute, which is how many there were since 1970."""
    body = prefix + digits_at(seed, step)
    return body + _check_digits(body)


def parsed(text: str) -> ParsedCode | None:
    """Return what stands in a code, or None when it is none: another length or version, or a slip of the scanner."""
    if not (len(text) == LENGTH and text.isascii() and text.isdigit() and text.startswith(VERSION + KEY_NO)):
        return None
    if _check_digits(text[:-2]) != text[-2:]:
        return None
    return ParsedCode(int(text[2:11]), int(text[11]), text[12:18])


def digits_at(seed: bytes, step: int) -> str:
    """Return the six digits of a half minute."""
    return pyotp.TOTP(base64.b32encode(seed).decode(), digits=DIGITS, interval=STEP_SECONDS).generate_otp(step)


def step_of(seconds: float) -> int:
    """Return in which half minute since 1970 a moment (in seconds since then) lies."""
    return int(seconds) // STEP_SECONDS


def day_of(step: int) -> int:
    """Return on which day since 1970 (UTC) a half minute lies: each day a phone gets another seed."""
    return step // _DAY_STEPS


def seed_days(step: int) -> tuple[int, int]:
    """Return the days whose seeds are good in a half minute: a seed is good on its day and the one after it."""
    return day_of(step), day_of(step) - 1


def step_shown(digits: str, seeds: dict[int, bytes], steps: Iterable[int]) -> int | None:
    """Return the first of the half minutes at which a phone shows these digits, or None.

    `seeds` are those of the phone by day; a half minute of a day without one shows nothing.
    """
    for step in steps:
        for day in seed_days(step):
            if day in seeds and hmac.compare_digest(digits_at(seeds[day], step), digits):
                return step
    return None


def steps_around(step: int, drift: int) -> list[int]:
    """Return the half minutes whose codes are good now, the likeliest first, for a phone whose clock is ahead by `drift`.

    Those of the right time are always among them: a drift that was learned wrongly must not lock the phone's owner out.
    """
    return list(
        dict.fromkeys(middle + off for middle in (step + drift, step) for off in (0, -TOLERANCE_STEPS, TOLERANCE_STEPS))
    )


def steps_remembered(step: int) -> list[int]:
    """Return the half minutes whose codes are known to have been, or to become, good; nearest first."""
    return [step + sign * off for off in range(REMEMBERED_STEPS + 1) for sign in (-1, 1)]


def _mixed(turn: int, half: int, secret: bytes) -> int:
    digest = hmac.digest(secret, bytes([turn]) + half.to_bytes(4), hashlib.sha256)
    return int.from_bytes(digest[:8])


def _check_digits(body: str) -> str:
    """Return the two digits with which the whole number leaves 1 when it is divided by 97."""
    return f"{98 - int(body) * 100 % 97:02}"
