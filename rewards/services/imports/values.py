"""Numbers and times from the text of a cell. What is not surely a number or a time is refused, never guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

LIMIT = Decimal(10) ** 10
"""Amounts and prices must be smaller than this."""

_CENT = Decimal("0.01")
# Wide enough for the exact product of any two accepted numbers, so that a product is rounded once only.
_EXACT = Context(prec=160, rounding=ROUND_HALF_UP)

_MOST_CHARACTERS = 60
_SIMPLE = re.compile(r"-?[0-9]{1,10}(?:\.[0-9]{1,20})?")
_SIGN = r"(?:(?:US|NT|HK|CN|[ACS])?\$|[¥£€₩₹฿])"
_WRITTEN = re.compile(
    rf"(?P<before>[+-]?) ?{_SIGN}? ?(?P<after>[+-]?)(?P<digits>[0-9][0-9,' ]*(?:\.[0-9]*)?|\.[0-9]+) ?(?:{_SIGN}|元)?"
)
# Digits in groups of three, with the same mark between all of them; or no mark at all.
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,' ])[0-9]{3}(?:\1[0-9]{3})*)?(?:\.[0-9]*)?|[0-9]*(?:\.[0-9]*)?")
_NARROW = str.maketrans("０１２３４５６７８９．，＋－−＄￡￥＇’\u00a0\u2009\u202f\u3000", "0123456789.,+--$£¥''    ")
_SWAPPED_MARKS = str.maketrans(".,", ",.")
_MARKS = str.maketrans("", "", ",' ")

_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?")
_MICROSECONDS = {"hours_since": 3_600_000_000, "days_since": 86_400_000_000}


class NoTimeZone(ValueError):
    """The text is a time without an offset, and no zone is known for it."""


def parse_number(text: str, *, decimal_mark: str = ".", limit: Decimal = LIMIT) -> Decimal:
    """Return the number that a cell shows, exactly.

    Taken are full-width digits, one currency sign in front or behind, a plus or minus, and thousands in groups of
    three, marked by a comma (a point if the decimal mark is a comma), an apostrophe or a space. Raises ValueError for
    anything else, also for 1e3, NaN, and 12,50 where the decimal mark is a point; OverflowError from the limit on.
    """
    simple = decimal_mark == "." and _SIMPLE.fullmatch(text)
    number = Decimal(text) if simple else _parse_written(text, decimal_mark)
    if abs(number) >= limit:
        raise OverflowError(text)
    return number or abs(number)  # zero has no sign


def _parse_written(text: str, decimal_mark: str) -> Decimal:
    """Return the number of a text that people wrote for people. Raises ValueError."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(text)
    plain = text.translate(_NARROW).strip()
    if decimal_mark == ",":
        plain = plain.translate(_SWAPPED_MARKS)
    written = _WRITTEN.fullmatch(plain)
    if written is None or (written["before"] and written["after"]):
        raise ValueError(text)
    digits = written["digits"].rstrip()
    if not _GROUPED.fullmatch(digits):
        raise ValueError(text)
    number = Decimal(digits.translate(_MARKS))
    return number.copy_negate() if "-" in (written["before"], written["after"]) else number


def to_cents(number: Decimal) -> Decimal:
    """Return the number rounded to two decimals, halves away from zero; a rounded zero has no sign."""
    rounded = number.quantize(_CENT, context=_EXACT)
    return rounded or abs(rounded)


def product_to_cents(one: Decimal, other: Decimal) -> Decimal:
    """Return the product, rounded once to two decimals, halves away from zero. Raises OverflowError."""
    rounded = to_cents(_EXACT.multiply(one, other))
    if abs(rounded) >= LIMIT:
        raise OverflowError(rounded)
    return rounded


def plain_text(number: Decimal) -> str:
    """Return the one way to write a number: all its digits, no exponent, no zeros at the end."""
    return f"{number.normalize(_EXACT):f}"


def at_most_decimals(number: Decimal, places: int) -> Decimal:
    """Return the number, rounded only if it has more decimals."""
    rounded = number.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    return number if rounded == number else rounded


def quotient(one: Decimal, other: Decimal) -> Decimal:
    """Return one number divided by the other, rounded to four decimals."""
    return _EXACT.divide(one, other).quantize(Decimal("0.0001"), context=_EXACT)


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads times of one form as moments in UTC.

    `format` is `iso`, a pattern of strptime, `hours_since` or `days_since`. A time without an offset is local time of
    `zone`: of a time that occurs twice, when clocks are set back, the first is meant; a time that is skipped, when
    clocks are set forward, is moved on by what was skipped. Hours since the origin are time that has passed; days since
    the origin are days of the local calendar, as spreadsheets count them, unless the origin has an offset itself.
    """

    format: str
    origin: datetime | None
    zone: ZoneInfo | None

    def read(self, text: str) -> datetime:
        """Return the moment. Raises ValueError; NoTimeZone if only the zone is missing, OverflowError out of range."""
        if self.origin is not None:
            moment = self._since_origin(text, self.origin)
        elif self.format == "iso":
            moment = self._located(datetime.fromisoformat(text))
        else:
            moment = self._located(self._by_pattern(text))
        if not _EARLIEST <= moment < _LATEST:
            raise OverflowError(text)
        return moment

    def _by_pattern(self, text: str) -> datetime:
        try:
            return datetime.strptime(text, self.format)  # noqa: DTZ007  # _located gives it its zone
        except ValueError:
            # Cells of a workbook that are real dates arrive in ISO form, whatever the text cells beside them look like.
            if _ISO.fullmatch(text):
                return datetime.fromisoformat(text)
            raise

    def _since_origin(self, text: str, origin: datetime) -> datetime:
        passed = timedelta(microseconds=int(parse_number(text) * _MICROSECONDS[self.format]))
        if self.format == "hours_since":
            return self._located(origin) + passed
        return self._located(origin + passed)

    def _located(self, time: datetime) -> datetime:
        """Return a moment in UTC for a local or an aware time. Fold 0 does as the class says for both odd cases."""
        if time.tzinfo is None:
            if self.zone is None:
                raise NoTimeZone
            time = time.replace(tzinfo=self.zone, fold=0)
        return time.astimezone(UTC)
