"""The values of a mapping one by one: each parser takes a key and a raw value and returns what the mapping keeps."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.sources import OWN_SOURCES
from rewards.refusals import RewardsRefusal
from rewards.services.imports.values import at_most_decimals, parse_number

UNKNOWN_MEMBERS = ("reject", "create", "guest")
TIME_UNITS = ("hours_since", "days_since")

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LONGEST_VALUE = 200
_MOST_EXCLUDED_SKUS = 10_000
_RATE_DECIMALS = 8


class MappingError(RewardsRefusal):
    """A mapping can not be used: the key at fault and why, as one sentence."""

    code = "import_mapping_unusable"
    text = gettext_lazy("Mapping, %(key)s: %(reason)s")
    status = 422

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key=key, reason=reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return self.sentence()


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MappingError(key, _("must be text."))
    if not value.strip() or len(value) > _LONGEST_VALUE or "\x00" in value:
        raise MappingError(key, _("must be text of 1 to %(limit)s characters.") % {"limit": _LONGEST_VALUE})
    return value.strip()


def _truth(key: str, value: Any) -> bool:
    truth = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    if truth is None:
        raise MappingError(key, _("must be true or false."))
    return truth


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def parse(key: str, value: Any) -> str:
        if value not in choices:
            raise MappingError(key, _("must be one of: %(choices)s.") % {"choices": "  ".join(choices)})
        return str(value)

    return parse


def _source(key: str, value: Any) -> str:
    text = _text(key, value)
    if not _SOURCE.fullmatch(text):
        raise MappingError(key, _("may have 40 characters: Latin letters, digits, and . _ : - after the first."))
    if text in OWN_SOURCES:
        raise MappingError(key, _("is a name that the portal uses itself."))
    return text


def _member_kind(key: str, value: Any) -> str:
    text = _text(key, value)
    kind, _colon, issuer = text.partition(":")
    if text in ("external", "phone", "member_no"):
        return text
    if kind != "external" or not _SOURCE.fullmatch(issuer):
        raise MappingError(key, _("must be external:<issuer>, phone or member_no."))
    return text


def _currency(key: str, value: Any) -> str:
    text = _text(key, value)
    if not _CURRENCY.fullmatch(text):
        raise MappingError(key, _("must be a currency code of three capital letters."))
    return text


def _time_format(key: str, value: Any) -> str:
    text = _text(key, value)
    if text == "iso" or text in TIME_UNITS:
        return text
    # A pattern must be able to read back what it writes; that finds misspelled directives.
    sample = datetime(2011, 12, 31, 23, 59, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007  # only its date is looked at
    except ValueError:
        read = None
    if read is None or read.date() != sample.date():
        params = {"example": "%d/%m/%Y %H:%M"}
        raise MappingError(
            key,
            _("must be iso, hours_since, days_since or a pattern of year, month and day like %(example)s.") % params,
        )
    return text


def _time_origin(key: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise MappingError(key, _("must be a time like 2018-01-01T00:00:00.")) from error


def _time_zone(key: str, value: Any) -> str:
    text = _text(key, value)
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError) as error:
        raise MappingError(key, _("there is no time zone “%(value)s”.") % {"value": text}) from error
    return text


def _skus(key: str, value: Any) -> frozenset[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > _MOST_EXCLUDED_SKUS:
        raise MappingError(key, _("must be a list of SKUs."))
    return frozenset(_text(key, item) for item in items)


def rate_key(key: str) -> str:
    code = key.partition(".")[2]
    if code and not _CURRENCY.fullmatch(code):
        raise MappingError(key, _("must be a currency code of three capital letters."))
    return code or "*"


def parse_rate(key: str, value: Any) -> Decimal:
    """Return a rate. Raises MappingError."""
    rate = Decimal(0)
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            rate = parse_number(str(value).strip())
    if rate <= 0 or rate != at_most_decimals(rate, _RATE_DECIMALS):
        raise MappingError(
            key, _("must be a number above 0 with at most %(places)s decimals.") % {"places": _RATE_DECIMALS}
        )
    return rate


_COLUMN_KEYS = (
    "order_no", "member", "ordered_at", "sku", "description", "category", "quantity", "unit_price", "amount",
    "store_column", "currency_column", "original_order_no", "filter.column", "cancellation.column",
)  # fmt: skip
PARSERS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(_COLUMN_KEYS, _text),
    **dict.fromkeys(("store", "channel", "filter.value", "cancellation.value", "cancellation.prefix"), _text),
    "source": _source,
    "member_kind": _member_kind,
    "unknown_members": _one_of(*UNKNOWN_MEMBERS),
    "time_format": _time_format,
    "time_origin": _time_origin,
    "time_zone": _time_zone,
    "decimal_mark": _one_of(".", ","),
    "currency": _currency,
    "rate_currency": _currency,
    "cancellation.negative_quantity": _truth,
    "excluded_skus": _skus,
}
FIELDS_OF_KEYS = {
    "filter.column": "filter_column",
    "filter.value": "filter_value",
    "cancellation.prefix": "cancel_prefix",
    "cancellation.negative_quantity": "cancel_negative_quantity",
    "cancellation.column": "cancel_column",
    "cancellation.value": "cancel_value",
}
