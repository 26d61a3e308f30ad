"""What is said of orders of rewards: their state in colour, their steps in words, and what became of several at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members.admin.base import Badge
from members.admin.timeline import ActorNames, register_sentence
from members.figures import grouped
from members.wording import together
from rewards.events_addresses import ADDRESS_SEEN
from rewards.models import Redemption, RedemptionEvent, RedemptionState
from rewards.order_numbers import order_no
from rewards.services.fulfilment_jobs import PREPARE, READY, ManyDone

STATE_COLOURS: Final = {
    "placed": "info", "preparing": "warning", "shipped": "info", "ready": "success", "done": "success",
    "cancelled": "danger", "refunded": "danger",
}  # fmt: skip
_MOST_TOLD = 5
_STEPS: Final[Mapping[str, str | Promise]] = {
    RedemptionState.PLACED: gettext_lazy("Redeemed."),
    RedemptionState.PREPARING: gettext_lazy("Being prepared."),
    RedemptionState.SHIPPED: gettext_lazy("On its way."),
    RedemptionState.READY: gettext_lazy("Ready for pick-up."),
    RedemptionState.DONE: gettext_lazy("Done."),
    RedemptionState.CANCELLED: gettext_lazy("Cancelled; the points were given back."),
    RedemptionState.REFUNDED: gettext_lazy("Could not be delivered; the points were given back."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order in words: when, what, by whom."""

    happened_at: datetime
    words: str
    by: str


def state_badge(order: Redemption) -> Badge:
    """Return the state of an order, for a coloured label."""
    return Badge(order.state, order.get_state_display())


def steps_of(order: Redemption) -> list[Step]:
    """Return the steps of an order in the active language, the first one first: three queries at most."""
    events = list(
        RedemptionEvent.objects.filter(redemption=order.pk).select_related("store").order_by("happened_at", "id")
    )
    actors = ActorNames.of(events)
    return [Step(event.happened_at, _step_words(event, order), actors.name(event)) for event in events]


def _step_words(event: RedemptionEvent, order: Redemption) -> str:
    if event.to_state == RedemptionState.SHIPPED and order.tracking_no:
        said = [_("On its way with %(carrier)s, tracking number %(number)s.") % {
            "carrier": order.carrier or "–", "number": order.tracking_no,
        }]  # fmt: skip
    elif event.to_state == RedemptionState.DONE and event.store:
        said = [_("Handed over in %(store)s.") % {"store": event.store.name}]
    else:
        said = [str(_STEPS.get(event.to_state, event.get_to_state_display()))]
    if event.reason:
        said.append(_("Why: %(reason)s") % {"reason": event.reason})
    return together(said)


def say_many(request: HttpRequest, act: str, done: ManyDone) -> None:
    """Tell the operator what became of several orders."""
    if done.job is not None:
        address = reverse("admin:members_job_change", args=[done.job.pk])
        words = _("A job does it; you can go on working meanwhile.")
        messages.success(request, format_html('{} <a href="{}">{}</a>', words, address, _("Show the job")))
        return
    if done.done:
        messages.success(request, _done_words(act, done.done))
    for number, why in done.refused[:_MOST_TOLD]:
        messages.warning(request, _("%(order)s: %(why)s") % {"order": number, "why": why})
    left = len(done.refused) - _MOST_TOLD
    if left > 0:
        words = ngettext(
            "%(orders)s more order could not be changed.", "%(orders)s more orders could not be changed.", left
        )
        messages.warning(request, words % {"orders": grouped(left)})


def _done_words(act: str, number: int) -> str:
    figures = {"orders": grouped(number)}
    if act == PREPARE:
        words = ngettext("%(orders)s order is being prepared.", "%(orders)s orders are being prepared.", number)
    elif act == READY:
        words = ngettext("%(orders)s order is ready for pick-up.", "%(orders)s orders are ready for pick-up.", number)
    else:
        words = ngettext(
            "The points of %(orders)s order were given back.",
            "The points of %(orders)s orders were given back.",
            number,
        )
    return words % figures


def _address_seen(payload: Mapping[str, Any], names: Mapping[str, str]) -> str:
    number = {"number": order_no(payload["redemption"])}
    if payload.get("list"):
        return _("The address of order %(number)s was printed on a picking list.") % number
    return _("Looked at where order %(number)s goes.") % number


register_sentence(ADDRESS_SEEN, _address_seen, icon="visibility")
