"""When points expire: the policies as values, and what follows from them. Pure; every moment returned is in UTC.

Policies speak of days. A lot's end is the local midnight after its last day, and grace adds days to that last day. There
is only one end: points can be spent until it, every page and message names it, and warnings are counted from it. A
second, secret date would let a till accept what the app has declared lost.

Which policy holds for a lot is decided once, when its points are earned: the one in force that day for the lot's source,
else the one for all other sources. A policy that changes later changes no lot that exists; staff extend those on purpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.periods import add_months, anniversary_from, business_date, end_of_day, last_of_month, last_of_year

#: What members do that can keep their points alive, besides activities, which are named `activity:<kind>`.
PURCHASE, REDEMPTION = "purchase", "redemption"
_ACTIVITY = "activity:"


def activity_event(kind: str) -> str:
    """Return how policies name an activity of a kind."""
    return f"{_ACTIVITY}{kind}"


class PolicyKind(StrEnum):
    """How the last day is found."""

    ROLLING_MONTHS = "rolling_months"
    END_OF_MONTH = "end_of_month"
    END_OF_YEAR = "end_of_year"
    FIXED_DATE = "fixed_date"
    INACTIVITY = "inactivity"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Policy:
    """One expiry policy in force over [valid_from, valid_to).

    `origin` is the source of lots it is for (Lot.Origin); None: all sources without one of their own. `number` counts
    months, or for END_OF_YEAR years; for FIXED_DATE it is the number of months that points live at least. `events` are
    those that keep points alive under INACTIVITY.
    """

    id: int
    origin: int | None
    kind: PolicyKind
    valid_from: datetime
    valid_to: datetime | None = None
    number: int = 0
    fixed_date: date | None = None
    events: frozenset[str] = frozenset()
    grace_days: int = 0

    def is_in_force(self, at: datetime) -> bool:
        """Whether the policy holds at a moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


def policy_for(policies: Sequence[Policy], origin: int, at: datetime) -> Policy | None:
    """Return the policy of a currency for points of this source earned at a moment; None when there is none."""
    general = None
    for policy in policies:
        if policy.is_in_force(at):
            if policy.origin == origin:
                return policy
            if policy.origin is None:
                general = policy
    return general


def inactivity_policy(policies: Sequence[Policy], at: datetime) -> Policy | None:
    """Return the policy under which accounts of a currency expire without activity at a moment, if there is one.

    It is one for all sources, since the deadline belongs to the account: it also ends lots of sources with a policy of
    their own when they would live longer.
    """
    for policy in policies:
        if policy.kind is PolicyKind.INACTIVITY and policy.origin is None and policy.is_in_force(at):
            return policy
    return None


def last_day_of(policy: Policy, earned_on: date) -> date | None:
    """Return the last day, grace included, on which points earned on a day can be spent; None when the day alone does not end them.

    Rolling months end with the same day of a later month, or its last one. A fixed date that points would not reach, or
    would reach before the months they live at least, stands for the same day of the first year that fits.
    """
    match policy.kind:
        case PolicyKind.ROLLING_MONTHS:
            last = add_months(earned_on, policy.number)
        case PolicyKind.END_OF_MONTH:
            last = last_of_month(add_months(earned_on.replace(day=1), policy.number))
        case PolicyKind.END_OF_YEAR:
            last = last_of_year(earned_on.replace(year=earned_on.year + policy.number, month=1, day=1))
        case PolicyKind.FIXED_DATE if policy.fixed_date is not None:  # a constraint of the table sees to it
            reached = add_months(earned_on, policy.number)
            last = policy.fixed_date if policy.fixed_date >= reached else anniversary_from(reached, policy.fixed_date)
        case _:
            return None
    return last + timedelta(days=policy.grace_days)


def lot_expiry(policies: Sequence[Policy], origin: int, earned_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when points of a source earned at a moment expire, under the policies of their currency; None: not by themselves.

    Also None when no policy is in force: `policy_for` tells the two apart.
    """
    policy = policy_for(policies, origin, earned_at)
    last = last_day_of(policy, business_date(earned_at, zone)) if policy else None
    return end_of_day(last, zone) if last else None


def deadline_after(policies: Sequence[Policy], event: str, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return until when an event keeps all points of an account alive.

    None when they need no activity, or when an event of this kind keeps nothing alive.
    """
    policy = inactivity_policy(policies, at)
    return deadline_of(policy, at, zone) if policy and event in policy.events else None


def deadline_of(policy: Policy, last_active_at: datetime, zone: ZoneInfo) -> datetime:
    """Return the end of the points of an account that was last active at a moment, under a policy of inactivity."""
    last = add_months(business_date(last_active_at, zone), policy.number) + timedelta(days=policy.grace_days)
    return end_of_day(last, zone)
