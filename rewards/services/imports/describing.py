"""A mapping in plain sentences, for the person who is about to import with it."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from members.wording import enumerated
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.refused import FIELDS


def describe(mapping: OrderMapping) -> list[str]:
    """Return what an import with this mapping will do, one sentence per matter, in the active language."""
    return [
        *_about_orders(mapping),
        *_about_members(mapping),
        *_about_times(mapping),
        *_about_lines(mapping),
        *_about_money(mapping),
        *_about_returns(mapping),
    ]


def _about_orders(mapping: OrderMapping) -> Iterator[str]:
    if mapping.filter_column:
        params = {"column": mapping.filter_column, "value": mapping.filter_value}
        yield _("Only rows with “%(value)s” in column “%(column)s” are read; the others are passed over.") % params
    params = {"source": mapping.source, "column": mapping.order_no}
    if mapping.order_no:
        yield _("Orders come from “%(source)s”; rows with the same “%(column)s” are one order.") % params
    else:
        yield _("Orders come from “%(source)s”; each row is one order, numbered by its contents.") % params
    if mapping.channel:
        yield _("All orders belong to the channel “%(channel)s”.") % {"channel": mapping.channel}
    if mapping.store:
        yield _("All orders belong to the store “%(store)s”.") % {"store": mapping.store}
    elif mapping.store_column:
        yield _("Column “%(column)s” holds the store's code.") % {"column": mapping.store_column}


def _about_members(mapping: OrderMapping) -> Iterator[str]:
    if not mapping.member:
        yield _("The file names no members: all orders are those of guests.")
        return
    params = {"column": mapping.member, "issuer": mapping.identity_issuer}
    if mapping.identity_kind == "phone":
        yield _("Column “%(column)s” holds the member's phone number.") % params
    elif mapping.identity_kind == "member_no":
        yield _("Column “%(column)s” holds the member number.") % params
    else:
        yield _("Column “%(column)s” holds the number that “%(issuer)s” gave the member.") % params
    yield _("Orders without it are those of guests.")
    if mapping.unknown_members == "create":
        yield _("Members who are not known yet are enrolled.")
    elif mapping.unknown_members == "guest":
        yield _("Orders of members who are not known are taken as those of guests.")
    else:
        yield _("Orders of members who are not known are refused.")


def _about_times(mapping: OrderMapping) -> Iterator[str]:
    params = {"column": mapping.ordered_at, "format": mapping.time_format, "origin": str(mapping.time_origin)}
    if mapping.time_format == "iso":
        yield _("Column “%(column)s” holds the time of the order, year first.") % params
    elif mapping.time_format == "hours_since":
        yield _("Column “%(column)s” holds the time of the order in hours since %(origin)s.") % params
    elif mapping.time_format == "days_since":
        yield _("Column “%(column)s” holds the time of the order in days since %(origin)s.") % params
    else:
        yield _("Column “%(column)s” holds the time of the order in the form %(format)s.") % params
    if mapping.time_zone:
        yield (
            _("Times without an offset are local time of %(zone)s; the first of two, where clocks are set back.")
            % {"zone": mapping.time_zone}
        )
    elif mapping.time_origin is None:
        yield _("Times without an offset are refused, for no time zone is named.")


def _about_lines(mapping: OrderMapping) -> Iterator[str]:
    for use in ("sku", "description", "category"):
        if column := mapping.columns.get(use):
            yield _("Column “%(column)s” is the %(field)s.") % {"column": column, "field": FIELDS[use]}
    params = {"amount": mapping.amount, "quantity": mapping.quantity, "price": mapping.unit_price}
    if mapping.quantity:
        yield _("Column “%(quantity)s” is the quantity.") % params
    else:
        yield _("The quantity is 1 on each line.")
    if mapping.amount and mapping.unit_price:
        yield _("A line's amount stands in column “%(amount)s”, else it is quantity times “%(price)s”.") % params
    elif mapping.amount:
        yield _("A line's amount stands in column “%(amount)s”.") % params
    else:
        yield _("A line's amount is quantity times “%(price)s”, rounded to two decimals, halves upwards.") % params
    if mapping.decimal_mark == ",":
        yield _("Decimals follow a comma.")
    if mapping.excluded_skus:
        params = {"skus": enumerated(sorted(mapping.excluded_skus))}
        yield _("Lines with these SKUs are kept but earn nothing: %(skus)s.") % params


def _about_money(mapping: OrderMapping) -> Iterator[str]:
    if mapping.currency_column:
        yield _("Column “%(column)s” names the currency.") % {"column": mapping.currency_column}
    elif mapping.currency:
        yield _("Amounts are in %(currency)s.") % {"currency": mapping.currency}
    else:
        yield _("Amounts are in the programme's currency.")
    for code, rate in mapping.rates.items():
        params = {"code": mapping.currency if code == "*" else code, "rate": f"{rate:f}"}
        yield _("1 %(code)s counts as %(rate)s in the programme's currency.") % params


def _about_returns(mapping: OrderMapping) -> Iterator[str]:
    if mapping.cancel_prefix:
        yield _("Order numbers that begin with “%(prefix)s” are returns.") % {"prefix": mapping.cancel_prefix}
    if mapping.cancel_column:
        params = {"column": mapping.cancel_column, "value": mapping.cancel_value}
        yield _("Rows with “%(value)s” in column “%(column)s” are returns.") % params
    if mapping.cancel_negative_quantity:
        yield _("Orders of negative lines only are returns.")
    elif mapping.order_no:
        yield _("Negative lines of other orders become a return with “-R” behind the order number.")
    if mapping.original_order_no:
        yield _("Column “%(column)s” names the order that a return belongs to.") % {"column": mapping.original_order_no}
    else:
        yield _("Returns are not linked to the order that they take back.")
