"""What goes is said a year before: in the answer, in the description, and where promises are kept. Nothing goes today."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar

import pytest
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.promises import promises_of
from members.api.base import ApiView
from members.api.deprecation import Deprecation
from members.api.permissions import Public
from tests.config.test_rest import api_views
from tests.factories.api import Caller, problem_of

GOES = Deprecation(date(2026, 7, 5), date(2027, 7, 5), "`GET /new`")


class OldSerializer(serializers.Serializer):
    """Something old."""

    deprecated_fields: ClassVar = {"kind": GOES}

    name = serializers.CharField()
    kind = serializers.CharField(help_text="Its kind.")


class OldView(ApiView):
    """Declared for this test alone."""

    permission_classes = (Public,)
    deprecations: ClassVar = {"get": GOES}

    @extend_schema(operation_id="get_old", summary="Old", description="Old.", tags=["Program"], responses=OldSerializer)
    def get(self, request: Request) -> Response:
        if "wrong" in request.query_params:
            raise serializers.ValidationError("no")
        return Response({"name": "old", "kind": "x"})

    @extend_schema(operation_id="put_old", summary="Old", tags=["Program"], responses=OldSerializer)
    def put(self, request: Request) -> Response:
        return Response({"name": "old", "kind": "x"})


urlpatterns = [
    path("api/v1/old", OldView.as_view(), name="old"),
    path("api/v1/", include("config.api_urls")),
]


@pytest.mark.django_db
@pytest.mark.urls("tests.config.test_deprecation")
class TestAnOperationThatGoes:
    def test_says_so_with_each_answer_also_a_refusal(self) -> None:
        answers = [Caller().get("/old"), Caller().get("/old?wrong"), Caller().client.head("/api/v1/old")]
        assert [answer.status_code for answer in answers] == [200, 400, 200]
        for answer in answers:
            since = datetime.fromtimestamp(int(answer.headers["Deprecation"].removeprefix("@")), UTC)
            assert since == datetime(2026, 7, 5, tzinfo=UTC)
            assert answer.headers["Sunset"] == "Mon, 05 Jul 2027 00:00:00 GMT"
            assert answer.headers["Link"] == '</api/v1/docs/>; rel="deprecation"; type="text/html"'

    def test_leaves_others_alone(self) -> None:
        for answer in (Caller().put("/old", {}), Caller().get("/program")):
            assert answer.status_code == 200
            assert not {"Deprecation", "Sunset", "Link"} & answer.headers.keys()
        assert problem_of(Caller().post("/old", {})) == (405, "method_not_allowed")

    def test_is_marked_in_the_description_and_in_what_is_promised(self) -> None:
        schema: dict[str, Any] = SchemaGenerator(patterns=urlpatterns[:1]).get_schema(request=None, public=True)
        old = schema["paths"]["/old"]
        assert old["get"]["deprecated"] is True
        assert old["get"]["description"] == f"Old. {GOES.sentence}"
        assert {"Deprecation", "Sunset", "Link"} <= old["get"]["responses"]["200"]["headers"].keys()
        assert "deprecated" not in old["put"]
        kind = schema["components"]["schemas"]["Old"]["properties"]["kind"]
        assert (kind["deprecated"], kind["description"]) == (True, f"Its kind. {GOES.sentence}")
        ends = [line for line in promises_of(schema) if line.startswith("until ")]
        assert ends == [
            "until GET /old 200 application/json body/kind: 2027-07-05",
            "until GET /old: 2027-07-05",
            "until PUT /old 200 application/json body/kind: 2027-07-05",
        ]


class TestADeprecation:
    def test_leaves_callers_a_year(self) -> None:
        for since, sunset in ((date(2026, 7, 5), date(2027, 7, 4)), (date(2028, 2, 29), date(2029, 2, 28))):
            with pytest.raises(ValueError, match="a year"):
                Deprecation(since, sunset, "`GET /new`")
        assert Deprecation(date(2028, 2, 29), date(2029, 3, 1), "`GET /new`").headers()["Sunset"].startswith("Thu")

    def test_is_of_methods_that_exist(self) -> None:
        going = [(view, method) for view in api_views().values() for method in getattr(view, "deprecations", {})]
        assert [method for view, method in going if not hasattr(view, method)] == []
