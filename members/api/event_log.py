"""The log of events, in order: to catch up, or instead of webhooks."""

from typing import Any, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import webhook_examples as examples
from members.api.authentication import TillAuthentication
from members.api.base import ApiView
from members.api.pagination import DEFAULT_LIMIT, MOST, limit_of
from members.api.permissions import till_may
from members.api.queries import BadQuery
from members.event_log import CursorUnknown, LogPage, latest_cursor, read_events
from members.services.keys import EVENTS_READ
from members.webhook_types import Event, is_event_type

LATEST: Final = "latest"


class LoggedEventSerializer(serializers.Serializer):
    """An event, as webhooks send it."""

    id = serializers.CharField(help_text="`evt_…`: the same here and in `webhook-id`.")
    type = serializers.CharField()
    timestamp = serializers.DateTimeField(help_text="When it happened.")
    data = serializers.DictField(  # type: ignore[assignment]
        child=serializers.JSONField(), help_text="By type; see `webhooks` of this description."
    )
    is_history = serializers.BooleanField(help_text="Brought in from another system: it is logged, but was not sent.")


class EventLogSerializer(serializers.Serializer):
    """Some events, and where to go on."""

    items = LoggedEventSerializer(many=True)
    next = serializers.CharField(help_text="Cursor for `after`, always: keep it with what you did with the items.")
    has_more = serializers.BooleanField(help_text="Whether there is more already; otherwise ask again later.")
    epoch = serializers.IntegerField(
        help_text="Grows when a backup was restored: events that came after the backup may not have happened."
    )


class EventLogView(ApiView):
    """Reads the log."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(EVENTS_READ),)

    @extend_schema(
        operation_id="list_events",
        summary="What happened, in order",
        description=(
            "Every event once, in the order in which they were written down; nothing is skipped, however late it is "
            "written down. Begin without `after` for everything, or with `after=latest` for what comes from now on. An empty "
            "page with `has_more` is no mistake: much was looked at, and nothing of the types asked for was found."
        ),
        tags=["Integration"],
        parameters=[
            OpenApiParameter("after", str, description="`next` of an earlier answer, or `latest`."),
            OpenApiParameter("types", str, description="Types of events with commas between them; all when left out."),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}),
        ],
        responses=EventLogSerializer,
        examples=examples.EVENTS,
    )
    def get(self, request: Request) -> Response:
        limit = limit_of(request)
        types = _types(request)
        after = request.query_params.get("after", "")
        if after == LATEST:
            return Response(_body(latest_cursor()))
        try:
            page = read_events(after=after, types=types, limit=limit)
        except CursorUnknown as error:
            raise BadQuery("after", _("This cursor was not given out here.")) from error
        return Response(_body(page))


def _types(request: Request) -> list[str] | None:
    text = request.query_params.get("types", "")
    if not text:
        return None
    types = text.split(",")
    unknown = [one for one in types if not is_event_type(one)]
    if unknown:
        raise BadQuery("types", _("This type of event does not exist."))
    return types


def _body(page: LogPage) -> dict[str, Any]:
    return {
        "items": [_item(event) for event in page.events],
        "next": page.cursor,
        "has_more": page.has_more,
        "epoch": page.epoch,
    }


def _item(event: Event) -> dict[str, Any]:
    return {**event.content(), "is_history": event.quiet}
