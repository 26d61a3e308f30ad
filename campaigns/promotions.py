"""Promotions on a purchase: what one adds, why one does not apply, and both in words. Pure: no database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members import figures
from members.wording import listed
from rewards.earning import EarnLine, Label, NotApplied, PurchaseFacts
from rewards.explanation import in_active_language

TOO_LITTLE_SPENT = "min_spend"
OTHER_WEEKDAY = "wrong_weekday"
OTHER_STORE = "wrong_store"
TIER_TOO_LOW = "tier_too_low"
NOTHING_TO_MULTIPLY = "no_base_points"
REASONS = (TOO_LITTLE_SPENT, OTHER_WEEKDAY, OTHER_STORE, TIER_TOO_LOW, NOTHING_TO_MULTIPLY)

_STORES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """A live promotion, ready to be asked about many purchases. Names are by language; weekdays count from Monday, 0."""

    id: int
    label: Label
    factor: Decimal
    starts_at: datetime
    ends_at: datetime
    currency: str
    min_spend_amount: Decimal = Decimal(0)
    weekdays: frozenset[int] = frozenset()
    store_ids: frozenset[int] = frozenset()
    min_tier_rank: int | None = None
    min_tier_label: Label | None = None

    @property
    def ref(self) -> str:
        """The promotion's name in traces and uses."""
        return str(self.id)

    def is_running(self, moment: datetime) -> bool:
        """Tell whether the promotion's span [starts_at, ends_at) holds the moment."""
        return self.starts_at <= moment < self.ends_at

    def quote(self, facts: PurchaseFacts) -> EarnLine | NotApplied | None:
        """Return the line this promotion adds to a purchase, or why it adds none; None when it was not running then.

        The line is on the base points: base × (factor − 1), rounded down. Several promotions each count on the base
        points, so their order does not matter.
        """
        if not self.is_running(facts.ordered_at):
            return None
        obstacle = self._obstacle(facts)
        if obstacle is not None:
            code, params = obstacle
            return NotApplied(ref=self.ref, label=self.label, code=code, params=params)
        points = int((facts.base_points * (self.factor - 1)).to_integral_value(ROUND_DOWN))
        if points <= 0:
            return NotApplied(ref=self.ref, label=self.label, code=NOTHING_TO_MULTIPLY, params={})
        return EarnLine(points=points, kind="promotion", ref=self.ref, label=self.label)

    def _obstacle(self, facts: PurchaseFacts) -> tuple[str, dict[str, Any]] | None:
        """Return the first condition that the purchase does not meet, as a code with its figures."""
        if self.store_ids and facts.store_id not in self.store_ids:
            return OTHER_STORE, {}
        if self.weekdays and facts.local.weekday() not in self.weekdays:
            return OTHER_WEEKDAY, {"weekdays": sorted(self.weekdays)}
        if self.min_tier_rank is not None and facts.tier_rank < self.min_tier_rank:
            return TIER_TOO_LOW, {"tier": self.min_tier_label or {}}
        if facts.amount < self.min_spend_amount:
            return TOO_LITTLE_SPENT, {"amount": str(self.min_spend_amount), "currency": self.currency}
        return None


def reason(code: str, params: Mapping[str, Any]) -> str:
    """Say in the active language why a promotion added nothing, from what the trace of the purchase kept."""
    if code == TOO_LITTLE_SPENT:
        return _("only on orders of %(amount)s or more") % {
            "amount": money(Decimal(params["amount"]), params["currency"])
        }
    if code == OTHER_WEEKDAY:
        return _("only on %(weekdays)s") % {"weekdays": weekday_names(params["weekdays"])}
    if code == OTHER_STORE:
        return _("not in this store")
    if code == TIER_TOO_LOW:
        return _("only from %(tier)s") % {"tier": in_active_language(params["tier"])}
    if code == NOTHING_TO_MULTIPLY:
        return _("the order earned no base points to multiply")
    raise ValueError(code)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the sentence about a promotion says, in words of the active language where they are words."""

    factor: Decimal
    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    currency: str
    min_spend_amount: Decimal = Decimal(0)
    weekdays: Sequence[int] = ()
    store_names: Sequence[str] = ()
    tier_name: str = ""


def sentence(terms: Terms) -> str:
    """Say a promotion in the active language, for instance:

    "Base points ×2 on orders of ¥30 or more, Saturday and Sunday, 2026-11-01 00:00 to 2026-12-01 00:00, all stores,
    from Gold."
    """
    factor = {"factor": plain(terms.factor)}
    if terms.min_spend_amount:
        amount = money(terms.min_spend_amount, terms.currency)
        what = _("Base points ×%(factor)s on orders of %(amount)s or more") % {**factor, "amount": amount}
    else:
        what = _("Base points ×%(factor)s on every order") % factor
    return _("%(what)s, %(weekdays)s, %(start)s to %(end)s, %(stores)s, %(tier)s.") % {
        "what": what,
        "weekdays": weekday_names(terms.weekdays) if terms.weekdays else _("every day"),
        "start": _local(terms.starts_at, terms.zone),
        "end": _local(terms.ends_at, terms.zone),
        "stores": _stores(terms.store_names),
        "tier": _("from %(tier)s") % {"tier": terms.tier_name} if terms.tier_name else _("every tier"),
    }


def money(amount: Decimal, currency: str) -> str:
    """Return an amount as people write it in a sentence: ¥30, ¥9.90."""
    return figures.money(amount, currency).removesuffix(".00")


def plain(number: Decimal) -> str:
    """Return a number without trailing zeros: 2 for 2.00, 1.5 for 1.50."""
    return f"{number.normalize():f}"


def weekday_names(weekdays: Sequence[int]) -> str:
    """Return weekdays (Monday is 0) as words: "Saturday and Sunday"."""
    return listed([str(WEEKDAYS[day]) for day in sorted(weekdays)])


def _stores(names: Sequence[str]) -> str:
    if not names:
        return _("all stores")
    if len(names) > _STORES_NAMED:
        return ngettext("in %(count)s store", "in %(count)s stores", len(names)) % {"count": len(names)}
    return _("in %(stores)s") % {"stores": listed(names)}


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
