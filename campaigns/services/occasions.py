"""What members are told of: which entry of the timeline it is, what a message keeps of it, and what fills in its words.

A message keeps figures, no names and no text; the words are made when it is sent, in the language that is active then.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from campaigns import notes
from campaigns.models import Message, MessageTemplate
from loyalty.criteria import Figure
from loyalty.events import PLAN_ENDS_SOON, TIER_AT_RISK, TIER_RAISED
from loyalty.models import Plan, Tier
from loyalty.periods import business_date, last_day_before
from loyalty.wording import METRIC_LABELS, amount_of, listed
from members.actors import SYSTEM
from members.figures import grouped
from members.models import TimelineEntry
from members.queries import programme
from rewards.events import POINTS_EXPIRING
from rewards.models import PointsCurrency
from rewards.services.expiry_warnings import record_warning_receipt


class Names:
    """What the words name, by what a message keeps: tiers, plans, points currencies. Each sort is read once, when it is asked for."""

    @cached_property
    def _tiers(self) -> dict[str, Tier]:
        return {tier.code: tier for tier in Tier.objects.all()}

    @cached_property
    def _plans(self) -> dict[str, Plan]:
        return {plan.code: plan for plan in Plan.objects.all()}

    @cached_property
    def _currencies(self) -> dict[int, PointsCurrency]:
        return PointsCurrency.objects.in_bulk()

    def tier(self, code: str) -> str:
        """Return the name of a tier in the active language; its code when there is none of it any more."""
        return self._tiers[code].name if code in self._tiers else str(code)

    def plan(self, code: str) -> str:
        """Return the name of a plan in the active language; its code when there is none of it any more."""
        return self._plans[code].name if code in self._plans else str(code)

    def currency(self, pk: int) -> PointsCurrency:
        """Return a points currency; they are never deleted."""
        return self._currencies[pk]


class Occasion(Protocol):
    """One occasion to write to a member."""

    @property
    def kind(self) -> str:
        """The kind of timeline entry that gives rise to a message."""

    def occurrence(self, entry: TimelineEntry) -> str:
        """Return what names the fact for ever: one message for each."""

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        """Return what the message keeps of the entry."""

    def values(self, figures: Mapping[str, Any], at: datetime, names: Names | None = None) -> dict[str, str]:
        """Return the placeholders of the words besides those of the person, as they are now, in the active language.

        `names` of many messages are read once; left out, they are read for this one.
        """

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

    def values(self, figures: Mapping[str, Any], at: datetime, names: Names | None = None) -> dict[str, str]:
        return {
            "tier": (names or Names()).tier(figures["to"]),
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

    def values(self, figures: Mapping[str, Any], at: datetime, names: Names | None = None) -> dict[str, str]:
        currency = (names or Names()).currency(figures["currency"])
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


class TierAtRisk:
    """A review that lies ahead would not keep a member's tier as things stand."""

    kind = TIER_AT_RISK

    def occurrence(self, entry: TimelineEntry) -> str:
        return f"tier_at_risk:{entry.payload['review_date']}:{entry.payload['days']}"

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        kept = ("review_date", "from", "to", "outlook", "credits", "needed", "short", "figures", "must")
        return {key: entry.payload.get(key) for key in kept}

    def values(self, figures: Mapping[str, Any], at: datetime, names: Names | None = None) -> dict[str, str]:
        names = names or Names()
        last_day = date.fromisoformat(figures["review_date"])
        is_grace = figures["outlook"] == "grace"
        outcome = _("Without them there is some grace.") if is_grace else _("Without them it becomes %(to)s.")
        return {
            "tier": names.tier(figures["from"]),
            "gap": _gap(figures),
            "last_day": date_format(last_day, "DATE_FORMAT"),
            "days": str((last_day - business_date(at, programme().tz)).days),
            "outcome": outcome % {"to": names.tier(figures["to"])},
        }

    def is_over(self, figures: Mapping[str, Any], at: datetime) -> bool:
        return business_date(at, programme().tz) > date.fromisoformat(figures["review_date"])

    def settled(self, message: Message, state: str, note: str, at: datetime) -> None:
        """Nobody waits to hear of it."""


class PlanEndsSoon:
    """A paid membership, or the trial of one, is about to end."""

    kind = PLAN_ENDS_SOON

    def occurrence(self, entry: TimelineEntry) -> str:
        return f"plan_end:{entry.payload['plan']}:{entry.payload['until']}:{entry.payload['days']}"

    def figures(self, entry: TimelineEntry) -> dict[str, Any]:
        return {key: entry.payload.get(key) for key in ("plan", "until")}

    def values(self, figures: Mapping[str, Any], at: datetime, names: Names | None = None) -> dict[str, str]:
        tz = programme().tz
        last_day = last_day_before(datetime.fromisoformat(figures["until"]), tz)
        return {
            "plan": (names or Names()).plan(figures["plan"]),
            "last_day": date_format(last_day, "DATE_FORMAT"),
            "days": str((last_day - business_date(at, tz)).days),
        }

    def is_over(self, figures: Mapping[str, Any], at: datetime) -> bool:
        return at >= datetime.fromisoformat(figures["until"])

    def settled(self, message: Message, state: str, note: str, at: datetime) -> None:
        """Nobody waits to hear of it."""


OCCASIONS: Mapping[str, Occasion] = {
    MessageTemplate.Occasion.TIER_RAISED: TierRise(),
    MessageTemplate.Occasion.POINTS_EXPIRING: ExpiryWarned(),
    MessageTemplate.Occasion.TIER_AT_RISK: TierAtRisk(),
    MessageTemplate.Occasion.PLAN_ENDS_SOON: PlanEndsSoon(),
}


def occasion_sentence(occasion: str) -> str:
    """Return when and to whom the message goes out, in the active language."""
    if occasion == MessageTemplate.Occasion.POINTS_EXPIRING:
        return _(
            "Sent for each expiry warning, as many days ahead as the expiry policy says. What became of it stands with the "
            "warning: delivered, or not reached. Where a policy extends points of members who could not be reached, this "
            "message is what tells. Out of use, nobody is told and nothing is extended."
        )
    if occasion == MessageTemplate.Occasion.TIER_AT_RISK:
        return _(
            "Sent for each warning before a review, as many days ahead as is set there, to who would not keep the tier."
        )
    if occasion == MessageTemplate.Occasion.PLAN_ENDS_SOON:
        return _(
            "Sent 30 days, 7 days and 1 day before a paid membership or its trial ends; shorter ones are told later."
        )
    return _("Sent once for each rise, to members who are active.")


def name_of(full_name: str) -> str:
    """Return how a member is addressed."""
    return " ".join(full_name.split()) or pgettext("addressing a member without a name", "member")


def _shown(points: int, exponent: int) -> str:
    """Return points with the decimals of their currency: they are counted in its smallest unit."""
    whole, part = divmod(points, 10**exponent)
    return f"{grouped(whole)}.{part:0{exponent}}" if exponent else grouped(whole)


def _gap(figures: Mapping[str, Any]) -> str:
    """Return what keeping the tier still takes: the tier credits, or each figure that lacks and how many of them matter."""
    if not figures["figures"]:
        words = {name: grouped(figures[name]) for name in ("short", "credits", "needed")}
        return _("%(short)s tier credits (%(credits)s of %(needed)s)") % words
    told = [Figure(metric, Decimal(had), Decimal(needed)) for metric, had, needed, _returned in figures["figures"]]
    lacking = [figure for figure in told if not figure.is_met]
    gap = listed([_lack(figure) for figure in lacking])
    must = (figures["must"] or len(told)) - (len(told) - len(lacking))
    if must >= len(lacking):
        return gap
    text = ngettext("%(figures)s; %(number)s of these is needed", "%(figures)s; %(number)s of these are needed", must)
    return text % {"figures": gap, "number": must}


def _lack(figure: Figure) -> str:
    amounts = {"short": figure.short, "have": figure.have, "needed": figure.needed}
    words = {name: amount_of(figure.metric, amount) for name, amount in amounts.items()}
    return _("%(metric)s %(short)s (%(have)s of %(needed)s)") % {"metric": METRIC_LABELS[figure.metric], **words}


def _last_day(valid_until: str | None) -> str:
    """Return the last day on which a tier is held: the end of its span is the midnight after that day."""
    if valid_until is None:
        return "—"
    end = datetime.fromisoformat(valid_until).astimezone(programme().tz)
    return date_format((end - timedelta(microseconds=1)).date(), "DATE_FORMAT")
