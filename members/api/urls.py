"""Addresses of the ground floor under /api/v1/."""

from django.conf import settings
from django.urls import URLPattern, path, register_converter

from members.api.activities import ActivitiesView, EventsView
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
    path("me/events", EventsView.as_view(), name="my_events"),
    path("pos/activities", ActivitiesView.as_view(), name="activities"),
]
