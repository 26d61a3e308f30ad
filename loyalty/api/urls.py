"""Addresses of tiers and benefits under /api/v1/."""

from django.urls import path

import members.api.urls  # noqa: F401 - registers <order_no:…>
from loyalty.api.benefits import ClaimBenefitView, MyBenefitsView, TillUndoView, TillUseView
from loyalty.api.identity import MyBadgesView, MyGrowthView, MyTitleView
from loyalty.api.plan_views import MyPlanView, PlanConfirmationsView, PlansView
from loyalty.api.rules import RulesChangesView, RulesView
from loyalty.api.views import MyTierView, TierHistoryView, TiersView, WhatIfView

urlpatterns = [
    path("tiers", TiersView.as_view(), name="tiers"),
    path("rules", RulesView.as_view(), name="rules"),
    path("rules/changes", RulesChangesView.as_view(), name="rules_changes"),
    path("me/tier", MyTierView.as_view(), name="my_tier"),
    path("me/tier/what-if", WhatIfView.as_view(), name="my_tier_what_if"),
    path("me/tier/history", TierHistoryView.as_view(), name="my_tier_history"),
    path("me/badges", MyBadgesView.as_view(), name="my_badges"),
    path("me/title", MyTitleView.as_view(), name="my_title"),
    path("me/growth", MyGrowthView.as_view(), name="my_growth"),
    path("me/benefits", MyBenefitsView.as_view(), name="my_benefits"),
    path("me/benefits/<str:entitlement_id>/claim", ClaimBenefitView.as_view(), name="claim_benefit"),
    path("pos/benefits/use", TillUseView.as_view(), name="use_benefit"),
    path("pos/benefits/uses/<order_no:external_ref>/undo", TillUndoView.as_view(), name="undo_benefit_use"),
    path("plans", PlansView.as_view(), name="plans"),
    path("me/plan", MyPlanView.as_view(), name="my_plan"),
    path("payments/plan-confirmations", PlanConfirmationsView.as_view(), name="plan_confirmations"),
]
