"""Addresses that events are sent to: made, changed, paused, given another secret, removed. By their owner or by staff."""

import base64
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import ApiKey, WebhookEndpoint
from members.refusals import MembersRefusal
from members.sealing import seal, unseal
from members.timeline import NewEntry, nudge, record
from members.webhook_types import is_event_type
from members.webhook_urls import refuse_host

State, Why = WebhookEndpoint.State, WebhookEndpoint.Why
#: How many addresses a key, and the staff together, may have.
MOST_OF_ONE: Final = 20
#: How long two secrets sign, unless it is said otherwise, and at most.
OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)
PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_PURPOSE: Final = "webhook"
#: What is told of an address, under the subject `webhook:<id>`.
MILESTONES: Final = tuple(
    f"members.webhook_{what}.v1"
    for what in ("made", "changed", "paused", "resumed", "secret_changed", "removed", "tested", "replayed", "disabled")
)


class EventTypeUnknown(MembersRefusal):
    """A type of event that does not exist, or none at all."""

    code = "event_type_unknown"
    text = _("Choose at least one of the types of events that exist.")
    status = 422


class TooManyWebhooks(MembersRefusal):
    """There are as many as there may be."""

    code = "too_many_webhooks"
    text = _("There are %(most)s addresses already, which is the most. Remove one first.")


class WebhookNotInState(MembersRefusal):
    """It is paused already, or not active, or removed."""

    code = "webhook_not_in_state"
    text = _("This can not be done in the state that the webhook is in now.")


class WebhookChanged(MembersRefusal):
    """Somebody else changed it after it was read."""

    code = "precondition_failed"
    text = _("The webhook was changed meanwhile. Please read it again.")
    status = 412


class OverlapOutOfRange(MembersRefusal):
    """Two secrets do not sign for so long."""

    code = "overlap_out_of_range"
    text = _("The earlier secret can go on signing for 0 to %(hours)s hours.")
    status = 422


@dataclass(frozen=True, slots=True)
class MadeWebhook:
    """An address with its secret, which is shown this once."""

    endpoint: WebhookEndpoint
    secret: str


def create_webhook(
    *, url: str, types: Iterable[str], description: str = "", key: ApiKey | None, reason: str = "", by: Actor, at: datetime
) -> MadeWebhook:  # fmt: skip
    """Have events of some types sent to an address from now on; return it with its secret. Without a key it is of the staff.

    Raises `EventTypeUnknown`, `TooManyWebhooks`, `WebhookUrlInvalid`, `WebhookHostRefused`, `WebhookHostUnknown`.
    """
    wanted = _known(types)
    refuse_host(url)
    secret = _new_secret()
    with transaction.atomic():
        if key is not None:  # those of one owner come one after the other, so that they can be counted
            ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
        if owned_by(key).count() >= MOST_OF_ONE:
            raise TooManyWebhooks(most=MOST_OF_ONE)
        endpoint = WebhookEndpoint.objects.create(
            url=url, types=wanted, description=description, key=key, secret=seal(secret, purpose=_PURPOSE), created_at=at
        )  # fmt: skip
        _tell(endpoint, "made", by, at, reason, types=wanted)
    return MadeWebhook(endpoint, secret)


def change_webhook(
    *, endpoint_id: int, url: str | None = None, types: Iterable[str] | None = None, description: str | None = None,
    expected_version: int | None = None, reason: str = "", by: Actor, at: datetime,
) -> WebhookEndpoint:  # fmt: skip
    """Change what is given of an address; what waits is sent to the new one. Return it.

    Raises `WebhookChanged`, `NotFound`, and what `create_webhook` refuses of an address and of types.
    """
    wanted = None if types is None else _known(types)
    if url is not None:
        refuse_host(url)
    with transaction.atomic():
        endpoint = _locked(endpoint_id, expected_version)
        asked = {"url": url, "types": wanted, "description": description}
        changed = [name for name, value in asked.items() if value is not None and value != getattr(endpoint, name)]
        if changed:
            for name in changed:
                setattr(endpoint, name, asked[name])
            endpoint.version += 1
            endpoint.save(update_fields=[*changed, "version"])
            _tell(endpoint, "changed", by, at, reason, fields=sorted(changed))
    return endpoint


def pause_webhook(
    *, endpoint_id: int, expected_version: int | None = None, reason: str = "", by: Actor, at: datetime
) -> WebhookEndpoint:
    """Send nothing to an address for a while; what happens meanwhile waits. Return it.

    Raises `WebhookNotInState`, `WebhookChanged`, `NotFound`.
    """
    with transaction.atomic():
        endpoint = _locked(endpoint_id, expected_version)
        if endpoint.state != State.ACTIVE:
            raise WebhookNotInState
        endpoint.state = State.PAUSED
        endpoint.why = Why.STAFF if by.kind == "operator" else Why.OWNER
        endpoint.version += 1
        endpoint.save(update_fields=["state", "why", "version"])
        _tell(endpoint, "paused", by, at, reason)
    return endpoint


def resume_webhook(
    *, endpoint_id: int, expected_version: int | None = None, reason: str = "", by: Actor, at: datetime
) -> WebhookEndpoint:
    """Send to an address again that was paused or switched off; what waits follows at once. Return it.

    Raises `WebhookNotInState`, `WebhookChanged`, `NotFound`.
    """
    with transaction.atomic():
        endpoint = _locked(endpoint_id, expected_version)
        if endpoint.state == State.ACTIVE:
            raise WebhookNotInState
        endpoint.state, endpoint.why = State.ACTIVE, Why.NONE
        endpoint.failing_since, endpoint.failures, endpoint.rest_until = None, 0, None
        endpoint.version += 1
        endpoint.save(update_fields=["state", "why", "failing_since", "failures", "rest_until", "version"])
        _tell(endpoint, "resumed", by, at, reason)
    return endpoint


def rotate_secret(
    *, endpoint_id: int, overlap: timedelta = OVERLAP, reason: str = "", by: Actor, at: datetime
) -> MadeWebhook:
    """Give an address another secret; for a while the earlier one signs beside it. Return it with the new secret.

    Raises `OverlapOutOfRange`, `NotFound`.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise OverlapOutOfRange(hours=LONGEST_OVERLAP // timedelta(hours=1))
    secret = _new_secret()
    with transaction.atomic():
        endpoint = _locked(endpoint_id, None)
        endpoint.earlier_secret, endpoint.earlier_until = (endpoint.secret, at + overlap) if overlap else (None, None)
        endpoint.secret = seal(secret, purpose=_PURPOSE)
        endpoint.version += 1
        endpoint.save(update_fields=["earlier_secret", "earlier_until", "secret", "version"])
        _tell(endpoint, "secret_changed", by, at, reason, hours=overlap // timedelta(hours=1))
    return MadeWebhook(endpoint, secret)


def remove_webhook(*, endpoint_id: int, reason: str = "", by: Actor, at: datetime) -> None:
    """Send nothing to an address any more, for good; what waits is not sent. Raises `NotFound`."""
    with transaction.atomic():
        endpoint = _locked(endpoint_id, None)
        endpoint.state = State.REMOVED
        endpoint.why = Why.STAFF if by.kind == "operator" else Why.OWNER
        endpoint.version += 1
        endpoint.save(update_fields=["state", "why", "version"])
        _tell(endpoint, "removed", by, at, reason)


def tell_tested(*, endpoint: WebhookEndpoint, status: int | None, reason: str = "", by: Actor, at: datetime) -> None:
    """Write to the timeline that an address was tried, and with what HTTP status (None: no answer) it answered."""
    with transaction.atomic():
        _tell(endpoint, "tested", by, at, reason, status=status)


def tell_replayed(*, endpoint: WebhookEndpoint, deliveries: int, reason: str = "", by: Actor, at: datetime) -> None:
    """Write to the timeline, in the caller's transaction, that deliveries are sent again."""
    _tell(endpoint, "replayed", by, at, reason, deliveries=deliveries)


def disable_webhook(*, endpoint_id: int, why: WebhookEndpoint.Why, by: Actor, at: datetime) -> bool:
    """Switch an active address off, for what it answered; return whether it was active."""
    with transaction.atomic():
        changed = WebhookEndpoint.objects.filter(pk=endpoint_id, state=State.ACTIVE).update(
            state=State.DISABLED, why=why, version=F("version") + 1
        )
        if changed:
            _tell(WebhookEndpoint(pk=endpoint_id), "disabled", by, at, "", why=str(why))
    return bool(changed)


def owned_by(key: ApiKey | None) -> QuerySet[WebhookEndpoint]:
    """Return the addresses of a key, or of the keys whose place it took; of staff when there is no key. Not the removed ones."""
    owner = Q(key__isnull=True) if key is None else Q(key__family=key.family)
    return WebhookEndpoint.objects.filter(owner).exclude(state=State.REMOVED).order_by("created_at", "id")


def webhook_of(key: ApiKey, public_id: UUID) -> WebhookEndpoint:
    """Return an address of a key. Raises `NotFound`, for those of others too."""
    found = owned_by(key).filter(public_id=public_id).first()
    if found is None:
        raise NotFound
    return found


def with_live_owner(at: datetime) -> Q:
    """Return the condition that an address is of staff, or of a key that lives or has been replaced by one that does."""
    live = ApiKey.objects.filter(family=OuterRef("key__family"), revoked_at__isnull=True).exclude(ends_at__lte=at)
    return Q(key__isnull=True) | Q(Exists(live))


def secrets_of(endpoint: WebhookEndpoint, at: datetime) -> tuple[str, ...]:
    """Return what an address is signed with at a moment: its secret, and the earlier one while it still signs."""
    kept = [endpoint.secret]
    if endpoint.earlier_secret is not None and endpoint.earlier_until is not None and at < endpoint.earlier_until:
        kept.append(endpoint.earlier_secret)
    return tuple(unseal(bytes(one), purpose=_PURPOSE) for one in kept)


def worrying_webhooks(at: datetime) -> list[WebhookEndpoint]:
    """Return the addresses that somebody should look at: switched off by themselves, or failing for an hour. At most ten."""
    failing = Q(state=State.ACTIVE, failing_since__lte=at - timedelta(hours=1))
    return list(WebhookEndpoint.objects.filter(Q(state=State.DISABLED) | failing).order_by("-id")[:10])


def _known(types: Iterable[str]) -> list[str]:
    asked: Collection[str] = set(types)
    if not asked or not all(is_event_type(one) for one in asked):
        raise EventTypeUnknown
    return sorted(asked)


def _new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _locked(endpoint_id: int, expected_version: int | None) -> WebhookEndpoint:
    endpoint = (
        WebhookEndpoint.objects.select_for_update(no_key=True)
        .filter(pk=endpoint_id)
        .exclude(state=State.REMOVED)
        .first()
    )
    if endpoint is None:
        raise NotFound
    if expected_version is not None and endpoint.version != expected_version:
        raise WebhookChanged
    return endpoint


def _tell(endpoint: WebhookEndpoint, what: str, by: Actor, at: datetime, reason: str, **figures: Any) -> None:
    told = {"webhook": endpoint.pk, **figures} | ({"reason": reason} if reason else {})
    record([NewEntry(f"members.webhook_{what}.v1", None, at, by, told, f"webhook:{endpoint.pk}")])
    nudge()
