"""What became of orders of rewards, as sentences for the timeline."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from members.admin.decisions import register_quote
from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped
from members.wording import together
from rewards import events_redemptions as events
from rewards.admin.sentences import reward_names
from rewards.explanation import in_active_language
from rewards.order_numbers import order_no
from rewards.services.reward_quotes import QUOTE_CODE

Payload = Mapping[str, Any]


def _reward(payload: Payload, names: Names) -> dict[str, str]:
    return {"number": order_no(payload["redemption"]), "reward": names["reward"]}


def _preparing(payload: Payload, names: Names) -> str:
    return _("Order %(number)s is being prepared: %(reward)s.") % _reward(payload, names)


def _shipped(payload: Payload, names: Names) -> str:
    return _("Order %(number)s is on its way: %(reward)s.") % _reward(payload, names)


def _ready(payload: Payload, names: Names) -> str:
    return _("Order %(number)s is ready for pick-up: %(reward)s.") % _reward(payload, names)


def _done(payload: Payload, names: Names) -> str:
    if store := names["store"]:
        return _("Order %(number)s was handed over in %(store)s: %(reward)s.") % {
            **_reward(payload, names),
            "store": store,
        }
    return _("Order %(number)s has arrived: %(reward)s.") % _reward(payload, names)


def _cancelled(payload: Payload, names: Names) -> str:
    said = _("Order %(number)s was cancelled: %(reward)s; %(points)s points came back.")
    return _with_household(said, payload, names)


def _refunded(payload: Payload, names: Names) -> str:
    said = _("Order %(number)s could not be delivered: %(reward)s; %(points)s points came back.")
    return _with_household(said, payload, names)


def _with_household(said: str, payload: Payload, names: Names) -> str:
    words = [said % {**_reward(payload, names), "points": grouped(payload.get("points", 0))}]
    if payload.get("household"):
        words.append(
            _("%(points)s of them went to others of the household.") % {"points": grouped(payload["household"])}
        )
    return together(words)


_TOLD: dict[str, tuple[Callable[[Payload, Names], str], str]] = {
    events.REDEMPTION_PREPARING: (_preparing, "inventory_2"),
    events.REDEMPTION_SHIPPED: (_shipped, "local_shipping"),
    events.REDEMPTION_READY: (_ready, "storefront"),
    events.REDEMPTION_DONE: (_done, "task_alt"),
    events.REDEMPTION_CANCELLED: (_cancelled, "undo"),
    events.REDEMPTION_REFUNDED: (_refunded, "undo"),
}
for _kind, (_words, _icon) in _TOLD.items():
    register_sentence(_kind, _words, icon=_icon, names={"reward": reward_names, "store": store_names})


def _quoted(trace: Mapping[str, Any]) -> str:
    figures = {"reward": in_active_language(trace["label"]), "points": grouped(trace["points"])}
    return _("Asked what %(reward)s costs: %(points)s points.") % figures


register_quote(QUOTE_CODE, _quoted)
