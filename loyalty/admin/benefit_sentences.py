"""What loyalty tells the timeline about benefits, as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import events
from loyalty.benefit_words import names_of
from loyalty.models import BenefitBudgetNote
from loyalty.periods import last_day_before
from members.admin.timeline import Names, register_sentence, store_names
from members.queries import programme

Payload = Mapping[str, Any]


def _names(ids: Iterable[Any]) -> Mapping[int, str]:
    return names_of(list(ids))


def _granted(payload: Payload, names: Names) -> str:
    until = parse_datetime(payload["until"]) if payload.get("until") else None
    figures = {
        "benefit": names["benefit"],
        "uses": payload["quota"],
        "until": date_format(last_day_before(until, programme().tz)) if until else "",
    }
    if until is None:
        words = ngettext(
            "Was given “%(benefit)s”, %(uses)s use.", "Was given “%(benefit)s”, %(uses)s uses.", payload["quota"]
        )
    else:
        words = ngettext(
            "Was given “%(benefit)s”, %(uses)s use until %(until)s.",
            "Was given “%(benefit)s”, %(uses)s uses until %(until)s.",
            payload["quota"],
        )
    return words % figures


def _used(payload: Payload, names: Names) -> str:
    figures = {"benefit": names["benefit"], "left": payload["left"], "store": names["store"]}
    if payload.get("store"):
        return _("Used “%(benefit)s” in %(store)s; %(left)s left.") % figures
    return _("Used “%(benefit)s”; %(left)s left.") % figures


def _undone(payload: Payload, names: Names) -> str:
    figures = {"benefit": names["benefit"], "left": payload["left"], "reason": payload.get("reason", "")}
    return _("A use of “%(benefit)s” was taken back (%(reason)s); %(left)s left.") % figures


def _expired(payload: Payload, names: Names) -> str:
    words = ngettext(
        "“%(benefit)s” ended; %(left)s use was left.", "“%(benefit)s” ended; %(left)s uses were left.", payload["left"]
    )
    return words % {"benefit": names["benefit"], "left": payload["left"]}


def _revoked(payload: Payload, names: Names) -> str:
    figures = {"benefit": names["benefit"], "left": payload["left"], "reason": payload.get("reason", "")}
    match payload.get("because"):
        case "tier_lowered":
            return _("“%(benefit)s” ended with the tier; %(left)s were left.") % figures
        case "merged":
            return _("“%(benefit)s” ended at a merge, as the other member has it too; %(left)s were left.") % figures
        case "erased":
            return _("“%(benefit)s” ended as the person asked to be erased; %(left)s were left.") % figures
    return _("“%(benefit)s” was taken back (%(reason)s); %(left)s were left.") % figures


def _budget(payload: Payload, names: Names) -> str:
    figures = {"benefit": names["benefit"], "percent": payload["percent"]}
    match payload["what"]:
        case BenefitBudgetNote.Kind.WARNED:
            return _("Of the budget of “%(benefit)s”, %(percent)s %% are promised.") % figures
        case BenefitBudgetNote.Kind.FULL:
            return _("The budget of “%(benefit)s” is used up.") % figures
        case BenefitBudgetNote.Kind.STOPPED:
            return _("The budget of “%(benefit)s” was stopped.") % figures
    return _("The budget of “%(benefit)s” goes on.") % figures


def _grid(payload: Payload, names: Names) -> str:
    words = _("The benefits of version %(number)s of the ladder were changed (cells: %(changed)s).")
    return words % {"number": payload["number"], "changed": payload["changed"]}


_BENEFIT = {"benefit": _names}
register_sentence(events.ENTITLEMENT_GRANTED, _granted, icon="redeem", names=_BENEFIT)
register_sentence(events.ENTITLEMENT_USED, _used, icon="check_circle", names=_BENEFIT | {"store": store_names})
register_sentence(events.ENTITLEMENT_USE_UNDONE, _undone, icon="undo", names=_BENEFIT)
register_sentence(events.ENTITLEMENT_EXPIRED, _expired, icon="hourglass_bottom", names=_BENEFIT)
register_sentence(events.ENTITLEMENT_REVOKED, _revoked, icon="block", names=_BENEFIT)
register_sentence(events.BENEFIT_BUDGET_NOTED, _budget, icon="savings", names=_BENEFIT)
register_sentence(events.BENEFIT_GRID_CHANGED, _grid, icon="grid_on")
