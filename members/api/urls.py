"""Addresses of the ground floor under /api/v1/."""

from django.conf import settings
from django.urls import URLPattern, path, register_converter

from members.api.activities import ActivitiesView, EventsView
from members.api.auth import (
    LogoutView,
    RefreshView,
    SendCodeView,
    VerifyCodeView,
    WeChatLoginView,
    WeChatPhoneView,
)
from members.api.card import CardView
from members.api.closing import ClosureView
from members.api.code import CodeSeedView, CodeView
from members.api.consents import ConsentsView, ConsentView, DataCopyView
from members.api.devices import ActivateView, JoinView
from members.api.event_log import EventLogView
from members.api.integration import ShopMemberView
from members.api.jobs import JobResultView, JobView
from members.api.onboarding import OnboardingView
from members.api.phone_change import PhoneChangeView, PhoneCodesView
from members.api.profile import MeView, PreferencesView
from members.api.segments import SegmentMembersView, SegmentsView
from members.api.sessions import SessionsView, SessionView
from members.api.stores import StoresView
from members.api.views import DevLoginView, ProgramView
from members.api.webhooks import (
    WebhookDeliveriesView,
    WebhookReplayView,
    WebhookSecretView,
    WebhooksView,
    WebhookTestView,
    WebhookView,
)


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
    path("stores", StoresView.as_view(), name="stores"),
    path("auth/wechat/login", WeChatLoginView.as_view(), name="wechat_login"),
    path("auth/wechat/phone", WeChatPhoneView.as_view(), name="wechat_phone"),
    path("auth/sms/send", SendCodeView.as_view(), name="send_code"),
    path("auth/sms/verify", VerifyCodeView.as_view(), name="verify_code"),
    path("auth/refresh", RefreshView.as_view(), name="refresh"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("me/sessions", SessionsView.as_view(), name="my_sessions"),
    path("me/sessions/<ref:session>", SessionView.as_view(), name="my_session"),
    path("me/phone-change", PhoneChangeView.as_view(), name="phone_change"),
    path("me/phone-change/codes", PhoneCodesView.as_view(), name="phone_change_codes"),
    path("me", MeView.as_view(), name="me"),
    path("me/card", CardView.as_view(), name="my_card"),
    path("me/code", CodeView.as_view(), name="my_code"),
    path("me/code/seed", CodeSeedView.as_view(), name="my_code_seed"),
    path("me/onboarding", OnboardingView.as_view(), name="my_onboarding"),
    path("me/preferences", PreferencesView.as_view(), name="my_preferences"),
    path("me/consents", ConsentsView.as_view(), name="my_consents"),
    path("me/consents/<slug:purpose>", ConsentView.as_view(), name="my_consent"),
    path("me/data-export", DataCopyView.as_view(), name="my_data_copy"),
    path("me/closure", ClosureView.as_view(), name="my_closure"),
    path("integration/members/<order_no:external_id>", ShopMemberView.as_view(), name="shop_member"),
    path("integration/segments", SegmentsView.as_view(), name="segments"),
    path("integration/segments/<ref:segment>/members", SegmentMembersView.as_view(), name="segment_members"),
    path("integration/events", EventLogView.as_view(), name="event_log"),
    path("integration/webhooks", WebhooksView.as_view(), name="webhooks"),
    path("integration/webhooks/<ref:webhook>", WebhookView.as_view(), name="webhook"),
    path("integration/webhooks/<ref:webhook>/test", WebhookTestView.as_view(), name="webhook_test"),
    path("integration/webhooks/<ref:webhook>/rotate-secret", WebhookSecretView.as_view(), name="webhook_secret"),
    path("integration/webhooks/<ref:webhook>/deliveries", WebhookDeliveriesView.as_view(), name="webhook_deliveries"),
    path("integration/webhooks/<ref:webhook>/replay", WebhookReplayView.as_view(), name="webhook_replay"),
    path("me/events", EventsView.as_view(), name="my_events"),
    path("pos/activities", ActivitiesView.as_view(), name="activities"),
    path("pos/devices/activate", ActivateView.as_view(), name="activate_till"),
    path("pos/members", JoinView.as_view(), name="join"),
    path("jobs/<ref:job>", JobView.as_view(), name="job"),
    path("jobs/<ref:job>/result", JobResultView.as_view(), name="job_result"),
]
