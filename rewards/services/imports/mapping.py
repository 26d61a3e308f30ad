"""How the columns of an order file are to be understood: a mapping file, a ready one by name, or key=column pairs."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.services.imports.mapping_values import (
    FIELDS_OF_KEYS,
    PARSERS,
    TIME_UNITS,
    MappingError,
    parse_rate,
    rate_key,
)
from rewards.services.imports.values import TimeReader

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMapping:
    """What each column of an order file means. Columns are named as in the header; '' is a column that there is not.

    Made by `load_mapping` or `parse_mapping`, which check it. In mapping files the keys are the field names, but for
    `cancellation.*`, `filter.*` and `rate` (one rate, or `rate.USD` for each currency).
    """

    source: str
    """Name of the sending system. Order numbers are unique within it."""
    ordered_at: str
    """Column of the order time."""
    order_no: str = ""
    """Column of the order number; without one each row is an order of its own."""
    member: str = ""
    """Column that names the member; without one all orders are those of guests."""
    member_kind: str = ""
    """What the member column holds: `external:<issuer>`, `phone` or `member_no`. Default: external, of the source."""
    unknown_members: str = "reject"
    """What to do with an order of a member we do not know: `reject` it, `create` the member, or make it a `guest`'s."""
    channel: str = ""
    """Code of the sales channel of all orders."""
    store: str = ""
    """Code of the store of all orders."""
    store_column: str = ""
    """Column of the store code, instead of `store`."""
    time_format: str = "iso"
    """`iso`, a strptime pattern, `hours_since` or `days_since`."""
    time_origin: datetime | None = None
    """Where the count of hours or days begins."""
    time_zone: str = ""
    """IANA name of the zone of times without an offset (see TimeReader for the odd hours)."""
    sku: str = ""
    description: str = ""
    category: str = ""
    quantity: str = ""
    """Column of the quantity; without one it is 1."""
    unit_price: str = ""
    amount: str = ""
    """Column of the line's amount. Where it is filled it wins over quantity times unit price."""
    decimal_mark: str = "."
    """What separates decimals in the file: a point or a comma."""
    currency: str = ""
    """ISO code of the currency of all amounts; '' is the programme's."""
    currency_column: str = ""
    """Column of the currency code, instead of `currency`."""
    rates: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    """Programme currency for 1 unit, by currency code; under '*' for any other foreign currency."""
    rate_currency: str = ""
    """The currency that the rates lead to, if the mapping says so: in any other programme they are refused."""
    cancel_prefix: str = ""
    """Order numbers that begin so are cancellations."""
    cancel_negative_quantity: bool = False
    """An order of negative lines only is a return under its own number (else under its number and '-R')."""
    cancel_column: str = ""
    cancel_value: str = ""
    """Rows with this value in `cancel_column` are returns."""
    original_order_no: str = ""
    """Column of the order number that a return belongs to."""
    filter_column: str = ""
    filter_value: str = ""
    """Only rows with this value in `filter_column` are orders; others are passed over and counted."""
    excluded_skus: frozenset[str] = frozenset()
    """SKUs that are no goods (postage, fees): such lines count in the order but earn nothing."""

    @property
    def columns(self) -> dict[str, str]:
        """Return the column for each use that has one; uses are named as the fields."""
        uses = {
            "order_no": self.order_no, "member": self.member, "ordered_at": self.ordered_at, "sku": self.sku,
            "description": self.description, "category": self.category, "quantity": self.quantity,
            "unit_price": self.unit_price, "amount": self.amount, "store": self.store_column,
            "currency": self.currency_column, "original_order_no": self.original_order_no,
            "cancel": self.cancel_column, "filter": self.filter_column,
        }  # fmt: skip
        return {use: column for use, column in uses.items() if column}

    @property
    def identity_kind(self) -> str:
        """Return what kind of name the member column holds: `external`, `phone` or `member_no`."""
        return self.member_kind.partition(":")[0]

    @property
    def identity_issuer(self) -> str:
        """Return who issued external member names; '' for phones and member numbers."""
        return self.member_kind.partition(":")[2]

    def time_reader(self) -> TimeReader:
        """Return the reader of this file's times."""
        return TimeReader(self.time_format, self.time_origin, ZoneInfo(self.time_zone) if self.time_zone else None)

    def rate_to(self, programme_currency: str, currency: str) -> Decimal | None:
        """Return the programme currency for 1 unit of a currency, or None if the mapping has no rate for it."""
        if currency in ("", programme_currency):
            return Decimal(1)
        return self.rates.get(currency, self.rates.get("*"))


def load_mapping(name_or_path: str | Path | None, overrides: Mapping[str, str] | Sequence[str] = ()) -> OrderMapping:
    """Return the mapping of a .toml or .json file or a ready one by its name; overrides replace its keys.

    Overrides are pairs, or texts `key=value`; an empty value takes a key away. Without a name they are the mapping.
    Raises MappingError.
    """
    pairs = dict(overrides) if isinstance(overrides, Mapping) else dict(_pair(text) for text in overrides)
    values = {} if name_or_path is None else _flat(_read_mapping(name_or_path))
    if any(key == "rate" or key.startswith("rate.") for key in pairs):
        # Rates of the file may lead to another currency than the ones given now.
        values = {key: value for key, value in values.items() if key.partition(".")[0] not in ("rate", "rate_currency")}
    for key, value in pairs.items():
        if value == "":
            values.pop(key, None)
        else:
            values[key] = value
    return parse_mapping(values)


def load_mapping_arguments(arguments: Iterable[str]) -> OrderMapping:
    """Return the mapping that the values of repeated `--map` options describe: at most one file or name, and pairs.

    Raises MappingError.
    """
    files = [text for text in arguments if "=" not in text or Path(text).is_file()]
    if len(files) > 1:
        raise MappingError(files[1], _("only one mapping file or name can be given."))
    return load_mapping(files[0] if files else None, [text for text in arguments if text not in files])


def preset_names() -> list[str]:
    """Return the names of the ready mappings."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def parse_mapping(values: Mapping[str, Any]) -> OrderMapping:
    """Return the mapping that these keys and values describe, nested or with dotted keys. Raises MappingError."""
    values = _flat(values)
    parsed: dict[str, Any] = {}
    rates: dict[str, Decimal] = {}
    for key, value in values.items():
        if key == "rate" or key.startswith("rate."):
            rates[rate_key(key)] = parse_rate(key, value)
        elif key in PARSERS:
            name = FIELDS_OF_KEYS.get(key, key)
            parsed[name] = PARSERS[key](key, value)
        else:
            known = ", ".join(sorted([*PARSERS, "rate"]))
            raise MappingError(key, _("there is no such key. Keys: %(keys)s.") % {"keys": known})
    for key in ("source", "ordered_at"):
        if not parsed.get(key):
            raise MappingError(key, _("is required."))
    parsed.setdefault("member_kind", "external")
    if parsed["member_kind"] == "external":
        parsed["member_kind"] = f"external:{parsed['source']}"
    mapping = OrderMapping(**parsed, rates=MappingProxyType(rates))
    _check_together(mapping)
    return mapping


def _check_together(mapping: OrderMapping) -> None:
    """Raise MappingError if values that are right alone do not fit each other."""
    if not mapping.amount and not mapping.unit_price:
        raise MappingError("amount", _("amount or unit_price is required."))
    for one, other in (("store", "store_column"), ("currency", "currency_column")):
        if getattr(mapping, one) and getattr(mapping, other):
            raise MappingError(other, _("can not be given together with %(key)s.") % {"key": one})
    for column, value in (("cancel_column", "cancel_value"), ("filter_column", "filter_value")):
        if bool(getattr(mapping, column)) != bool(getattr(mapping, value)):
            raise MappingError(
                column.replace("cancel_", "cancellation.").replace("_", "."), _("column and value go together.")
            )
    if mapping.cancel_prefix and not mapping.order_no:
        raise MappingError("cancellation.prefix", _("needs order_no."))
    if (mapping.time_format in TIME_UNITS) != (mapping.time_origin is not None):
        raise MappingError("time_origin", _("goes together with the time formats hours_since and days_since, only."))
    if mapping.time_origin is not None and mapping.time_origin.tzinfo is None and not mapping.time_zone:
        raise MappingError("time_origin", _("needs an offset, or time_zone."))
    if mapping.rate_currency and not mapping.rates:
        raise MappingError("rate_currency", _("needs a rate."))
    if "*" in mapping.rates and mapping.currency_column:
        raise MappingError("rate", _("one rate can not serve a column of currencies; give rate.USD and so on."))


def _read_mapping(name_or_path: str | Path) -> dict[str, Any]:
    """Return the contents of a mapping file. Raises MappingError."""
    path = Path(name_or_path)
    if str(name_or_path) in preset_names() and not path.is_file():
        path = PRESETS / f"{name_or_path}.toml"
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text, parse_float=Decimal)
        if path.suffix.lower() == ".json":
            content = json.loads(text, parse_float=Decimal)
            if isinstance(content, dict):
                return content
            raise MappingError(path.name, _("must be a JSON object."))
    except OSError as error:
        params = {"names": ", ".join(preset_names())}
        reason = _("there is no such file and no ready mapping of this name. Ready are: %(names)s.") % params
        raise MappingError(str(name_or_path), reason) from error
    except (ValueError, RecursionError) as error:
        raise MappingError(path.name, _("can not be read: %(problem)s.") % {"problem": error}) from error
    raise MappingError(path.name, _("must be a .toml or .json file."))


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise MappingError(text, _("must have the form key=value."))
    return key.strip(), value.strip()


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with dotted keys instead of tables within tables."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[str(key)] = value
    return flat
