"""What members are told of: which entry of the timeline it is, what a message keeps of it, and what fills in its words.

A message keeps figures, no names and no text; the words are made when it is sent, in the language that is active then.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns import notes
from campaigns.models import Message, MessageTemplate
from loyalty.events import TIER_RAISED
from loyalty.models import Tier
from loyalty.periods import business_date
from members.actors import SYSTEM
from members.figures import grouped
from members.models import TimelineEntry
from members.queries import programme
from rewards.events import POINTS_EXPIRING
from rewards.models import PointsCurrency
from rewards.services.expiry_warnings import record_warning_receipt


class Occasion(Protocol):
    """One occasion to write to a member."""

    @property
    def kind(self) -> str:
        """The kind of timeline entry that gives rise to a message."""

    def occurrence(self, entry: TimelineEntry) -> str:
        """Return what names the fact for ever: one message for each."""

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        """Return what the message keeps of the entry."""

    def values(self, figures: Mapping[str, Any], at: datetime) -> dict[str, str]:
        """Return the placeholders of the words besides those of the person, as they are now, in the active language."""

    def is_over(self, figures: Mapping[str, Any], at: datetime) -> bool:
        """Whether it would only confuse to be told of it now."""

    def settled(self, message: Message, state: str, note: str, at: datetime) -> None:
        """Take note that nothing more will be tried. In the transaction that writes the message's state."""


class TierRise:
    """A member rose to a tier."""

    kind = TIER_RAISED

    def occurrence(self, entry: TimelineEntry) -> str:
        return f"tier_change:{entry.payload['change']}"

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        return {key: entry.payload.get(key) for key in ("to", "credits", "valid_until")}

    def values(self, figures: Mapping[str, Any], at: datetime) -> dict[str, str]:
        tier = Tier.objects.filter(code=figures["to"]).first()
        return {
            "tier": tier.name if tier else str(figures["to"]),
            "credits": str(figures["credits"]),
            "valid_until": _last_day(figures["valid_until"]),
        }

    def is_over(self, figures: Mapping[str, Any], at: datetime) -> bool:
        return False

    def settled(self, message: Message, state: str, note: str, at: datetime) -> None:
        """Nobody waits to hear of it."""


class ExpiryWarned:
    """Points of a member are about to expire. Rewards is told whether the member could be reached."""

    kind = POINTS_EXPIRING

    def occurrence(self, entry: TimelineEntry) -> str:
        return f"expiry_warning:{entry.payload['warning']}"

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        return {key: entry.payload.get(key) for key in ("warning", "points", "currency", "expires_on")}

    def values(self, figures: Mapping[str, Any], at: datetime) -> dict[str, str]:
        currency = PointsCurrency.objects.get(pk=figures["currency"])
        last_day = date.fromisoformat(figures["expires_on"])
        return {
            "points": _shown(figures["points"], currency.exponent),
            "points_name": currency.name,
            "last_day": date_format(last_day, "DATE_FORMAT"),
            "days": str((last_day - business_date(at, programme().tz)).days),
        }

    def is_over(self, figures: Mapping[str, Any], at: datetime) -> bool:
        return business_date(at, programme().tz) > date.fromisoformat(figures["expires_on"])

    def settled(self, message: Message, state: str, note: str, at: datetime) -> None:
        """Write the receipt: told, or not to be reached. None where nobody tried, or where a mistake of ours is in the way."""
        delivered = state == Message.State.SENT
        if delivered or note in notes.NOT_TO_BE_REACHED:
            record_warning_receipt(warning_ids=[message.figures["warning"]], delivered=delivered, by=SYSTEM, at=at)


OCCASIONS: Mapping[str, Occasion] = {
    MessageTemplate.Occasion.TIER_RAISED: TierRise(),
    MessageTemplate.Occasion.POINTS_EXPIRING: ExpiryWarned(),
}


def occasion_sentence(occasion: str) -> str:
    """Return when and to whom the message goes out, in the active language."""
    if occasion == MessageTemplate.Occasion.POINTS_EXPIRING:
        return _(
            "Sent for each expiry warning, as many days ahead as the expiry policy says. What became of it stands with the "
            "warning: delivered, or not reached. Where a policy extends points of members who could not be reached, this "
            "message is what tells. Out of use, nobody is told and nothing is extended."
        )
    return _("Sent once for each rise, to members who are active.")


def name_of(full_name: str) -> str:
    """Return how a member is addressed."""
    return " ".join(full_name.split()) or pgettext("addressing a member without a name", "member")


def _shown(points: int, exponent: int) -> str:
    """Return points with the decimals of their currency: they are counted in its smallest unit."""
    whole, part = divmod(points, 10**exponent)
    return f"{grouped(whole)}.{part:0{exponent}}" if exponent else grouped(whole)


def _last_day(valid_until: str | None) -> str:
    """Return the last day on which a tier is held: the end of its span is the midnight after that day."""
    if valid_until is None:
        return "—"
    end = datetime.fromisoformat(valid_until).astimezone(programme().tz)
    return date_format((end - timedelta(microseconds=1)).date(), "DATE_FORMAT")
