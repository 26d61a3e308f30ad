"""What of a member's points expires when."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.periods import business_date
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.fields import Instant
from members.api.permissions import IsMember
from members.api.queries import BadQuery, query_values
from members.queries import programme
from rewards.api import examples_me as examples
from rewards.api.me import CURRENCY, asked_currency
from rewards.api.serializers import ExpiringSerializer, last_day
from rewards.queries import Expiring, balance_of

MOST_DAYS: Final = 400


class UntilQuery(serializers.Serializer):
    """Up to which day."""

    until = serializers.DateField(required=False)


class ExpiringPointsSerializer(serializers.Serializer):
    """What expires when. `total`, `later` and `never` together are what is available."""

    currency = serializers.CharField(help_text="Code of the points currency.")
    until = serializers.DateField(help_text="The last day that was looked at, in the programme's zone.")
    buckets = ExpiringSerializer(many=True, help_text="By last day, the soonest first; each day once.")
    total = serializers.IntegerField(help_text="In these buckets.")
    later = serializers.IntegerField(help_text="Available points that expire after `until`.")
    never = serializers.IntegerField(help_text="Available points that do not expire.")
    available = serializers.IntegerField(help_text="As at `/me/points`.")
    as_of = Instant()


class ExpiringPointsView(ApiView):
    """The points of a member by the day on which they expire."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_expiring_points",
        examples=examples.EXPIRING,
        summary="What of my points expires when",
        description="Available points by the last day on which they can be spent, in the programme's zone. A day's `expires_at` is "
        "the first moment of it at which some are over.",
        tags=["Me"],
        parameters=[
            CURRENCY,
            OpenApiParameter(
                "until",
                {"type": "string", "format": "date"},
                description=f"To this day, included: at most {MOST_DAYS} days from today, which is what counts when it is left out.",
            ),
        ],
        responses=ExpiringPointsSerializer,
    )
    def get(self, request: Request) -> Response:
        at, currency = timezone.now(), asked_currency(request)
        until = _until(request, at)
        balance = balance_of(caller_member(request).pk, at, currency=currency.pk)
        days = list(_by_day(balance.expiring))
        buckets = [bucket for day, bucket in days if day <= until]
        total, ending = sum(bucket.points for bucket in buckets), sum(bucket.points for _day, bucket in days)
        told: dict[str, Any] = {
            "currency": currency.code,
            "until": until,
            "buckets": buckets,
            "total": total,
            "later": ending - total,
            "never": balance.available - ending,
            "available": balance.available,
            "as_of": at,
        }
        return Response(ExpiringPointsSerializer(told).data)


def _until(request: Request, at: datetime) -> date:
    """Return up to which day to look. Raises BadQuery for one that is over or too far away."""
    today = business_date(at, programme().tz)
    furthest = today + timedelta(days=MOST_DAYS)
    asked: date = query_values(UntilQuery, request).get("until", furthest)
    if not today <= asked <= furthest:
        words = _("Ask for a day from today on, at most %(days)s days ahead.")
        raise BadQuery("until", words % {"days": MOST_DAYS})
    return asked


def _by_day(parts: list[Expiring]) -> Iterator[tuple[date, Expiring]]:
    """Yield each last day with the points that end on it, the soonest first."""
    for day, of_day in groupby(parts, key=lambda part: last_day(part.expires_at)):
        together = list(of_day)
        yield day, Expiring(together[0].expires_at, sum(part.points for part in together))
