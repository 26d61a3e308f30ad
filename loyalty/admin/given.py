"""What the tier tab shows beside what was earned: tiers given, the plan that runs, and what may be done about them."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from loyalty.admin.badges import tier_badge
from loyalty.floor_sentences import floor_sentence, plan_sentence
from loyalty.models import Tier, TierFloor
from loyalty.plan_queries import running_plan, waiting_order
from loyalty.services.tier_by_hand import RIGHT as SET_TIER
from members.figures import money
from members.models import Member

SELL, REFUND = "loyalty.sell_plan", "loyalty.refund_plan"
_MOST_FLOORS = 10


def floors_in_force(member_id: int, at: datetime) -> list[TierFloor]:
    """Return the floors of a member that are in force, the highest first, or still to come."""
    alive = TierFloor.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=at),
        Q(ended_at__isnull=True) | Q(ended_at__gt=at),
        member=member_id,
    )
    return list(alive.select_related("tier").order_by("valid_from", "pk")[:_MOST_FLOORS])


def given_to(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    """Return what gives the member a tier now or later, the plan that runs, and the dialogs this operator may open."""
    may_set, may_sell = request.user.has_perm(SET_TIER), request.user.has_perm(SELL)
    is_here = member.status != Member.Status.CLOSED
    running = running_plan(member.pk, at)
    order = waiting_order(member.pk, at)
    floors = [
        {
            "badge": tier_badge(floor.tier),
            "sentence": floor_sentence(floor),
            "since": floor.valid_from,
            "is_to_come": floor.valid_from > at,
            "end": _dialog("tierfloor_end", floor.pk) if may_set and floor.source == TierFloor.Source.STAFF else "",
        }
        for floor in floors_in_force(member.pk, at)
    ]
    return {
        "floors": floors,
        "set_tier": _dialog("tierfloor_set", member.pk) if may_set and is_here else "",
        "plan": plan_sentence(running) if running else "",
        "order": {"plan": order.plan.name, "amount": money(order.amount, order.currency), "until": order.expires_at}
        if order
        else None,
        "sell": _dialog("planmembership_sell", member.pk) if may_sell and is_here else "",
        "renewal": _dialog("planmembership_renewal", member.pk) if may_sell and running and is_here else "",
        "refund": _dialog("planmembership_refund", running.pk) if running and request.user.has_perm(REFUND) else "",
    }


def held_words(held: Tier, earned: Tier, member_id: int, at: datetime) -> str:
    """Return what lifts the member over what was earned; nothing where nothing does."""
    if held == earned:
        return ""
    lifting = [floor for floor in floors_in_force(member_id, at) if floor.tier_id == held.pk and floor.valid_from <= at]
    return floor_sentence(lifting[0]) if lifting else ""


def _dialog(name: str, pk: int) -> str:
    return reverse(f"admin:loyalty_{name}", args=[pk])
