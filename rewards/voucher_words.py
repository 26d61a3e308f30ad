"""Why a voucher can not be used, in words: one text for each code, for refusals, quotes and the member's wallet."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext

from members.figures import money
from members.models import Channel, Store
from members.queries import programme
from members.wording import listed
from rewards.cart import VoucherNotUsed
from rewards.explanation import weekday_names

TEXTS: Final[Mapping[str, str | Promise]] = {
    "expired": gettext_lazy("This voucher has expired."),
    "used": gettext_lazy("This voucher was used before."),
    "held": gettext_lazy("This voucher is held for another order until %(until)s."),
    "not_yet_valid": gettext_lazy("This voucher can be used from %(from)s on."),
    "wrong_store": gettext_lazy("This voucher is for other stores: %(stores)s."),
    "wrong_channel": gettext_lazy("This voucher is for other channels: %(channels)s."),
    "not_today": gettext_lazy("This voucher is for %(weekdays)s."),
    "not_this_hour": gettext_lazy("This voucher can be used from %(from)s to %(to)s o'clock."),
    "no_goods": gettext_lazy("Nothing in this order is among the goods that the voucher is for."),
    "min_spend": gettext_lazy("This voucher needs an order of %(required)s or more; this one is %(spend)s."),
    "day_limit": gettext_lazy("At most %(limit)s of these vouchers can be used a day."),
    "not_combined": gettext_lazy("It does not combine with “%(with)s”."),
    "worth_less": gettext_lazy("“%(than)s” gives more, and only one of the two can be used."),
    "nothing_left": gettext_lazy("It would give nothing more on this order."),
}
_SHOWN = 5


def not_used_words(not_used: VoucherNotUsed) -> str:
    """Return why a voucher is not used in a cart, in the active language. Names of stores and channels cost a query each."""
    return reason_words(not_used.code, not_used.params)


def reason_words(code: str, params: Mapping[str, Any]) -> str:
    """Return a reason in the active language from its code and its figures."""
    return str(TEXTS[code]) % figures_in_words(code, params)


def figures_in_words(code: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Return what fills the text of a code, in the active language."""
    if code == "wrong_store":
        return {"stores": _names(Store, params["store_ids"])}
    if code == "wrong_channel":
        return {"channels": _names(Channel, params["channel_ids"])}
    if code == "not_today":
        return {"weekdays": weekday_names(params["weekdays"])}
    if code in ("held", "not_yet_valid"):
        return {key: _moment(str(params[key])) for key in ("until", "from") if key in params}
    if code == "min_spend":
        currency = programme().currency
        return {key: money(Decimal(str(params[key])), currency) for key in ("required", "spend")}
    return {key: _in_language(value) for key, value in params.items()}


def _names(model: type[Store] | type[Channel], ids: Iterable[int]) -> str:
    wanted = list(ids)
    names = [str(row.name) for row in model.objects.filter(pk__in=wanted[:_SHOWN]).order_by("pk")]
    more = len(wanted) - _SHOWN
    return listed([*names, ngettext("%(count)s more", "%(count)s more", more) % {"count": more}] if more > 0 else names)


def _moment(text: str) -> str:
    local = timezone.localtime(datetime.fromisoformat(text), programme().tz)
    return date_format(local, "SHORT_DATETIME_FORMAT")


def _in_language(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get(get_language() or "") or next(iter(value.values()), "…"))
    return str(value)
