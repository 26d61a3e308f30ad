"""What loyalty tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import events
from loyalty.criteria import Figure
from loyalty.models import Tier
from loyalty.periods import last_day_before
from loyalty.rules_of_ladder import moment_words
from loyalty.wording import figures_words
from members.admin.timeline import Names, register_sentence
from members.figures import grouped
from members.queries import programme

Payload = Mapping[str, Any]


def tier_names(codes: Iterable[str]) -> Mapping[str, str]:
    """Return the names of tiers by code, in the active language."""
    return {tier.code: tier.name for tier in Tier.objects.filter(code__in=codes)}


def _figures(payload: Payload, names: Names) -> dict[str, str]:
    figures = [
        Figure(metric, Decimal(have), Decimal(needed), Decimal(returned))
        for metric, have, needed, returned in payload.get("figures", ())
    ]
    return {
        "from": names["from"],
        "to": names["to"],
        "credits": grouped(payload["credits"]),
        "needed": grouped(payload["needed"]),
        "figures": figures_words(figures, payload.get("must", 0)),
    }


def _raised(payload: Payload, names: Names) -> str:
    if payload.get("figures"):
        return _("Rose from %(from)s to %(to)s: %(figures)s.") % _figures(payload, names)
    return _("Rose from %(from)s to %(to)s with %(credits)s tier credits; %(needed)s were needed.") % _figures(
        payload, names
    )


def _kept(payload: Payload, names: Names) -> str:
    if payload.get("figures"):
        return _("Kept %(to)s at the review: %(figures)s.") % _figures(payload, names)
    return _("Kept %(to)s at the review with %(credits)s tier credits; %(needed)s were needed.") % _figures(
        payload, names
    )


def _lowered(payload: Payload, names: Names) -> str:
    if payload.get("figures"):
        return _("Fell from %(from)s to %(to)s at the review: %(figures)s.") % _figures(payload, names)
    return _(
        "Fell from %(from)s to %(to)s at the review with %(credits)s tier credits; %(needed)s were needed."
    ) % _figures(payload, names)


def _grace(payload: Payload, names: Names) -> str:
    words = _figures(payload, names)
    until = datetime.fromisoformat(payload["valid_until"])
    words["until"] = date_format(last_day_before(until, programme().tz))
    if payload.get("figures"):
        return _("Given grace, %(to)s until %(until)s: %(figures)s.") % words
    return _("Given grace, %(to)s until %(until)s: %(credits)s tier credits; %(needed)s are needed.") % words


def _undone(payload: Payload, names: Names) -> str:
    return _("Back from %(from)s to %(to)s: the order that had lifted the tier was returned.") % _figures(
        payload, names
    )


def _put_back(payload: Payload, names: Names) -> str:
    words = _figures(payload, names)
    if payload["from"] == payload["to"]:
        return _("%(to)s as before: the run of reviews was undone.") % words
    return _("Back from %(from)s to %(to)s: the run of reviews was undone.") % words


def at_risk_words(payload: Payload, names: Names) -> str:
    """Return the warning before a review: until when the tier is held, what is missing, and what comes otherwise."""
    words = _figures(payload, names)
    words["until"] = date_format(date.fromisoformat(payload["review_date"]))
    words["short"] = grouped(payload["short"])
    if payload.get("figures"):
        text = _("%(from)s is valid until %(until)s. To keep it: %(figures)s.")
    else:
        text = _(
            "%(from)s is valid until %(until)s; keeping it takes %(short)s more tier credits (%(credits)s of %(needed)s)."
        )
    after = (
        _("Without them there is some grace.")
        if payload["outlook"] == "grace"
        else _("Without them it becomes %(to)s.")
    )
    return f"{text % words} {after % words}"


def _at_risk(payload: Payload, names: Names) -> str:
    days = ngettext(
        "Warned %(days)s day before the review.", "Warned %(days)s days before the review.", payload["days"]
    )  # fmt: skip
    return f"{days % {'days': payload['days']}} {at_risk_words(payload, names)}"


_NAMES = {"from": tier_names, "to": tier_names}
register_sentence(events.TIER_RAISED, _raised, icon="trending_up", names=_NAMES)
register_sentence(events.TIER_KEPT, _kept, icon="check", names=_NAMES)
register_sentence(events.TIER_LOWERED, _lowered, icon="trending_down", names=_NAMES)
register_sentence(events.TIER_RISE_UNDONE, _undone, icon="undo", names=_NAMES)
register_sentence(events.TIER_GRACE_GIVEN, _grace, icon="hourglass_top", names=_NAMES)
register_sentence(events.TIER_PUT_BACK, _put_back, icon="undo", names=_NAMES)
register_sentence(events.TIER_AT_RISK, _at_risk, icon="notification_important", names=_NAMES)


def _rules_changed(payload: Payload, names: Names) -> str:
    words = {
        "version": payload["version"],
        "from": moment_words(datetime.fromisoformat(payload["valid_from"])),
        "changes": grouped(payload["changes"]),
    }
    if not payload["changes"]:
        return _("Version %(version)s of the published rules holds from %(from)s.") % words
    text = ngettext(
        "Version %(version)s of the published rules holds from %(from)s, with %(changes)s change.",
        "Version %(version)s of the published rules holds from %(from)s, with %(changes)s changes.",
        payload["changes"],
    )
    return text % words


register_sentence(events.RULES_CHANGED, _rules_changed, icon="menu_book")
