"""The published description: true to the routes, valid, and readable in a browser without other hosts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.problems import TITLES
from config.reference import published_schema
from tests.config.test_rest import api_views
from tests.factories.api import API

COMMITTED = Path(__file__).resolve().parents[2] / "config" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(json.dumps(published_schema()))


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


class TestTheDescription:
    def test_is_the_committed_one(self, schema: dict[str, Any]) -> None:
        committed = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
        assert committed == schema, (
            "write it anew: ./run.sh manage spectacular --validate --fail-on-warn --file config/openapi.yaml"
        )

    def test_is_the_same_in_every_language(self, schema: dict[str, Any]) -> None:
        for language in ("zh-hans", "zh-hant"):
            with translation.override(language):
                made = SchemaGenerator().get_schema(request=None, public=True)
            assert json.loads(json.dumps(made)) == schema

    def test_is_valid_openapi(self, schema: dict[str, Any]) -> None:
        assert schema["openapi"].startswith("3.1")
        OpenAPIV31SpecValidator(schema).validate()

    def test_has_every_route_and_no_other(self, schema: dict[str, Any]) -> None:
        hidden = {"/auth/dev/login", "/openapi.json", "/docs/"}
        routes = {
            (f"/{re.sub(r'<(?:[a-z_]+:)?([a-z_]+)>', r'{\1}', path.removeprefix('api/v1/'))}", method)
            for path, view in api_views().items()
            for method in METHODS
            if hasattr(view, method)
        }
        described = {(path, method) for path, item in schema["paths"].items() for method in item if method in METHODS}
        assert {route for route in routes if route[0] not in hidden} == described

    def test_says_of_every_operation_what_it_needs_and_refuses(self, schema: dict[str, Any]) -> None:
        found = operations(schema)
        assert len({operation["operationId"] for operation in found.values()}) == len(found)
        for name, operation in found.items():
            assert operation["summary"], name
            assert operation["tags"], name
            assert "security" in operation, name
            assert any(status.startswith("2") for status in operation["responses"]), name
            for status, response in operation["responses"].items():
                if status[0] not in "45":
                    continue
                examples = response["content"]["application/problem+json"]["examples"]
                assert examples, (name, status)
                for code, example in examples.items():
                    assert code in TITLES, (name, code)
                    assert (str(example["value"]["status"]), example["value"]["code"]) == (status, code), name

    def test_its_examples_are_such_as_it_describes(self, schema: dict[str, Any]) -> None:
        checked = 0
        for name, operation in operations(schema).items():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (content for body in bodies for content in body.get("content", {}).values()):
                validator = OAS31Validator({**content["schema"], "components": schema["components"]})
                for title, example in content.get("examples", {}).items():
                    problems = [error.message for error in validator.iter_errors(example["value"])]
                    assert problems == [], (name, title)
                    checked += 1
        assert checked > 50

    def test_its_examples_name_every_field(self, schema: dict[str, Any]) -> None:
        for name, operation in operations(schema).items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json", {})
                for title, example in content.get("examples", {}).items():
                    described = schema["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
                    assert example["value"].keys() == described["properties"].keys(), (name, status, title)

    def test_asks_for_a_key_where_value_moves(self, schema: dict[str, Any]) -> None:
        keyed = {
            name
            for name, operation in operations(schema).items()
            if any(
                parameter["name"] == "Idempotency-Key" and parameter["required"]
                for parameter in operation["parameters"]
            )
        }
        assert keyed == {
            "POST /pos/holds", "POST /pos/batches", "POST /integration/orders:batch", "POST /integration/adjustments", "POST /pos/orders/{order_no}/void",
            "POST /pos/orders", "POST /pos/orders/{order_no}/returns", "POST /pos/vouchers/redeem", "POST /pos/vouchers/unredeem", "POST /me/redemptions",
            "POST /me/redemptions/{redemption_id}/cancel", "POST /pos/pickups/{code}/complete",
            "POST /pos/benefits/use", "POST /pos/benefits/uses/{external_ref}/undo", "POST /me/benefits/{entitlement_id}/claim",
            "POST /me/plan", "POST /me/points/transfers",
            "POST /pos/members", "POST /auth/wechat/phone", "POST /me/phone-change",
            "POST /me/vouchers/claim", "POST /pos/vouchers/claim", "POST /me/vouchers/{voucher_id}/gift",
            "POST /me/vouchers/{voucher_id}/gift/cancel", "POST /me/vouchers/gift/accept",
        }  # fmt: skip


class TestThePages:
    def test_come_from_this_host_only(self) -> None:
        page = Client().get(f"{API}/docs/")
        assert page.status_code == 200
        text = page.content.decode()
        assert re.findall(r'(?:src|href)="(https?:)?//', text) == []
        assert f"{API}/openapi.json" in text

    def test_the_description_is_public_json(self, schema: dict[str, Any], db: None) -> None:
        answer = Client().get(f"{API}/openapi.json")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == schema
