"""The stores, as everybody may know them: all, or those nearest to a place."""

from typing import Any, ClassVar, Final

from django.db.models import BigIntegerField, F, FloatField, QuerySet, Value
from django.db.models.functions import ASin, Cast, Cos, Least, Power, Radians, Round, Sin, Sqrt
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from members.api.base import ApiView, cacheable
from members.api.fields import Text
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import Public
from members.api.queries import query_values
from members.api.serializers import StoreSerializer
from members.models import Store

_CACHE_SECONDS: Final = 300
_EARTH_METRES: Final = 6_371_000


class NearField(serializers.CharField):
    """A place as `lat,lng` in degrees. Reads to a pair of numbers."""

    default_error_messages: ClassVar = {"near": _("Write a place as latitude,longitude, for example 31.2304,121.4737.")}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            latitude, longitude = (float(part) for part in text.split(","))
        except ValueError:
            self.fail("near")
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # which no NaN is, either
            self.fail("near")
        return latitude, longitude


class StoresQuery(serializers.Serializer):
    """Which stores."""

    near = NearField(required=False, max_length=60)
    brand = serializers.SlugField(required=False, max_length=30)
    city = Text(required=False, max_length=40)


class StoreBrandSerializer(serializers.Serializer):
    """A brand of the business."""

    code = serializers.CharField()
    name = serializers.CharField()


class StoreOnMapSerializer(StoreSerializer):
    """A store, to somebody who wants to go there."""

    brand = StoreBrandSerializer()
    city = serializers.CharField(help_text="May be empty.")
    address = serializers.CharField(source="street", help_text="May be empty.")
    opening_hours = serializers.CharField(help_text="In words; may be empty.")
    latitude = serializers.FloatField(allow_null=True, help_text="GCJ-02; null where it is not known.")
    longitude = serializers.FloatField(allow_null=True)
    distance_metres = serializers.SerializerMethodField(help_text="As the crow flies; null without `near`.")

    def get_distance_metres(self, store: Store) -> int | None:
        return getattr(store, "distance_metres", None)


_EXAMPLES: Final = [
    OpenApiExample(
        "Near me",
        value={
            "items": [
                {
                    "id": "sto_0a2c4e6g8j0m2p4r6t8v0x2z4b",
                    "code": "SH01",
                    "name": "Shanghai Jing'an Temple",
                    "brand": {"code": "maitian", "name": "Maitian Coffee"},
                    "city": "Shanghai",
                    "address": "1686 Nanjing West Road",
                    "opening_hours": "Daily 7:30-22:00",
                    "latitude": 31.22352,
                    "longitude": 121.44591,
                    "distance_metres": 2750,
                }
            ],
            "next": None,
            "previous": None,
        },
        response_only=True,
        status_codes=["200"],
    )
]


class StoresView(ApiView):
    """The open stores."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_stores",
        examples=_EXAMPLES,
        summary="Stores, the nearest first",
        description="Stores that are open. With `near`, those that are on the map, the nearest first. Places are those of the "
        "country's maps (GCJ-02), as `wx.getLocation` gives them. Carries an `ETag`; send it as `If-None-Match`.",
        tags=["Program"],
        parameters=[
            OpenApiParameter(
                "near", str, description="`lat,lng` in degrees. Keep it for further pages: distances are from there."
            ),
            OpenApiParameter("brand", str, description="Code of a brand: only its stores."),
            OpenApiParameter("city", str, description="Only stores of this city, written as they have it."),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(StoreOnMapSerializer, "StorePageSerializer"),
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = query_values(StoresQuery, request)
        rows: QuerySet[Store] = Store.objects.filter(is_open=True).select_related("brand")
        if "brand" in asked:
            rows = rows.filter(brand__code=asked["brand"])
        if "city" in asked:
            rows = rows.filter(city=asked["city"])
        by = "id"
        if "near" in asked:
            rows, by = _with_distance(rows, *asked["near"]), "distance_metres"
        page = page_of(rows, request, by=by, newest_first=False)
        data = StoreOnMapSerializer(page.items, many=True).data
        return cacheable(request, page.body(data), seconds=_CACHE_SECONDS)


def _with_distance(rows: QuerySet[Store], latitude: float, longitude: float) -> QuerySet[Store]:
    """Return the stores that are on the map with `distance_metres` from a place, whole metres on a round earth."""
    from_latitude, from_longitude = Radians(Value(latitude)), Radians(Value(longitude))
    to_latitude, to_longitude = (Radians(Cast(F(name), FloatField())) for name in ("latitude", "longitude"))
    half = Power(Sin((to_latitude - from_latitude) / 2.0), 2.0) + Cos(from_latitude) * Cos(to_latitude) * Power(
        Sin((to_longitude - from_longitude) / 2.0), 2.0
    )
    metres = ASin(Sqrt(Least(half, 1.0, output_field=FloatField()))) * (2.0 * _EARTH_METRES)
    return rows.filter(latitude__isnull=False).annotate(distance_metres=Cast(Round(metres), BigIntegerField()))
