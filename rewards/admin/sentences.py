"""What rewards tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.admin.sentences import behaviour_names
from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped, money
from members.queries import programme
from rewards.explanation import points_words
from rewards.ledger import currency_id
from rewards.models import PointsCurrency, Reward, Voucher, VoucherTemplate
from rewards.models.rules import BIRTHDAY

Payload = Mapping[str, Any]


def reward_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of rewards by id, in the active language."""
    return {reward.pk: reward.name for reward in Reward.objects.filter(pk__in=ids)}


def template_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of voucher templates by id, in the active language."""
    return {template.pk: template.name for template in VoucherTemplate.objects.filter(pk__in=ids)}


def voucher_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return what vouchers are called by their id, in the active language."""
    vouchers = Voucher.objects.filter(pk__in=ids).select_related("template").defer("code_hmac")
    return {voucher.pk: voucher.template.name for voucher in vouchers}


def _amount(payload: Payload) -> str:
    return money(Decimal(payload["amount"]), programme().currency)


def currency_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of points currencies by id, in the active language."""
    return {currency.pk: currency.name for currency in PointsCurrency.objects.filter(pk__in=ids)}


def other_currency_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of points currencies by id, in the active language; the default one goes without saying."""
    others = set(ids) - {currency_id()}
    return currency_names(others) if others else {}


def _points(number: int, currency: str = "") -> str:
    if currency:
        return _("%(points)s %(currency)s") % {"points": grouped(number), "currency": currency}
    return points_words(number)


def points_told(payload: Payload, names: Names) -> str:
    """Return the points of an entry in words, with their currency unless it is the default one."""
    return _points(abs(payload["points"]), names["currency"])


def _bought(payload: Payload, names: Names) -> str:
    figures = {
        "amount": _amount(payload),
        "store": names["store"],
        "number": payload["order_no"],
        "points": _points(payload["points"]),
    }
    if payload.get("pending"):
        if names["store"]:
            return _("Bought for %(amount)s at %(store)s (order %(number)s): %(points)s, pending.") % figures
        return _("Bought for %(amount)s (order %(number)s): %(points)s, pending.") % figures
    if names["store"]:
        return _("Bought for %(amount)s at %(store)s (order %(number)s): %(points)s.") % figures
    return _("Bought for %(amount)s (order %(number)s): %(points)s.") % figures


def _returned(payload: Payload, names: Names) -> str:
    figures = {"amount": _amount(payload), "number": payload["return_no"], "points": _points(payload["points"])}
    if payload.get("arrears"):
        figures["arrears"] = _points(payload["arrears"])
        return (
            _("Returned goods for %(amount)s (return %(number)s): %(points)s taken back, %(arrears)s of them owed.")
            % figures
        )
    return _("Returned goods for %(amount)s (return %(number)s): %(points)s taken back.") % figures


def _released(payload: Payload, names: Names) -> str:
    return _("%(points)s became available.") % {"points": points_told(payload, names)}


def _expired(payload: Payload, names: Names) -> str:
    return _("%(points)s expired.") % {"points": points_told(payload, names)}


def _expiring(payload: Payload, names: Names) -> str:
    figures = {"points": points_told(payload, names), "day": _day(payload["expires_on"])}
    return _("To be told: %(points)s can be used until %(day)s.") % figures


def _extended(payload: Payload, names: Names) -> str:
    figures = {"points": points_told(payload, names), "day": _day(payload["until"])}
    if payload.get("unreached"):
        return _("%(points)s were extended until %(day)s, since no warning could be delivered.") % figures
    return _("%(points)s were extended until %(day)s.") % figures


def _day(iso: str) -> str:
    return date_format(date.fromisoformat(iso), "DATE_FORMAT")


def _held(payload: Payload, names: Names) -> str:
    return _("%(points)s set aside for a payment.") % {"points": points_told(payload, names)}


def _spent(payload: Payload, names: Names) -> str:
    return _("Paid %(points)s on order %(number)s.") % {
        "points": points_told(payload, names),
        "number": payload["order_no"],
    }


def _given_back(payload: Payload, names: Names) -> str:
    figures = {"points": points_told(payload, names)}
    if payload["expired"]:
        return _("%(points)s that were set aside came back: the time was up.") % figures
    return _("%(points)s that were set aside came back.") % figures


def _redeemed(payload: Payload, names: Names) -> str:
    figures = {"points": _points(payload["points"]), "reward": names["reward"]}
    if payload.get("from_household"):
        figures["given"] = _points(payload["from_household"])
        return _("Redeemed %(points)s for %(reward)s, %(given)s of them from others of the household.") % figures
    return _("Redeemed %(points)s for %(reward)s.") % figures


def _voucher_used(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["template"], "store": names["store"], "number": payload["order_no"]}
    if names["store"]:
        return _("Used the voucher %(voucher)s at %(store)s (order %(number)s).") % figures
    return _("Used the voucher %(voucher)s (order %(number)s).") % figures


def _voucher_expired(payload: Payload, names: Names) -> str:
    return _("The voucher %(voucher)s expired unused.") % {"voucher": names["voucher"]}


def _behaviour(names: Names, payload: Payload) -> str:
    return _("birthday") if payload["kind"] == BIRTHDAY else names["kind"] or payload["kind"]


def _activity_rewarded(payload: Payload, names: Names) -> str:
    figures = {
        "behaviour": _behaviour(names, payload), "points": grouped(payload["points"]), "currency": names["currency"] or "",
    }  # fmt: skip
    return _("%(points)s %(currency)s for: %(behaviour)s.") % figures


_WHY_NOTHING = {
    "member_frozen": gettext_lazy("the member is frozen"),
    "member_closed": gettext_lazy("the member has left the programme"),
    "rule_cap_reached": gettext_lazy("the limit is reached"),
    "rule_budget_empty": gettext_lazy("the budget is used up"),
    "rule_condition": gettext_lazy("the rule's condition was not met"),
    "rule_below_step": gettext_lazy("the figure is too small"),
}


def _activity_not_rewarded(payload: Payload, names: Names) -> str:
    why = _WHY_NOTHING.get(payload["code"], gettext_lazy("no rule applied there and then"))
    return _("No points for: %(behaviour)s (%(why)s).") % {"behaviour": _behaviour(names, payload), "why": why}


_CURRENCY = {"currency": other_currency_names}

register_sentence("rewards.purchase_recorded.v1", _bought, icon="shopping_bag", names={"store": store_names})
register_sentence("rewards.return_recorded.v1", _returned, icon="assignment_return", names={"store": store_names})
register_sentence("rewards.points_released.v1", _released, icon="lock_open", names=_CURRENCY)
register_sentence("rewards.points_expired.v1", _expired, icon="hourglass_bottom", names=_CURRENCY)
register_sentence("rewards.points_expiring.v1", _expiring, icon="notification_important", names=_CURRENCY)
register_sentence("rewards.points_extended.v1", _extended, icon="more_time", names=_CURRENCY)
register_sentence("rewards.points_held.v1", _held, icon="lock_clock", names=_CURRENCY)
register_sentence("rewards.points_spent.v1", _spent, icon="payments", names=_CURRENCY)
register_sentence("rewards.hold_given_back.v1", _given_back, icon="lock_open", names=_CURRENCY)
register_sentence("rewards.reward_redeemed.v1", _redeemed, icon="redeem", names={"reward": reward_names})
register_sentence(
    "rewards.voucher_used.v1",
    _voucher_used,
    icon="confirmation_number",
    names={"template": template_names, "store": store_names},
)
register_sentence("rewards.voucher_expired.v1", _voucher_expired, icon="event_busy", names={"voucher": voucher_names})
register_sentence(
    "rewards.activity_rewarded.v1",
    _activity_rewarded,
    icon="stars",
    names={"kind": behaviour_names, "currency": currency_names},
)
register_sentence(
    "rewards.activity_not_rewarded.v1", _activity_not_rewarded, icon="block", names={"kind": behaviour_names}
)
