"""Addresses of tiers under /api/v1/."""

from django.urls import path

from loyalty.api.rules import RulesChangesView, RulesView
from loyalty.api.views import MyTierView, TierHistoryView, TiersView, WhatIfView

urlpatterns = [
    path("tiers", TiersView.as_view(), name="tiers"),
    path("rules", RulesView.as_view(), name="rules"),
    path("rules/changes", RulesChangesView.as_view(), name="rules_changes"),
    path("me/tier", MyTierView.as_view(), name="my_tier"),
    path("me/tier/what-if", WhatIfView.as_view(), name="my_tier_what_if"),
    path("me/tier/history", TierHistoryView.as_view(), name="my_tier_history"),
]
