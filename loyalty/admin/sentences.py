"""What loyalty tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from loyalty import events
from loyalty.models import Tier
from members.admin.timeline import Names, register_sentence
from members.figures import grouped

Payload = Mapping[str, Any]


def tier_names(codes: Iterable[str]) -> Mapping[str, str]:
    """Return the names of tiers by code, in the active language."""
    return {tier.code: tier.name for tier in Tier.objects.filter(code__in=codes)}


def _figures(payload: Payload, names: Names) -> dict[str, str]:
    return {
        "from": names["from"],
        "to": names["to"],
        "credits": grouped(payload["credits"]),
        "needed": grouped(payload["needed"]),
    }


def _raised(payload: Payload, names: Names) -> str:
    return _("Rose from %(from)s to %(to)s with %(credits)s tier credits; %(needed)s were needed.") % _figures(
        payload, names
    )


def _kept(payload: Payload, names: Names) -> str:
    return _("Kept %(to)s at the review with %(credits)s tier credits; %(needed)s were needed.") % _figures(
        payload, names
    )


def _lowered(payload: Payload, names: Names) -> str:
    return _(
        "Fell from %(from)s to %(to)s at the review with %(credits)s tier credits; %(needed)s were needed."
    ) % _figures(payload, names)


def _undone(payload: Payload, names: Names) -> str:
    return _("Back from %(from)s to %(to)s: the order that had lifted the tier was returned.") % _figures(
        payload, names
    )


_NAMES = {"from": tier_names, "to": tier_names}
register_sentence(events.TIER_RAISED, _raised, icon="trending_up", names=_NAMES)
register_sentence(events.TIER_KEPT, _kept, icon="check", names=_NAMES)
register_sentence(events.TIER_LOWERED, _lowered, icon="trending_down", names=_NAMES)
register_sentence(events.TIER_RISE_UNDONE, _undone, icon="undo", names=_NAMES)
