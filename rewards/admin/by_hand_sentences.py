"""What rewards tells the timeline of points moved by hand, as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from members.admin.timeline import Names, register_sentence
from members.figures import grouped
from members.models import Member
from rewards import events_adjustments as events
from rewards.admin.sentences import other_currency_names, points_told, reward_names
from rewards.models import CharityProject, Partner, PartnerConversion, ReasonCode

Payload = Mapping[str, Any]


def reason_labels(codes: Iterable[str]) -> Mapping[str, str]:
    """Return the reasons of adjustments by code, in the active language."""
    return {reason.code: reason.label for reason in ReasonCode.objects.filter(code__in=codes)}


def member_numbers(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the numbers of members by id."""
    return dict(Member.objects.filter(pk__in=ids).values_list("pk", "member_no"))


def project_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of charity projects by id, in the active language."""
    return {project.pk: project.name for project in CharityProject.objects.filter(pk__in=ids)}


def partner_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of partners by id, in the active language."""
    return {partner.pk: partner.name for partner in Partner.objects.filter(pk__in=ids)}


def _adjusted(payload: Payload, names: Names) -> str:
    points = payload["points"]
    figures = {"points": points_told(payload, names), "reason": names["reason_code"]}
    if points > 0:
        return _("Staff gave %(points)s: %(reason)s.") % figures
    return _("Staff took %(points)s: %(reason)s.") % figures


def _opened(payload: Payload, names: Names) -> str:
    return _("Brought along %(points)s from another system.") % {"points": points_told(payload, names)}


def _corrected(payload: Payload, names: Names) -> str:
    points = payload["points"]
    if points > 0:
        return _("A wrong posting was taken back: %(points)s came back.") % {"points": points_told(payload, names)}
    figures = {
        "points": points_told(payload, names),
        "arrears": grouped(payload["arrears"]),
        "left": grouped(payload["left"]),
    }
    if payload["arrears"]:
        return _("A wrong posting was taken back: %(points)s, %(arrears)s of them owed.") % figures
    if payload["left"]:
        return _("A wrong posting was taken back: %(points)s; %(left)s were spent and stay so.") % figures
    return _("A wrong posting was taken back: %(points)s.") % figures


def _forgiven(payload: Payload, names: Names) -> str:
    return _("Arrears of %(points)s were forgiven.") % {"points": points_told(payload, names)}


def _sent(payload: Payload, names: Names) -> str:
    return _("Gave %(points)s to member %(member)s.") % {
        "points": points_told(payload, names),
        "member": names["receiver"],
    }


def _received(payload: Payload, names: Names) -> str:
    return _("Got %(points)s from member %(member)s.") % {
        "points": points_told(payload, names),
        "member": names["sender"],
    }


def _given_in_household(payload: Payload, names: Names) -> str:
    return _("Paid %(points)s for member %(member)s of the household, for %(reward)s.") % {
        "points": points_told(payload, names),
        "member": names["receiver"],
        "reward": names["reward"],
    }


def _donated(payload: Payload, names: Names) -> str:
    return _("Gave %(points)s to “%(project)s”.") % {
        "points": points_told(payload, names),
        "project": names["project"],
    }


def _converted(payload: Payload, names: Names) -> str:
    figures = {"points": points_told(payload, names), "partner": names["partner"]}
    if payload["direction"] == "in":
        return _("Got %(points)s in exchange from %(partner)s.") % figures
    text = {
        PartnerConversion.State.CONFIRMED: _("%(partner)s confirmed the exchange of %(points)s."),
        PartnerConversion.State.REJECTED: _("%(partner)s rejected the exchange of %(points)s; they came back."),
    }.get(payload["state"], _("Exchanged %(points)s with %(partner)s."))
    return text % figures


_CURRENCY = {"currency": other_currency_names}

register_sentence(events.POINTS_ADJUSTED, _adjusted, icon="tune", names={"reason_code": reason_labels, **_CURRENCY})
register_sentence(events.OPENING_POSTED, _opened, icon="luggage", names=_CURRENCY)
register_sentence(events.POINTS_CORRECTED, _corrected, icon="undo", names=_CURRENCY)
register_sentence(events.ARREARS_FORGIVEN, _forgiven, icon="money_off", names=_CURRENCY)
register_sentence(events.POINTS_SENT, _sent, icon="send", names={"receiver": member_numbers, **_CURRENCY})
register_sentence(
    events.POINTS_RECEIVED, _received, icon="call_received", names={"sender": member_numbers, **_CURRENCY}
)
register_sentence(
    events.HOUSEHOLD_POINTS_GIVEN,
    _given_in_household,
    icon="family_restroom",
    names={"receiver": member_numbers, "reward": reward_names, **_CURRENCY},
)
register_sentence(
    events.POINTS_DONATED, _donated, icon="volunteer_activism", names={"project": project_names, **_CURRENCY}
)
register_sentence(
    events.POINTS_CONVERTED, _converted, icon="currency_exchange", names={"partner": partner_names, **_CURRENCY}
)
