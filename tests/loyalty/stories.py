"""The words in which tests tell the story of a member on the starter ladder: bought, returned, reviewed."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty.models import QualificationEntry, TierChange, TierStanding
from loyalty.services.standing import Counted, CountedFact, count_fact, review_due_tiers, tier_for_fact
from members.actors import SYSTEM
from members.models import Channel, Member

SHANGHAI = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    """Return a moment of Shanghai: `2026-03-15` (noon) or `2026-03-15 08:30`."""
    moment = datetime.fromisoformat(text)
    return (moment if " " in text else moment.replace(hour=12)).replace(tzinfo=SHANGHAI)


def make_member() -> Member:
    """Make a member without personal data who joined on 1 January 2024."""
    channel, _ = Channel.objects.get_or_create(code="tests", defaults={"name": "Tests", "kind": Channel.Kind.STAFF})
    return Member.objects.create(channel=channel, joined_at=local("2024-01-01"))


def purchase(member_id: int, ref: str, credits: int, happened_at: datetime) -> CountedFact:
    """Return a purchase that counts."""
    return CountedFact(member_id, "purchase", "till", ref, credits, Decimal(credits), 1, happened_at)


def goods_back(
    member_id: int, ref: str, credits: int, happened_at: datetime, of: str, *, whole_on: date | None = None
) -> CountedFact:
    """Return a return of the purchase `of`, which takes credits back; of the day of the whole order, if it is all of it."""
    return CountedFact(
        member_id, "return", "till", ref, -credits, Decimal(-credits), -1 if whole_on else 0, happened_at, f"till:{of}",
        active_on=whole_on,
    )  # fmt: skip


def activity(member_id: int, ref: str, points: int, happened_at: datetime) -> CountedFact:
    """Return an activity that counts so many points."""
    return CountedFact(member_id, "activity", "app", ref, 0, Decimal(0), 0, happened_at, activity=points)


def tell(fact: CountedFact, *, at: datetime | None = None) -> Counted:
    """Let a fact reach the service as a purchase does: first its tier, then its count."""
    at = at or fact.happened_at
    tier_for_fact(member_id=fact.member_id, moment=fact.happened_at, by=SYSTEM, at=at)
    return count_fact(fact=fact, by=SYSTEM, at=at)


def review(at: datetime) -> tuple[int, int]:
    """Review all that is due; return how many tiers were kept and how many fell."""
    kept = fallen = last = 0
    while True:
        chunk = review_due_tiers(at=at, by=SYSTEM, after_member_id=last, limit=2)
        kept, fallen, last = kept + chunk.kept, fallen + chunk.fallen, chunk.last_member_id
        if chunk.done:
            return kept, fallen


@dataclass(frozen=True)
class State:
    """Everything loyalty keeps of a member, for comparison. Ids of rows and times of recording left out."""

    entries: list[tuple[object, ...]]
    changes: list[tuple[object, ...]]
    standing: tuple[object, ...] | None


def state_of(member_id: int) -> State:
    """Return what the database keeps of a member."""
    entries = QualificationEntry.objects.filter(member_id=member_id).order_by("kind", "source", "source_ref")
    changes = TierChange.objects.filter(member_id=member_id).order_by("number")
    standing = TierStanding.objects.filter(member_id=member_id)
    return State(
        entries=list(
            entries.values_list(
                "kind", "source", "source_ref", "credits", "spend_amount", "orders", "activity", "active_on", "happened_at"
            )
        ),
        changes=list(
            changes.values_list(
                "number", "reason", "from_tier__code", "to_tier__code", "ladder__number", "window_from", "credits",
                "needed_credits", "returned_credits", "valid_until", "cause", "happened_at", "figures", "must",
            )
        ),
        standing=standing.values_list("tier__code", "since_at", "valid_until", "rise_at").first(),
    )  # fmt: skip


def path_of(member_id: int) -> list[str]:
    """Return a member's changes as `risen member>silver 2025-03-15 520/500 until 2026-04-01`, days in Shanghai."""
    lines = []
    for change in (
        TierChange.objects.filter(member_id=member_id).select_related("from_tier", "to_tier").order_by("number")
    ):
        until = f" until {change.valid_until.astimezone(SHANGHAI):%Y-%m-%d}" if change.valid_until else ""
        lines.append(
            f"{change.reason} {change.from_tier.code}>{change.to_tier.code} "
            f"{change.happened_at.astimezone(SHANGHAI):%Y-%m-%d} {change.credits}/{change.needed_credits}{until}"
        )
    return lines
