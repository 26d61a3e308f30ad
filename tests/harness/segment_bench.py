"""Fifty live segments such as a marketing department has: templates, windows of many lengths, tiers, tags, behaviour."""

from datetime import datetime
from typing import Any

from members.actors import SYSTEM
from members.models import Segment, SegmentVersion
from members.segment_templates import templates
from members.services.segments import make_segment

NUMBER = 50


def fifty_conditions() -> list[dict[str, Any]]:
    """Return fifty different conditions over some thirty different facts."""
    active = {"fact": "members.status", "op": "in", "value": ["active"]}
    found = [dict(one.condition) for one in templates()]
    for days in (7, 14, 30, 60, 90, 180, 365):
        orders = {"fact": f"rewards.orders?days={days}", "op": "gte", "value": 2}
        spend = {"fact": f"rewards.spend?days={days}", "op": "gte", "value": 300}
        visits = {"fact": f"members.activities?kind=check_in&days={days}", "op": "gte", "value": 6}
        found += [
            {"all": [active, orders]},
            {"all": [active, {"any": [spend, visits]}]},
            {"all": [spend, {"fact": "loyalty.tier", "op": "in", "value": ["silver", "gold"]}]},
            {"all": [visits, {"fact": "members.is_birthday_month", "op": "is", "value": True}]},
        ]
    for points in (100, 500, 1_000, 2_000, 4_000):
        balance = {"fact": "rewards.balance", "op": "gte", "value": points}
        found += [
            {"all": [active, balance]},
            {"all": [balance, {"fact": "loyalty.tier_rank", "op": "gte", "value": 1}]},
        ]
    for days in (1, 7, 30, 90, 365):
        joined = {"fact": "members.joined_days", "op": "lte", "value": days}
        found += [{"all": [joined]}, {"all": [joined, {"fact": "rewards.is_first_order", "op": "is", "value": True}]}]
    return found[:NUMBER]


def fifty_segments(at: datetime) -> list[Segment]:
    """Make fifty live segments in use, without filling them: as if nobody had been in them."""
    made = []
    for number, condition in enumerate(fifty_conditions()):
        segment = make_segment(name=f"Segment {number} {at:%H:%M:%S}", condition=condition, by=SYSTEM, at=at)
        Segment.objects.filter(pk=segment.pk).update(state=Segment.State.READY, number=1)
        SegmentVersion.objects.create(segment=segment, number=1, condition=condition, from_at=at, actor_kind="system")
        made.append(segment)
    return made
