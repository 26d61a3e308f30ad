"""What rewards does when something happened."""

from collections.abc import Sequence
from datetime import timedelta

from loyalty.events import ENTITLEMENT_GRANTED, ENTITLEMENT_USED
from members.actors import SYSTEM
from members.models import TimelineEntry
from members.services.risk import run_rules
from members.timeline import subscribe
from rewards.events import RETURN_RECORDED
from rewards.events_vouchers import VOUCHER_ISSUED
from rewards.services import activity_scores, behaviours, benefit_vouchers, deadlines

# Each batch is one transaction, which holds the accounts of its members.
_ACTIVITIES_AT_ONCE = 50
# What the rules about hours and days look back.
_FRESH = timedelta(days=2)


def keep_points_alive(entries: Sequence[TimelineEntry]) -> None:
    """Push the inactivity deadlines of members who did something."""
    deadlines.keep_alive(entries)


def reward_activities(entries: Sequence[TimelineEntry]) -> None:
    """Give what the rules promise for what members did."""
    ids = [entry.payload["activity"] for entry in entries]
    at = max(entry.recorded_at for entry in entries)
    behaviours.award_activities(activity_ids=ids, by=SYSTEM, at=at)


def count_activities(entries: Sequence[TimelineEntry]) -> None:
    """Count what members did towards their tiers."""
    ids = [entry.payload["activity"] for entry in entries]
    at = max(entry.recorded_at for entry in entries)
    activity_scores.count_activities(activity_ids=ids, by=SYSTEM, at=at)


def look_for_abuse(entries: Sequence[TimelineEntry]) -> None:
    """Ask the risk rules about members who bought or gave back just now; what is loaded later is looked at by night."""
    if not entries:
        return
    at = max(entry.recorded_at for entry in entries)
    fresh = {
        entry.member_id
        for entry in entries
        if entry.member_id is not None and entry.recorded_at - _FRESH < entry.happened_at <= entry.recorded_at
    }
    run_rules(at=at, member_ids=fresh)


def look_for_hoarders(entries: Sequence[TimelineEntry]) -> None:
    """Ask the risk rules about members who fetched a voucher or were given one; what others issue is looked at by night."""
    look_for_abuse([entry for entry in entries if entry.payload["origin"] in ("offer", "gift")])


def issue_vouchers_of_benefits(entries: Sequence[TimelineEntry]) -> None:
    """Issue the vouchers that members are due by a benefit they were given or used."""
    benefit_vouchers.issue_due_vouchers(entries=entries, by=SYSTEM)


def register() -> None:
    """Subscribe to the timeline."""
    subscribe("rewards.deadlines", keep_points_alive, kinds=deadlines.KINDS)
    subscribe(
        "rewards.behaviours",
        reward_activities,
        kinds=(behaviours.ACTIVITY_RECORDED,),
        batch_size=_ACTIVITIES_AT_ONCE,
    )
    subscribe(
        "rewards.activity_scores",
        count_activities,
        kinds=(behaviours.ACTIVITY_RECORDED,),
        batch_size=_ACTIVITIES_AT_ONCE,
    )
    subscribe("rewards.risk", look_for_abuse, kinds=(deadlines.PURCHASE_RECORDED, RETURN_RECORDED))
    subscribe("rewards.voucher_risk", look_for_hoarders, kinds=(VOUCHER_ISSUED,))
    subscribe("rewards.benefits", issue_vouchers_of_benefits, kinds=(ENTITLEMENT_GRANTED, ENTITLEMENT_USED))
