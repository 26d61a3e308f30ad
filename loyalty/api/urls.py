"""Addresses of tiers under /api/v1/."""

from django.urls import path

from loyalty.api.plan_views import MyPlanView, PlanConfirmationsView, PlansView
from loyalty.api.views import MyTierView, TiersView

urlpatterns = [
    path("tiers", TiersView.as_view(), name="tiers"),
    path("me/tier", MyTierView.as_view(), name="my_tier"),
    path("plans", PlansView.as_view(), name="plans"),
    path("me/plan", MyPlanView.as_view(), name="my_plan"),
    path("payments/plan-confirmations", PlanConfirmationsView.as_view(), name="plan_confirmations"),
]
