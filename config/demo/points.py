"""How the demo's business gives points: two kinds of points, what they are worth, when they expire, the rules of earning.

Rules that look at a member's history (caps, first orders, budgets) begin in the last days only: orders under them are
posted one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from config.demo.business import Names, texts
from loyalty.models import Tier
from members.actors import Actor
from members.models import Channel
from rewards.models import (
    ArrearsLimit,
    Category,
    EarnRule,
    EarnRuleVersion,
    ExpiryPolicy,
    Lot,
    PointsCurrency,
    PointsPayment,
    PointsRate,
    TransferPolicy,
)
from rewards.models.rules import BIRTHDAY
from rewards.policies import forget_policies
from rewards.services.expiry_policies import store_policy
from rewards.services.rules import draft_version, make_rule, publish_version, write_draft

POINTS, BEANS = "points", "beans"
BEAN_NAMES: Names = ("咖啡豆", "咖啡豆", "Beans")
#: What a point and a bean are worth, in yuan.
WORTH = {POINTS: Decimal("0.01"), BEANS: Decimal("0.02")}
#: How far each tier may fall into arrears, in points.
ARREARS = {"silver": 500, "gold": 1_000, "diamond": 2_000}
#: Rules that need the member's history begin so many days ago; those for behaviour may reach further back.
SLOW_DAYS = 5
BEHAVIOUR_DAYS = 35

Terms = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One rule of the demo: when it begins and ends, in days before today (below 0: to come), and what it says."""

    names: Names
    terms: Terms
    begins: int
    ends: int | None = None
    behaviour: str = ""
    currency: str = POINTS


def open_points(*, start: datetime, today: datetime, by: Actor) -> datetime:
    """Set up points currencies, policies and rules, dated from `start`; return when orders begin to need their history."""
    points = _set_currencies(start)
    _set_expiry(points, start)
    _write_rules(points, today, by)
    return today - timedelta(days=SLOW_DAYS)


def _set_currencies(start: datetime) -> dict[str, PointsCurrency]:
    PointsCurrency.objects.filter(code=POINTS).update(
        arrears_policy=PointsCurrency.Arrears.LIMIT, arrears_limit_points=200, restored_days_min=30
    )
    beans, _ = PointsCurrency.objects.get_or_create(
        code=BEANS, defaults={**texts("name", BEAN_NAMES), "arrears_policy": PointsCurrency.Arrears.NONE}
    )
    points = PointsCurrency.objects.get(code=POINTS)
    for tier in Tier.objects.filter(code__in=ARREARS):
        ArrearsLimit.objects.get_or_create(
            currency=points, tier=tier, defaults={"limit_points": ARREARS[tier.code]}
        )  # fmt: skip
    for currency in (points, beans):
        PointsRate.objects.get_or_create(
            currency=currency, valid_from=start, defaults={"money_per_point": WORTH[currency.code]}
        )
    PointsPayment.objects.get_or_create(
        currency=points, valid_from=start, defaults={"money_per_point": WORTH[POINTS], "max_share_percent": 50}
    )
    TransferPolicy.objects.filter(currency=points).update(is_enabled=True, min_points=50)
    TransferPolicy.objects.get_or_create(currency=beans)
    forget_policies()
    return {POINTS: points, BEANS: beans}


def _set_expiry(currencies: Mapping[str, PointsCurrency], start: datetime) -> None:
    """Points of purchases live twelve months, those of promotions six, those for behaviour three; beans half a year."""
    month_end, rolling = ExpiryPolicy.Kind.END_OF_MONTH, ExpiryPolicy.Kind.ROLLING_MONTHS
    for code, origin, kind, months in (
        (POINTS, None, month_end, 12),
        (POINTS, Lot.Origin.PROMOTION, month_end, 6),
        (POINTS, Lot.Origin.BEHAVIOUR, rolling, 3),
        (BEANS, None, rolling, 6),
    ):
        currency = currencies[code]
        if not ExpiryPolicy.objects.filter(currency=currency, origin=origin).exists():
            policy = ExpiryPolicy(currency=currency, origin=origin, kind=kind, months=months, valid_from=start)
            store_policy(policy=policy, at=start)


def _plans() -> list[Plan]:
    category = dict(Category.objects.values_list("code", "id"))
    till = Channel.objects.get(code="till").pk
    extra: Terms = {"mode": EarnRuleVersion.Mode.EXTRA, "gets_promotions": False}
    fixed: Terms = {"gets_tier_multiplier": False, "gets_promotions": False}
    return [
        Plan(("茶饮加倍", "茶飲加倍", "Teas: double points"),
             {**extra, "category_ids": [category["tea"]], "basis": EarnRuleVersion.Basis.PER_LINE}, begins=95, ends=50),
        Plan(("工作日早安加分", "工作日早安加分", "Weekday mornings"),
             {**extra, **fixed, "points_fixed": 5, "weekdays": [0, 1, 2, 3, 4], "hour_from": 7, "hour_to": 10, "channel_ids": [till]},
             begins=60),
        Plan(("烘焙双倍积分", "烘焙雙倍積分", "Bakery: double points"),
             {**extra, "category_ids": [category["bread"], category["cake"]], "cap_month_points": 120}, begins=SLOW_DAYS),
        Plan(("首单礼", "首單禮", "Welcome bonus on the first order"),
             {**extra, **fixed, "points_fixed": 50, "first_order_only": True, "min_spend_amount": Decimal(20), "budget_points": 20_000},
             begins=SLOW_DAYS),
        Plan(("咖啡豆与周边双倍积分", "咖啡豆與周邊雙倍積分", "Coffee beans and goods: double points"),
             {**extra, "category_ids": [category["retail"]]}, begins=-25, ends=-60),
        Plan(("每日签到", "每日簽到", "Daily check-in"),
             {**fixed, "points_fixed": 5, "cap_day_count": 1, "cap_month_count": 15}, begins=BEHAVIOUR_DAYS, behaviour="check_in",
             currency=BEANS),
        Plan(("评价有礼", "評價有禮", "Points for reviews"),
             {**fixed, "points_fixed": 20, "cap_month_count": 4}, begins=BEHAVIOUR_DAYS, behaviour="review"),
        Plan(("生日礼", "生日禮", "Birthday points"), {**fixed, "points_fixed": 100}, begins=BEHAVIOUR_DAYS, behaviour=BIRTHDAY),
    ]  # fmt: skip


def _write_rules(currencies: Mapping[str, PointsCurrency], today: datetime, by: Actor) -> None:
    """Publish each rule as of its first day; the bakery rule has a draft of its next version."""
    for plan in _plans():
        if EarnRule.objects.filter(name_en=plan.names[2]).exists():
            continue
        begins = today - timedelta(days=plan.begins)
        ends = None if plan.ends is None else today - timedelta(days=plan.ends)
        draft = make_rule(
            names=texts("name", plan.names), kind=EarnRule.Kind.BEHAVIOUR if plan.behaviour else EarnRule.Kind.SPEND,
            activity_kind=plan.behaviour, currency_id=currencies[plan.currency].pk,
            terms={**plan.terms, "valid_from": begins, "valid_to": ends}, by=by, at=min(begins, today),
        )  # fmt: skip
        publish_version(version_id=draft.pk, by=by, at=min(begins, today))
        if "category_ids" in plan.terms and "cap_month_points" in plan.terms:
            following = draft_version(rule_id=draft.rule_id, by=by, at=today)
            write_draft(
                version_id=following.pk,
                terms={"points_per_step": 2, "cap_month_points": 200, "note": "三倍积分，每月上限提高到 200"},
                by=by,
                at=today,
            )
