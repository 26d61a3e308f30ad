"""What other systems may be told of tiers."""

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.events import TIER_AT_RISK, TIER_KEPT, TIER_LOWERED, TIER_PUT_BACK, TIER_RAISED, TIER_RISE_UNDONE
from loyalty.models import Tier
from members.models import TimelineEntry
from members.webhook_types import day, instant_of, moment, number, register_event_type, text

Entries = Sequence[TimelineEntry]
Built = dict[int, dict[str, Any]]
_FROM = text("from_tier", "Code of the tier before.", "silver")
_TO = text("to_tier", "Code of the tier now.", "gold")
_UNTIL = moment("valid_until", "When it is reviewed next; null for good.", or_none=True)


def _decided(entry: TimelineEntry) -> dict[str, Any]:
    told = entry.payload
    return {
        "from_tier": told["from"],
        "to_tier": told["to"],
        "valid_until": instant_of(told.get("valid_until")),
        "credits": told["credits"],
    }


def _all(entries: Entries) -> Built:
    return {entry.pk: _decided(entry) for entry in entries}


def _moved(is_it: Callable[[int, int], bool]) -> Callable[[Entries], Built]:
    """Return a builder for decisions that moved a member the one way: what was put back went up or down."""

    def build(entries: Entries) -> Built:
        ranks = dict(Tier.objects.values_list("code", "rank"))
        return {
            entry.pk: _decided(entry)
            for entry in entries
            if is_it(ranks.get(entry.payload["from"], -1), ranks.get(entry.payload["to"], -1))
        }

    return build


def _at_risk(entries: Entries) -> Built:
    return {
        entry.pk: {
            "tier": entry.payload["from"],
            "falls_to": entry.payload["to"],
            "review_on": entry.payload["review_date"],
            "missing_credits": entry.payload["short"],
        }
        for entry in entries
    }


def register() -> None:
    """Register the types of this floor."""
    parts = [_FROM, _TO, _UNTIL, number("credits", "Tier credits that it was decided on.", 2100)]
    register_event_type(
        "tier.upgraded",
        kinds=[TIER_RAISED, TIER_PUT_BACK],
        label=_("a tier rose"),
        parts=parts,
        build=_moved(lambda before, now: now > before),
    )
    register_event_type(
        "tier.downgraded",
        kinds=[TIER_LOWERED, TIER_RISE_UNDONE, TIER_PUT_BACK],
        label=_("a tier fell, or a rise was taken back"),
        parts=parts,
        build=_moved(lambda before, now: now < before),
    )
    register_event_type(
        "tier.retained",
        kinds=[TIER_KEPT],
        label=_("a tier was kept"),
        parts=parts,
        build=_all,
    )
    register_event_type(
        "tier.at_risk",
        kinds=[TIER_AT_RISK],
        label=_("a tier will not be kept as things stand"),
        parts=[
            text("tier", "Code of the tier now.", "gold"),
            text("falls_to", "Code of the tier that the review would lead to.", "silver"),
            day("review_on", "Last day on which something can be done."),
            number("missing_credits", "Tier credits that are missing.", 300),
        ],
        build=_at_risk,
    )
