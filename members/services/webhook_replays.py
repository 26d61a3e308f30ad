"""Deliveries that are sent again because somebody wants it: one, some, or all of a span of time."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import WebhookDelivery, WebhookEndpoint
from members.refusals import MembersRefusal
from members.services.webhook_sending import ask_to_send
from members.services.webhooks import WebhookNotInState, tell_replayed

#: How many deliveries are sent again by one wish at most, and from how many on staff type the number.
MOST: Final = 100_000
TYPED_FROM: Final = 1_000
_NOT_DELIVERED: Final = ("failed", "given_up")


class NothingToReplay(MembersRefusal):
    """No delivery is meant by the wish."""

    code = "nothing_to_replay"
    text = _("There is no delivery that could be sent again.")


class TooManyReplayed(MembersRefusal):
    """More than one wish may send."""

    code = "too_many_replayed"
    text = _("These are %(count)s deliveries; %(most)s can be sent again at once. Please choose a shorter time.")


class ReplayNotTyped(MembersRefusal):
    """So many are sent again only by somebody who has read how many they are."""

    code = "replay_not_typed"
    text = _("These are %(count)s deliveries. Please type this number to send them all again.")
    status = 422


def replay_deliveries(
    *, endpoint_id: int, events: Collection[UUID] = (), span: tuple[datetime, datetime] | None = None,
    with_delivered: bool = False, typed: int | None = None, reason: str = "", by: Actor, at: datetime,
) -> int:  # fmt: skip
    """Send deliveries of an address again from now on, under their old ids: those of some events, or those that were
    planned within a half-open span and failed (`with_delivered`: all of them). Return how many.

    Staff type the number when it is large. Raises `WebhookNotInState`, `NothingToReplay`, `TooManyReplayed`,
    `ReplayNotTyped`, `NotFound`.
    """
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
        if endpoint is None or endpoint.state == WebhookEndpoint.State.REMOVED:
            raise NotFound
        if endpoint.state == WebhookEndpoint.State.DISABLED:
            raise WebhookNotInState
        meant = _meant(endpoint, events, span, with_delivered)
        count = meant.count()
        if not count:
            raise NothingToReplay
        if count > MOST:
            raise TooManyReplayed(count=count, most=MOST)
        if count > TYPED_FROM and by.kind == "operator" and typed != count:
            raise ReplayNotTyped(count=count)
        meant.update(state=WebhookDelivery.State.WAITING, attempts=0, next_at=at)
        if endpoint.rest_until is not None:
            endpoint.rest_until = None
            endpoint.save(update_fields=["rest_until"])
        tell_replayed(endpoint=endpoint, deliveries=count, reason=reason, by=by, at=at)
        ask_to_send()
    return count


def _meant(
    endpoint: WebhookEndpoint,
    events: Collection[UUID],
    span: tuple[datetime, datetime] | None,
    with_delivered: bool,
) -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.filter(endpoint=endpoint)
    if events:
        return rows.filter(event__in=list(events))
    if span is None:
        return rows.none()
    rows = rows.filter(created_at__gte=span[0], created_at__lt=span[1])
    return rows if with_delivered else rows.filter(state__in=_NOT_DELIVERED)
