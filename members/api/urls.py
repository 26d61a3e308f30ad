"""Addresses of the ground floor under /api/v1/."""

from django.conf import settings
from django.urls import URLPattern, path, register_converter

from members.api.activities import ActivitiesView, EventsView
from members.api.card import CardView
from members.api.closing import ClosureView
from members.api.consents import ConsentsView, ConsentView, DataCopyView
from members.api.integration import ShopMemberView
from members.api.jobs import JobResultView, JobView
from members.api.onboarding import OnboardingView
from members.api.profile import MeView, PreferencesView
from members.api.segments import SegmentMembersView, SegmentsView
from members.api.views import DevLoginView, ProgramView


class OrderNumberConverter:
    """An order number in an address: no slash, no control characters, at most 80 characters."""

    regex = r"[^/\x00-\x1f\x7f-\x9f]{1,80}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class RefConverter(OrderNumberConverter):
    """A public id in an address, or what somebody takes for one; the view answers 404 to the latter."""

    regex = r"[A-Za-z0-9_-]{1,60}"


register_converter(OrderNumberConverter, "order_no")
register_converter(RefConverter, "ref")


def routes(*, demo: bool) -> list[URLPattern]:
    """Return the addresses that need no sign-in; the development login only for the demo."""
    addresses = [path("program", ProgramView.as_view(), name="program")]
    if demo:
        addresses.append(path("auth/dev/login", DevLoginView.as_view(), name="dev_login"))
    return addresses


urlpatterns = [
    *routes(demo=settings.DEMO),
    path("me", MeView.as_view(), name="me"),
    path("me/card", CardView.as_view(), name="my_card"),
    path("me/onboarding", OnboardingView.as_view(), name="my_onboarding"),
    path("me/preferences", PreferencesView.as_view(), name="my_preferences"),
    path("me/consents", ConsentsView.as_view(), name="my_consents"),
    path("me/consents/<slug:purpose>", ConsentView.as_view(), name="my_consent"),
    path("me/data-export", DataCopyView.as_view(), name="my_data_copy"),
    path("me/closure", ClosureView.as_view(), name="my_closure"),
    path("integration/members/<order_no:external_id>", ShopMemberView.as_view(), name="shop_member"),
    path("integration/segments", SegmentsView.as_view(), name="segments"),
    path("integration/segments/<ref:segment>/members", SegmentMembersView.as_view(), name="segment_members"),
    path("me/events", EventsView.as_view(), name="my_events"),
    path("pos/activities", ActivitiesView.as_view(), name="activities"),
    path("jobs/<ref:job>", JobView.as_view(), name="job"),
    path("jobs/<ref:job>/result", JobResultView.as_view(), name="job_result"),
]
