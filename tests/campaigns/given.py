"""What the tests of campaigns and analytics begin with: the least that is true."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.models import Promotion
from campaigns.promotions import Offer
from members.models import Brand, Channel, Member, MemberPerson, Store, TimelineEntry
from rewards.earning import PurchaseFacts

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)  # a Saturday, 12:00 in Shanghai


def a_channel() -> Channel:
    """The till."""
    return Channel.objects.get_or_create(code="till", defaults={"name": "Till", "kind": Channel.Kind.TILL})[0]


def a_store(code: str = "S1") -> Store:
    """A store with this code."""
    brand, _ = Brand.objects.get_or_create(code="house", defaults={"name": "House"})
    return Store.objects.get_or_create(code=code, defaults={"name": f"Store {code}", "brand": brand})[0]


def a_member(*, name: str = "", email: str | None = None, language: str = "en", status: str = "active") -> Member:
    """A member; with a name or an e-mail there is a person, too."""
    member = Member.objects.create(joined_at=NOON, channel=a_channel(), language=language, status=status)
    if name or email:
        MemberPerson.objects.create(member=member, full_name=name, email=email)
    return Member.objects.get(pk=member.pk)


def a_promotion(**changes: Any) -> Promotion:
    """Double points, live through November 2026 in Shanghai."""
    values: dict[str, Any] = {
        "name_en": "Double points",
        "name_zh_hans": "双倍积分",
        "state": Promotion.State.LIVE,
        "factor": Decimal(2),
        "starts_at": datetime(2026, 10, 31, 16, tzinfo=UTC),
        "ends_at": datetime(2026, 11, 30, 16, tzinfo=UTC),
    }
    return Promotion.objects.create(**{**values, **changes})


def an_offer(**changes: Any) -> Offer:
    """The offer of such a promotion."""
    values: dict[str, Any] = {
        "id": 7,
        "label": {"en": "Double points", "zh-hans": "双倍积分"},
        "factor": Decimal(2),
        "starts_at": datetime(2026, 10, 31, 16, tzinfo=UTC),
        "ends_at": datetime(2026, 11, 30, 16, tzinfo=UTC),
        "currency": "CNY",
    }
    return Offer(**{**values, **changes})


def facts(ordered_at: datetime = NOON, **changes: Any) -> PurchaseFacts:
    """A purchase of ¥50 with 50 base points, by a member of the lowest tier."""
    values: dict[str, Any] = {
        "member_id": 1,
        "amount": Decimal(50),
        "eligible_amount": Decimal(50),
        "base_points": 50,
        "store_id": None,
        "channel_id": 1,
        "ordered_at": ordered_at,
        "local": ordered_at.astimezone(SHANGHAI),
        "tier_rank": 0,
    }
    return PurchaseFacts(**{**values, **changes})


def an_entry(
    kind: str, member_id: int | None, happened_at: datetime = NOON, *, pk: int = 1, **payload: Any
) -> TimelineEntry:
    """A timeline entry as a subscriber gets it, recorded when it happened unless `recorded_at` says otherwise."""
    recorded_at = payload.pop("recorded_at", happened_at)
    return TimelineEntry(
        id=pk,
        kind=kind,
        member_id=member_id,
        happened_at=happened_at,
        recorded_at=recorded_at,
        actor_kind="system",
        payload=payload,
    )


def a_rise(member: Member, happened_at: datetime = NOON, *, change: int = 1, **payload: Any) -> TimelineEntry:
    """The member rose to gold with 2,100 tier credits, to the end of November 2027."""
    figures = {
        "from": "silver",
        "to": "gold",
        "credits": 2100,
        "needed": 2000,
        "valid_until": "2027-11-30T16:00:00+00:00",
    }
    return an_entry("loyalty.tier_raised.v1", member.pk, happened_at, change=change, **{**figures, **payload})
