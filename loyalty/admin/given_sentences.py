"""What floors and plans tell the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import events
from loyalty.admin.sentences import tier_names
from loyalty.models import Plan, TierFloor
from members.admin.days import last_day
from members.admin.timeline import Names, register_sentence
from members.figures import money
from members.wording import together

Payload = Mapping[str, Any]


def plan_names(codes: Iterable[str]) -> Mapping[str, str]:
    """Return the names of plans by code, in the active language."""
    return {plan.code: plan.name for plan in Plan.objects.filter(code__in=codes)}


def _floor_began(payload: Payload, names: Names) -> str:
    figures = {"tier": names["tier"], "date": _last(payload["until"]), "reason": payload["reason"]}
    if payload["source"] == TierFloor.Source.PLAN:
        return _("Holds at least %(tier)s by a paid membership, until the end of %(date)s.") % figures
    if payload["source"] == TierFloor.Source.CAMPAIGN:
        return _("Holds at least %(tier)s by a campaign: %(reason)s") % figures
    if payload["until"]:
        return _("Tier set by hand: at least %(tier)s until the end of %(date)s. Reason: %(reason)s") % figures
    return _("Tier set by hand: at least %(tier)s until that is ended. Reason: %(reason)s") % figures


def _floor_ended(payload: Payload, names: Names) -> str:
    figures = {"tier": names["tier"], "reason": payload["reason"]}
    if payload["source"] == TierFloor.Source.PLAN:
        return _("%(tier)s by a paid membership has ended.") % figures
    if payload["source"] == TierFloor.Source.CAMPAIGN:
        return _("%(tier)s by a campaign has ended.") % figures
    if payload["early"] and payload["reason"]:
        return _("%(tier)s set by hand was ended. Reason: %(reason)s") % figures
    return _("%(tier)s set by hand has ended.") % figures


def _ordered(payload: Payload, names: Names) -> str:
    return {
        "purchase": _("Ordered the plan %(plan)s."),
        "renewal": _("Ordered another period of the plan %(plan)s."),
        "upgrade": _("Ordered the change to the plan %(plan)s."),
    }[payload["kind"]] % {"plan": names["plan"]}


def _trial_began(payload: Payload, names: Names) -> str:
    return _("Began the trial of the plan %(plan)s, until the end of %(date)s.") % {
        "plan": names["plan"], "date": _last(payload["until"]),
    }  # fmt: skip


def _paid(payload: Payload, names: Names) -> str:
    figures = {
        "plan": names["plan"], "amount": money(Decimal(payload["amount"]), payload["currency"]), "date": _last(payload["until"]),
    }  # fmt: skip
    return {
        "purchase": _("Paid %(amount)s for the plan %(plan)s, which runs until the end of %(date)s."),
        "renewal": _("Paid %(amount)s for another period of the plan %(plan)s, which runs until the end of %(date)s."),
        "upgrade": _("Paid %(amount)s to change to the plan %(plan)s, which runs until the end of %(date)s."),
    }[payload["kind"]] % figures


def _ends_soon(payload: Payload, names: Names) -> str:
    days = payload["days"]
    figures = {"plan": names["plan"], "days": days, "date": _last(payload["until"])}
    told = ngettext(
        "The plan %(plan)s ends in %(days)s day, at the end of %(date)s.",
        "The plan %(plan)s ends in %(days)s days, at the end of %(date)s.",
        days,
    )
    wish = _("The member means to renew.") if payload["renews"] else _("The member does not mean to renew.")
    return together([told % figures, wish])


def _ended(payload: Payload, names: Names) -> str:
    text = _("The trial of the plan %(plan)s has ended.") if payload["was_trial"] else _("The plan %(plan)s has ended.")
    return text % {"plan": names["plan"]}


def _refunded(payload: Payload, names: Names) -> str:
    return _("The plan %(plan)s was ended and %(amount)s noted as paid back. Reason: %(reason)s") % {
        "plan": names["plan"], "amount": money(Decimal(payload["amount"]), payload["currency"]), "reason": payload["reason"],
    }  # fmt: skip


def _renewal_wished(payload: Payload, names: Names) -> str:
    text = (
        _("Means to renew the plan %(plan)s.") if payload["renews"] else _("Does not mean to renew the plan %(plan)s.")
    )
    return text % {"plan": names["plan"]}


def _last(until: str | None) -> str:
    return last_day(datetime.fromisoformat(until)) if until else ""


_TIER, _PLAN = {"tier": tier_names}, {"plan": plan_names}
register_sentence(events.FLOOR_BEGAN, _floor_began, icon="lock", names=_TIER)
register_sentence(events.FLOOR_ENDED, _floor_ended, icon="lock_open", names=_TIER)
register_sentence(events.PLAN_ORDERED, _ordered, icon="pending_actions", names=_PLAN)
register_sentence(events.PLAN_TRIAL_BEGAN, _trial_began, icon="card_membership", names=_PLAN)
register_sentence(events.PLAN_PAID, _paid, icon="payments", names=_PLAN)
register_sentence(events.PLAN_ENDS_SOON, _ends_soon, icon="hourglass_bottom", names=_PLAN)
register_sentence(events.PLAN_ENDED, _ended, icon="event_busy", names=_PLAN)
register_sentence(events.PLAN_REFUNDED, _refunded, icon="currency_exchange", names=_PLAN)
register_sentence(events.PLAN_RENEWAL_WISHED, _renewal_wished, icon="event_repeat", names=_PLAN)
