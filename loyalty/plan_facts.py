"""What conditions may ask about a member's paid plan."""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from loyalty.models import Plan
from members.facts import Fact, register_fact
from members.services.merging import MERGED, MERGED_AWAY, UNMERGED

# Ended early, it ran to that moment; else to its end.
_HELD = """
    FROM loyalty_planmembership h JOIN loyalty_plan p ON p.id = h.plan_id
    WHERE h.member_id = m.id AND h.valid_from <= %(at)s AND least(h.valid_until, h.ended_at) > %(at)s
    ORDER BY h.valid_from DESC LIMIT 1
"""
_NEXT = """
    SELECT min(e.edge) FROM loyalty_planmembership h
    CROSS JOIN LATERAL (VALUES (h.valid_from), (least(h.valid_until, h.ended_at))) AS e (edge)
    WHERE h.member_id = m.id AND e.edge > %(at)s
"""
_CHANGED_BY = frozenset({"loyalty", MERGED, MERGED_AWAY, UNMERGED})  # a merge moves what runs


def _plans(only: Collection[str] | None) -> dict[str, str]:
    plans = Plan.objects.order_by("tier__rank", "price_amount")
    return {plan.code: plan.name for plan in (plans if only is None else plans.filter(code__in=only))}


def register() -> None:
    """Register the facts of plans. Called once, from `AppConfig.ready()`."""
    register_fact(
        Fact(
            "loyalty.plan", _("paid plan"), "choice", f"SELECT p.code {_HELD}", choices=_plans, changed_by=_CHANGED_BY,
            next_change=_NEXT,
        )
    )  # fmt: skip
    register_fact(
        Fact(
            "loyalty.plan_until", _("paid plan until"), "date", f"SELECT (h.valid_until AT TIME ZONE %(zone)s)::date {_HELD}",
            changed_by=_CHANGED_BY, next_change=_NEXT,
        )
    )  # fmt: skip
