"""All addresses under /api/v1/: those of every floor, and their description."""

from django.urls import path

from campaigns.api.urls import urlpatterns as campaigns
from config.reference import ProblemKindView, ReferenceView, SchemaView
from loyalty.api.urls import urlpatterns as loyalty
from members.api.urls import urlpatterns as members
from rewards.api.urls import urlpatterns as rewards

app_name = "api"

urlpatterns = [
    *members,
    *loyalty,
    *rewards,
    *campaigns,
    path("problems/<slug:code>", ProblemKindView.as_view(), name="problem_kind"),
    path("openapi.json", SchemaView.as_view(), name="openapi"),
    path("docs/", ReferenceView.as_view(url_name="api:openapi"), name="docs"),
]
