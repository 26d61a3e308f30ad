"""What a member redeemed, on the member's page: where each order stands, how much of a limit is used, and what can be done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from members.admin import panels
from members.admin.base import actor_of
from members.admin.keyset import page_of
from members.models import Member
from members.queries import family_ids
from rewards.admin.fulfilment_pages import WISHES
from rewards.admin.fulfilment_words import state_badge
from rewards.fulfilment_queries import is_late
from rewards.models import Redemption, RedemptionState
from rewards.order_numbers import order_no

_GIVEN_BACK = (RedemptionState.CANCELLED, RedemptionState.REFUNDED)


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    family = family_ids(member.pk)
    orders = Redemption.objects.filter(member__in=family).defer("pickup_hmac")
    orders = orders.select_related("reward", "store", "voucher__template").defer("voucher__code_hmac")
    page = page_of(orders, by=("redeemed_at", "id"), cursor=request.GET.get("cursor", ""))
    used = _used(family, page.rows)
    by = actor_of(request)
    rows = [
        {
            "order": order,
            "number": order_no(order.pk),
            "state": state_badge(order),
            "is_late": is_late(order, at),
            "used": used.get(order.reward_id),
            "offered": [
                {
                    "label": wish.label,
                    "icon": wish.icon,
                    "address": f"{reverse('admin:rewards_redemption_do', args=[order.pk, key])}?from=member",
                }
                for key, wish in WISHES.items()
                if request.user.has_perm(wish.permission) and wish.is_for(order, by, at)
            ],
        }
        for order in page.rows
    ]
    return {"page": page, "rows": rows}


def _used(family: Sequence[int], orders: Sequence[Redemption]) -> dict[int, int]:
    """Return how many of the rewards with a limit were redeemed and not given back, by reward: one query, or none."""
    limited = {order.reward_id for order in orders if order.reward.per_member_limit}
    if not limited:
        return {}
    counted = Redemption.objects.filter(member__in=family, reward__in=limited).exclude(state__in=_GIVEN_BACK)
    return dict(counted.order_by().values_list("reward").annotate(Count("pk")))


panels.register_tab(
    "redemptions",
    label=_("Redemptions"),
    order=45,
    template="portal/member/redemptions.html",
    context=_tab,
    permission="rewards.view_redemption",
)
