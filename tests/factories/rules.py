"""Earn rules for tests: published already, without the way through drafts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rewards.models import Budget, BudgetSlice, EarnRule, EarnRuleVersion, PointsCurrency
from rewards.queries import forget_rules
from rewards.services.caps import SLICES, set_budget
from rewards.services.rules import TERMS

EVER = datetime(1990, 1, 2, tzinfo=UTC)


def a_rule(
    name: str = "A rule", *, currency: PointsCurrency | None = None, activity_kind: str = "", **terms: Any
) -> EarnRuleVersion:
    """A rule with one published version, in force for ever unless its terms say otherwise (`state="draft"`: a draft)."""
    budget_points = terms.get("budget_points")
    rule = EarnRule.objects.create(
        name=name,
        kind="behaviour" if activity_kind else "spend",
        activity_kind=activity_kind,
        currency=currency or PointsCurrency.objects.get(code="points"),
        budget=a_budget(budget_points) if budget_points else None,
    )
    if budget_points:
        terms = {"gets_tier_multiplier": False, "gets_promotions": False, **terms}
    return _published(rule, 1, {"valid_from": None if terms.get("state") == "draft" else EVER, **terms})


def a_budget(points: int) -> Budget:
    """A budget with its slices."""
    budget = Budget.objects.create(total_points=0)
    BudgetSlice.objects.bulk_create(
        BudgetSlice(budget=budget, slice_no=number, capacity=0, used=0) for number in range(SLICES)
    )
    set_budget(budget_id=budget.pk, total_points=points)
    budget.refresh_from_db()
    return budget


def base_rule() -> EarnRule:
    """The rule that is there from the beginning: a point for each whole unit of money."""
    return EarnRule.objects.order_by("pk")[0]


def follow_base_rule(*, valid_from: datetime, **terms: Any) -> EarnRuleVersion:
    """Let the base rule say something else from a moment on."""
    rule = base_rule()
    last = rule.versions.order_by("-number")[0]
    EarnRuleVersion.objects.filter(pk=last.pk).update(valid_to=valid_from)
    kept = {name: getattr(last, name) for name in TERMS - {"valid_from", "valid_to", "note"}}
    return _published(rule, last.number + 1, {**kept, "valid_from": valid_from, **terms})


def rewrite_base_rule(*, valid_from: datetime | None = None, **terms: Any) -> EarnRuleVersion:
    """Let the base rule say something else, as if it always had, or with nothing before a moment."""
    first = base_rule().versions.order_by("-number")[0]
    begins = max(EVER, (first.valid_from or EVER) + timedelta(days=1))
    follow = follow_base_rule(valid_from=valid_from or begins, **terms)
    EarnRuleVersion.objects.filter(pk=first.pk).update(valid_to=min(begins, follow.valid_from or begins))
    forget_rules()
    return follow


def _published(rule: EarnRule, number: int, terms: dict[str, Any]) -> EarnRuleVersion:
    terms = {"state": EarnRuleVersion.State.PUBLISHED, **terms}
    version = EarnRuleVersion.objects.create(rule=rule, number=number, **terms)
    forget_rules()
    return version
