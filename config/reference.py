"""The description of the API, served: as JSON, as pages, and the kinds of problems by name."""

import functools
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework import serializers
from rest_framework.request import Request

from config.problems import TITLES
from members.api.base import ApiView, cacheable
from members.api.permissions import Public

_CACHE_SECONDS = 300


class ProblemKindSerializer(serializers.Serializer):
    """A kind of problem."""

    code = serializers.CharField()
    title = serializers.CharField()


@functools.cache
def published_schema() -> dict[str, Any]:
    """Return the whole description, the same in every language and on every installation. Made once per process."""
    with translation.override("en"):
        return SchemaGenerator().get_schema(request=None, public=True)


class SchemaView(ApiView):
    """The description as JSON, for programs."""

    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponseBase:
        return cacheable(request, published_schema(), seconds=_CACHE_SECONDS)


class ReferenceView(SpectacularSwaggerView):
    """The description as pages, for people."""

    authentication_classes = ()
    permission_classes = (Public,)


class ProblemKindView(ApiView):
    """What a kind of problem is called."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="get_problem_kind",
        summary="A kind of problem",
        description="The address that the `type` of a problem names.",
        tags=["Program"],
        responses=ProblemKindSerializer,
    )
    def get(self, request: Request, code: str) -> HttpResponseBase:
        if code not in TITLES:
            raise Http404
        return cacheable(
            request, ProblemKindSerializer({"code": code, "title": str(TITLES[code])}).data, seconds=_CACHE_SECONDS
        )
