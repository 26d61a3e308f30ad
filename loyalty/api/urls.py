"""Addresses of tiers under /api/v1/."""

from django.urls import path

from loyalty.api.views import MyTierView, TiersView

urlpatterns = [
    path("tiers", TiersView.as_view(), name="tiers"),
    path("me/tier", MyTierView.as_view(), name="my_tier"),
]
