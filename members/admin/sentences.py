"""What members tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped
from members.models import Channel
from members.own_facts import activity_kinds
from members.wording import enumerated

Payload = Mapping[str, Any]

_FIELDS = {
    "full_name": gettext_lazy("name"),
    "phone": gettext_lazy("phone"),
    "email": gettext_lazy("e-mail"),
    "birthday": gettext_lazy("birthday"),
    "language": gettext_lazy("language"),
    "home_store_id": gettext_lazy("home store"),
}


def channel_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of channels by id, in the active language."""
    return {channel.pk: channel.name for channel in Channel.objects.filter(pk__in=ids)}


def behaviour_names(codes: Iterable[str]) -> Mapping[str, str]:
    """Return the names of kinds of behaviour by code, in the active language."""
    return activity_kinds(set(codes))


def _enrolled(payload: Payload, names: Names) -> str:
    if names["store"]:
        return _("Joined at %(store)s.") % {"store": names["store"]}
    return (
        _("Joined through %(channel)s.") % {"channel": names["channel"]}
        if names["channel"]
        else _("Joined the programme.")
    )


def _profile_changed(payload: Payload, names: Names) -> str:
    fields = enumerated(_FIELDS.get(field, field) for field in payload.get("fields", []))
    return _("The profile was changed: %(fields)s.") % {"fields": fields}


def _frozen(payload: Payload, names: Names) -> str:
    return _("Frozen: %(reason)s") % {"reason": payload.get("reason", "")}


def _unfrozen(payload: Payload, names: Names) -> str:
    return _("No longer frozen: %(reason)s") % {"reason": payload.get("reason", "")}


def _personal_data_viewed(payload: Payload, names: Names) -> str:
    return _("Looked at the personal data.")


def _activity_recorded(payload: Payload, names: Names) -> str:
    if payload.get("value") is None:
        return _("%(behaviour)s.") % {"behaviour": names["kind"]}
    return _("%(behaviour)s: %(figure)s.") % {"behaviour": names["kind"], "figure": grouped(payload["value"])}


register_sentence(
    "members.enrolled.v1", _enrolled, icon="waving_hand", names={"store": store_names, "channel": channel_names}
)
register_sentence("members.profile_changed.v1", _profile_changed, icon="edit")
register_sentence("members.frozen.v1", _frozen, icon="ac_unit")
register_sentence("members.unfrozen.v1", _unfrozen, icon="sunny")
register_sentence("members.personal_data_viewed.v1", _personal_data_viewed, icon="visibility")
register_sentence(
    "members.activity_recorded.v1", _activity_recorded, icon="directions_run", names={"kind": behaviour_names}
)
