"""Members, and where they are met."""

from datetime import datetime

from members.actors import Actor
from members.models import Brand, Channel, Member, Store
from tests.factories.times import at

TILL = Actor("device", 7)


def a_channel(code: str = "till") -> Channel:
    """Return the channel with this code."""
    return Channel.objects.get_or_create(code=code, defaults={"name": code, "kind": Channel.Kind.TILL})[0]


def a_store(code: str = "S01") -> Store:
    """Return the store with this code."""
    brand, _ = Brand.objects.get_or_create(code="house", defaults={"name": "House"})
    return Store.objects.get_or_create(code=code, defaults={"name": f"Store {code}", "brand": brand})[0]


def a_member(*, status: str = Member.Status.ACTIVE, joined_at: datetime | None = None) -> Member:
    """Return a new member, who joined at the beginning of 2025 unless told otherwise."""
    member = Member.objects.create(joined_at=joined_at or at("2025-01-01"), channel=a_channel(), status=status)
    return Member.objects.get(pk=member.pk)  # with the number that the database gave
