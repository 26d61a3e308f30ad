"""Floors for all three of a trio, given as staff and campaigns give them."""

from datetime import datetime

from loyalty.models import TierFloor
from loyalty.services.floors import grant_floor
from loyalty.services.tier_by_hand import TierBelowEarned, propose_tier
from members.actors import SYSTEM, Actor
from members.proposals import approve
from tests.loyalty.tier_reasons import assert_floor_told
from tests.loyalty.tier_trios import Floor, Trio


def by_hand(trio: Trio, tier_id: int, until: datetime | None, *, maker: Actor, checker: Actor, at: datetime) -> None:
    """Set the tier of all three from now on, unless all of them have earned more; a colleague approves several steps."""
    refused = 0
    for member_id in trio.member_ids:
        try:
            asked = propose_tier(
                member_id=member_id, tier_id=tier_id, until=until, reason="made up for a long wait", by=maker, at=at
            )
        except TierBelowEarned:
            refused += 1
            continue
        if asked.waiting:
            approve(proposal_id=asked.proposal_id, by=checker, at=at)
    assert refused in (0, len(trio.member_ids))
    if not refused:
        _note(trio, tier_id, at, until)


def by_campaign(
    trio: Trio, tier_id: int, begins_at: datetime, until: datetime | None, *, name: str, at: datetime
) -> None:
    """Give all three a tier from a moment on."""
    for member_id in trio.member_ids:
        grant_floor(
            member_id=member_id, tier_id=tier_id, valid_from=begins_at, valid_until=until, source=TierFloor.Source.CAMPAIGN,
            source_ref=f"{name}@{member_id}", reason="festival of lights", by=SYSTEM, at=at,
        )  # fmt: skip
    _note(trio, tier_id, begins_at, until)


def _note(trio: Trio, tier_id: int, begins_at: datetime, until: datetime | None) -> None:
    rows = TierFloor.objects.filter(member_id__in=trio.member_ids).select_related("tier").order_by("-pk")[:3]
    for row in rows:
        assert_floor_told(row)
    trio.floors.append(Floor(tier_id, begins_at, until, [row.pk for row in rows]))
