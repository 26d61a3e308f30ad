"""Addresses of tiers and benefits under /api/v1/."""

from django.urls import path

from loyalty.api.benefits import ClaimBenefitView, MyBenefitsView, TillUseView
from loyalty.api.views import MyTierView, TiersView

urlpatterns = [
    path("tiers", TiersView.as_view(), name="tiers"),
    path("me/tier", MyTierView.as_view(), name="my_tier"),
    path("me/benefits", MyBenefitsView.as_view(), name="my_benefits"),
    path("me/benefits/<str:entitlement_id>/claim", ClaimBenefitView.as_view(), name="claim_benefit"),
    path("pos/benefits/use", TillUseView.as_view(), name="use_benefit"),
]
