"""Expiry policies and accounts with points, as the tests of expiry begin with them."""

from datetime import date, datetime
from typing import Any

from loyalty.periods import end_of_day
from members.models import Member
from rewards.expiry_book import forget_expiry_book
from rewards.ledger import currency_id
from rewards.models import ExpiryPolicy, PointsAccount
from tests.factories.histories import give_points
from tests.factories.people import a_member
from tests.factories.times import SHANGHAI, at

BEGIN = at("2020-01-01")


def a_policy(kind: str = "end_of_month", **figures: Any) -> ExpiryPolicy:
    """Put a policy in the place of the one for the same source that comes with the installation."""
    values = {"origin": None, "valid_from": BEGIN, **figures}
    ExpiryPolicy.objects.filter(currency_id=currency_id(), origin=values["origin"]).delete()
    policy = ExpiryPolicy.objects.create(currency_id=currency_id(), kind=kind, **values)
    forget_expiry_book()
    return policy


def inactivity(months: int = 12, *activities: str, **figures: Any) -> ExpiryPolicy:
    """Let points expire without activity; purchases and redemptions count unless told otherwise."""
    return a_policy("inactivity", months=months, activities=list(activities or ("purchase", "redemption")), **figures)


def holder(points: int, *, earned: str = "2026-01-10", until: str | None = None) -> Member:
    """Return a member with points earned on a day, which can be spent through a day (None: they do not end by themselves)."""
    member = a_member()
    more_points(member, points, earned=earned, until=until)
    return member


def more_points(member: Member, points: int, *, earned: str = "2026-01-10", until: str | None = None) -> None:
    """Give a member points in a lot of their own."""
    end = end_of_day(date.fromisoformat(until), SHANGHAI) if until else None
    give_points(member, points, moment=at(f"{earned} 12:00"), expires_at=end)


def deadline_of(member: Member) -> datetime | None:
    """Return the deadline of a member's account."""
    return PointsAccount.objects.get(member=member).deadline_at


def set_deadline(member: Member, moment: datetime) -> None:
    """Give a member's account a deadline."""
    PointsAccount.objects.filter(member=member).update(deadline_at=moment)
