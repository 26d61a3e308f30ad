"""What rewards tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped, money
from members.queries import programme
from rewards.models import Reward, Voucher, VoucherTemplate

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


def _points(number: int) -> str:
    return ngettext("%(points)s point", "%(points)s points", number) % {"points": grouped(number)}


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
    return _("%(points)s became available.") % {"points": _points(payload["points"])}


def _expired(payload: Payload, names: Names) -> str:
    return _("%(points)s expired.") % {"points": _points(payload["points"])}


def _redeemed(payload: Payload, names: Names) -> str:
    return _("Redeemed %(points)s for %(reward)s.") % {"points": _points(payload["points"]), "reward": names["reward"]}


def _voucher_used(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["template"], "store": names["store"], "number": payload["order_no"]}
    if names["store"]:
        return _("Used the voucher %(voucher)s at %(store)s (order %(number)s).") % figures
    return _("Used the voucher %(voucher)s (order %(number)s).") % figures


def _voucher_expired(payload: Payload, names: Names) -> str:
    return _("The voucher %(voucher)s expired unused.") % {"voucher": names["voucher"]}


register_sentence("rewards.purchase_recorded.v1", _bought, icon="shopping_bag", names={"store": store_names})
register_sentence("rewards.return_recorded.v1", _returned, icon="assignment_return", names={"store": store_names})
register_sentence("rewards.points_released.v1", _released, icon="lock_open")
register_sentence("rewards.points_expired.v1", _expired, icon="hourglass_bottom")
register_sentence("rewards.reward_redeemed.v1", _redeemed, icon="redeem", names={"reward": reward_names})
register_sentence(
    "rewards.voucher_used.v1",
    _voucher_used,
    icon="confirmation_number",
    names={"template": template_names, "store": store_names},
)
register_sentence("rewards.voucher_expired.v1", _voucher_expired, icon="event_busy", names={"voucher": voucher_names})
