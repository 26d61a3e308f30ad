"""What members tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.admin.days import last_day, local_day
from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped
from members.models import Card, Channel, ClosingReason, HouseholdMember, Identity, Member
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
    "home_region_id": gettext_lazy("home region"),
    "details": gettext_lazy("further details"),
    "channels": gettext_lazy("channels"),
    "quiet_from": gettext_lazy("beginning of the quiet hours"),
    "quiet_to": gettext_lazy("end of the quiet hours"),
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


def _preferences_changed(payload: Payload, names: Names) -> str:
    fields = enumerated(_FIELDS.get(field, field) for field in payload.get("fields", []))
    return _("The preferences were changed: %(fields)s.") % {"fields": fields}


def _frozen(payload: Payload, names: Names) -> str:
    if not payload.get("until"):
        return _("Frozen: %(reason)s") % {"reason": payload.get("reason", "")}
    labels = dict(Member.Act.choices)
    figures = {
        "acts": enumerated(labels.get(act, act) for act in payload.get("acts", [])),
        "day": last_day(datetime.fromisoformat(payload["until"])),
        "reason": payload.get("reason", ""),
    }
    return _("Frozen until %(day)s (%(acts)s): %(reason)s") % figures


def _unfrozen(payload: Payload, names: Names) -> str:
    if payload.get("by_itself"):
        return _("No longer frozen: the time was up.")
    return _("No longer frozen: %(reason)s") % {"reason": payload.get("reason", "")}


def _import_taken_back(payload: Payload, names: Names) -> str:
    return _("The import that brought this member in, or changed it, was taken back.")


def _personal_data_viewed(payload: Payload, names: Names) -> str:
    return _("Looked at the personal data.")


def closing_reason_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the reasons for leaving by id, in the active language."""
    return {reason.pk: reason.name for reason in ClosingReason.objects.filter(pk__in=ids)}


def card_numbers(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the numbers of cards by id."""
    return dict(Card.objects.filter(pk__in=ids).values_list("pk", "number"))


def _leave_asked(payload: Payload, names: Names) -> str:
    figures = {"day": local_day(datetime.fromisoformat(payload["on"])), "reason": names["reason"]}
    return _("Leaves on %(day)s: %(reason)s") % figures


def _leave_taken_back(payload: Payload, names: Names) -> str:
    return _("Stays after all.")


def _closed(payload: Payload, names: Names) -> str:
    return _("Has left: %(reason)s") % {"reason": names["reason"]}


def _reopened(payload: Payload, names: Names) -> str:
    return _("The membership was opened again: %(reason)s") % {"reason": payload.get("reason", "")}


def _identity_linked(payload: Payload, names: Names) -> str:
    kind = dict(Identity.Kind.choices).get(payload.get("identity_kind", ""), "")
    return _("Known to another system now: %(kind)s, %(issuer)s.") % {"kind": kind, "issuer": payload.get("issuer", "")}


def _identity_unlinked(payload: Payload, names: Names) -> str:
    kind = dict(Identity.Kind.choices).get(payload.get("identity_kind", ""), "")
    figures = {"kind": kind, "issuer": payload.get("issuer", ""), "reason": payload.get("reason", "")}
    return _("Not known to another system any more: %(kind)s, %(issuer)s. %(reason)s") % figures


def _household_joined(payload: Payload, names: Names) -> str:
    role = dict(HouseholdMember.Role.choices).get(payload.get("role", ""), "")
    return _("Belongs to a household now, as: %(role)s.") % {"role": role}


def _household_left(payload: Payload, names: Names) -> str:
    return _("Has left the household: %(reason)s") % {"reason": payload.get("reason", "")}


def _household_points_shared(payload: Payload, names: Names) -> str:
    if payload.get("agrees"):
        return _("Agreed to pay for the others of the household with points.")
    return _("Does not pay for the others of the household with points any more.")


def _household_sharing_changed(payload: Payload, names: Names) -> str:
    if payload.get("benefits") and payload.get("vouchers"):
        return _("The household shares benefits and vouchers.")
    if payload.get("benefits"):
        return _("The household shares benefits.")
    return _("The household shares vouchers.") if payload.get("vouchers") else _("The household shares nothing.")


def _card_bound(payload: Payload, names: Names) -> str:
    return _("Card %(number)s was given out.") % {"number": names["card"]}


def _card_lost(payload: Payload, names: Names) -> str:
    return _("Card %(number)s was lost: %(reason)s") % {"number": names["card"], "reason": payload.get("reason", "")}


def _card_returned(payload: Payload, names: Names) -> str:
    figures = {"number": names["card"], "reason": payload.get("reason", "")}
    return _("Card %(number)s was given back: %(reason)s") % figures


def _card_replaced(payload: Payload, names: Names) -> str:
    figures = {"old": names["card"], "new": names["new_card"], "reason": payload.get("reason", "")}
    return _("Card %(old)s was replaced by %(new)s: %(reason)s") % figures


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
register_sentence("members.preferences_changed.v1", _preferences_changed, icon="tune")
for _kind, _sentence, _icon in (
    ("members.leave_asked.v1", _leave_asked, "logout"),
    ("members.leave_taken_back.v1", _leave_taken_back, "undo"),
    ("members.closed.v1", _closed, "door_front"),
):
    register_sentence(_kind, _sentence, icon=_icon, names={"reason": closing_reason_names})
register_sentence("members.household_points_shared.v1", _household_points_shared, icon="family_restroom")
register_sentence("members.household_joined.v1", _household_joined, icon="group_add")
register_sentence("members.household_left.v1", _household_left, icon="group_remove")
register_sentence("members.household_sharing_changed.v1", _household_sharing_changed, icon="handshake")
register_sentence("members.reopened.v1", _reopened, icon="undo")
register_sentence("members.identity_linked.v1", _identity_linked, icon="add_link")
register_sentence("members.identity_unlinked.v1", _identity_unlinked, icon="link_off")
for _kind, _sentence, _icon in (
    ("members.card_bound.v1", _card_bound, "add_card"),
    ("members.card_lost.v1", _card_lost, "credit_card_off"),
    ("members.card_returned.v1", _card_returned, "assignment_return"),
    ("members.card_replaced.v1", _card_replaced, "autorenew"),
):
    register_sentence(_kind, _sentence, icon=_icon, names={"card": card_numbers, "new_card": card_numbers})
register_sentence("members.personal_data_viewed.v1", _personal_data_viewed, icon="visibility")
register_sentence(
    "members.activity_recorded.v1", _activity_recorded, icon="directions_run", names={"kind": behaviour_names}
)
register_sentence("members.import_taken_back.v1", _import_taken_back, icon="undo")
